// The tile of a unit in the view of its layer.

import { small } from "./api.js";
import { element } from "./dom.js";
import { fractionOf } from "./watch.js";

/** The tile of a unit: a link to its page with its picture or progress. */
export function tileOf(href, unit) {
  const words = element("span", { class: "words" }, String(unit));
  const amount = element("span", { class: "words amount", hidden: true });
  const frame = element("span", { class: "frame" });
  const link = element(
    "a",
    { class: "tile", href, tabindex: "-1", data: { unit, state: "unknown" } },
    frame,
    words,
    amount,
  );
  let picture = null;
  let steps = 0; // of the picture
  const show = (url, state) => {
    let image = frame.querySelector("img");
    if (!image) {
      image = element("img", { alt: "", decoding: "async" });
      frame.append(image);
    }
    image.src = url;
    link.dataset.state = state;
  };
  return {
    link,
    /** Set the label and picture of the unit, if it has them, and the steps of that. */
    know(label, url, taken = 0) {
      if (label) {
        words.textContent = `${unit} ${label.split(",")[0]}`;
        link.title = label;
      }
      if (url) {
        picture = url;
        steps = taken ?? 0;
        show(small(url), "there");
      } else if (link.dataset.state === "unknown") {
        link.dataset.state = "empty";
      }
    },
    /** Show by how much it comes where it does; null for none. */
    value(text) {
      amount.hidden = text === null;
      amount.textContent = text ?? "";
    },
    /** Show the name and the star that a user gave it. */
    note({ name, star }) {
      link.classList.toggle("starred", star);
      if (name) words.textContent = `${unit} ${name}`;
    },
    forget() {
      if (link.dataset.state === "busy") return;
      picture = null;
      frame.replaceChildren();
      link.dataset.state = "unknown";
    },
    /** Whether it has a picture of fewer steps than these. */
    isRougher: (good) => link.dataset.state === "there" && steps < good,
    isEmpty: () => ["empty", "unknown"].includes(link.dataset.state),
    wait() {
      if (picture) return;
      link.dataset.state = "busy";
      link.style.setProperty("--done", 0);
    },
    grow(told) {
      if (link.dataset.state === "busy") link.style.setProperty("--done", fractionOf(told));
    },
    preview(url) {
      if (!picture) show(url, "busy");
    },
    /** Stop waiting: no job renders the unit. */
    rest() {
      if (picture || link.dataset.state !== "busy") return;
      frame.replaceChildren();
      link.dataset.state = "empty";
    },
  };
}
