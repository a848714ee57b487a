// A unit: what it looks for in four ways, examples of a dataset, where it responds in a picture.

import * as api from "./api.js";
import { composeHash, hashOf, layerHash, placeOf, unitHash } from "./address.js";
import { mapFigure, topList, rounded } from "./activation.js";
import { dropPlace } from "./drop.js";
import { added, element, errorLine, joined } from "./dom.js";
import { shapeWords } from "./graph.js";
import { madeList } from "./provenance_list.js";
import { settingsFor } from "./settings.js";
import { pictureSlot } from "./picture_slot.js";
import { isOver } from "./watch.js";

const KINDS = [
  { kind: "channel", words: "Channel", note: "excites it at all positions", rows: 1 },
  { kind: "neuron", words: "Neuron", note: "excites it at the centre", rows: 1 },
  { kind: "negative", words: "Negative", note: "what it is least like", rows: 1 },
  { kind: "diversity", words: "Diversity", note: "four ways to excite it", rows: 4 },
];

/** Show a unit. */
export async function show(main, { layer: asked, unit: number }, described, signal) {
  const name = described.name;
  let told = await api.unit(name, { layer: asked, unit: number }, signal);
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
  const fresh = new Map(); // kind -> pictures that were made just now, as they were asked for
  const made = element("section", { class: "made" });
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
    element(
      "div",
      { class: "tools" },
      settings.form,
      element(
        "div",
        { class: "actions" },
        all,
        element("a", { class: "button", href: composeHash(name, target) }, "Compose with it"),
      ),
    ),
    line,
    element(
      "section",
      { class: "slots", "aria-label": "What it looks for" },
      [...slots.values()].map(({ figure }) => figure),
    ),
    examples(told.examples ?? []),
    dropPlace({
      words: `Where does ${target} respond in a picture of yours?`,
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
    made,
  );
  fill();
  resume();

  /** The pictures of the chosen recipe, or of another one where the store has none of it. */
  function fill() {
    const { recipe, seed = 0 } = settings.value();
    for (const { kind, rows } of kinds) {
      if (fresh.has(kind)) continue; // it is shown
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
  }

  /** Ask for the unit again: the server needs a moment to list pictures that are new. */
  async function refresh() {
    clear();
    const wanted = [...fresh.values()].flat().map(({ url }) => url);
    try {
      for (let turn = 0; turn < 5 && !signal.aborted; turn += 1) {
        told = await api.unit(name, { layer, unit }, signal);
        if (wanted.every((url) => told.pictures.some((picture) => picture.url === url))) break;
        await new Promise((wake) => setTimeout(wake, 300));
      }
      fill();
    } catch (error) {
      if (!signal.aborted) say(error);
    }
  }

  /** What was asked for before this view was opened goes on here. */
  async function resume() {
    try {
      for (const job of await api.jobs({ limit: 50 }, signal)) {
        const { targets, kind } = job.request;
        const own = job.network === name && targets.length === 1 && targets[0] === target;
        if (own && !isOver(job)) slots.get(kind)?.follow(job);
      }
    } catch {
      // The view works without; the view of jobs says what is wrong.
    }
  }
}

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
      { class: "crumbs small", "aria-label": "Where this is" },
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

let units = 0; // of the layer that was shown last

/** The arrow keys go to the unit before and after, unless they are meant for something else. */
document.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (event.target.closest("input, select, textarea, dialog, code")) return;
  const place = placeOf(location.hash); // it may not be shown yet: keys can be faster
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
    element("h2", {}, "Examples of a dataset"),
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
