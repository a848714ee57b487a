// The page of a unit: what makes it large, where it is in data, what it is built from and feeds,
// and what is like it.

import * as api from "./api.js";
import { compareHash, composeHash, hashOf, layerHash, placeOf, unitHash } from "./address.js";
import { rounded } from "./activation.js";
import { connectionsOf } from "./connections.js";
import { added, counted, element, errorLine, joined } from "./dom.js";
import { shapeWords } from "./graph.js";
import { neighboursOf } from "./neighbours.js";
import { noteForm } from "./notes.js";
import { panel } from "./panel.js";
import { madeList, titleOf } from "./provenance_list.js";
import { atStep, scrubber, stagesOf } from "./scrubber.js";
import { settingsFor } from "./settings.js";
import { pictureSlot } from "./picture_slot.js";
import { unitData } from "./unit_data.js";
import { trustPart } from "./trust.js";
import { isOver } from "./watch.js";

const KINDS = [
  { kind: "channel", words: "Channel", note: "excites the unit at all positions", rows: 1 },
  { kind: "neuron", words: "Neuron", note: "excites the unit at the centre", rows: 1 },
  { kind: "negative", words: "Negative", note: "what the unit responds to least", rows: 1 },
  { kind: "diversity", words: "Diversity", note: "four different ways to excite it", rows: 4 },
];

/** Show a unit. */
export async function show(main, { layer: layerName, unit: number }, described, signal) {
  const name = described.name;
  const [first, known] = await Promise.all([
    api.unit(name, { layer: layerName, unit: number }, signal),
    api.facets(signal).catch(() => ({})), // of a folder that is gone
  ]);
  let told = first;
  const { layer, unit } = told;
  const target = `${layer}:${unit}`;
  const settings = settingsFor(described, () => {
    fresh.clear();
    fill();
  });
  const about = described.layers.find(({ name: own }) => own === layer);
  units = about.units;
  const kinds = KINDS.filter(({ kind }) => kind !== "neuron" || shapeWords(about.shape));
  const facets = described.layers.find(({ main }) => main) === about ? [] : Object.keys(known);
  if (facets.length) kinds.push(facetKind(facets));
  const { line, say, clear } = errorLine();
  const fresh = new Map(); // kind -> pictures just rendered here
  const made = element("section", { class: "made" });
  const trust = trustPart({ network: name, pictures: () => told.pictures.map(titled), signal });
  const slots = new Map(
    kinds.map(({ kind, words, note, rows, names }) => [
      kind,
      pictureSlot({
        ...{ words, note, rows, names, signal },
        request: () => requestOf(kind),
        done: (job) => {
          fresh.set(kind, job.pictures);
          refresh();
        },
      }),
    ]),
  );
  const all = element("button", { type: "button", class: "main" }, "Render all");
  all.addEventListener("click", () => slots.forEach((slot) => slot.isEmpty() && slot.render()));
  const steps = scrubber(() => draw());
  const large = panel({
    id: "large",
    title: "What makes it large",
    content: [
      line,
      element(
        "div",
        { class: "slots", role: "group", "aria-label": "Pictures of this unit" },
        [...slots.values()].map(({ figure }) => figure),
      ),
      steps.place,
    ],
  });
  const ofImages = described.input.medium === "image";
  if (!ofImages) large.leaveOut("Facets are left out: they take photos.");
  else if (!Object.keys(known).length)
    large.leaveOut(
      "Facets are left out: they take a folder with a folder of photos for each.",
      described.commands.facets,
    );
  else if (!facets.length) large.leaveOut("Facets are left out: they take layers before this one.");

  // What depends on a dataset, which may be searched while the page is open.
  const fromData = () => [
    unitData(described, told, about, signal),
    neighboursOf(described, told, settings.value, signal),
  ];
  let panels = fromData();

  added(
    main,
    heading(described, told),
    noteForm(name, layer, unit, signal),
    element(
      "div",
      { class: "tools" },
      settings.form,
      element(
        "div",
        { class: "actions" },
        all,
        element("a", { class: "button", href: composeHash(name, target) }, "Compose with it"),
        element("a", { class: "button", href: compareHash(name, target) }, "Compare"),
      ),
    ),
    element(
      "div",
      { class: "panels" },
      large.section,
      panels[0],
      connectionsOf(described, told, settings.value, signal),
      panels[1],
    ),
    trust.place,
    made,
  );
  addEventListener("examples", showData, { signal });
  fill();
  resume().then(() => {
    if (!described.filling || signal.aborted) return;
    const { good } = described.filling;
    const isGood = ({ kind, steps, snapshots }, wanted) =>
      kind === wanted && steps >= good.steps && snapshots.length;
    for (const [kind, slot] of slots) {
      if (!told.pictures.some((picture) => isGood(picture, kind))) slot.render({ whileHere: true });
    }
  });

  /** Show what a search of images has just found. */
  async function showData() {
    try {
      told = await api.unit(name, { layer, unit }, signal);
    } catch (error) {
      if (!signal.aborted) say(error);
      return;
    }
    const now = fromData();
    panels.forEach((panel, i) => panel.replaceWith(now[i]));
    panels = now;
  }

  function requestOf(kind) {
    const chosen = settings.value();
    const usual = described.recipes.find((one) => one.name === chosen.recipe).steps;
    return {
      network: name,
      targets: [target],
      kind: kind === "facet" ? "channel" : kind,
      ...(kind === "facet" && { facets: known }),
      ...chosen,
      snapshots: stagesOf(chosen.steps ?? usual),
    };
  }

  /** The pictures of a kind by the chosen recipe, or else by another one. */
  function picturesOf({ kind, rows }) {
    const { recipe, seed = 0 } = settings.value();
    const newest = (wanted) => {
      const own = told.pictures.filter((picture) => picture.kind === wanted);
      const chosen = own.filter(
        (picture) => picture.recipe === recipe && (picture.seed ?? 0) === seed,
      );
      return chosen.length ? chosen : own;
    };
    if (kind !== "facet") return newest(kind).slice(-rows);
    const steered = newest("facet");
    const shown = facets.map((facet) => steered.findLast((one) => one.facet === facet));
    const plain = newest("channel").findLast(({ steps }) => steps === shown[0]?.steps);
    return plain && shown.every(Boolean) ? [plain, ...shown] : [];
  }

  /** Show the pictures of each kind. */
  function fill() {
    steps.offer(kinds.flatMap(picturesOf));
    draw();
    const [channel] = picturesOf(kinds[0]);
    large.offer(channel?.url, channel?.file);
    all.hidden = ![...slots.values()].some((slot) => slot.isEmpty());
    made.replaceChildren(...madeList(told.pictures));
    trust.show();
  }

  /** Show the pictures at the chosen step. */
  function draw() {
    for (const one of kinds) {
      const shown = picturesOf(one);
      if (fresh.has(one.kind) && !shown.length) continue; // shown already
      const at = shown.map((picture) => atStep(picture, steps.chosen()));
      slots.get(one.kind).fill(at, shown.length ? factsOf(shown[0]) : "");
    }
  }

  /** Request the unit again, until the server lists the new pictures. */
  async function refresh() {
    clear();
    const urls = [...fresh.values()].flat().map(({ url }) => url);
    try {
      for (let turn = 0; turn < 5 && !signal.aborted; turn += 1) {
        told = await api.unit(name, { layer, unit }, signal);
        if (urls.every((url) => told.pictures.some((picture) => picture.url === url))) break;
        await new Promise((wake) => setTimeout(wake, 300));
      }
      fill();
    } catch (error) {
      if (!signal.aborted) say(error);
    }
  }

  /** Follow the jobs that were started before this view was opened. */
  async function resume() {
    try {
      for (const job of await api.jobs({ limit: 50 }, signal)) {
        const { targets = [], kind } = job.request;
        const isOurs = job.network === name && targets.length === 1 && targets[0] === target;
        const slot = slots.get(job.request.facets ? "facet" : kind);
        if (isOurs && !isOver(job)) slot?.follow(job);
      }
    } catch {
      // The view works without them; the view of jobs shows the error.
    }
  }
}

