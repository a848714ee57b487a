// A network: its main layers from the image to the classes, each with a strip of pictures.

import * as api from "./api.js";
import { layerHash } from "./address.js";
import { added, counted, drawn, element, errorLine, joined } from "./dom.js";
import { blocksOf, shapeWords, shortName } from "./graph.js";
import { dropZone } from "./drop.js";
import { fill } from "./filling.js";
import { firstLook } from "./first_look.js";
import { shareLink } from "./share.js";
import { strip } from "./strip.js";
import { whenVisible } from "./when_visible.js";

const HIGH = 56; // pixels from one main layer to the next
const STEP = 15;

/** Show the layers of a network. */
export function show(main, { network }, described, signal) {
  const blocks = blocksOf(described.layers);
  const all = element("button", { type: "button", "aria-pressed": "false" }, "Show all layers");
  const strips = blocks.map(({ layer }) => strip(network, layer, signal));
  const items = blocks.map((block, i) => item(described, block, strips[i], signal));
  const { filling } = described;
  const first = filling ? null : firstLook(network, strips, signal);
  all.addEventListener("click", () => {
    const open = all.getAttribute("aria-pressed") !== "true";
    all.setAttribute("aria-pressed", String(open));
    all.textContent = open ? "Show main layers only" : "Show all layers";
    for (const details of main.querySelectorAll(".flow details")) details.open = open;
  });
  const facts = joined(
    counted(described.layers.length, "layer"),
    described.classes && `${described.classes.toLocaleString("en")} classes`,
    described.licence,
  );
  added(
    main,
    element(
      "header",
      { class: "head" },
      element("h1", { tabindex: "-1" }, described.title || network),
      element("p", { class: "soft" }, facts),
      described.description
        ? element("p", { class: "soft small about" }, described.description)
        : null,
      element(
        "div",
        { class: "actions" },
        filling ? fill({ network, filling, strips, signal }) : [first.doing, first.button],
        blocks.some((block) => block.count) ? all : null,
        shareLink(network),
      ),
      first?.line,
    ),
    winnersOf(described, strips, signal),
    element(
      "ol",
      { class: "flow", "aria-label": "Layers, from the image to the classes" },
      element(
        "li",
        { class: "source" },
        spine([], false),
        element("p", { class: "soft small" }, "the image"),
      ),
      items,
    ),
  );
}

/** A photo of the user's: each layer shows the units that respond to it most. */
function winnersOf(described, strips, signal) {
  return dropZone({
    prompt: "Which units of every layer respond to your picture?",
    network: described.name,
    signal,
    async answer({ file, url }) {
      const back = element("button", { type: "button" }, "Show the first units again");
      back.addEventListener("click", () => {
        strips.forEach((one) => one.choose(null));
        back.replaceWith(element("p", { class: "soft" }, "The layers show their first units."));
      });
      for (const one of strips) {
        const layer = one.layer.name;
        const { top } = await api.activations(described.name, { layer }, file, signal);
        const winners = top.filter(({ value }) => value > 0);
        one.choose(winners.map(({ unit }) => unit));
        winners
          .filter(({ unit, picture }) => picture && !one.steps.has(unit))
          .forEach(({ unit, picture, steps }) => one.add(unit, picture, steps));
      }
      return [
        element("img", { class: "yours", src: url, alt: "Your picture" }),
        element(
          "div",
          {},
          element(
            "p",
            {},
            "Every layer shows the units that respond to it most, on average over its positions.",
          ),
          back,
        ),
      ];
    },
  });
}

function item(described, { layer, branches, count }, pictures, signal) {
  const { line, say } = errorLine();
  const facts = joined(shapeWords(layer.shape), units(layer));
  const listItem = element(
    "li",
    {},
    spine(branches, true),
    element(
      "div",
      { class: "block" },
      element(
        "a",
        { class: "layer", href: layerHash(described.name, layer.name) },
        element("span", { class: "name" }, layer.name),
        element("span", { class: "soft small" }, facts),
        pictures.place,
      ),
      line,
      count ? inside(described, layer, branches, count) : null,
    ),
  );
  whenVisible(
    listItem,
    async () => {
      try {
        await pictures.load();
      } catch (error) {
        if (!signal.aborted) say(error);
      }
    },
    signal,
  );
  return listItem;
}

const units = (layer) => (layer.units ? counted(layer.units, "unit") : "");

function inside(described, main, branches, count) {
  const link = (layer) =>
    element(
      "li",
      {},
      element(
        "a",
        { href: layerHash(described.name, layer.name), title: `${layer.name} (${layer.op})` },
        shortName(layer.name, main.name),
      ),
      element("span", { class: "soft small" }, ` ${layer.units}`),
    );
  const column = ({ layers, from }) =>
    element(
      "li",
      { class: layers.length ? null : "jump" },
      from ? element("p", { class: "soft small" }, `from ${shortName(from, main.name)}`) : null,
      layers.length
        ? element("ol", {}, layers.map(link))
        : element("p", { class: "soft small" }, "skips"),
    );
  const summary =
    counted(count, "layer") + (branches.length > 1 ? ` in ${branches.length} branches` : "");
  return element(
    "details",
    {},
    element("summary", { class: "small soft" }, `${summary} before this one`),
    element("ul", { class: "branches" }, branches.map(column)),
  );
}

/** The lines to a main layer: a curve per branch, a dot per layer. */
function spine(branches, hasEnd) {
  const wide = Math.min(branches.length || 1, 6);
  const middle = 48;
  const marks = [];
  branches.slice(0, wide).forEach((branch, i) => {
    const away = middle + (i - (wide - 1) / 2) * STEP;
    const bend = `${away} ${HIGH - 12} ${middle} ${HIGH - 18} ${middle} ${HIGH - 6}`;
    marks.push(
      drawn("path", {
        d: `M${middle} 0C${middle} 10 ${away} 2 ${away} 14V${HIGH - 22}C${bend}`,
        class: branch.layers.length || wide === 1 ? null : "skip-line",
      }),
    );
    const count = Math.min(branch.layers.length, 5);
    for (let k = 0; k < count; k += 1) {
      const y = 12 + ((k + 0.5) * (HIGH - 32)) / count;
      marks.push(drawn("circle", { cx: away, cy: y, r: 2.2 }));
    }
  });
  if (!branches.length && hasEnd) marks.push(drawn("path", { d: `M${middle} 0V${HIGH}` }));
  const end = hasEnd ? HIGH : 10;
  marks.push(drawn("circle", { cx: middle, cy: end, r: hasEnd ? 6 : 3.5, class: "node" }));
  return element(
    "div",
    { class: "spine", "aria-hidden": "true" },
    drawn("svg", { viewBox: `0 0 96 ${end + 8}`, width: 96, height: end + 8 }, ...marks),
  );
}
