// Two units beside each other: of one network or of two, by one recipe or by two.

import * as api from "./api.js";
import { hashOf, unitHash } from "./address.js";
import { added, element, errorLine } from "./dom.js";
import { describe } from "./networks.js";
import { pictureSlot } from "./picture_slot.js";
import { unitOf } from "./strip.js";

const KINDS = [
  { kind: "channel", words: "Channel" },
  { kind: "neuron", words: "Neuron" },
  { kind: "negative", words: "Negative" },
];

/** Show two sides; the address has what each shows. */
export async function show(main, place, described, signal) {
  const served = (await api.networks(signal)).filter(({ error }) => !error);
  const usual = described.filling?.good.recipe ?? "fast";
  const left = { network: described.name, target: place.target ?? "", recipe: place.recipe ?? usual };
  const right = {
    network: place.other ?? described.name,
    target: place.with ?? left.target,
    recipe: place.by ?? usual,
  };
  added(
    main,
    element(
      "header",
      { class: "head" },
      element("h1", { tabindex: "-1" }, "Compare"),
      element("p", { class: "soft" }, "Two units, two networks, or two recipes, side by side."),
    ),
    element(
      "div",
      { class: "sides" },
      await side("Left", left, (changed) => go({ ...left, ...changed }, right)),
      await side("Right", right, (changed) => go(left, { ...right, ...changed })),
    ),
  );

  function go(one, other) {
    location.hash = hashOf({
      view: "compare",
      network: one.network,
      target: one.target,
      recipe: one.recipe,
      other: other.network,
      with: other.target,
      by: other.recipe,
    });
  }

  async function side(name, shown, change) {
    const { line, say } = errorLine();
    const place = element("div", { class: "slots" });
    const about = await describe(shown.network);
    const option = (value, chosen) => element("option", { value, selected: value === chosen }, value);
    const network = element(
      "select",
      {},
      served.map((one) => option(one.name, shown.network)),
    );
    const target = element("input", {
      class: "code",
      value: shown.target,
      placeholder: "layer:unit",
      list: `layers-${name}`,
    });
    const recipe = element(
      "select",
      {},
      about.recipes.filter(({ photo }) => !photo).map((one) => option(one.name, shown.recipe)),
    );
    network.addEventListener("change", () => change({ network: network.value }));
    target.addEventListener("change", () => change({ target: target.value.trim() }));
    recipe.addEventListener("change", () => change({ recipe: recipe.value }));
    const field = (words, input) => element("label", { class: "field" }, words, input);
    if (shown.target) {
      try {
        await fill(place, about, shown);
      } catch (error) {
        if (!signal.aborted) say(error);
      }
    }
    const { layer, unit } = unitOf(shown.target);
    return element(
      "section",
      { "aria-label": name },
      element(
        "form",
        { class: "settings", on: { submit: (event) => event.preventDefault() } },
        field("Network", network),
        field("Unit", target),
        field("Recipe", recipe),
        element(
          "datalist",
          { id: `layers-${name}` },
          about.layers.map((one) => element("option", { value: `${one.name}:0` })),
        ),
      ),
      line,
      shown.target && !line.textContent
        ? element(
            "h2",
            {},
            element("a", { href: unitHash(shown.network, layer, unit) }, shown.target),
          )
        : element("p", { class: "soft" }, "Name a unit, as layer:unit."),
      place,
    );
  }

  async function fill(place, about, { network, target, recipe }) {
    const { layer, unit } = unitOf(target);
    const told = await api.unit(network, { layer, unit }, signal);
    for (const { kind, words } of KINDS) {
      const slot = pictureSlot({
        words,
        signal,
        request: () => ({ network, targets: [target], kind, recipe }),
      });
      const own = told.pictures.filter((one) => one.kind === kind && one.recipe === recipe);
      slot.fill(own.slice(-1), own.length ? recipe : "");
      place.append(slot.figure);
      const usual = about.recipes.find(({ name }) => name === recipe)?.steps ?? 0;
      const good = own.some(({ steps }) => steps >= usual);
      if (about.filling && !good) slot.render({ whileHere: true });
    }
  }
}
