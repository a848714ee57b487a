// The photo from which a picture starts, if any: chosen, sent, shown and removed.

import * as api from "./api.js";
import { element } from "./dom.js";

/** A part of a form; `photo()` returns the sent photo or null, and `say` gets refusals. */
export function photoStart({ say, clear, signal }) {
  let photo = null;
  let url = "";
  const input = element("input", {
    type: "file",
    id: "start-file",
    class: "unseen",
    accept: "image/png,image/jpeg",
  });
  const choose = element("label", { for: "start-file", class: "button" });
  const image = element("img", { alt: "Your photo", hidden: true });
  const name = element("span", { class: "small soft", role: "status" });
  const remove = element("button", { type: "button", hidden: true }, "Start from noise");
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
    choose.textContent = file ? "Another photo" : "Start from a photo";
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
    } catch (error) {
      show(null);
      if (!signal.aborted) say(error);
    }
    input.value = ""; // so that the same file can be chosen again
  });
  remove.addEventListener("click", () => {
    photo = null;
    show(null);
    input.focus();
  });
  show(null);
  signal.addEventListener("abort", () => url && URL.revokeObjectURL(url));
  return { place, photo: () => photo };
}
