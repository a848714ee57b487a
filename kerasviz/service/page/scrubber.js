// A slider through the steps of pictures, which stops only at what was rendered.

import { element } from "./dom.js";

const SHARES = [0, 1 / 32, 1 / 8, 1 / 3]; // of the steps: pictures change most at first

/** The steps whose pictures a request keeps beside the finished one. */
export const stagesOf = (steps) =>
  [...new Set(SHARES.map((share) => Math.round(share * steps)))].filter((step) => step < steps);

/** The picture `{url, steps, snapshots}` as it was after `step` steps, or at the stop before. */
export function atStep(picture, step) {
  if (step === null || step >= picture.steps || !picture.snapshots?.length) return picture;
  const before = picture.snapshots.filter((one) => one.step <= step);
  const { url } = before.at(-1) ?? picture.snapshots[0];
  return { ...picture, url };
}

/**
 * A slider whose stops are those of the offered pictures; `changed(step)` gets the chosen step, or
 * null for finished pictures. It is hidden without stops.
 */
export function scrubber(changed) {
  let stops = [];
  const input = element("input", { type: "range", min: 0, step: 1, value: 0 });
  const words = element("output", { class: "small soft" });
  const place = element(
    "label",
    { class: "scrubber", hidden: true },
    element("span", { class: "small" }, "Growth"),
    input,
    words,
  );
  const told = () => {
    const last = stops.length - 1;
    const step = stops[input.value];
    const text = Number(input.value) === last ? `finished, step ${step}` : `step ${step} of ${stops[last]}`;
    words.textContent = text;
    input.setAttribute("aria-valuetext", text);
  };
  input.addEventListener("input", () => {
    told();
    changed(chosen());
  });
  const chosen = () => (Number(input.value) < stops.length - 1 ? stops[input.value] : null);

  return {
    place,
    chosen,
    offer(pictures) {
      const before = chosen();
      const steps = pictures
        .filter(({ snapshots }) => snapshots?.length)
        .flatMap(({ snapshots, steps }) => [...snapshots.map(({ step }) => step), steps]);
      stops = [...new Set(steps)].sort((a, b) => a - b);
      place.hidden = stops.length < 2;
      if (place.hidden) return;
      input.max = stops.length - 1;
      const at = before === null ? -1 : stops.indexOf(before);
      input.value = at < 0 ? stops.length - 1 : at;
      told();
    },
  };
}
