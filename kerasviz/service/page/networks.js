// The list of networks, and the description of each, requested once.

import * as api from "./api.js";
import { hashOf } from "./address.js";
import { added, counted, element, errorLine, joined } from "./dom.js";
import { uploadForm } from "./upload.js";

const described = new Map();

/** The description of a network, which is requested once. */
export function describe(name) {
  if (!described.has(name)) {
    const description = api.network(name);
    described.set(name, description);
    description.catch(() => described.delete(name));
  }
  return described.get(name);
}

/** Show all networks. */
export async function show(main, place, _, signal) {
  const { line, say } = errorLine();
  const list = element("ul", { class: "cards" });
  added(
    main,
    element(
      "header",
      { class: "head" },
      element("h1", { tabindex: "-1" }, "Networks"),
      element("p", { class: "soft" }, "Choose one to see what its units respond to."),
    ),
    line,
    list,
  );
  try {
    const served = await api.networks(signal);
    list.append(...served.map(card));
    if (!served.length)
      list.replaceWith(
        element(
          "p",
          {},
          "The server has no networks: name some in ",
          element("code", {}, "kerasviz serve MODEL …"),
          ".",
        ),
      );
    added(main, await uploadForm(signal));
  } catch (error) {
    if (!signal.aborted) say(error);
  }
}

function card({ name, title, layers, classes, error }) {
  const facts = joined(
    layers && counted(layers, "main layer"),
    classes && `${classes.toLocaleString("en")} classes`,
  );
  return element(
    "li",
    {},
    element(
      "a",
      { href: hashOf({ view: "network", network: name }) },
      element("strong", {}, title || name),
      title && title !== name ? element("code", { class: "soft" }, name) : null,
      element("span", { class: "soft small" }, facts),
      error ? element("span", { class: "error" }, error) : null,
    ),
  );
}
