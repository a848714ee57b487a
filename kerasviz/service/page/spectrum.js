// The activation spectrum of a unit: how often each activation occurs, with examples of it.

import * as api from "./api.js";
import { rounded } from "./activation.js";
import { drawn, element } from "./dom.js";

const WIDE = 60; // of a bin in the drawing, and of a crop in the sheet, in pixels
const HIGH = 100;
const ROWS = 6; // crops of a bin

/** Fill `place` with the spectrum; returns the bins as items that open large. */
export async function spectrumInto(place, network, { layer, unit }, signal, large) {
  const found = await api.spectrum(network, { layer, unit }, signal);
  const { bins } = found;
  const full = bins.length * WIDE;
  const plot = drawn(
    "svg",
    {
      class: "plot",
      viewBox: `0 0 ${full} ${HIGH}`,
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": `How often ${layer}:${unit} has which activation, on a logarithmic scale`,
    },
    drawn("path", { class: "bars", d: found.bars }),
    found.line ? drawn("polyline", { class: "line", points: found.line }) : null,
    found.zero === null ? null : drawn("path", { class: "zero", d: `M${found.zero} 0V${HIGH}` }),
  );
  const items = bins
    .map((bin, number) => ({ bin, number }))
    .filter(({ bin }) => bin.crops.length)
    .map(({ bin, number }) => itemOf(found, bin, number));
  const buttons = bins.map((bin, number) => {
    const at = items.findIndex((item) => item.number === number);
    const button = element("button", {
      type: "button",
      title: bin.words,
      "aria-label": `${bin.words}, ${bin.crops.length} examples`,
      disabled: at < 0,
      tabindex: "-1",
    });
    button.addEventListener("click", () => large(at));
    return button;
  });
  buttons.find((one) => !one.disabled)?.setAttribute("tabindex", "0");
  const grid = element("div", { class: "bins", role: "group", "aria-label": "Bins" }, buttons);
  grid.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const free = buttons.filter((one) => !one.disabled);
    const to = free[free.indexOf(event.target) + by];
    if (!to) return;
    event.target.setAttribute("tabindex", "-1");
    to.setAttribute("tabindex", "0");
    to.focus();
  });
  place.replaceChildren(
    element(
      "div",
      { class: "spectrum" },
      plot,
      element("img", {
        class: "sheet",
        src: found.sheet,
        width: full,
        height: ROWS * WIDE,
        alt: "Examples by activation, the smallest on the left, the largest on the right",
        loading: "lazy",
      }),
      grid,
    ),
    element(
      "p",
      { class: "ticks small soft", "aria-hidden": "true" },
      found.ticks.map(([at, value]) => element("span", { style: { "--at": `${at}%` } }, value)),
    ),
    element(
      "dl",
      { class: "numbers small" },
      found.facts.map(([name, value]) =>
        element("div", {}, element("dt", { class: "soft" }, name), element("dd", {}, value)),
      ),
    ),
  );
  return { items, found };
}

function itemOf({ sheet }, bin, number) {
  const facts = bin.crops.map(({ value, image }) => `${rounded(value)} ${image}`).join(" · ");
  const draw = () =>
    element(
      "ul",
      { class: "bin-crops" },
      bin.crops.map(({ value, image }, k) =>
        element(
          "li",
          {
            role: "img",
            "aria-label": `${image}: ${rounded(value)}`,
            style: { "--column": number, "--row": k, "--sheet": `url("${sheet}")` },
          },
          element("span", { class: "small" }, rounded(value)),
        ),
      ),
    );
  return { key: bin.words, number, title: bin.words, facts, draw };
}
