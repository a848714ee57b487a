// Shows where a unit responds in a picture, and which units respond most.

import { unitHash } from "./address.js";
import { element } from "./dom.js";
import { shapeWords } from "./graph.js";

const LISTED = 12; // units that respond most
const DARK = 0.75; // opacity where the unit does not respond

/**
 * The picture, darkened where the unit does not respond, with a caption. The network saw a centre
 * crop with the ratio of `size` (height, width).
 */
export function mapFigure(url, map, name, size) {
  const values = map.flat();
  const highest = values.reduce((a, b) => Math.max(a, b), -Infinity);
  const canvas = element("canvas", {
    width: map[0].length,
    height: map.length,
    "aria-hidden": "true",
  });
  paint(canvas, map, highest);
  const caption =
    highest > 0
      ? `${name} responds where the picture is bright, at most with ${rounded(highest)}.`
      : `${name} does not respond to this picture (at most ${rounded(highest)}).`;
  const overlay = element(
    "div",
    { class: "overlay", style: { "--ratio": size[1] / size[0] } },
    element("img", { src: url, alt: "Your picture" }),
    canvas,
  );
  return element(
    "figure",
    { class: "map" },
    overlay,
    element("figcaption", { class: "small" }, caption),
  );
}

function paint(canvas, map, highest) {
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(canvas.width, canvas.height);
  map.flat().forEach((value, i) => {
    const share = highest > 0 ? Math.max(0, value) / highest : 0;
    pixels.data[4 * i + 3] = Math.round(255 * DARK * (1 - share));
  });
  context.putImageData(pixels, 0, 0);
}

/** The units of a layer that respond most, with their means over all positions. */
export function topList(network, layer, { shape, top }, current = null) {
  const highest = Math.max(...top.map(({ value }) => value), 1e-9);
  return element(
    "div",
    { class: "top" },
    element("h3", {}, `Most active units of ${layer}${shapeWords(shape) ? ", on average" : ""}`),
    element(
      "ol",
      {},
      top.slice(0, LISTED).map(({ unit, value, label }) =>
        element(
          "li",
          {},
          element(
            "a",
            {
              href: unitHash(network, layer, unit),
              "aria-current": unit === current ? "true" : null,
            },
            label ? `${unit} ${label.split(",")[0]}` : `unit ${unit}`,
          ),
          element("meter", {
            min: 0,
            max: highest,
            value: Math.max(0, value),
            "aria-hidden": "true",
          }),
          element("span", { class: "small soft" }, rounded(value)),
        ),
      ),
    ),
  );
}

export const rounded = (value) =>
  Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
