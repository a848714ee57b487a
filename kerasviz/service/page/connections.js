// What a unit is built from and what it feeds: pictures of its partners, each a way to go on.

import * as api from "./api.js";
import { unitHash } from "./address.js";
import { added, element, errorLine } from "./dom.js";
import { renderUnits } from "./rendering.js";
import { tileOf } from "./tile.js";
import { whenVisible } from "./when_visible.js";

/** The section of a unit's connections, which are asked for when it is looked at. */
export function connectionsOf(described, { layer, unit }, settings, signal) {
  const { line, say } = errorLine();
  const place = element("div", { class: "connected" }, element("p", { class: "soft" }, "Looking …"));
  const section = element(
    "section",
    { class: "connections", "aria-label": "Connections" },
    element("h2", {}, "Connections"),
    element(
      "p",
      { class: "small soft" },
      "The largest weights to this unit and from it, as shares of those of the layer: + excites, − inhibits.",
    ),
    place,
    line,
  );
  whenVisible(section, load, signal);
  return section;

  async function load() {
    try {
      const layers = await api.connections(described.name, { layer, unit }, signal);
      if (!signal.aborted) show(layers);
    } catch (error) {
      if (signal.aborted) return;
      place.replaceChildren();
      say(error);
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
    const missing = [...tiles].filter(([, tile]) => tile.isEmpty()).map(([target]) => target);
    if (!missing.length) return;
    if (described.filling) render(missing, tiles);
    else {
      const button = element("button", { type: "button" }, "Render their pictures");
      button.addEventListener("click", () => {
        button.remove();
        render(missing, tiles);
      });
      place.after(button);
    }
  }

  function render(targets, tiles) {
    targets.forEach((target) => tiles.get(target).wait());
    const pending = renderUnits({
      network: described.name,
      targets,
      settings: described.filling?.rough ?? settings(),
      made: ({ target, url }) => tiles.get(target)?.know(null, url),
      end: () => targets.forEach((target) => tiles.get(target).rest()),
      signal,
    });
    signal.addEventListener("abort", () => pending.cancel().catch(() => {}));
  }

  function layerOf({ layer: name, exciting, inhibiting, held }, tiles) {
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
            "Gates, attention and statistics between the layers are held at a grey image.",
          )
        : null,
    );
  }
}
