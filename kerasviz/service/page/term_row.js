// The fields of one term of a sum.

import { element } from "./dom.js";

const KINDS = {
  unit: "a unit",
  class: "a class",
  random: "a random direction",
  layer: "a whole layer",
};
const MOST = 2; // largest weight of the slider

/**
 * The row that edits a term. `middle` is the first layer to offer, `changed()` is called after each
 * change; `removed()` after the removal returns what gets the focus if no term is left.
 */
export function termRow(term, middle, changed, removed) {
  const kind = element(
    "select",
    { "aria-label": "Kind of term" },
    Object.entries(KINDS).map(([value, words]) =>
      element("option", { value, selected: value === term.kind }, words),
    ),
  );
  const layer = element("input", {
    class: "code",
    list: "layers",
    value: term.layer,
    "aria-label": "Layer",
    placeholder: "layer",
    spellcheck: "false",
    autocomplete: "off",
  });
  const value = element("input", {
    class: "code value",
    value: term.value,
    spellcheck: "false",
    autocomplete: "off",
  });
  const slider = element("input", {
    type: "range",
    min: -MOST,
    max: MOST,
    step: 0.1,
    value: term.weight,
    "aria-label": "Weight",
  });
  const weight = element("output", {}, "");
  const remove = element(
    "button",
    { type: "button", class: "small", "aria-label": "Remove this term" },
    "×",
  );
  const item = element(
    "li",
    {},
    kind,
    layer,
    value,
    element("label", { class: "weight" }, slider, weight),
    remove,
  );
  const update = () => {
    layer.hidden = term.kind === "class";
    value.hidden = term.kind === "layer";
    const words = { unit: "Unit", class: "Class", random: "Number of the direction", layer: "" }[
      term.kind
    ];
    value.setAttribute("aria-label", words);
    value.placeholder = { unit: "unit", class: "goldfish", random: "7" }[term.kind] ?? "";
    value.inputMode = term.kind === "class" ? "text" : "numeric";
    item.dataset.kind = term.kind;
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
    changed();
  });
  layer.addEventListener("input", () => {
    term.layer = layer.value.trim();
    changed();
  });
  value.addEventListener("input", () => {
    term.value = value.value.trim();
    changed();
  });
  slider.addEventListener("input", () => {
    term.weight = Number(slider.value);
    update();
    changed();
  });
  remove.addEventListener("click", () => {
    const next = item.nextElementSibling ?? item.previousElementSibling;
    item.remove();
    const other = removed();
    (next?.querySelector("button") ?? other).focus();
  });
  update();
  return item;
}
