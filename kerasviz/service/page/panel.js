// A panel of a unit's page: a question, how the answer was made, an address, a download.

import { hashOf, placeOf } from "./address.js";
import { copyable } from "./copying.js";
import { element } from "./dom.js";
import { openLarge, picturesIn } from "./lightbox.js";

/**
 * The panel `id` with a title and its content. `items()` returns what opens large, by default the
 * pictures inside. The address of the view names the panel, and the picture that is large.
 */
export function panel({ id, title, content, items }) {
  const here = placeOf(location.hash);
  const how = element("p", { class: "small soft how" });
  const open = element("button", { type: "button", "aria-label": `Enlarge: ${title}` }, "Enlarge");
  const download = element("a", { class: "button", hidden: true }, "Download");
  const left = element("div", { class: "left-out small soft" });
  const { open: _, ...bare } = here;
  const section = element(
    "section",
    { class: "panel", id: `panel-${id}`, "aria-label": title, data: { panel: id } },
    element(
      "header",
      {},
      element(
        "h2",
        {},
        element("a", { href: hashOf({ ...bare, panel: id }), title: "The address of this panel" }, title),
      ),
      element("div", { class: "actions" }, open, download),
    ),
    how,
    content,
    left,
  );
  const shown = items ?? (() => picturesIn(section));
  let wanted = here.panel === id ? (here.open ?? null) : null;
  if (here.panel === id) requestAnimationFrame(() => section.scrollIntoView({ block: "start" }));

  function large(at) {
    if (shown().length) openLarge(shown, at, told);
  }

  /** Keep the large picture in the address, so that it opens again. */
  function told(key) {
    const now = placeOf(location.hash);
    if (now.view !== "unit") return;
    const { open: __, ...rest } = now;
    const place = key === null ? rest : { ...rest, panel: id, open: key };
    history.replaceState(history.state, "", hashOf(place));
  }

  open.addEventListener("click", () => large(0));
  section.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    const link = event.target.closest(".slot .frame a, .crops button");
    if (!link) return;
    event.preventDefault();
    const image = link.querySelector("img");
    large(shown().findIndex((one) => one.image === image));
  });
  // Pictures come later than the panel, and are replaced.
  const ready = () => {
    const items = shown();
    open.hidden = !items.length;
    const at = wanted === null ? -1 : items.findIndex(({ key }) => key === wanted);
    if (at < 0 || !section.isConnected) return;
    wanted = null;
    large(at);
  };
  new MutationObserver(ready).observe(section, { subtree: true, childList: true });
  ready();
  requestAnimationFrame(ready);

  return {
    section,
    /** Say how the content was made. */
    say(words) {
      how.textContent = words;
    },
    /** Offer a file of the content. */
    offer(href, name) {
      download.hidden = !href;
      if (href) download.href = href;
      download.download = name ?? "";
    },
    /** Say what is left out, and the command that gives it. */
    leaveOut(words, command = "") {
      left.append(
        element("div", {}, element("p", {}, words), command ? copyable(command) : null),
      );
    },
    large,
  };
}
