// Sums of units, classes, layers and directions, rendered while one looks on.

import { composeHash } from "./address.js";
import { added, element, errorLine } from "./element.js";
import { blocksOf, shapeWords } from "./graph.js";
import { madeDetails } from "./made.js";
import { settingsFor } from "./settings.js";
import { pictureSlot } from "./slot.js";
import { termsOf, textOf } from "./terms.js";

const KINDS = { unit: "a unit", class: "a class", random: "a random direction", layer: "a whole layer" };
const MOST = 2; // of a weight by its slider

/** Show the composer, with the target that the address names. */
export async function show(main, { target = "" }, described, signal) {
  const name = described.name;
  const settings = settingsFor(described);
  const { line, say, clear } = errorLine();
  const layers = element("datalist", { id: "layers" }, described.layers.map((layer) => element("option", { value: layer.name })));
  const text = element("input", { id: "target", class: "code", spellcheck: "false", autocomplete: "off", value: target, "aria-describedby": "target-hint" });
  const list = element("ol", { class: "terms" });
  const add = element("button", { type: "button" }, "Add a term");
  const free = element("p", { class: "small soft", hidden: true }, "This target has terms that the sliders do not know; it can be rendered as it stands.");
  const made = element("section", { class: "made" });
  const mains = blocksOf(described.layers).map((block) => block.layer).filter(({ shape }) => shapeWords(shape));
  const middle = (mains[Math.floor(mains.length / 2)] ?? described.layers[0])?.name ?? "";
  let terms = termsOf(target) ?? [];
  if (!target) terms = [{ kind: "unit", layer: middle, value: "0", weight: 1 }, { kind: "unit", layer: middle, value: "1", weight: 1 }];

  const slot = pictureSlot({
    words: "The sum",
    bare: true,
    signal,
    request: () => ({ network: name, targets: [text.value.trim()], kind: "channel", ...settings.value() }),
    done: (job) => made.replaceChildren(
      element("h2", {}, "How the picture was made"),
      ...job.pictures.map((picture) => madeDetails(picture, picture.target))),
  });
  const render = element("button", { class: "main" }, "Render the sum");
  const form = element("form", { class: "composer", "aria-label": "Terms" },
    free, list, add,
    element("label", { class: "field wide" }, "Target", text),
    element("p", { class: "small soft", id: "target-hint" }, "As the command line writes it; it can be edited."),
    line, render);

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clear();
    if (!text.value.trim()) return say("The sum is empty: add a term with a weight.");
    slot.render();
  });
  text.addEventListener("input", () => {
    const parsed = termsOf(text.value);
    free.hidden = parsed !== null;
    list.hidden = add.hidden = parsed === null;
    if (parsed) {
      terms = parsed;
      list.replaceChildren(...terms.map(row));
    }
    remember();
  });
  add.addEventListener("click", () => {
    const last = terms.at(-1);
    terms.push({ kind: "unit", layer: last?.layer || middle, value: "0", weight: 1 });
    list.append(row(terms.at(-1)));
    write();
    list.lastElementChild.querySelector("select").focus();
  });

  function write() {
    text.value = textOf(terms);
    remember();
  }

  function remember() {
    history.replaceState(history.state, "", composeHash(name, text.value.trim()));
  }

  function row(term) {
    const kind = element("select", { "aria-label": "Kind of term" },
      Object.entries(KINDS).map(([value, words]) => element("option", { value, selected: value === term.kind }, words)));
    const layer = element("input", { class: "code", list: "layers", value: term.layer, "aria-label": "Layer", placeholder: "layer", spellcheck: "false", autocomplete: "off" });
    const value = element("input", { class: "code value", value: term.value, spellcheck: "false", autocomplete: "off" });
    const slider = element("input", { type: "range", min: -MOST, max: MOST, step: 0.1, value: term.weight, "aria-label": "Weight" });
    const weight = element("output", {}, "");
    const remove = element("button", { type: "button", class: "small", "aria-label": "Remove this term" }, "×");
    const made = element("li", {}, kind, layer, value, element("label", { class: "weight" }, slider, weight), remove);
    const update = () => {
      layer.hidden = term.kind === "class";
      value.hidden = term.kind === "layer";
      const words = { unit: "Unit", class: "Class", random: "Number of the direction", layer: "" }[term.kind];
      value.setAttribute("aria-label", words);
      value.placeholder = { unit: "unit", class: "goldfish", random: "7" }[term.kind] ?? "";
      value.inputMode = term.kind === "class" ? "text" : "numeric";
      made.dataset.kind = term.kind;
      weight.textContent = `${term.weight < 0 ? "−" : "+"}${Math.abs(term.weight).toFixed(1)}`;
    };
    kind.addEventListener("change", () => {
      term.kind = kind.value;
      if (term.kind === "class") term.value = "";
      else if (!/^\d+$/.test(term.value)) term.value = "0";
      term.layer ||= middle;
      value.value = term.value;
      layer.value = term.layer;
      update();
      write();
    });
    layer.addEventListener("input", () => { term.layer = layer.value.trim(); write(); });
    value.addEventListener("input", () => { term.value = value.value.trim(); write(); });
    slider.addEventListener("input", () => { term.weight = Number(slider.value); update(); write(); });
    remove.addEventListener("click", () => {
      terms = terms.filter((one) => one !== term);
      const next = made.nextElementSibling ?? made.previousElementSibling;
      made.remove();
      write();
      (next?.querySelector("button") ?? add).focus();
    });
    update();
    return made;
  }

  added(
    main,
    element("header", { class: "head" },
      element("h1", { tabindex: "-1" }, "Compose"),
      element("p", { class: "soft" }, `A picture that excites several things in ${name} at once: each with a weight, a negative one for what it should not show.`)),
    layers,
    element("div", { class: "tools" }, settings.form),
    element("div", { class: "studio" }, form, slot.figure),
    made);
  if (termsOf(target) === null) {
    free.hidden = false;
    list.hidden = add.hidden = true;
  } else {
    list.replaceChildren(...terms.map(row));
    if (!target) write();
  }
}
