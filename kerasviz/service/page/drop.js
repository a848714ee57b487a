// A picture of the user: dropped, pasted or chosen. It is kept from unit to unit.

import { element, errorLine } from "./dom.js";

let held = null; // { file, url }

function hold(file) {
  if (held) URL.revokeObjectURL(held.url);
  held = { file, url: URL.createObjectURL(file) };
  return held;
}

/**
 * A drop zone with the text `prompt`. `answer(held, signal)` returns the elements to show for a
 * picture; `held` has its `file` and `url`.
 */
export function dropZone({ prompt, answer, signal }) {
  const { line, say, clear } = errorLine();
  const input = element("input", {
    type: "file",
    accept: "image/png,image/jpeg",
    class: "unseen",
    id: "picture-file",
  });
  const answers = element("div", { class: "answers", "aria-live": "polite" });
  const place = element(
    "section",
    { class: "drop", "aria-label": "Your picture" },
    element(
      "p",
      {},
      prompt,
      " ",
      element(
        "span",
        { class: "pickfile" },
        input,
        element("label", { for: "picture-file", class: "button" }, "Choose a picture"),
      ),
      element("span", { class: "soft hint" }, " or drop it anywhere on this page"),
    ),
    line,
    answers,
  );
  let turn = 0;

  async function respond(picture) {
    const mine = ++turn;
    clear();
    place.setAttribute("aria-busy", "true");
    try {
      const shown = await answer(picture, signal);
      if (mine === turn && !signal.aborted) answers.replaceChildren(...shown);
    } catch (error) {
      if (mine === turn && !signal.aborted) {
        answers.replaceChildren();
        say(error);
      }
    } finally {
      if (mine === turn) place.removeAttribute("aria-busy");
    }
  }

  function take(files) {
    const file = [...(files ?? [])].find(({ type }) => type.startsWith("image/"));
    if (file) respond(hold(file));
    else if (files?.length) say("That is no picture: a PNG or JPEG is wanted.");
  }

  input.addEventListener("change", () => take(input.files));
  const listen = (event, act) => document.addEventListener(event, act, { signal });
  listen("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dragging");
  });
  listen("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dragging");
  });
  listen("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dragging");
    take(event.dataTransfer.files);
  });
  listen("paste", (event) => {
    if (event.clipboardData.files.length) take(event.clipboardData.files);
  });
  signal.addEventListener("abort", () => document.body.classList.remove("dragging"));
  if (held) respond(held);
  return place;
}
