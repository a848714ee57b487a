// A wall of tiles of which only those near the window are in the document.

import { element, showsPlots } from "./dom.js";

const NEAREST = 320; // pixels above and below the window in which tiles are in the document
const KEEP = 400; // tiles that are kept out of the document
const GAP = 8; // pixels between two tiles
const LEAST = 104; // pixels of a tile's width, at least
const LEAST_NARROW = 84; // in a narrow window
const LEAST_PLOT = 240; // where pictures are plots, whose words are to be read
const PLOT_HIGH = 0.75; // of a plot's width
const LINE = 18; // pixels of a line of text below a picture
const BAR = 70; // pixels that the bar at the top of the page covers

/**
 * A wall. `tileOf(unit)` makes the tile of a unit, `near(units)` is told which ones are near the
 * window whenever that changes. `set(units)` shows units in this order; `tiles` are those that are
 * there, by unit.
 */
export function wallOf({ label, tileOf, near, signal }) {
  const place = element("div", { class: "wall", role: "group", "aria-label": label });
  const tiles = new Map();
  let units = [];
  let shown = { first: 0, end: 0 };
  let size = { columns: 1, wide: 0, high: 0 };
  let lines = 1; // of text below a picture
  let current = 0; // the place in the order that the tab key stops at

  const tile = (unit) => {
    if (!tiles.has(unit)) tiles.set(unit, tileOf(unit));
    return tiles.get(unit);
  };

  /** Lay the tiles out for the width of the wall, which may not be in the document yet. */
  function measure() {
    const main = document.getElementById("main");
    const { paddingLeft, paddingRight } = getComputedStyle(main);
    const around = parseFloat(paddingLeft) + parseFloat(paddingRight);
    const width = place.clientWidth || main.clientWidth - around;
    const narrow = matchMedia("(max-width: 479px)").matches;
    const least = showsPlots() ? LEAST_PLOT : narrow ? LEAST_NARROW : LEAST;
    const columns = Math.max(1, Math.floor((width + GAP) / (least + GAP)));
    const wide = Math.floor((width - GAP * (columns - 1)) / columns);
    const tall = showsPlots() ? Math.round(PLOT_HIGH * wide) : wide;
    size = { columns, wide, high: tall + lines * LINE };
    place.style.height = `${Math.ceil(units.length / columns) * (size.high + GAP)}px`;
    place.style.setProperty("--wide", `${wide}px`);
    place.style.setProperty("--tall", `${tall}px`);
    place.style.setProperty("--high", `${size.high}px`);
  }

  let order = new Map(); // unit -> its place

  function put(link, at) {
    const { columns, wide, high } = size;
    const x = (at % columns) * (wide + GAP);
    const y = Math.floor(at / columns) * (high + GAP);
    link.style.transform = `translate(${x}px, ${y}px)`;
  }

  /** The places of the rows between two heights in the window. */
  function placesBetween(top, bottom) {
    const from = place.getBoundingClientRect().top;
    const row = (y) => Math.floor((y - from) / (size.high + GAP));
    const last = Math.ceil(units.length / size.columns) - 1;
    const first = Math.min(Math.max(0, row(top)), last);
    const end = Math.min(Math.max(0, row(bottom)), last) + 1;
    return {
      first: Math.max(0, first * size.columns),
      end: Math.min(units.length, end * size.columns),
    };
  }

  function draw(again = false) {
    if (!place.isConnected) return;
    const wanted = units.length
      ? placesBetween(-NEAREST, innerHeight + NEAREST)
      : { first: 0, end: 0 };
    if (!again && wanted.first === shown.first && wanted.end === shown.end) return;
    shown = wanted;
    trim();
    let next = null;
    for (let at = shown.end - 1; at >= shown.first; at -= 1) {
      const { link } = tile(units[at]);
      if (link.parentNode !== place || again) {
        put(link, at);
        place.insertBefore(link, next);
      }
      next = link;
    }
    reach();
    forget();
    near(units.slice(shown.first, shown.end));
  }

  /** Take tiles that are not near the window out of the document, but for one with the focus. */
  function trim() {
    const { activeElement } = document;
    for (const link of [...place.children]) {
      const at = order.get(Number(link.dataset.unit)) ?? -1;
      const outside = at < shown.first || at >= shown.end;
      if (outside && (link !== activeElement || at < 0)) link.remove();
    }
  }

  /** Let the tab key stop at one tile that is in the document. */
  function reach() {
    if (current < shown.first || current >= shown.end) {
      const { first } = placesBetween(0, innerHeight);
      current = Math.min(Math.max(first, shown.first), Math.max(0, shown.end - 1));
    }
    for (const link of place.children)
      link.setAttribute("tabindex", order.get(Number(link.dataset.unit)) === current ? "0" : "-1");
  }

  /** Forget tiles far from the window. Those whose pictures are being made stay. */
  function forget() {
    if (tiles.size <= KEEP + shown.end - shown.first) return;
    for (const [unit, { link }] of tiles)
      if (link.parentNode !== place && link.dataset.state !== "busy") tiles.delete(unit);
  }

  /** Scroll a place of the order into the window. */
  function reveal(at, block = "nearest") {
    const top = Math.floor(at / size.columns) * (size.high + GAP);
    const y = place.getBoundingClientRect().top + top;
    if (block === "start" || y < BAR) scrollBy({ top: y - BAR });
    else if (y + size.high > innerHeight) scrollBy({ top: y + size.high + 12 - innerHeight });
    draw();
  }

  place.addEventListener("keydown", (event) => {
    const link = event.target.closest(".tile");
    if (!link || event.altKey || event.ctrlKey || event.metaKey) return;
    const steps = {
      ArrowRight: 1,
      ArrowLeft: -1,
      ArrowDown: size.columns,
      ArrowUp: -size.columns,
      Home: -Infinity,
      End: Infinity,
    };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const at = order.get(Number(link.dataset.unit)) + steps[event.key];
    current = Math.min(Math.max(at, 0), units.length - 1);
    reveal(current);
    reach();
    tile(units[current]).link.focus({ preventScroll: true });
  });
  place.addEventListener("focusin", ({ target }) => {
    const at = order.get(Number(target.closest(".tile")?.dataset.unit));
    if (at === undefined) return;
    current = at;
    trim();
    reach();
  });
  let waiting = false;
  const soon = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      draw();
    });
  };
  addEventListener("scroll", soon, { passive: true, signal });
  const sized = new ResizeObserver(() => {
    measure();
    draw(true);
  });
  sized.observe(place);
  addEventListener("resize", soon, { signal });
  signal.addEventListener("abort", () => sized.disconnect());

  return {
    place,
    tiles,
    reveal: (unit) => order.has(unit) && reveal(order.get(unit), "start"),
    /** Show units in this order, with lines of text below each. */
    set(wanted, textLines = 1) {
      units = wanted;
      lines = textLines;
      order = new Map(units.map((unit, at) => [unit, at]));
      current = 0;
      measure();
      draw(true);
    },
    /** The units in the window, in order. */
    visible() {
      if (!units.length || !place.isConnected) return [];
      const { top, bottom } = place.getBoundingClientRect();
      if (bottom < 0 || top > innerHeight) return [];
      const { first, end } = placesBetween(0, innerHeight);
      return units.slice(first, end);
    },
  };
}
