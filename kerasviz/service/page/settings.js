// The recipe, size, steps and seed of requests; kept while the window is open.

import { element } from "./dom.js";

const KEY = "kerasviz settings";

/** The last settings, as fields of a request; without any those of a recipe. */
export function kept(recipe = "fast") {
  try {
    return { recipe, ...JSON.parse(sessionStorage.getItem(KEY)) };
  } catch {
    return { recipe };
  }
}

/**
 * The form for a network. `value()` returns the recipe and what differs from it, as fields of a
 * request; `changed` is called after a valid change. Recipes for photos are offered with `photos`.
 */
export function settingsFor(described, changed = () => {}, { photos = false } = {}) {
  const recipes = described.recipes.filter(({ photo }) => photos || !photo);
  const named = (wanted) => recipes.find(({ name }) => name === wanted);
  const before = kept(described.filling?.good.recipe);
  const first = named(before.recipe) ?? named("fast") ?? recipes[0];
  const select = element(
    "select",
    { name: "recipe" },
    recipes.map(({ name }) =>
      element("option", { value: name, selected: name === first.name }, name),
    ),
  );
  const size = number("size", before.size, 8, 4096);
  const steps = number("steps", before.steps, 1, 100000);
  const seed = number("seed", before.seed, 0, 2147483647);
  seed.placeholder = "0";
  const chosen = element("summary", {});
  const form = element(
    "form",
    { class: "settings" },
    field("Recipe", select),
    described.input.medium === "image" ? field("Size", size) : null, // others have their own
    field("Steps", steps),
    field("Seed", seed),
    element(
      "details",
      { class: "about small soft" },
      chosen,
      element(
        "dl",
        {},
        recipes.map(({ name, summary }) => [
          element("dt", { class: "code" }, name),
          element("dd", {}, summary),
        ]),
      ),
    ),
  );
  const hint = () => {
    const recipe = named(select.value);
    steps.placeholder = recipe.steps;
    size.placeholder = recipe.size[0];
    chosen.textContent = recipe.summary;
  };
  const value = () => {
    const fields = { recipe: select.value };
    for (const input of [size, steps, seed]) {
      if (input === size && described.input.medium !== "image") continue;
      if (input.value !== "" && input.checkValidity()) fields[input.name] = Number(input.value);
    }
    return fields;
  };
  form.addEventListener("change", () => {
    if (!form.reportValidity()) return;
    hint();
    const recipe = named(select.value).photo ? before.recipe : select.value; // others have no photo
    sessionStorage.setItem(KEY, JSON.stringify({ ...value(), recipe }));
    changed(value());
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  hint();
  return {
    form,
    value,
    /** Choose a recipe as if by hand. */
    choose(name) {
      select.value = name;
      form.dispatchEvent(new Event("change"));
    },
  };
}

function field(words, input) {
  return element("label", { class: "field" }, words, input);
}

function number(name, value, min, max) {
  return element("input", {
    type: "number",
    name,
    min,
    max,
    step: 1,
    inputmode: "numeric",
    value: value ?? null,
  });
}
