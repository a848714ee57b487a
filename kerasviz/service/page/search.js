// Searches classes, layers and units, as a combobox.

import * as api from "./api.js";
import { layerHash, unitHash } from "./address.js";
import { element } from "./dom.js";

const PAUSE = 180; // milliseconds after the last key

/** Put the search box into `place`; `use(network)` sets where it searches, null hides it. */
export function searchBox(place) {
  const input = element("input", {
    type: "search",
    id: "find",
    role: "combobox",
    placeholder: "Search: goldfish, layer:12",
    autocomplete: "off",
    spellcheck: "false",
    "aria-expanded": "false",
    "aria-controls": "found",
    "aria-autocomplete": "list",
    "aria-keyshortcuts": "/",
  });
  const list = element("ul", { id: "found", role: "listbox", "aria-label": "Found", hidden: true });
  const none = element("p", { class: "small none", role: "status", hidden: true });
  place.append(
    element("label", { class: "unseen", for: "find" }, "Search for a class, a layer or a unit"),
    input,
    element("div", { class: "found" }, list, none),
  );
  let network = null;
  let chosen = -1;
  let timer = 0;
  let asking = new AbortController();
  let answered = ""; // the text that the list answers

  const close = () => {
    clearTimeout(timer);
    asking.abort();
    list.hidden = none.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
    chosen = -1;
  };
  const choose = (i) => {
    const options = [...list.children];
    if (!options.length) return;
    chosen = (i + options.length) % options.length;
    options.forEach((option, k) => option.setAttribute("aria-selected", String(k === chosen)));
    options[chosen].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", options[chosen].id);
  };
  const tell = (words) => {
    list.hidden = true;
    none.hidden = false;
    none.textContent = words;
  };

  async function look() {
    const words = input.value.trim();
    answered = input.value;
    asking.abort();
    if (!words || !network) return close();
    asking = new AbortController();
    const { signal } = asking;
    try {
      const results = await api.search(network, words, signal);
      if (signal.aborted) return;
      chosen = -1;
      list.replaceChildren(...results.map((one, i) => option(one, i)));
      list.hidden = results.length === 0;
      none.hidden = true;
      input.setAttribute("aria-expanded", String(results.length > 0));
      if (results.length) choose(0);
      else tell(`${network} has no class, layer or unit like “${words}”.`);
    } catch (error) {
      if (!signal.aborted) tell(error.message);
    }
  }

  function option({ kind, layer, unit, label }, i) {
    const hasUnit = unit !== null && unit !== undefined;
    const href = hasUnit ? unitHash(network, layer, unit) : layerHash(network, layer);
    const place = hasUnit ? `${layer}:${unit}` : layer;
    // A link, so that it can be opened in another window.
    return element(
      "li",
      { role: "option", id: `found-${i}`, "aria-selected": "false" },
      element(
        "a",
        { href, tabindex: "-1" },
        element("span", {}, label || place),
        element("span", { class: "small soft" }, label ? `${kind} · ${place}` : kind),
      ),
    );
  }

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(look, PAUSE);
  });
  input.addEventListener("keydown", async (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (list.hidden) return;
      event.preventDefault();
      choose(chosen + (event.key === "ArrowDown" ? 1 : -1));
    } else if (event.key === "Escape") {
      close();
    } else if (event.key === "Enter") {
      event.preventDefault();
      clearTimeout(timer);
      if (list.hidden || answered !== input.value) await look();
      open(list.hidden ? null : list.children[Math.max(chosen, 0)]);
    }
  });
  const open = (option) => {
    if (!option) return;
    location.hash = option.querySelector("a").hash;
    close();
    input.value = "";
    input.blur();
  };
  list.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open(event.target.closest("[role=option]"));
  });
  list.addEventListener("mousedown", (event) => event.preventDefault()); // the focus stays
  input.addEventListener("blur", close);
  document.addEventListener("keydown", (event) => {
    if (
      event.key !== "/" ||
      event.target.closest("input, select, textarea, dialog") ||
      place.hidden
    )
      return;
    event.preventDefault();
    input.focus();
  });
  return {
    use(name) {
      network = name;
      place.hidden = !name;
      close();
    },
  };
}
