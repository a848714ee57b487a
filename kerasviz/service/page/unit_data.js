// Where a unit is in data: its activation spectrum, dataset examples, its response to a photo.

import * as api from "./api.js";
import { mapFigure, topList, rounded } from "./activation.js";
import { dropZone } from "./drop.js";
import { element, errorLine } from "./dom.js";
import { shapeWords } from "./graph.js";
import { picturesIn } from "./lightbox.js";
import { panel } from "./panel.js";
import { spectrumInto } from "./spectrum.js";
import { whenVisible } from "./when_visible.js";

const SHOWN = 6; // examples of a kind beside each other, until all are asked for
const TITLES = {
  top: "Largest",
  positive: "Slightly positive",
  negative: "Slightly negative",
  bottom: "Smallest",
};

/** The panel of a unit that `told` describes, of the layer `about`. */
export function unitData(described, told, about, signal) {
  const { layer, unit } = told;
  const { commands } = described;
  const { line, say } = errorLine();
  const chart = element("div", {});
  let bins = [];
  const examples = exampleLists(told.examples ?? []);
  const part = panel({
    id: "data",
    title: "Where it is in data",
    content: [line, chart, examples, photo(described, told, about, signal)],
    items: () => [...picturesIn(examples ?? chart), ...bins],
  });
  if (told.statistics) {
    whenVisible(
      part.section,
      async () => {
        try {
          const large = (at) => part.large(bins.length && picturesIn(examples ?? chart).length + at);
          const shown = await spectrumInto(chart, described.name, { layer, unit }, signal, large);
          bins = shown.items;
          part.say(
            `Its activations in ${shown.found.images.toLocaleString("en")} images, the smallest on ` +
              "the left: bars are how often (logarithms), the line is x p(x).",
          );
          part.offer(shown.found.sheet, `spectrum-${unit}.jpg`);
        } catch (error) {
          if (!signal.aborted) say(error);
        }
      },
      signal,
    );
  }
  if (described.input.medium !== "image")
    part.leaveOut(
      commands.examples
        ? "Examples are not shown here. This makes a page of the passages to which the layer responds most:"
        : `Examples are left out: they are searched for in photos, recordings and texts, not in ${described.input.noun}s.`,
      commands.examples?.replace("LAYER", layer),
    );
  else if (!examples || !told.statistics)
    part.leaveOut(
      examples
        ? "The spectrum is left out: the examples are of an earlier version. This makes it:"
        : "Examples and the activation spectrum are left out: no data of this layer. Drop a folder of images, or run:",
      commands.examples?.replace("LAYER", layer),
    );
  return part.section;
}

function exampleLists(found) {
  if (!found.length) return null;
  const buckets = [...new Set(found.map(({ bucket }) => bucket))];
  return element(
    "div",
    { class: "examples" },
    buckets.map((bucket) =>
      element(
        "div",
        {},
        element("h3", { class: "small soft" }, TITLES[bucket] ?? bucket),
        crops(
          bucket,
          found.filter((one) => one.bucket === bucket),
        ),
      ),
    ),
  );
}

function crops(bucket, rows) {
  const list = element(
    "ul",
    { class: "crops", "aria-label": `Examples: ${TITLES[bucket] ?? bucket}` },
    rows.map(({ value, image, url }, k) =>
      element(
        "li",
        { hidden: k >= SHOWN },
        element(
          "button",
          { type: "button" },
          element("img", {
            src: url,
            alt: `${image}: ${rounded(value)}`,
            title: `${image}: ${rounded(value)}`,
            loading: "lazy",
          }),
        ),
        element("span", { class: "small soft" }, rounded(value)),
      ),
    ),
  );
  return list;
}

/** Where the unit responds in a picture of the user's. */
function photo(described, { layer, unit }, about, signal) {
  const target = `${layer}:${unit}`;
  return dropZone({
    prompt: `Where does ${target} respond in your picture?`,
    network: described.name,
    signal,
    answer: async ({ file, url }) => {
      const found = await api.activations(described.name, { layer, unit }, file, signal);
      const value = found.top.find((one) => one.unit === unit)?.value;
      return [
        shapeWords(found.shape)
          ? mapFigure(url, found.map, target, described.input.size)
          : element(
              "figure",
              { class: "map" },
              element("img", { src: url, alt: "Your picture" }),
              value === undefined
                ? null
                : element(
                    "figcaption",
                    { class: "small" },
                    `${target} responds with ${rounded(value)}.`,
                  ),
            ),
        topList(described.name, layer, found, unit),
      ];
    },
  });
}
