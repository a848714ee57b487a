// A layer as a wall of its units, with and without pictures.

import * as api from "./api.js";
import { hashOf, layerHash, unitHash } from "./address.js";
import { rounded, topList } from "./activation.js";
import { batches } from "./batches.js";
import { dropZone } from "./drop.js";
import { aboutTime, added, counted, element, errorLine, joined } from "./dom.js";
import { blocksOf, shapeWords } from "./graph.js";
import { notesOf } from "./notes.js";
import { settingsFor } from "./settings.js";
import { shareLink } from "./share.js";
import { tileOf } from "./tile.js";
import { wallOf } from "./wall.js";
import { wallOrder } from "./wall_order.js";

const CHUNK = 128; // units of a request
const AT_ONCE = 32; // pictures of a job: a few rows of tiles
const GOOD_AT_ONCE = 4; // good pictures of a job, in place of rough ones
const REST = 150; // milliseconds without scrolling until what is seen is rendered

/** Show a layer. */
export async function show(main, place, described, signal) {
  const layerName = place.layer;
  const summary =
    described.layers.find(({ name }) => name === layerName) ??
    (await api.layer(described.name, { layer: layerName, first: 0, count: 0 }, signal)).layer;
  const layer = summary.name;
  const { line, say, clear } = errorLine();
  const { filling } = described;
  const settings = settingsFor(described, reload);
  const render = element("button", { type: "button", class: "main" }, "Render");
  const whole = element("button", { type: "button", hidden: true });
  const stop = element("button", { type: "button", hidden: true }, "Cancel");
  const auto = element("input", { type: "checkbox", checked: Boolean(filling) });
  let known = new Map(); // unit -> what the server has told of it
  let notes = new Map();
  let values = new Map(); // unit -> by what it is sorted
  let loading = null; // the promise of a request for units
  let shown = []; // the units of the wall in their order
  let pace = null; // seconds of a step at a pixel, as the server has measured them
  let going = false; // whether all units are being rendered, some at a time
  let asking = false; // whether the next of them are being looked for

  const wall = wallOf({
    label: `Units of ${layer}`,
    tileOf: newTile,
    near() {
      loadSeen();
      count();
    },
    signal,
  });
  const { tiles } = wall;
  const work = batches({ network: described.name, layer, tiles, finished, changed, say, signal });
  const order = wallOrder({
    described,
    summary,
    place,
    say,
    clear,
    signal,
    ordered({ units, values: by }) {
      values = new Map(by ? units.map((unit, i) => [unit, by[i]]) : []);
      tiles.forEach((tile, unit) => tile.value(valueOf(unit)));
      shown = units ?? Array.from({ length: summary.units }, (_, unit) => unit);
      wall.set(shown, by ? 2 : 1);
    },
  });
  notesOf(described.name, layer, signal).then(
    (found) => {
      notes = found;
      notes.forEach((note, unit) => tiles.get(unit)?.note(note));
    },
    () => {}, // the wall works without them; the page of a unit shows the error
  );

  added(
    main,
    heading(described, summary),
    element(
      "div",
      { class: "tools" },
      settings.form,
      element(
        "div",
        { class: "actions" },
        render,
        whole,
        stop,
        element("label", { class: "check" }, auto, "while I scroll"),
        shareLink(described.name, layer),
      ),
    ),
    dropZone({
      prompt: `Which units of ${layer} respond to your picture?`,
      network: described.name,
      signal,
      answer: answerTo,
    }),
    order.form,
    order.said,
    line,
    wall.place,
  );
  const ordering = order.order();
  if (!order.isByNumber()) await ordering; // so that the wall has its height when it is shown
  if (place.first) requestAnimationFrame(() => wall.reveal(Number(place.first)));

  async function answerTo({ file, url, id, isNew }) {
    const activations = await api.activations(described.name, { layer }, file, signal);
    const sort = async () => order.byPhoto(await id());
    const button = element("button", { type: "button" }, "Sort the wall by it");
    button.addEventListener("click", sort);
    if (isNew) await sort();
    return [
      element("img", { class: "yours", src: url, alt: "Your picture" }),
      added(topList(described.name, layer, activations), button),
    ];
  }

  function valueOf(unit) {
    const value = values.get(unit);
    if (!values.has(unit)) return null;
    if (value === null) return "–";
    if (order.sort() !== "connection") return rounded(value);
    const share = `${(100 * Math.abs(value)).toPrecision(2)} %`;
    return `${value < 0 ? "−" : "+"}${share}`;
  }

  function newTile(unit) {
    const tile = tileOf(unitHash(described.name, layer, unit), unit);
    const told = known.get(unit);
    if (told) tile.know(told.label, told.picture, told.steps);
    if (notes.has(unit)) tile.note(notes.get(unit));
    tile.value(valueOf(unit));
    return tile;
  }

  /** Request what is not known of the units near the window, one request after another. */
  async function loadSeen() {
    if (loading || signal.aborted) return;
    const missing = [...wall.place.children]
      .map((link) => Number(link.dataset.unit))
      .filter((unit) => !known.has(unit));
    if (!missing.length) return;
    loading = load(missing.slice(0, CHUNK));
    const good = await loading;
    loading = null;
    if (good) loadSeen();
  }

  async function load(units) {
    const mine = known;
    const { recipe } = settings.value();
    try {
      const told = await api.layer(described.name, { layer, units, recipe }, signal);
      pace = told.pace ?? pace;
      if (mine !== known) return true; // another recipe was chosen meanwhile
      for (const one of told.units) {
        known.set(one.unit, one);
        tiles.get(one.unit)?.know(one.label, one.picture, one.steps);
        if (notes.has(one.unit)) tiles.get(one.unit)?.note(notes.get(one.unit));
      }
      count();
      return true;
    } catch (error) {
      if (!signal.aborted) say(error);
      return false;
    }
  }

  function reload() {
    known = new Map();
    tiles.forEach((tile) => tile.forget());
    loadSeen();
  }

  const tilesOf = (units) => units.map((unit) => [unit, tiles.get(unit)]).filter(([, one]) => one);

  const missing = () =>
    tilesOf(wall.visible())
      .filter(([, tile]) => tile.isEmpty())
      .map(([unit]) => unit)
      .slice(0, AT_ONCE);

  /** The units in the window whose pictures are rough, a few at a time. */
  const rough = () =>
    tilesOf(wall.visible())
      .filter(([, tile]) => tile.isRougher(filling.good.steps))
      .map(([unit]) => unit)
      .slice(0, GOOD_AT_ONCE);

  let counting = 0;
  function count() {
    clearTimeout(counting);
    counting = setTimeout(countNow, REST);
  }

  function countNow() {
    if (signal.aborted) return;
    const left = missing().length;
    render.disabled = left === 0;
    render.textContent = left
      ? `Render ${counted(left, "unit")} in view`
      : work.running()
        ? "Rendering …"
        : "All units in view are rendered";
    const bare = shown.filter(isBare).length;
    whole.hidden = bare <= left && !going;
    whole.disabled = going;
    whole.textContent = going
      ? `Rendering all: ${(shown.length - bare).toLocaleString("en")} of ${shown.length.toLocaleString("en")}`
      : ["Render all " + shown.length.toLocaleString("en"), timeOf(bare)].filter(Boolean).join(", ");
    stop.hidden = work.running() === 0 && !going;
    if (going && !work.running()) goOn();
    if (going || !auto.checked || work.running() || document.hidden) return;
    if (left) begin(filling?.rough);
    else if (filling && rough().length) work.render(rough(), filling.good);
  }

  /** Whether a unit has no picture, as far as that is known. */
  const isBare = (unit) => !known.get(unit)?.picture;

  /** About how long it takes to render some units with the chosen settings; null if nobody knows. */
  function timeOf(units) {
    const { recipe, size, steps } = settings.value();
    const usual = described.recipes.find(({ name }) => name === recipe);
    const pixels = size ? size * size : usual.size[0] * usual.size[1];
    return pace && aboutTime(pace * (steps ?? usual.steps) * pixels * units);
  }

  /** Render the next units of the whole wall that have no picture, until there are none. */
  async function goOn() {
    if (asking) return;
    asking = true;
    try {
      let units = [];
      for (let first = 0; going && units.length < AT_ONCE && first < shown.length; first += CHUNK) {
        const some = shown.slice(first, first + CHUNK);
        const unknown = some.filter((unit) => !known.has(unit));
        if (unknown.length && !(await load(unknown))) going = false;
        units = [...units, ...some.filter(isBare)];
      }
      going = going && units.length > 0 && !signal.aborted;
      if (going) work.render(units.slice(0, AT_ONCE), settings.value());
    } finally {
      asking = false;
    }
    count();
  }

  function finished(unit, picture, steps) {
    const { label = null } = known.get(unit) ?? {};
    known.set(unit, { unit, label, picture, steps });
    tiles.get(unit)?.know(label, picture, steps);
  }

  function changed(failed = false) {
    if (failed) {
      auto.checked = false;
      going = false;
    }
    count();
  }

  async function begin(chosen = settings.value()) {
    clear();
    const units = missing();
    const unknown = units.filter((unit) => !known.has(unit));
    if (unknown.length) await load(unknown); // pictures of the store are not rendered again
    work.render(
      units.filter((unit) => tiles.get(unit)?.isEmpty()),
      chosen,
    );
  }

  render.addEventListener("click", () => begin());
  whole.addEventListener("click", () => {
    clear();
    going = true;
    count();
  });
  auto.addEventListener("change", count);
  stop.addEventListener("click", () => {
    auto.checked = false;
    going = false;
    count();
    work.cancel();
  });
  addEventListener("scroll", count, { passive: true, signal });
  addEventListener("resize", count, { signal });
  document.addEventListener("visibilitychange", count, { signal });
  addEventListener("examples", () => order.order(), { signal });
  signal.addEventListener("abort", () => {
    clearTimeout(counting);
    if (filling) work.cancel(); // nothing is made while nobody looks
  });
  work.resume();
  count();
}

function heading(described, layer) {
  const facts = joined(shapeWords(layer.shape), counted(layer.units, "unit"), layer.op);
  const mains = blocksOf(described.layers).map((block) => block.layer);
  const i = mains.findIndex(({ name }) => name === layer.name);
  const step = (other, words, arrow) =>
    i >= 0 && other
      ? element(
          "a",
          { href: layerHash(described.name, other.name), "aria-label": `${words}: ${other.name}` },
          arrow(other.name),
        )
      : null;
  return element(
    "header",
    { class: "head" },
    element(
      "nav",
      { class: "crumbs small", "aria-label": "Breadcrumbs" },
      element("a", { href: hashOf({ view: "network", network: described.name }) }, described.name),
    ),
    element("h1", { tabindex: "-1" }, layer.name),
    element("p", { class: "soft" }, facts),
    element(
      "p",
      { class: "steps small" },
      step(mains[i - 1], "Previous layer", (name) => `← ${name}`),
      step(mains[i + 1], "Next layer", (name) => `${name} →`),
    ),
  );
}
