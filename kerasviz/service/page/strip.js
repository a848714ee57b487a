// The strip of a layer: a few pictures of its units in a row.

import * as api from "./api.js";
import { element } from "./dom.js";

const SHOWN = 24; // units of a layer whose pictures are requested
const SIDE = 56; // of a picture, in pixels
const GAP = 4;

/** The layer and the number of a unit, of LAYER:UNIT. */
export function unitOf(target) {
  const colon = target.lastIndexOf(":");
  return { layer: target.slice(0, colon), unit: Number(target.slice(colon + 1)) };
}

/**
 * The strip of a layer: `load()` requests its pictures, `add(unit, url, steps)` shows one in place
 * of that of the same unit, whose steps are in `steps`.
 */
export function strip(network, layer, signal) {
  const place = element("div", { class: "strip", "aria-hidden": "true" });
  const images = new Map();
  const steps = new Map();
  let count = null; // the promise of the number of pictures
  function add(unit, url, taken = 0) {
    place.classList.remove("none");
    steps.set(unit, taken);
    const image = element("img", { src: url, alt: "", width: SIDE, height: SIDE });
    const insert = () => {
      const before = images.get(unit);
      images.set(unit, image);
      if (before) before.replaceWith(image);
      else {
        const next = [...images.keys()].sort((a, b) => a - b).find((other) => other > unit);
        place.insertBefore(image, images.get(next) ?? null);
      }
    };
    image.decode().then(insert, insert); // the old picture stays until the new one is there
  }
  async function request() {
    const { units } = await api.layer(
      network,
      { layer: layer.name, first: 0, count: SHOWN },
      signal,
    );
    const pictures = units.filter(({ picture }) => picture);
    place.classList.toggle("none", pictures.length === 0);
    pictures.forEach((one) => add(one.unit, one.picture, one.steps));
    return pictures.length;
  }
  return {
    place,
    layer,
    steps,
    add,
    /** The number of pictures that fit into a row. */
    room: () => Math.floor((place.clientWidth + GAP) / (SIDE + GAP)),
    load: () => (count ??= request()),
  };
}
