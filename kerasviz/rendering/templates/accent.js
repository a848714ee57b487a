// The sliders of a picture that starts from a photo: its step, and the part in which the photo is
// shown again. A filter turns the grey mask into black and white; nothing is read back, so that it
// works in a page that is opened as a file.
const SVG = "http://www.w3.org/2000/svg";
const STEEP = 64;
const drawn = (name, attributes, ...children) => {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
};
for (const [number, form] of document.querySelectorAll("form.accent").entries()) {
  const link = form.closest(".card").querySelector(".picture"), plain = link.querySelector("img");
  const files = form.dataset.files.split(" "), steps = form.dataset.steps.split(" ");
  const [width, height] = [plain.getAttribute("width"), plain.getAttribute("height")];
  const image = (href, more = {}) => drawn("image", { href, width, height, ...more });
  const parts = ["R", "G", "B"].map((c) => drawn(`feFunc${c}`, { type: "linear", slope: STEEP }));
  const filter = drawn("filter",
    { id: `threshold-${number}`, x: 0, y: 0, width: 1, height: 1, "color-interpolation-filters": "sRGB" },
    drawn("feComponentTransfer", {}, ...parts));
  const mask = drawn("mask", { id: `mask-${number}`, maskUnits: "userSpaceOnUse", x: 0, y: 0, width, height },
    image(form.dataset.mask, { filter: `url(#threshold-${number})` }));
  const made = image(files.at(-1), { mask: `url(#mask-${number})` });
  const picture = drawn("svg",
    { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": plain.alt },
    drawn("defs", {}, filter, mask), image(files[0]), made);
  const show = () => {
    const [at, share] = [Number(form.elements.step.value), Number(form.elements.mask.value)];
    made.setAttribute("href", files[at]);
    // From 0, where all of the picture is shown, to 100, where none is.
    const level = (share / 100) * (1 + 1 / STEEP) - 0.5 / STEEP;
    for (const part of parts) part.setAttribute("intercept", 0.5 - level * STEEP);
    const [step, part] = form.querySelectorAll("output");
    step.value = steps[at];
    part.value = `${share} %`;
  };
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  show();
  plain.hidden = true;
  link.append(picture);
  form.hidden = false;
}
