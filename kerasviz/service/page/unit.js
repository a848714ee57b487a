// The page of a unit: four kinds of pictures, dataset examples, its response to a picture.

import * as api from "./api.js";
import { compareHash, composeHash, hashOf, layerHash, placeOf, unitHash } from "./address.js";
import { mapFigure, topList, rounded } from "./activation.js";
import { connectionsOf } from "./connections.js";
import { dropZone } from "./drop.js";
import { added, element, errorLine, joined } from "./dom.js";
import { shapeWords } from "./graph.js";
import { noteForm } from "./notes.js";
import { madeList, titleOf } from "./provenance_list.js";
import { settingsFor } from "./settings.js";
import { pictureSlot } from "./picture_slot.js";
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
  let told = await api.unit(name, { layer: layerName, unit: number }, signal);
  const { layer, unit } = told;
  const target = `${layer}:${unit}`;
  const settings = settingsFor(described, () => {
    fresh.clear();
    fill();
  });
  const about = described.layers.find(({ name: own }) => own === layer);
  units = about.units;
  const kinds = !shapeWords(about.shape) ? KINDS.filter(({ kind }) => kind !== "neuron") : KINDS;
  const { line, say, clear } = errorLine();
  const fresh = new Map(); // kind -> pictures just rendered here
  const made = element("section", { class: "made" });
  const trust = trustPart({ network: name, pictures: () => told.pictures.map(titled), signal });
  const slots = new Map(
    kinds.map(({ kind, words, note, rows }) => [
      kind,
      pictureSlot({
        words,
        note,
        rows,
        signal,
        request: () => ({ network: name, targets: [target], kind, ...settings.value() }),
        done: (job) => {
          fresh.set(kind, job.pictures);
          refresh();
        },
      }),
    ]),
  );
  const all = element("button", { type: "button", class: "main" }, "Render all");
  all.addEventListener("click", () => slots.forEach((slot) => slot.isEmpty() && slot.render()));

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
    line,
    element(
      "section",
      { class: "slots", "aria-label": "Pictures of this unit" },
      element("h2", { class: "unseen" }, "Pictures"),
      [...slots.values()].map(({ figure }) => figure),
    ),
    connectionsOf(described, told, settings.value, signal),
    examples(told.examples ?? []),
    dropZone({
      prompt: `Where does ${target} respond in your picture?`,
      network: name,
      signal,
      answer: async ({ file, url }) => {
        const found = await api.activations(name, { layer, unit }, file, signal);
        const value = found.top.find((one) => one.unit === unit)?.value;
        return [
          shapeWords(found.shape)
            ? mapFigure(url, found.map, target, described.input.size)
            : element(
                "figure",
                { class: "map" },
                element("img", { src: url, alt: "Your picture" }),
                value === undefined
                  ? null
                  : element(
                      "figcaption",
                      { class: "small" },
                      `${target} responds with ${rounded(value)}.`,
                    ),
              ),
          topList(name, layer, found, unit),
        ];
      },
    }),
    trust.place,
    made,
  );
  fill();
  resume().then(() => {
    if (!described.filling || signal.aborted) return;
    const { good } = described.filling;
    const isGood = ({ kind, steps }, wanted) => kind === wanted && steps >= good.steps;
    for (const [kind, slot] of slots) {
      if (!told.pictures.some((picture) => isGood(picture, kind))) slot.render({ whileHere: true });
    }
  });

  /** Show the pictures of the chosen recipe, or else of another one. */
  function fill() {
    const { recipe, seed = 0 } = settings.value();
    for (const { kind, rows } of kinds) {
      if (fresh.has(kind)) continue; // shown already
      const own = told.pictures.filter((picture) => picture.kind === kind);
      const chosen = own.filter(
        (picture) => picture.recipe === recipe && (picture.seed ?? 0) === seed,
      );
      const shown = (chosen.length ? chosen : own).slice(-rows);
      const [one] = shown;
      slots.get(kind).fill(shown, one ? factsOf(one) : "");
    }
    all.hidden = ![...slots.values()].some((slot) => slot.isEmpty());
    made.replaceChildren(...madeList(told.pictures));
    trust.show();
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
        if (isOurs && !isOver(job)) slots.get(kind)?.follow(job);
      }
    } catch {
      // The view works without them; the view of jobs shows the error.
    }
  }
}

const titled = (picture) => ({ ...picture, target: titleOf(picture) });

function factsOf({ recipe, seed, score }) {
  return joined(
    recipe,
    seed && `seed ${seed}`,
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
  if (event.target.closest("input, select, textarea, dialog, code")) return;
  const place = placeOf(location.hash); // the view may lag behind the address
  const to = place.unit + step;
  if (place.view !== "unit" || to < 0 || to >= units) return;
  event.preventDefault();
  location.hash = hashOf({ ...place, unit: to });
});

function examples(found) {
  if (!found.length) return null;
  const buckets = [...new Set(found.map(({ bucket }) => bucket))];
  return element(
    "section",
    { class: "examples" },
    element("h2", {}, "Dataset examples"),
    buckets.map((bucket) => [
      element("h3", { class: "small soft" }, bucket),
      element(
        "ul",
        {},
        found
          .filter((one) => one.bucket === bucket)
          .map(({ value, image, url }) =>
            element(
              "li",
              {},
              element("img", { src: url, alt: image, title: image, loading: "lazy" }),
              element("span", { class: "small soft" }, rounded(value)),
            ),
          ),
      ),
    ]),
  );
}
