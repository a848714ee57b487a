// The scores of the terms of a sum.

import { rounded } from "./activation.js";
import { element } from "./dom.js";

/** A table of what each term of a picture reaches, and alone if the sum is balanced; or null. */
export function termScores({ term_scores: scores = {}, alone = {} }) {
  const names = Object.keys(scores);
  if (names.length < 2) return null;
  const balanced = Object.keys(alone).length > 0;
  const head = ["Term", "Score", balanced && "Alone"].filter(Boolean);
  return element(
    "table",
    { class: "term-scores" },
    element(
      "caption",
      {},
      balanced
        ? "What each term reaches in the picture, and in a picture of its own:"
        : "What each term reaches in the picture, without its weight:",
    ),
    element(
      "thead",
      {},
      element(
        "tr",
        {},
        head.map((words) => element("th", { scope: "col" }, words)),
      ),
    ),
    element(
      "tbody",
      {},
      names.map((name) =>
        element(
          "tr",
          {},
          element("th", { scope: "row", class: "code" }, name),
          element("td", {}, rounded(scores[name])),
          balanced ? element("td", {}, name in alone ? rounded(alone[name]) : "") : null,
        ),
      ),
    ),
  );
}
