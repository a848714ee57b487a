// Shows how pictures were made: the command that reproduces each, and its provenance.

import * as api from "./api.js";
import { copyable } from "./copying.js";
import { element, errorLine, joined } from "./dom.js";

/** A list of pictures with their commands and provenance. */
export function madeList(pictures) {
  if (!pictures.length) return [];
  return [
    element("h2", {}, "How the pictures were made"),
    ...pictures.map((picture) => madeDetails(picture, titleOf(picture))),
  ];
}

/** What a picture of a unit is called. */
export function titleOf({ kind, facet, recipe, seed, row }) {
  const names = { diversity: `diversity ${row + 1}`, facet: `facet ${facet}` };
  return joined(names[kind] ?? kind, recipe, `seed ${seed}`);
}

/** One picture, closed; its provenance is requested when it is opened. */
export function madeDetails({ command, provenance, url }, words) {
  const { line, say } = errorLine();
  const facts = element("div", { class: "facts" });
  const details = element(
    "details",
    {},
    element("summary", {}, words),
    command
      ? [
          element("p", { class: "small soft" }, "The command that reproduces this picture:"),
          copyable(command),
        ]
      : null,
    element(
      "p",
      { class: "small" },
      element("a", { href: url, download: true }, "Download the picture"),
    ),
    line,
    facts,
  );
  let requested = false;
  details.addEventListener("toggle", async () => {
    if (!details.open || requested || !provenance) return;
    requested = true;
    try {
      facts.replaceChildren(table(await api.provenance(provenance)));
    } catch (error) {
      requested = false;
      say(error);
    }
  });
  return details;
}

function table({ command: _, ...record }) {
  return element(
    "table",
    {},
    element("caption", {}, "Provenance"),
    element("tbody", {}, rows("", record)),
  );
}

/** The rows of a record; the names of nested records are joined. */
function rows(lead, record) {
  return Object.entries(record).flatMap(([key, value]) => {
    const name = (lead ? `${lead} · ` : "") + key.replaceAll("_", " ");
    if (value && typeof value === "object" && !Array.isArray(value)) return rows(name, value);
    if (Array.isArray(value) && value.some((one) => one && typeof one === "object")) {
      return [row(name, value.map((one) => JSON.stringify(one)).join("\n"))];
    }
    return [row(name, Array.isArray(value) ? value.join(", ") : String(value))];
  });
}

function row(name, words) {
  return element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, words));
}