const facetKind = (facets) => ({
  kind: "facet",
  words: "Facets",
  note: "steered towards photos of each",
  rows: facets.length + 1,
  names: ["not steered", ...facets],
});

const titled = (picture) => ({ ...picture, target: titleOf(picture) });

function factsOf({ recipe, steps, seed, seconds, score }) {
  return joined(
    recipe,
    counted(steps, "step"),
    `seed ${seed}`,
    seconds && `${rounded(seconds)} s`,
    typeof score === "number" && `score ${rounded(score)}`,
  );
}

function heading(described, { layer, unit, label, previous, next }) {
  const name = described.name;
  const step = (to, words, rel, key) =>
    to === null
      ? null
      : element("a", { href: unitHash(name, layer, to), rel, "aria-keyshortcuts": key }, words);
  return element(
    "header",
    { class: "head" },
    element(
      "nav",
      { class: "crumbs small", "aria-label": "Breadcrumbs" },
      element("a", { href: hashOf({ view: "network", network: name }) }, name),
      " › ",
      element("a", { href: layerHash(name, layer) }, layer),
    ),
    element("h1", { tabindex: "-1" }, `${layer}:${unit}`),
    label ? element("p", { class: "label" }, label) : null,
    element(
      "p",
      { class: "steps small" },
      step(previous, "← Previous unit", "prev", "ArrowLeft"),
      step(next, "Next unit →", "next", "ArrowRight"),
    ),
  );
}

let units = 0; // of the layer shown last

/** Arrow keys lead to the previous and next unit, unless a field has the focus. */
document.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (event.target.closest("input, select, textarea, dialog, code, .bins")) return;
  const place = placeOf(location.hash); // the view may lag behind the address
  const to = place.unit + step;
  if (place.view !== "unit" || to < 0 || to >= units) return;
  event.preventDefault();
  const { open: _, ...rest } = place;
  location.hash = hashOf({ ...rest, unit: to });
});
