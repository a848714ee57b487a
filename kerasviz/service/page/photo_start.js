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
  let url = "";
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

  function show(file) {
    if (url) URL.revokeObjectURL(url);
    url = file ? URL.createObjectURL(file) : "";
    if (url) image.src = url;
    image.hidden = remove.hidden = !file;
    name.textContent = photo?.name ?? "";
    choose.textContent = words[file ? 1 : 0];
  }

  input.addEventListener("change", async () => {
    const [file] = input.files;
    if (!file) return;
    clear();
    photo = null;
    name.textContent = `Sending ${file.name} …`;
    try {
      photo = await api.sendPhoto(file, signal);
      show(file);
      changed();
    } catch (error) {
      show(null);
      if (!signal.aborted) say(error);
    }
    input.value = ""; // so that the same file can be chosen again
  });
  remove.addEventListener("click", () => {
    photo = null;
    show(null);
    changed();
    input.focus();
  });
  show(null);
  signal.addEventListener("abort", () => url && URL.revokeObjectURL(url));
  return { place, photo: () => photo };
}
