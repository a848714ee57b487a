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
 * of that of the same unit, whose steps are in `steps`. It shows the first units of the layer, or
 * those that `choose` names, in their order.
 */
export function strip(network, layer, signal) {
  const place = element("div", { class: "strip", "aria-hidden": "true" });
  const images = new Map();
  const steps = new Map();
  let chosen = null; // units, if not the first of the layer
  let count = null; // the promise of the number of pictures

  function order() {
    const units = chosen ?? [...images.keys()].sort((a, b) => a - b);
    const shown = units.map((unit) => images.get(unit)).filter(Boolean);
    place.replaceChildren(...shown);
    place.classList.toggle("none", shown.length === 0);
  }

  function add(unit, url, taken = 0) {
    steps.set(unit, taken);
    const image = element("img", { src: api.small(url), alt: "", width: SIDE, height: SIDE, title: unit });
    const insert = () => {
      images.set(unit, image);
      order();
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
    if (!images.size) order();
    pictures.forEach((one) => add(one.unit, one.picture, one.steps));
    return pictures.length;
  }

  return {
    place,
    layer,
    steps,
    add,
    /** Show these units alone; without any the first ones again. */
    choose(units) {
      chosen = units;
      order();
    },
    /** The units that it shows or has room for, `most` of them. */
    units: (most) =>
      (chosen ?? Array.from({ length: layer.units ?? 0 }, (_, unit) => unit)).slice(0, most),
    /** The number of pictures that fit into a row. */
    room: () => Math.floor((place.clientWidth + GAP) / (SIDE + GAP)),
    load: () => (count ??= request()),
  };
}
