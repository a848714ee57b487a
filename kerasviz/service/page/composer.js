// Composes sums of units, classes, layers and directions, and renders them.

import { composeHash } from "./address.js";
import * as api from "./api.js";
import { remember as keep, remembered } from "./composed.js";
import { directionFiles } from "./directions.js";
import { added, element, errorLine } from "./dom.js";
import { facetPart, facetPictures } from "./facets.js";
import { blocksOf, shapeWords } from "./graph.js";
import { latentLines } from "./latents.js";
import { madeDetails } from "./provenance_list.js";
import { photoSet } from "./photo_set.js";
import { photoStart } from "./photo_start.js";
import { photoView } from "./photo_view.js";
import { settingsFor } from "./settings.js";
import { pictureSlot } from "./picture_slot.js";
import { termRow } from "./term_row.js";
import { termScores } from "./term_scores.js";
import { ofPhoto, termsOf, textOf } from "./terms.js";
import { trustPart } from "./trust.js";

/** Show the composer with the target and the settings of the address. */
export async function show(main, place, described, signal) {
  const { target = "" } = place;
  const name = described.name;
  const kept = remembered(name);
  const settings = settingsFor(described, undefined, { photos: true });
  const { line, say, clear } = errorLine();
  const layers = element(
    "datalist",
    { id: "layers" },
    described.layers.map((layer) => element("option", { value: layer.name })),
  );
  const text = element("input", {
    id: "target",
    class: "code",
    spellcheck: "false",
    autocomplete: "off",
    value: target,
    "aria-describedby": "target-hint",
  });
  const list = element("ol", { class: "terms" });
  const add = element("button", { type: "button" }, "Add a term");
  const free = element(
    "p",
    { class: "small soft", hidden: true },
    "The sliders cannot show all terms of this target, but it can be rendered.",
  );
  const balanced = element("input", {
    type: "checkbox",
    checked: place.balance === "1",
    "aria-describedby": "balance-hint",
  });
  const alpha = element("input", { type: "checkbox", checked: place.alpha === "1" });
  const param = element(
    "select",
    {},
    element("option", { value: "" }, "as usual"),
    described.params.map((name) =>
      element("option", { value: name, selected: name === place.param }, name),
    ),
  );
  const scores = element("div", { class: "small scores" });
  const made = element("section", { class: "made" });
  const mains = blocksOf(described.layers)
    .map((block) => block.layer)
    .filter(({ shape }) => shapeWords(shape));
  const middle = (mains[Math.floor(mains.length / 2)] ?? described.layers[0])?.name ?? "";
  const channels = new Map(
    described.layers.flatMap(({ name, tap, units }) => [
      [tap, units],
      [name, units],
    ]),
  );
  let terms = termsOf(target) ?? [];
  let rows = [];
  if (!target)
    terms = [
      { kind: "unit", layer: middle, value: "0", weight: 1 },
      { kind: "unit", layer: middle, value: "1", weight: 1 },
    ];

  const slot = pictureSlot({
    words: "The sum",
    heading: "h2",
    bare: true,
    signal,
    request: () => ({
      network: name,
      targets: [text.value.trim()],
      kind: "channel",
      ...(balanced.checked && { balance: true }),
      ...(alpha.checked && { alpha: true }),
      ...(param.value && { param: param.value }),
      ...(start.photo() && { from: [start.photo().id] }),
      ...(start.photo() && style.photo() && { style: style.photo().id }),
      ...(spectrum.photos().length && { spectrum: spectrum.photos().map(({ id }) => id) }),
      ...(facets.facets() && { facets: facets.facets() }),
      ...settings.value(),
    }),
    begun: (job) => keep(name, { job: job.id }),
    done: (job) => {
      forget();
      const view = facetPictures(job.pictures) ?? job.pictures.map(photoView)[0];
      if (view) slot.figure.prepend(view);
      slot.figure.classList.toggle("photo", Boolean(view));
      scores.replaceChildren(
        ...job.pictures.flatMap((picture) => [termScores(picture), latentLines(picture)]).filter(Boolean),
      );
      shown = job.pictures;
      trust.show();
      made.replaceChildren(
        element("h2", {}, "How the picture was made"),
        ...job.pictures.map((picture) => madeDetails(picture, picture.target)),
      );
    },
  });
  slot.figure.append(scores);
  let shown = []; // the finished pictures
  const trust = trustPart({ network: name, pictures: () => shown, signal });
  const files = directionFiles(() => rows.forEach(({ refresh }) => refresh()), signal);
  const start = photoStart({
    id: "start-file",
    words: ["Start from a photo", "Another photo", "Start from noise"],
    changed: () => {
      style.place.hidden = !start.photo();
      remember();
    },
    ...{ say, clear, signal },
  });
  const style = photoStart({
    id: "style-file",
    words: ["Take the style of a photo", "Another style", "Take no style"],
    changed() {
      if (style.photo() && !/\bstyle\b/.test(text.value)) setTarget("style");
      remember();
    },
    ...{ say, clear, signal },
  });
  const spectrum = photoSet({
    id: "spectrum-photos",
    label: "Photos whose spectrum the picture has",
    folder: true,
    changed() {
      if (spectrum.photos().length && !hasSpectrum()) settings.choose("maco");
      keepPhotos();
    },
    ...{ say, clear, signal },
  });
  const facets = facetPart({ say, clear, changed: keepPhotos, signal });
  const more = (words, open, ...parts) =>
    element("details", { class: "more", open }, element("summary", {}, words), parts);
  style.place.hidden = true;
  if (place.from) await start.restore(place.from);
  if (start.photo()) style.place.hidden = false;
  if (place.style && start.photo()) await style.restore(place.style);
  spectrum.restore(await stillSent(kept.spectrum ?? [], signal));
  for (const facet of kept.facets ?? []) facet.photos = await stillSent(facet.photos, signal);
  facets.restore(kept.facets ?? []);
  const render = element("button", { class: "main" }, "Render the sum");
  const form = element(
    "form",
    { class: "composer", "aria-label": "Terms" },
    free,
    list,
    add,
    element("label", { class: "field wide" }, "Target", text),
    element(
      "p",
      { class: "small soft", id: "target-hint" },
      "The target as on the command line; you can edit it.",
    ),
    element("label", { class: "check" }, balanced, "Balance the terms"),
    element(
      "p",
      { class: "small soft", id: "balance-hint" },
      "Divides each term by what it reaches in a picture of its own, which is rendered first. ",
      "Else the term with the largest numbers wins.",
    ),
    element(
      "div",
      { class: "settings" },
      element("label", { class: "field" }, "What is optimized", param),
      element("label", { class: "check" }, alpha, "Transparent"),
    ),
    start.place,
    style.place,
    element(
      "p",
      { class: "small soft" },
      "From a photo the picture shows what the target adds to it, by the recipe accentuation where ",
      "fast is chosen. Caricatures and inversions show what a layer has of a photo.",
    ),
    more("Facets: a picture for each kind of what it responds to", facets.kept().length > 0, facets.place),
    more(
      "The spectrum of your own photos",
      spectrum.photos().length > 0,
      element(
        "p",
        { class: "small soft" },
        "Pictures of the recipe maco have the spectrum of photographs: as much coarse and fine ",
        "detail. Give some of your own, at least as large as the picture.",
      ),
      spectrum.place,
    ),
    line,
    render,
  );

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clear();
    if (!text.value.trim()) return say("The sum is empty: add a term with a weight.");
    if ((termsOf(text.value) ?? []).some(ofPhoto) && !start.photo())
      return say("A caricature or an inversion is of a photo: choose one first.");
    const { recipe } = settings.value();
    if (described.recipes.find(({ name }) => name === recipe).photo && !start.photo())
      return say(`The recipe ${recipe} is for pictures that start from a photo: choose one first.`);
    if (spectrum.photos().length && !hasSpectrum())
      return say(`The recipe ${recipe} has no spectrum of photos: choose maco, or remove the photos.`);
    if (facets.facets() && facets.wrong()) return say(facets.wrong());
    forget();
    slot.render();
    slot.figure.scrollIntoView({ block: "nearest" });
  });
  /** Clear what is shown of the last picture, beside the picture itself. */
  function forget() {
    scores.replaceChildren();
    slot.figure.classList.remove("photo");
    slot.figure.querySelectorAll(".photo-view, .facet-pictures").forEach((view) => view.remove());
    shown = [];
    trust.show();
  }

  function hasSpectrum() {
    return settings.value().recipe === "maco" || param.value === "maco";
  }

  function keepPhotos() {
    keep(name, { spectrum: spectrum.photos(), facets: facets.kept() });
  }

  function setTarget(target) {
    text.value = target;
    text.dispatchEvent(new Event("input"));
  }

  text.addEventListener("input", () => {
    const parsed = termsOf(text.value);
    free.hidden = parsed !== null;
    list.hidden = add.hidden = parsed === null;
    if (parsed) {
      terms = parsed;
      listTerms();
    }
    remember();
  });
  for (const field of [balanced, alpha, param]) field.addEventListener("change", remember);
  add.addEventListener("click", () => {
    const last = terms.at(-1);
    terms.push({ kind: "unit", layer: last?.layer || middle, value: "0", weight: 1 });
    rows.push(row(terms.at(-1)));
    list.append(rows.at(-1).item);
    write();
    list.lastElementChild.querySelector("select").focus();
  });

  function write() {
    text.value = textOf(terms);
    remember();
  }

  function remember() {
    const hash = composeHash(name, text.value.trim(), {
      balance: balanced.checked ? 1 : "",
      alpha: alpha.checked ? 1 : "",
      param: param.value,
      from: start.photo()?.id,
      style: style.photo()?.id,
    });
    history.replaceState(history.state, "", hash);
  }

  const row = (term) =>
    termRow(term, {
      middle,
      unitsOf: (layer) => channels.get(layer),
      arrays: files.arrays,
      changed: write,
      removed: () => {
        terms = terms.filter((one) => one !== term);
        write();
        return add;
      },
    });

  function listTerms() {
    rows = terms.map(row);
    list.replaceChildren(...rows.map(({ item }) => item));
  }

  added(
    main,
    element(
      "header",
      { class: "head" },
      element("h1", { tabindex: "-1" }, "Compose"),
      element(
        "p",
        { class: "soft" },
        `A picture that excites several units, classes or directions of ${name} at once.`,
      ),
    ),
    layers,
    element("div", { class: "tools" }, settings.form),
    element("div", { class: "studio" }, form, slot.figure),
    trust.place,
    made,
    files.place,
  );
  if (termsOf(target) === null) {
    free.hidden = false;
    list.hidden = add.hidden = true;
  } else {
    listTerms();
    if (!target) write();
  }
  resume();

  /** Show the picture that was rendered last, if it is one of this target. */
  async function resume() {
    if (!kept.job) return;
    try {
      const job = await api.job(kept.job, signal);
      if (job.request.targets?.[0] === text.value.trim() && job.state !== "cancelled")
        slot.follow(job);
    } catch {
      keep(name, { job: undefined }); // it was forgotten: the sum can be rendered again
    }
  }
}

/** The photos of a list that the server still has. */
async function stillSent(photos, signal) {
  const found = await Promise.all(
    photos.map((photo) =>
      api.photo(photo.id, signal).then(
        () => photo,
        () => null,
      ),
    ),
  );
  return found.filter(Boolean);
}
