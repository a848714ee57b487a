// Search in an atlas for a layer, a unit or a class. The data is in this file, so that a page that is
// opened from a disk, where nothing can be fetched, has it.
(() => {
  const atlas = {{ atlas|tojson }};
  const root = document.currentScript.dataset.root ?? "";
  const MOST = 40; // results

  const element = (name, attributes = {}, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };
  const plain = (words) =>
    words
      .toLowerCase()
      .replace(/\b(layer|unit|channel|neuron|direction)s?\b/g, " ")
      .replace(/[\s,]+/g, " ")
      .trim();
  const layers = atlas.layers.map((layer) => {
    const units = Array.isArray(layer.units) ? layer.units : null;
    const names = [...new Set([layer.tap, layer.title, ...layer.aliases].map(plain))];
    return { ...layer, names, listed: units, count: units ? units.length : layer.units };
  });

  /** The place of a unit in its layer, -1 where it is not there. */
  const placeOf = (layer, unit) =>
    layer.listed ? layer.listed.indexOf(unit) : unit < layer.count ? unit : -1;
  const unitAt = (layer, place) => (layer.listed ? layer.listed[place] : place);
  const anchorOf = (layer, place) =>
    Array.isArray(layer.anchors) ? layer.anchors[place] : layer.anchors + unitAt(layer, place);

  /** How well a layer is named by words: 0 is best, Infinity not at all. */
  const distance = (layer, words) =>
    Math.min(
      ...layer.names.map((name) => {
        if (name === words) return 0;
        if (name.startsWith(words)) return 1;
        const at = name.indexOf(words);
        if (at < 0) return Infinity;
        return /[^a-z0-9]|(?<=[a-z])(?=\d)/.test(name.slice(at - 1, at + 1)) ? 2 : 3;
      }),
    );
  /** The layers that words name, best first: only those that they name exactly, if there are any. */
  const layersOf = (words) => {
    const known = layers.map((layer) => [distance(layer, words), layer]);
    const found = known.filter(([far]) => far < Infinity).sort(([a], [b]) => a - b);
    const exact = found.filter(([far]) => far === 0);
    return (exact.length ? exact : found).map(([, layer]) => layer);
  };

  const ofLayer = (layer) => ({
    layer,
    place: 0,
    href: layer.page,
    words: layer.title,
    small: `${layer.count} ${layer.noun.toLowerCase()}${layer.count === 1 ? "" : "s"}${layer.title.endsWith(layer.tap) ? "" : ` · ${layer.tap}`}`,
  });
  const ofUnit = (layer, place) => ({
    layer,
    place,
    href: `${layer.page}#${encodeURIComponent(anchorOf(layer, place))}`,
    words: layer.labels[unitAt(layer, place)] ?? `${layer.title}, ${layer.noun} ${unitAt(layer, place)}`,
    small: layer.noun === "Unit" ? `${layer.tap}:${unitAt(layer, place)}` : `${layer.tap}[${unitAt(layer, place)}]`,
  });

  /** What is found, and what to say where nothing is. */
  const search = (typed) => {
    const words = plain(typed);
    const found = [];
    let why = "";
    if (!words) return { found, why };
    const [, name, digits] = words.match(/^(?:(.*?)[\s:#@/.-]+)?(\d+)$/) ?? [];
    if (digits !== undefined) {
      const unit = Number(digits);
      const named = name ? layersOf(name) : layers;
      for (const layer of named) {
        const place = placeOf(layer, unit);
        if (place >= 0) found.push(ofUnit(layer, place));
      }
      if (!found.length && named.length && name) {
        const [{ title, listed, count }] = named;
        why = listed ? `${title} has no unit ${unit} here.` : `${title} has the units 0 to ${count - 1}.`;
      }
    }
    if (!name || !found.length) found.push(...layersOf(words).map(ofLayer));
    for (const layer of layers) {
      layer.labels.forEach((label, unit) => {
        const place = placeOf(layer, unit);
        if (place >= 0 && label.toLowerCase().includes(words)) found.push(ofUnit(layer, place));
      });
    }
    const kinds = layers.some(({ labels }) => labels.length) ? "layer, unit or class" : "layer or unit";
    return { found, why: why || `No ${kinds} is called “${typed.trim()}”.` };
  };

  const tile = ({ layer, place }) => {
    const per = atlas.per;
    const file = Math.floor(place / per);
    const made = element("span", { class: "tile" });
    made.style.setProperty("--n", Math.min(per, layer.count - file * per));
    made.style.setProperty("--x", place % per);
    made.style.setProperty("--wide", atlas.size[0]);
    made.style.setProperty("--high", atlas.size[1]);
    made.style.backgroundImage = `url("${root}${encodeURI(layer.tiles[file])}")`;
    return made;
  };

  // -- the box -----------------------------------------------------------------------------

  const first = layers[0];
  const input = element("input", {
    type: "search",
    id: "find",
    role: "combobox",
    placeholder: `Find a unit: ${first.title.replace(/^Layer /, "")} ${unitAt(first, Math.min(7, first.count - 1))}`,
    autocomplete: "off",
    spellcheck: "false",
    "aria-expanded": "false",
    "aria-controls": "found",
    "aria-autocomplete": "list",
    "aria-keyshortcuts": "/",
  });
  const list = element("ul", { id: "found", role: "listbox", "aria-label": "Found" });
  const none = element("p", { role: "status" });
  const panel = element("div", { hidden: "" }, list, none);
  const label = element("label", { for: "find" }, "Find a layer, a unit or a class");
  const box = element("div", { class: "find", role: "search" }, label, input, panel);
  let chosen = 0;

  const close = () => {
    panel.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const choose = (i) => {
    const options = [...list.children];
    if (!options.length) return;
    chosen = (i + options.length) % options.length;
    options.forEach((option, k) => option.setAttribute("aria-selected", String(k === chosen)));
    options[chosen].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", options[chosen].id);
  };
  const look = () => {
    if (!input.value.trim()) return close();
    const { found, why } = search(input.value);
    list.replaceChildren(
      ...found.slice(0, MOST).map((one, i) =>
        element(
          "li",
          { role: "option", id: `found-${i}`, "aria-selected": "false" },
          element(
            "a",
            { href: root + one.href, tabindex: "-1" },
            tile(one),
            element("span", {}, element("b", {}, one.words), element("small", {}, one.small)),
          ),
        ),
      ),
    );
    none.textContent = found.length > MOST ? `${found.length - MOST} more` : found.length ? "" : why;
    none.hidden = !none.textContent;
    panel.hidden = false;
    input.setAttribute("aria-expanded", String(found.length > 0));
    choose(0);
  };
  input.addEventListener("input", look);
  input.addEventListener("focus", look);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (panel.hidden) look();
      else choose(chosen + (event.key === "ArrowDown" ? 1 : -1));
    } else if (event.key === "Escape") {
      close();
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (panel.hidden) look();
      else list.children[chosen]?.querySelector("a").click();
    }
  });
  panel.addEventListener("mousedown", (event) => event.preventDefault()); // the focus stays
  list.addEventListener("click", () => setTimeout(() => {
    input.blur(); // a unit of this page is scrolled to
    input.value = "";
  }));
  input.addEventListener("blur", close);
  document.querySelector(".top").append(box);

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, dialog[open]")) return;
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "/") {
      event.preventDefault();
      input.focus();
    }
    const way = { ArrowLeft: "prev", ArrowRight: "next" }[event.key];
    if (way && !event.shiftKey) document.querySelector(`a[rel=${way}]`)?.click();
  });
})();
