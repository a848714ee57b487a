// Pictures of a panel, large and one after the other.

import { element } from "./dom.js";

/**
 * Show the items that `list()` returns now, from the one at `first`: each has a `key`, a `title` and
 * either `src` or `draw()`, which returns an element; `facts` say how it was made, `href` is the place
 * of the unit that it shows. `moved(key)` is told which one is shown, and null at the end.
 */
export function openLarge(list, first, moved = () => {}) {
  let at = first;
  const before = document.activeElement;
  const title = element("h2", { id: "large-title" });
  const count = element("span", { class: "soft small" });
  const facts = element("p", { class: "small soft" });
  const frame = element("div", { class: "large-frame" });
  const unit = element("a", { class: "button" }, "Go to this unit");
  const download = element("a", { class: "button" }, "Download");
  const close = element("button", { type: "button" }, "Close");
  const turn = (words, by, key) => {
    const button = element(
      "button",
      { type: "button", class: "turn", "aria-label": words, "aria-keyshortcuts": key },
      by < 0 ? "‹" : "›",
    );
    button.addEventListener("click", () => show(at + by));
    return button;
  };
  const previous = turn("Previous picture", -1, "ArrowLeft");
  const next = turn("Next picture", 1, "ArrowRight");
  const dialog = element(
    "dialog",
    { class: "large", "aria-labelledby": "large-title" },
    element("header", {}, element("div", { "aria-live": "polite" }, title, count), close),
    element("div", { class: "large-row" }, previous, frame, next),
    element("footer", {}, facts, element("div", { class: "actions" }, unit, download)),
  );

  function show(wanted) {
    const items = list(); // more than before, where pictures are being made
    if (!items.length) return;
    at = Math.min(Math.max(0, wanted), items.length - 1);
    const item = items[at];
    title.textContent = item.title;
    count.textContent = `${at + 1} of ${items.length}`;
    facts.textContent = item.facts ?? "";
    frame.replaceChildren(item.draw ? item.draw() : element("img", { src: item.src, alt: item.title }));
    unit.hidden = !item.href;
    if (item.href) unit.href = item.href;
    download.hidden = !item.src;
    if (item.src) {
      download.href = item.src;
      download.download = item.file ?? `${item.title.replace(/[^\w.-]+/g, "-")}.png`;
    }
    const focused = document.activeElement;
    previous.disabled = at === 0;
    next.disabled = at === items.length - 1;
    // Keys go to what has the focus, which a disabled button loses.
    if (focused?.disabled) [previous, next, close].find((button) => !button.disabled).focus();
    moved(item.key);
  }

  dialog.addEventListener("keydown", (event) => {
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: Infinity }[event.key];
    if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    show(to);
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  close.addEventListener("click", () => dialog.close());
  unit.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    dialog.remove();
    moved(null);
    before?.focus?.();
  });
  document.body.append(dialog);
  dialog.showModal();
  show(at);
  addEventListener("hashchange", () => dialog.close(), { once: true });
}

/** The pictures that an element shows now, as items: of slots, tiles and examples. */
export function picturesIn(place) {
  return [...place.querySelectorAll(".frame img, .crops img")].map((image) => {
    const tile = image.closest("a.tile");
    const slot = image.closest(".slot");
    const item = {
      image,
      key: image.title || image.alt,
      src: image.src,
      title: tile?.title || image.title || image.alt,
      facts: slot?.querySelector(".facts")?.textContent ?? "",
      href: tile?.href,
    };
    if (image.src.includes("/pictures/"))
      item.key = item.file = decodeURIComponent(new URL(image.src).pathname.split("/").at(-1));
    return item;
  });
}
