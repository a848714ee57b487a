// The fields of one term of a sum.

import { counted, element } from "./dom.js";
import { ofPhoto } from "./terms.js";

const KINDS = {
  unit: "a unit",
  class: "a class",
  random: "a random direction",
  file: "a direction of a file",
  latent: "a latent of an autoencoder",
  layer: "a whole layer",
  caricature: "a caricature",
  inversion: "an inversion",
};
const MOST = 2; // largest weight of the slider

/**
 * The row that edits a term: its `item`, and `refresh()` for new files of directions. `middle` is
 * the first layer to offer, `unitsOf(layer)` tells the channels of one, `arrays(kind)` what files
 * have for a kind of term; `changed()` is called after each change, `removed()` after the removal returns what gets the focus
 * if no term is left.
 */
export function termRow(term, { middle, unitsOf, arrays, changed, removed }) {
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
  const array = element("select", { class: "array" });
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
    array,
    element("label", { class: "weight" }, slider, weight),
    remove,
  );
  const update = () => {
    const [words, hint] = {
      unit: ["Unit", "unit"],
      class: ["Class", "goldfish"],
      random: ["Number of the direction", "7"],
      layer: ["", ""],
      caricature: ["", ""],
      inversion: ["", ""],
      file: ["Row of the array", "row"],
      latent: ["Number of the latent", "7"],
    }[term.kind];
    layer.hidden = term.kind === "class";
    array.hidden = !ofFile();
    array.setAttribute("aria-label", term.kind === "latent" ? "Autoencoder" : "Array");
    value.hidden = hasNoValue() || (term.kind === "file" && known()?.vectors === null);
    value.setAttribute("aria-label", words);
    value.placeholder = hint;
    value.inputMode = term.kind === "class" ? "text" : "numeric";
    item.dataset.kind = term.kind;
    refresh();
    weight.textContent = `${term.weight < 0 ? "−" : "+"}${Math.abs(term.weight).toFixed(1)}`;
  };
  kind.addEventListener("change", () => {
    term.kind = kind.value;
    if (ofFile()) choose(fitting() ?? arrays(term.kind)[0]);
    else if (term.kind === "class") term.value = "";
    else if (hasNoValue()) term.value = "";
    else if (!/^\d+$/.test(term.value)) term.value = "0";
    term.layer ||= middle;
    value.value = term.value;
    layer.value = term.layer;
    update();
    changed();
  });
  layer.addEventListener("input", () => {
    term.layer = layer.value.trim();
    refresh();
    changed();
  });
  value.addEventListener("input", () => {
    term.value = value.value.trim();
    changed();
  });
  array.addEventListener("change", () => {
    choose(arrays(term.kind).find(({ name }) => name === array.value));
    value.value = term.value;
    update();
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
  return { item, refresh };

  function hasNoValue() {
    return term.kind === "layer" || ofPhoto(term);
  }

  function ofFile() {
    return term.kind === "file" || term.kind === "latent";
  }

  function known() {
    return arrays(term.kind).find(({ name }) => name === term.array);
  }

  function fitting() {
    return arrays(term.kind).find(({ width }) => width === unitsOf(term.layer || middle));
  }

  function choose(one) {
    term.array = one?.name ?? "";
    term.option ??= "";
    if (one?.vectors === null) term.value = "";
    else if (!/^\d+$/.test(term.value)) term.value = "0";
  }

  /** Offer the arrays of the files; those that do not fit the layer cannot be chosen. */
  function refresh() {
    for (const name of ["file", "latent"]) {
      const option = kind.querySelector(`[value=${name}]`);
      option.hidden = option.disabled = !arrays(name).length && term.kind !== name;
    }
    if (!ofFile()) return;
    const all = arrays(term.kind);
    const units = unitsOf(term.layer);
    const options = all.map(({ name, vectors, latents, width }) =>
      element(
        "option",
        {
          value: name,
          selected: name === term.array,
          disabled: units !== undefined && width !== units && name !== term.array,
        },
        `${name} (${sizeWords({ vectors, latents })} of ${width})`,
      ),
    );
    if (!known())
      options.unshift(element("option", { value: term.array, selected: true }, term.array));
    array.replaceChildren(...options);
  }
}

function sizeWords({ vectors, latents }) {
  if (latents) return counted(latents, "latent");
  return vectors === null ? "one vector" : `${vectors} rows`;
}
