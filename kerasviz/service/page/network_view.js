// A network: its main layers from its input to the classes, each with a strip of pictures.

import * as api from "./api.js";
import { layerHash } from "./address.js";
import { attributionOf } from "./attribution.js";
import { largeGraph, graphOf, smallGraph } from "./block_graph.js";
import { added, counted, drawn, element, errorLine, joined } from "./dom.js";
import { blocksOf, runsOf, shapeWords, shortName, shortNames } from "./graph.js";
import { dropZone } from "./drop.js";
import { fill } from "./filling.js";
import { firstLook } from "./first_look.js";
import { shareLink } from "./share.js";
import { strip } from "./strip.js";
import { whenVisible } from "./when_visible.js";

const ALIKE = 3; // blocks in a row from which they fold
const MANY = 16; // blocks of a network from which they are folded at first

/** Show the layers of a network. */
export function show(main, { network }, described, signal) {
  const blocks = blocksOf(described.layers);
  const all = element("button", { type: "button", "aria-pressed": "false" }, "Show all layers");
  const strips = blocks.map(({ layer }) => strip(network, layer, signal));
  const names = shortNames(blocks.map(({ layer }) => layer.name));
  const items = blocks.map((block, i) => {
    const graph = graphOf(block, blocks[i - 1]?.layer.name);
    return item(described, { ...block, graph, name: names[i] }, strips[i], signal);
  });
  const { filling, input } = described;
  const { noun } = input;
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
        filling ? fill({ network, filling, strips, names, signal }) : [first.doing, first.button],
        blocks.some((block) => block.count) ? all : null,
        shareLink(network),
      ),
      first?.line,
    ),
    winnersOf(described, strips, signal),
    element(
      "ol",
      { class: "flow", "aria-label": `Layers, from the ${noun} to the outputs` },
      element(
        "li",
        { class: "source" },
        start(),
        element("p", { class: "soft small" }, `the ${noun}`),
      ),
      folded(blocks, items, names),
    ),
  );
}

/** The items of blocks; after the first of a run, those that are like it are in a part that folds. */
function folded(blocks, items, names) {
  const of = (block) => items[blocks.indexOf(block)];
  return runsOf(blocks).flatMap((run) => {
    if (run.length < ALIKE) return run.map(of);
    const [first, ...others] = run;
    const name = (block) => names[blocks.indexOf(block)];
    const range = `${name(others[0])} to ${name(others.at(-1))}`;
    const part = element(
      "details",
      { class: "fold", open: blocks.length < MANY },
      element(
        "summary",
        { class: "small soft" },
        `${counted(others.length, "block")} like ${name(first)}: ${range}`,
      ),
      element("ol", { class: "flow" }, others.map(of)),
    );
    return [of(first), element("li", { class: "folded" }, part)];
  });
}

/** A photo of the user's: each layer shows the units that respond to it most. */
function winnersOf(described, strips, signal) {
  return dropZone({
    prompt: "Which units of every layer respond to your picture?",
    network: described.name,
    signal,
    async answer({ file, url }, leaving) {
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
        attributionOf(described, { file, url }, leaving),
      ].filter(Boolean);
    },
  });
}

function item(described, { layer, name, graph, branches, count }, pictures, signal) {
  const { line, say } = errorLine();
  const facts = joined(shapeWords(layer.shape), units(layer));
  const listItem = element(
    "li",
    {},
    smallGraph(graph),
    element(
      "div",
      { class: "block" },
      element(
        "a",
        { class: "layer", href: layerHash(described.name, layer.name) },
        element("span", { class: "name", title: layer.name }, name),
        element("span", { class: "soft small" }, facts),
        pictures.place,
      ),
      line,
      count ? inside(described, layer, { name, branches, graph, count }) : null,
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

function inside(described, main, { name, branches, graph, count }) {
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
  const drawing = element("div", {});
  const details = element(
    "details",
    { class: "inside" },
    element("summary", { class: "small soft" }, `${summary} before this one`),
    drawing,
    element("ul", { class: "branches" }, branches.map(column)), // where there is no room to draw
  );
  details.addEventListener(
    "toggle",
    () => drawing.replaceChildren(largeGraph(graph, described, { main, name })),
    { once: true },
  );
  return details;
}

/** The dot of the input. */
const start = () =>
  element(
    "div",
    { class: "spine", "aria-hidden": "true", style: { "--node": "10px" } },
    drawn(
      "svg",
      { viewBox: "0 0 96 18", width: 96, height: 18 },
      drawn("circle", { cx: 48, cy: 10, r: 3.5, class: "node" }),
    ),
  );
