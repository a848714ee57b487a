// A layer as a grid of its units, with and without pictures.

import * as api from "./api.js";
import { hashOf, layerHash, unitHash } from "./address.js";
import { topList } from "./activation.js";
import { batches } from "./batches.js";
import { dropZone } from "./drop.js";
import { added, counted, element, errorLine, joined } from "./dom.js";
import { blocksOf, shapeWords } from "./graph.js";
import { notesOf } from "./notes.js";
import { settingsFor } from "./settings.js";
import { shareLink } from "./share.js";
import { tileOf } from "./tile.js";
import { walkable } from "./grid_keys.js";

const CHUNK = 64; // units of a request
const AT_ONCE = 32; // pictures of a job: a few rows of tiles
const GOOD_AT_ONCE = 4; // good pictures of a job, in place of rough ones
const PART = 2048; // units shown at once of a very large layer

/** Show a layer. */
export async function show(main, { layer: layerName, first = "0" }, described, signal) {
  const summary =
    described.layers.find(({ name }) => name === layerName) ??
    (await api.layer(described.name, { layer: layerName, first: 0, count: 1 }, signal)).layer;
  const layer = summary.name;
  const start = Math.min(Math.max(0, Number(first) || 0), Math.max(0, summary.units - 1));
  const end = Math.min(summary.units, start + PART);
  const { line, say, clear } = errorLine();
  const { filling } = described;
  const settings = settingsFor(described, reload);
  const render = element("button", { type: "button", class: "main" }, "Render");
  const stop = element("button", { type: "button", hidden: true }, "Cancel");
  const auto = element("input", { type: "checkbox", checked: Boolean(described.filling) });
  const grid = element("div", { class: "wall", role: "group", "aria-label": `Units of ${layer}` });
  const tiles = new Map();
  for (let unit = start; unit < end; unit += 1) {
    const tile = tileOf(unitHash(described.name, layer, unit), unit);
    tiles.set(unit, tile);
    grid.append(tile.link);
  }
  tiles.get(start)?.link.setAttribute("tabindex", "0");
  const starred = element("input", { type: "checkbox" });
  starred.addEventListener("change", () => {
    grid.classList.toggle("starred-only", starred.checked);
    count();
  });
  notesOf(described.name, layer, signal).then(
    (notes) => notes.forEach((note, unit) => tiles.get(unit)?.note(note)),
    () => {}, // the wall works without them; the page of a unit shows the error
  );
  let loaded = new Map(); // chunk -> the promise of its pictures
  const work = batches({ network: described.name, layer, tiles, changed, say, signal });

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
        stop,
        element("label", { class: "check" }, auto, "while I scroll"),
        element("label", { class: "check" }, starred, "starred only"),
        shareLink(described.name, layer),
      ),
    ),
    line,
    dropZone({
      prompt: `Which units of ${layer} respond to your picture?`,
      signal,
      answer: async ({ file, url }) => {
        const activations = await api.activations(described.name, { layer }, file, signal);
        return [
          element("img", { class: "yours", src: url, alt: "Your picture" }),
          topList(described.name, layer, activations),
        ];
      },
    }),
    grid,
    parts(described.name, layer, summary.units, start),
  );

  function load(unit) {
    const chunk = Math.floor(unit / CHUNK);
    if (!loaded.has(chunk)) loaded.set(chunk, loadChunk(chunk));
    return loaded.get(chunk);
  }

  async function loadChunk(chunk) {
    const mine = loaded;
    try {
      const { units } = await api.layer(
        described.name,
        { layer, first: chunk * CHUNK, count: CHUNK, recipe: settings.value().recipe },
        signal,
      );
      if (mine !== loaded) return; // another recipe was chosen meanwhile
      for (const { unit, label, picture, steps } of units)
        tiles.get(unit)?.know(label, picture, steps);
    } catch (error) {
      mine.delete(chunk);
      if (!signal.aborted) say(error);
    }
    count();
  }

  function reload() {
    loaded = new Map();
    tiles.forEach((tile) => tile.forget());
    visible().forEach(load);
  }

  /** The units in the window. */
  function visible() {
    const units = [];
    for (const [unit, { link }] of tiles) {
      const box = link.getBoundingClientRect();
      if (box.height === 0) continue; // not starred
      if (box.top > innerHeight) break;
      if (box.bottom > 0) units.push(unit);
    }
    return units;
  }

  const missing = () =>
    visible()
      .filter((unit) => tiles.get(unit).isEmpty())
      .slice(0, AT_ONCE);

  /** The units in the window whose pictures are rough, a few at a time. */
  const rough = () =>
    visible()
      .filter((unit) => tiles.get(unit).isRougher(filling.good.steps))
      .slice(0, GOOD_AT_ONCE);

  let counting = false;
  function count() {
    if (counting) return;
    counting = true;
    requestAnimationFrame(() => {
      counting = false;
      const left = missing().length;
      render.disabled = left === 0;
      render.textContent = left
        ? `Render ${counted(left, "unit")}`
        : work.running()
          ? "Rendering …"
          : "All units in view are rendered";
      stop.hidden = work.running() === 0;
      if (!auto.checked || work.running() || document.hidden) return;
      if (left) begin(filling?.rough);
      else if (filling && rough().length) work.render(rough(), filling.good);
    });
  }

  function changed(failed = false) {
    if (failed) auto.checked = false;
    count();
  }

  async function begin(chosen = settings.value()) {
    clear();
    const units = missing();
    await Promise.all(units.map(load)); // pictures of the store are not rendered again
    work.render(
      units.filter((unit) => tiles.get(unit).isEmpty()),
      chosen,
    );
  }

  render.addEventListener("click", () => begin());
  auto.addEventListener("change", count);
  stop.addEventListener("click", () => {
    auto.checked = false;
    work.cancel();
  });
  const watching = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries)
        if (isIntersecting) load(Number(target.dataset.unit));
      count();
    },
    { rootMargin: "600px" },
  );
  tiles.forEach(({ link }) => watching.observe(link));
  addEventListener("scroll", count, { passive: true, signal });
  addEventListener("resize", count, { signal });
  document.addEventListener("visibilitychange", count, { signal });
  signal.addEventListener("abort", () => {
    watching.disconnect();
    if (filling) work.cancel(); // nothing is made while nobody looks
  });
  walkable(grid);
  work.resume();
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

function parts(network, layer, units, start) {
  if (units <= PART) return null;
  const links = [];
  for (let first = 0; first < units; first += PART) {
    links.push(
      element(
        "a",
        {
          href: hashOf({ view: "layer", network, layer, first }),
          "aria-current": first === start ? "page" : null,
        },
        `${first}-${Math.min(units, first + PART) - 1}`,
      ),
      " ",
    );
  }
  return element("nav", { class: "parts", "aria-label": "Units" }, links);
}
