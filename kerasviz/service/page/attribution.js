// What decides the class that the network sees in a photo of the user's: the positions and units of
// every layer that speak for it and against it.

import * as api from "./api.js";
import { rounded } from "./activation.js";
import { unitHash } from "./address.js";
import { element, errorLine } from "./dom.js";
import { renderMissing } from "./rendering.js";
import { kept } from "./settings.js";
import { tileOf } from "./tile.js";
import { whenVisible } from "./when_visible.js";

const FOR = [202, 0, 32]; // red, as for weights that excite
const AGAINST = [5, 113, 176];
const DARK = 0.8; // the opacity of the largest contribution

/** The section for a photo {file, url}; null for a network without classes. */
export function attributionOf(described, { file, url }, signal) {
  if (!described.classes) return null;
  const { line, say } = errorLine();
  const choice = element("select", { "aria-label": "Class to explain", disabled: true });
  const other = element("input", {
    placeholder: "another class",
    "aria-label": "Another class",
    spellcheck: "false",
    autocomplete: "off",
  });
  const rows = element("ol", { class: "shares" }, element("li", { class: "soft" }, "Looking …"));
  let turn = new AbortController(); // of the class that is shown
  let layers = [];
  signal.addEventListener("abort", () => turn.abort());
  const place = element(
    "section",
    { class: "attribution", "aria-label": "What decides the class" },
    element("h2", {}, "What decides the class"),
    element(
      "form",
      { class: "settings", on: { submit: (event) => event.preventDefault() } },
      element("label", { class: "field" }, "Class", choice),
      element("label", { class: "field" }, "Or", other),
    ),
    element(
      "p",
      { class: "small soft" },
      "Red positions and + units speak for the class, blue positions and − units against it: ",
      "activations times the mean of 12 gradients of its logit.",
    ),
    line,
    rows,
  );
  choice.addEventListener("change", () => explain(Number(choice.value)));
  other.addEventListener("change", search);
  start();
  return place;

  async function start() {
    try {
      const found = await api.guesses(described.name, file, signal);
      layers = found.layers;
      for (const { number, label, share } of found.guesses) offer(number, label, share);
      choice.disabled = false;
      explain(found.guesses[0].number);
    } catch (error) {
      rows.replaceChildren();
      if (!signal.aborted) say(error);
    }
  }

  function offer(number, label, share) {
    const words = [label?.split(",")[0] ?? `class ${number}`];
    if (share !== undefined) words.push(`${(100 * share).toPrecision(2)} %`);
    const option = element("option", { value: number }, words.join(" · "));
    choice.append(option);
    return option;
  }

  /** Explain the first class that is found by the words of the user. */
  async function search() {
    const text = other.value.trim();
    if (!text) return;
    try {
      const hits = await api.search(described.name, text, signal);
      const hit = hits.find(({ kind }) => kind === "class");
      const number = hit ? hit.unit - described.first_class : Number(text);
      if (!Number.isInteger(number) || number < 0 || number >= described.classes)
        throw new Error(`No class is called ${text}.`);
      if (![...choice.options].some(({ value }) => Number(value) === number))
        offer(number, hit?.label);
      choice.value = number;
      line.hidden = true;
      explain(number);
    } catch (error) {
      if (!signal.aborted) say(error);
    }
  }

  function explain(number) {
    turn.abort();
    turn = new AbortController();
    const mine = turn.signal;
    // The last layers are the nearest to the class.
    rows.replaceChildren(...[...layers].reverse().map((layer) => row(layer, number, mine)));
  }

  function row(layer, number, mine) {
    const content = element("div", { class: "share" }, element("p", { class: "soft" }, "Looking …"));
    const item = element("li", {}, element("h3", {}, layer), content);
    whenVisible(
      item,
      async () => {
        try {
          const words = { layer, number };
          const found = await api.attribution(described.name, words, file, mine);
          if (!mine.aborted) content.replaceChildren(...shareOf(found, mine));
        } catch (error) {
          if (!mine.aborted)
            content.replaceChildren(element("p", { class: "error", role: "alert" }, error.message));
        }
      },
      mine,
      "100px",
    );
    return item;
  }

  function shareOf({ layer, map, score, baseline, raising, lowering }, mine) {
    const tiles = new Map();
    const units = (words, sign, list) =>
      list.length
        ? element(
            "ul",
            { class: sign, "aria-label": `${words}, ${layer}` },
            list.map(({ unit, label, contribution, picture }) => {
              const one = tileOf(unitHash(described.name, layer, unit), unit);
              one.link.setAttribute("tabindex", "0");
              one.know(label, picture);
              one.link.title = `${layer}:${unit} ${words} it: ${rounded(contribution)}`;
              one.link.append(element("span", { class: "soft small" }, contribution.toPrecision(2)));
              tiles.set(`${layer}:${unit}`, one);
              return element("li", {}, one.link);
            }),
          )
        : null;
    const partners = element(
      "div",
      { class: "partners" },
      ...[units("for", "exciting", raising), units("against", "inhibiting", lowering)].filter(Boolean),
      element(
        "p",
        { class: "small soft" },
        `The logit is ${rounded(score)}, and ${rounded(baseline)} where this layer is 0.`,
      ),
    );
    renderMissing({ described, tiles, settings: kept, after: partners.lastChild, signal: mine });
    return [map ? signedMap(url, map, layer, described.input.size) : null, partners].filter(Boolean);
  }
}

/** The photo in grey under the contributions of its positions. */
function signedMap(url, map, layer, size) {
  const values = map.flat();
  const most = Math.max(...values.map(Math.abs), 1e-12);
  const canvas = element("canvas", {
    width: map[0].length,
    height: map.length,
    role: "img",
    "aria-label": `Where ${layer} speaks for the class and against it`,
  });
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(canvas.width, canvas.height);
  values.forEach((value, i) => {
    const colour = value > 0 ? FOR : AGAINST;
    pixels.data.set([...colour, Math.round((255 * DARK * Math.abs(value)) / most)], 4 * i);
  });
  context.putImageData(pixels, 0, 0);
  return element(
    "div",
    { class: "overlay grey", style: { "--ratio": size[1] / size[0] } },
    element("img", { src: url, alt: "" }),
    canvas,
  );
}
