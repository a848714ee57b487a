// What a unit is built from and what it feeds: pictures of its partners, each a way to go on.

import * as api from "./api.js";
import { unitHash } from "./address.js";
import { added, element, errorLine } from "./dom.js";
import { panel } from "./panel.js";
import { renderMissing } from "./rendering.js";
import { tileOf } from "./tile.js";
import { whenVisible } from "./when_visible.js";

/** The panel of a unit's connections, which are asked for when it is looked at. */
export function connectionsOf(described, { layer, unit }, settings, signal) {
  const { line, say } = errorLine();
  const place = element("div", { class: "connected" }, element("p", { class: "soft" }, "Looking …"));
  const part = panel({
    id: "built",
    title: "What it is built from and feeds",
    content: [place, line],
  });
  part.section.classList.add("connections");
  part.say(
    "The largest weights to this unit and from it, as shares of those of the layer: + excites, − inhibits.",
  );
  part.offer(api.connectionsAddress(described.name, { layer, unit }), `connections-${unit}.json`);
  whenVisible(part.section, load, signal);
  return part.section;

  async function load() {
    try {
      const layers = await api.connections(described.name, { layer, unit }, signal);
      if (!signal.aborted) show(layers);
    } catch (error) {
      if (signal.aborted) return;
      // A network through whose operators no weights lead is no mistake of anybody.
      const told = error.status === 422 ? [element("p", { class: "soft" }, error.message)] : [];
      place.replaceChildren(...told);
      if (!told.length) say(error);
    }
  }

  function show(layers) {
    const tiles = new Map();
    const columns = [
      ["Built from", layers.filter(({ level }) => level < 0)],
      ["Feeds", layers.filter(({ level }) => level > 0)],
    ].filter(([, own]) => own.length);
    place.replaceChildren(
      ...columns.map(([words, own]) =>
        element("div", {}, element("h3", {}, words), own.map((one) => layerOf(one, tiles))),
      ),
    );
    if (!columns.length)
      place.replaceChildren(element("p", { class: "soft" }, "No main layer is next to this one."));
    renderMissing({ described, tiles, settings, after: place, signal });
  }

  function layerOf({ layer: name, exciting, inhibiting, held }, tiles) {
    const { medium, noun } = described.input;
    const tile = (partner, sign) => {
      const one = tileOf(unitHash(described.name, name, partner.unit), partner.unit);
      const share = `${(100 * partner.share).toPrecision(2)} %`;
      one.link.setAttribute("tabindex", "0");
      one.link.title = `${name}:${partner.unit} ${sign} it: ${share} of the weights of ${name}`;
      one.link.append(element("span", { class: "soft small" }, share));
      one.know(partner.label, partner.picture);
      tiles.set(`${name}:${partner.unit}`, one);
      return element("li", { class: sign }, one.link);
    };
    return added(
      element("div", { class: "partners" }),
      element("h4", { class: "small soft" }, name),
      [
        ["exciting", exciting],
        ["inhibiting", inhibiting],
      ]
        .filter(([, partners]) => partners.length)
        .map(([sign, partners]) =>
          element(
            "ul",
            { "aria-label": `${sign}, ${name}` },
            partners.map((partner) => tile(partner, sign)),
          ),
        ),
      held.length
        ? element(
            "p",
            { class: "small soft" },
            `Gates, attention and statistics between the layers are held at ${medium === "image" ? "a grey image" : `one neutral ${noun}`}.`,
          )
        : null,
    );
  }
}
