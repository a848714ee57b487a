// A network whose numbers nobody has described: one photograph under every preset, to choose from.

import * as api from "./api.js";
import { added, element, errorLine } from "./dom.js";
import { dropZone } from "./drop.js";

const CAT = "/page/cat.jpg";
const DARK = 0.8; // opacity where the network does not respond

/** Show the presets of a network; `chosen()` is called when one was chosen. */
export async function show(main, name, chosen, signal) {
  const { line, say, clear } = errorLine();
  const cards = element("ul", { class: "presets", "aria-label": "Presets" });
  added(
    main,
    element(
      "header",
      { class: "head" },
      element("h1", { tabindex: "-1" }, `Which numbers does ${name} take?`),
      element(
        "p",
        { class: "soft about" },
        "The file does not say how it wants its images. This is the same photograph under five " +
          "usual ways: choose the one whose answers make sense. It is remembered for this file.",
      ),
    ),
    line,
    cards,
    dropZone({
      prompt: "Not something that the network knows?",
      signal,
      answer: async ({ file, url }) => {
        fill(await api.inputTrials(name, file, signal), url);
        return [];
      },
    }),
  );
  fill(await api.inputTrials(name, null, signal), CAT);

  function fill(trials, photo) {
    cards.replaceChildren(...trials.map((trial) => card(trial, photo)));
  }

  function card({ preset, numbers, guesses, response, error }, photo) {
    const choose = element("button", { type: "button" }, `Choose ${preset}`);
    choose.disabled = Boolean(error);
    choose.addEventListener("click", async () => {
      clear();
      cards.querySelectorAll("button").forEach((button) => (button.disabled = true));
      try {
        await api.describeInput(name, preset);
        if (!signal.aborted) chosen();
      } catch (refusal) {
        cards.querySelectorAll("button").forEach((button) => (button.disabled = false));
        say(refusal);
      }
    });
    return element(
      "li",
      { class: "preset" },
      element(
        "div",
        { class: "overlay" },
        element("img", { src: photo, alt: "The photograph" }),
        response ? shade(response) : null,
      ),
      element("h2", {}, preset),
      element("p", { class: "small soft" }, numbers),
      error ? element("p", { class: "error" }, error) : null,
      guesses.length
        ? element(
            "ol",
            { class: "guesses small" },
            guesses.map(({ unit, label, share }) =>
              element(
                "li",
                {},
                element("span", {}, label ? label.split(",")[0] : `class ${unit}`),
                element("meter", { min: 0, max: 1, value: share, "aria-hidden": "true" }),
                element("span", { class: "soft" }, `${(100 * share).toFixed(0)} %`),
              ),
            ),
          )
        : response
          ? element("p", { class: "small soft" }, "bright where the network responds")
          : null,
      choose,
    );
  }
}

function shade(response) {
  const [height, width] = [response.length, response[0].length];
  const canvas = element("canvas", { width, height, "aria-hidden": "true" });
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(width, height);
  response.flat().forEach((value, i) => {
    pixels.data[4 * i + 3] = Math.round(255 * DARK * (1 - value));
  });
  context.putImageData(pixels, 0, 0);
  return canvas;
}
