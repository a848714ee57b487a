// Names and stars that a user gives units.

import * as api from "./api.js";
import { announce, element, errorLine } from "./dom.js";

/** The notes of a layer, by unit. */
export async function notesOf(network, layer, signal) {
  const found = await api.notes(network, signal);
  return new Map(found.filter((one) => one.layer === layer).map((one) => [one.unit, one]));
}

/** A form for the name and the star of a unit, filled as soon as they are known. */
export function noteForm(network, layer, unit, signal) {
  const { line, say, clear } = errorLine();
  let kept = { layer, unit, name: "", star: false };
  const star = element("button", { type: "button", class: "star", "aria-pressed": "false" });
  const name = element("input", {
    placeholder: "Your name for it",
    "aria-label": "Your name for it",
    maxlength: 100,
  });
  const form = element("form", { class: "note" }, star, name, line);
  const show = (now) => {
    kept = now;
    star.setAttribute("aria-pressed", String(now.star));
    star.textContent = now.star ? "★ Starred" : "☆ Star";
    if (document.activeElement !== name) name.value = now.name;
  };
  const save = async (change) => {
    clear();
    try {
      show(await api.note(network, { ...kept, ...change }));
      announce("Kept");
    } catch (error) {
      if (!signal.aborted) say(error);
    }
  };
  star.addEventListener("click", () => save({ star: !kept.star }));
  name.addEventListener("change", () => save({ name: name.value }));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    name.blur();
  });
  show(kept);
  notesOf(network, layer, signal).then(
    (notes) => notes.has(unit) && show(notes.get(unit)),
    (error) => signal.aborted || say(error),
  );
  return form;
}
