// Composes sums of units, classes, layers and directions, and renders them.

import { composeHash } from "./address.js";
import { directionFiles } from "./directions.js";
import { added, element, errorLine } from "./dom.js";
import { blocksOf, shapeWords } from "./graph.js";
import { madeDetails } from "./provenance_list.js";
import { photoStart } from "./photo_start.js";
import { photoView } from "./photo_view.js";
import { settingsFor } from "./settings.js";
import { pictureSlot } from "./picture_slot.js";
import { termRow } from "./term_row.js";
import { termScores } from "./term_scores.js";
import { ofPhoto, termsOf, textOf } from "./terms.js";

/** Show the composer with the target of the address, and whether it is balanced. */
export async function show(main, { target = "", balance = "" }, described, signal) {
  const name = described.name;
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
    checked: balance === "1",
    "aria-describedby": "balance-hint",
  });
  const alpha = element("input", { type: "checkbox" });
  const param = element(
    "select",
    {},
    element("option", { value: "" }, "as usual"),
    described.params.map((name) => element("option", { value: name }, name)),
  );
  const scores = element("div", { class: "small" });
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
      ...settings.value(),
    }),
    done: (job) => {
      const [view] = job.pictures.map(photoView);
      if (view) slot.figure.prepend(view);
      slot.figure.classList.toggle("photo", Boolean(view));
      scores.replaceChildren(...job.pictures.map(termScores).filter(Boolean));
      made.replaceChildren(
        element("h2", {}, "How the picture was made"),
        ...job.pictures.map((picture) => madeDetails(picture, picture.target)),
      );
    },
  });
  slot.figure.append(scores);
  const files = directionFiles(() => rows.forEach(({ refresh }) => refresh()), signal);
  const start = photoStart({
    id: "start-file",
    words: ["Start from a photo", "Another photo", "Start from noise"],
    changed: () => (style.place.hidden = !start.photo()),
    ...{ say, clear, signal },
  });
  const style = photoStart({
    id: "style-file",
    words: ["Take the style of a photo", "Another style", "Take no style"],
    changed() {
      if (style.photo() && !/\bstyle\b/.test(text.value)) setTarget("style");
    },
    ...{ say, clear, signal },
  });
  style.place.hidden = true;
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
    scores.replaceChildren();
    slot.figure.classList.remove("photo");
    slot.figure.querySelector(".photo-view")?.remove();
    slot.render();
    slot.figure.scrollIntoView({ block: "nearest" });
  });
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
  balanced.addEventListener("change", remember);
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
    history.replaceState(history.state, "", composeHash(name, text.value.trim(), balanced.checked));
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
}
