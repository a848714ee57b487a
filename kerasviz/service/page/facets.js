// The facets of a picture: a name and some photos of each, and what their probes say.

import { rounded } from "./activation.js";
import { element } from "./dom.js";
import { photoSet } from "./photo_set.js";

const FEWEST = 2; // photos of a facet

/**
 * A part of a form; `facets()` returns the ids of photos by the name of each facet, null without
 * any, `wrong()` why they cannot be asked for. `changed()` is called after each change.
 */
export function facetPart({ say, clear, changed, signal }) {
  let rows = [];
  let made = 0;
  const list = element("ul", { class: "facets" });
  const add = element("button", { type: "button" }, "Add a facet");
  const folders = photoSet({
    id: "facet-folders",
    label: "A folder with a folder of photos for each facet",
    folder: true,
    changed: fromFolders,
    ...{ say, clear, signal },
  });
  // Only the chooser of a folder of folders is shown.
  const pick = folders.place.querySelector("#facet-folders-folder").parentElement;
  pick.querySelector("label").textContent = "Take a folder of folders";
  const how = folders.place.querySelector("[role=status]");
  const place = element(
    "div",
    { class: "parts-of-form" },
    element(
      "p",
      { class: "small soft" },
      "A unit may respond to several things. Give each a name and some photos of it (30 are ",
      `better than ${FEWEST}): beside the picture there is one for each, steered towards its photos.`,
    ),
    list,
    element("div", { class: "actions" }, add, pick, how),
  );

  function row(name = "", photos = []) {
    made += 1;
    const set = photoSet({
      id: `facet-${made}`,
      label: `Photos of facet ${made}`,
      changed,
      ...{ say, clear, signal },
    });
    set.restore(photos);
    const field = element("input", {
      value: name,
      maxlength: 40,
      placeholder: "name",
      "aria-label": `Name of facet ${made}`,
      spellcheck: "false",
      autocomplete: "off",
    });
    const remove = element(
      "button",
      { type: "button", class: "small", "aria-label": `Remove facet ${made}` },
      "×",
    );
    const one = { field, set, item: element("li", {}, field, set.place, remove) };
    field.addEventListener("input", changed);
    remove.addEventListener("click", () => {
      rows = rows.filter((other) => other !== one);
      one.item.remove();
      changed();
      (rows.at(-1)?.field ?? add).focus();
    });
    rows.push(one);
    list.append(one.item);
    return one;
  }

  add.addEventListener("click", () => {
    row().field.focus();
    changed();
  });

  function fromFolders() {
    const groups = new Map();
    for (const photo of folders.photos()) {
      if (!photo.group) continue;
      groups.set(photo.group, [...(groups.get(photo.group) ?? []), photo]);
    }
    const none = folders.photos().length && !groups.size;
    folders.restore([]);
    how.textContent = "";
    if (none) say("There are no folders in it: each facet has a folder with its photos.");
    for (const [name, photos] of groups) row(name.slice(0, 40), photos);
    changed();
  }

  return {
    place,
    facets() {
      const named = rows.map(({ field, set }) => [field.value.trim(), set.photos()]);
      if (!named.length) return null;
      return Object.fromEntries(named.map(([name, sent]) => [name, sent.map(({ id }) => id)]));
    },
    wrong() {
      const names = rows.map(({ field }) => field.value.trim());
      if (names.some((name) => !/^[\p{L}\p{N}_][\p{L}\p{N}_ .-]*$/u.test(name)))
        return "Give each facet a name of letters, digits and blanks.";
      if (new Set(names).size < names.length) return "Two facets have the same name.";
      const few = rows.find(({ set }) => set.photos().length < FEWEST);
      if (few) return `The facet ${few.field.value} needs at least ${FEWEST} photos.`;
      if (rows.length === 1)
        return "One facet alone has nothing to be told from: add a second one.";
      return "";
    },
    kept: () => rows.map(({ field, set }) => ({ name: field.value, photos: set.photos() })),
    restore: (kept) => kept.forEach(({ name, photos }) => row(name, photos)),
  };
}

/** The pictures of a target and of its facets, each with what the probes say of it; or null. */
export function facetPictures(pictures) {
  if (!pictures.some(({ facets = {} }) => Object.keys(facets).length)) return null;
  return element(
    "div",
    { class: "facet-pictures" },
    element(
      "ul",
      {},
      pictures.map(({ url, target, score, facets = {} }) =>
        element(
          "li",
          {},
          element(
            "a",
            { href: url, target: "_blank", class: "frame" },
            element("img", { src: url, alt: target }),
          ),
          element("span", { class: "small" }, wordsOf(target)),
          element(
            "span",
            { class: "small soft numbers" },
            [["score", score], ...Object.entries(facets)].map(([name, value]) =>
              element("span", {}, `${name} ${rounded(value)}`),
            ),
          ),
        ),
      ),
    ),
    element(
      "p",
      { class: "small soft" },
      "The number of a facet tells whether its probe takes the picture for one of its photos: ",
      "above 0 it does.",
    ),
  );
}

const wordsOf = (target) => /, facet (.+?)(, balanced)?$/.exec(target)?.[1] ?? "not steered";
