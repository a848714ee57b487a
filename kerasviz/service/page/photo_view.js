// A picture that was made from a photo, with sliders for its steps and its mask.

import { element } from "./dom.js";

/**
 * The picture over its photo, or null for a picture without a mask. The step slider goes from the
 * photo to the finished picture; the mask slider shows the photo again in the share of the picture
 * on which the score depended least.
 */
export function photoView({ url, snapshots = [], mask = null }) {
  if (!mask || !snapshots.length) return null;
  const urls = [...snapshots.map((one) => one.url), url];
  const steps = [...snapshots.map((one) => `step ${one.step}`), "finished"];
  const canvas = element("canvas", { role: "img", "aria-label": "The picture over the photo" });
  const step = slider(urls.length - 1, urls.length - 1);
  const share = slider(100, 0);
  const stepWords = element("output", {});
  const shareWords = element("output", {});
  const loaded = new Map();
  let turn = 0;

  const pixels = (address) => {
    if (!loaded.has(address)) loaded.set(address, pixelsOf(address));
    return loaded.get(address);
  };

  async function draw() {
    const mine = ++turn;
    stepWords.textContent = steps[step.value];
    shareWords.textContent = `${share.value} %`;
    const [photo, picture, grey] = await Promise.all(
      [urls[0], urls[step.value], mask].map(pixels),
    );
    if (mine !== turn) return;
    const shown = new ImageData(picture.width, picture.height);
    const least = (share.value / 100) * 255; // the mask tells how many pixels matter less
    for (let i = 0; i < shown.data.length; i += 4) {
      const from = share.value < 100 && grey.data[i] >= least ? picture : photo;
      for (let k = 0; k < 4; k += 1) shown.data[i + k] = from.data[i + k];
    }
    Object.assign(canvas, { width: shown.width, height: shown.height });
    canvas.getContext("2d").putImageData(shown, 0, 0);
  }

  step.addEventListener("input", draw);
  share.addEventListener("input", draw);
  draw().catch(() => {}); // left before its pictures were loaded
  return element(
    "div",
    { class: "photo-view" },
    canvas,
    element("label", {}, "Step", step, stepWords),
    element("label", {}, "Mask", share, shareWords),
    element(
      "p",
      { class: "small soft" },
      "The mask shows the photo again where the score depended least on the picture.",
    ),
  );
}

function slider(max, value) {
  return element("input", { type: "range", min: 0, max, step: 1, value });
}

async function pixelsOf(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}
