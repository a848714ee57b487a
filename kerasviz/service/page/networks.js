// The networks of the server: the list to pick from, and the description of each, asked for once.

import * as api from "./api.js";
import { hashOf } from "./address.js";
import { added, counted, element, errorLine, joined } from "./dom.js";
import { uploadForm } from "./upload.js";

const described = new Map();

/** The description of a network; the server is asked once. */
export function describe(name) {
  if (!described.has(name)) {
    const asked = api.network(name);
    described.set(name, asked);
    asked.catch(() => described.delete(name));
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
      element("p", { class: "soft" }, "Pick one to see what its units look for."),
    ),
    line,
    list,
  );
  try {
    const found = await api.networks(signal);
    list.append(...found.map(card));
    if (!found.length)
      list.replaceWith(
        element(
          "p",
          {},
          "The server has no networks: name some after ",
          element("code", {}, "kerasviz serve"),
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
