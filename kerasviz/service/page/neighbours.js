// What is like a unit: others of its layer that respond to the same, or have the same weights.

import * as api from "./api.js";
import { unitHash } from "./address.js";
import { element, errorLine } from "./dom.js";
import { panel } from "./panel.js";
import { renderMissing } from "./rendering.js";
import { tileOf } from "./tile.js";
import { whenVisible } from "./when_visible.js";

/** The panel of a unit's neighbours, which are asked for when it is looked at. */
export function neighboursOf(described, { layer, unit }, settings, signal) {
  const { line, say } = errorLine();
  const place = element("div", { class: "partners" }, element("p", { class: "soft" }, "Looking …"));
  const part = panel({ id: "like", title: "What is like it", content: [place, line] });
  part.offer(api.neighboursAddress(described.name, { layer, unit }), `neighbours-${unit}.json`);
  whenVisible(part.section, load, signal);
  return part.section;

  async function load() {
    try {
      const found = await api.neighbours(described.name, { layer, unit }, signal);
      if (!signal.aborted) show(found);
    } catch (error) {
      if (signal.aborted) return;
      place.replaceChildren();
      say(error);
    }
  }

  function show({ how, source, images, near, far }) {
    const tiles = new Map();
    const list = (words, sign, rows) =>
      rows.length
        ? [
            element("h3", { class: "small soft" }, words),
            element(
              "ul",
              { class: sign, "aria-label": words },
              rows.map((row) => element("li", {}, tile(row, how, tiles).link)),
            ),
          ]
        : null;
    const names =
      how === "cosine"
        ? ["The most similar weights", "The most opposite weights"]
        : ["Active together with it", "Active when it is not"];
    place.replaceChildren(
      ...[list(names[0], "exciting", near), list(names[1], "inhibiting", far)].flat().filter(Boolean),
    );
    if (how === "correlation")
      part.say(`Correlation of the activations over ${images.toLocaleString("en")} images.`);
    if (how === "cosine")
      part.say(`Cosine of the weights from ${source}: no data was needed.`);
    if (how !== "correlation" && described.input.medium === "image")
      part.leaveOut(
        how
          ? "Correlation in data is left out: no examples of this layer. This makes them:"
          : "Left out: neither data nor the weights from one layer tell. This makes data:",
        described.commands.examples?.replace("LAYER", layer),
      );
    if (!near.length && !far.length && how)
      place.replaceChildren(element("p", { class: "soft" }, "No other unit is like it."));
    renderMissing({ described, tiles, settings, after: place, signal });
  }

  function tile({ unit: other, label, likeness, picture }, how, tiles) {
    const one = tileOf(unitHash(described.name, layer, other), other);
    one.link.setAttribute("tabindex", "0");
    one.know(label, picture);
    one.link.title = `${layer}:${other}: ${how} ${likeness.toFixed(2)}`;
    one.link.append(element("span", { class: "soft small" }, likeness.toFixed(2)));
    tiles.set(`${layer}:${other}`, one);
    return one;
  }
}
