// Several photos: chosen one by one or as a folder, sent, shown and removed.

import * as api from "./api.js";
import { counted, element } from "./dom.js";

const SHOWN = 6; // thumbnails

/**
 * A part of a form; `photos()` returns {id, name, group} of the sent photos, where the group is the
 * folder inside the chosen one ("" without). With `folder` a whole folder can be chosen, too. `say`
 * gets refusals, `changed()` is called after photos were sent or removed, `label` is read aloud.
 */
export function photoSet({ id, label, folder = false, say, clear, changed = () => {}, signal }) {
  let photos = [];
  let sending = false;
  const images = element("span", { class: "thumbnails" });
  const how = element("span", { class: "small soft", role: "status" });
  const remove = element("button", { type: "button", "aria-label": `Remove: ${label}` }, "Remove");
  const chooser = (key, words, more) => {
    const input = element("input", {
      type: "file",
      id: key,
      class: "unseen",
      accept: "image/png,image/jpeg",
      multiple: true,
      ...more,
    });
    input.addEventListener("change", async () => {
      const files = [...input.files].filter(({ type }) => /^image\/(png|jpeg)$/.test(type));
      if (!files.length && input.files.length) say("There are no PNG or JPEG photos in it.");
      input.disabled = true;
      await send(files);
      input.disabled = false;
      input.value = ""; // so that the same files can be chosen again
    });
    const choose = element("label", { for: key, class: "button" }, words);
    return element("span", { class: "pickfile" }, input, choose);
  };
  const place = element(
    "div",
    { class: "start", role: "group", "aria-label": label },
    images,
    chooser(id, "Choose photos", { "aria-label": `${label}: choose photos` }),
    folder
      ? chooser(`${id}-folder`, "Choose a folder", {
          webkitdirectory: true,
          "aria-label": `${label}: choose a folder`,
        })
      : null,
    how,
    remove,
  );

  function show() {
    const more = photos.length - SHOWN;
    images.replaceChildren(
      ...photos.slice(0, SHOWN).map(({ id, name }) =>
        element("img", { src: api.thumbnail(id), alt: name, title: name }),
      ),
      ...(more > 0 ? [element("span", { class: "small soft" }, `+${more}`)] : []),
    );
    images.hidden = remove.hidden = !photos.length;
    if (!sending) how.textContent = photos.length ? counted(photos.length, "photo") : "";
  }

  async function send(files) {
    if (!files.length) return;
    clear();
    sending = true;
    try {
      for (const [i, file] of files.entries()) {
        how.textContent = `Sending ${i + 1} of ${files.length} …`;
        const group = groupOf(file);
        const { id, name } = await api.sendPhoto(file, signal);
        if (!photos.some((one) => one.id === id && one.group === group))
          photos.push({ id, name, group });
        if (i < SHOWN) show();
      }
    } catch (error) {
      if (!signal.aborted) say(error);
    }
    sending = false;
    show();
    changed();
  }

  remove.addEventListener("click", () => {
    photos = [];
    show();
    changed();
    place.querySelector("input").focus();
  });
  show();

  return {
    place,
    photos: () => photos,
    /** Take photos that were sent before. */
    restore(sent) {
      photos = sent;
      show();
    },
  };
}

/** The folder inside the chosen folder in which a file lies. */
const groupOf = ({ webkitRelativePath: path = "" }) => {
  const folders = path.split("/").slice(1, -1);
  return folders.at(-1) ?? "";
};
