// A photo of which a picture is made, if any: chosen, sent, shown and removed.

import * as api from "./api.js";
import { element } from "./dom.js";

/**
 * A part of a form; `photo()` returns the sent photo or null. `words` are those of the buttons: to
 * choose the first, to choose another, and to remove it. `say` gets refusals, `changed()` is called
 * after a photo was sent or removed.
 */
export function photoStart({ id, words, say, clear, changed = () => {}, signal }) {
  let photo = null;
  const input = element("input", {
    type: "file",
    id,
    class: "unseen",
    accept: "image/png,image/jpeg",
  });
  const choose = element("label", { for: id, class: "button" });
  const image = element("img", { alt: "Your photo", hidden: true });
  const name = element("span", { class: "small soft", role: "status" });
  const remove = element("button", { type: "button", hidden: true }, words[2]);
  const place = element(
    "div",
    { class: "start" },
    image,
    element("span", { class: "pickfile" }, input, choose),
    name,
    remove,
  );

  function show() {
    if (photo) image.src = api.thumbnail(photo.id);
    image.hidden = remove.hidden = !photo;
    name.textContent = photo?.name ?? "";
    choose.textContent = words[photo ? 1 : 0];
  }

  input.addEventListener("change", async () => {
    const [file] = input.files;
    if (!file) return;
    clear();
    photo = null;
    name.textContent = `Sending ${file.name} …`;
    try {
      photo = await api.sendPhoto(file, signal);
      show();
      changed();
    } catch (error) {
      show();
      if (!signal.aborted) say(error);
    }
    input.value = ""; // so that the same file can be chosen again
  });
  remove.addEventListener("click", () => {
    photo = null;
    show();
    changed();
    input.focus();
  });
  show();
  return {
    place,
    photo: () => photo,
    /** Take a photo that was sent before, if the server still has it. */
    async restore(id) {
      try {
        photo = await api.photo(id, signal);
        show();
      } catch (error) {
        if (!signal.aborted) say(error);
      }
    },
  };
}
