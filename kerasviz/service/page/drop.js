// A picture of the user: dropped, pasted, chosen, or taken by the camera. It is kept from unit to
// unit. A folder of pictures is data.

import * as api from "./api.js";
import { hasCamera, takePicture } from "./camera.js";
import { element, errorLine } from "./dom.js";
import { filesOfDrop, folderPart } from "./folder.js";

let held = null; // { file, url, id }

function hold(file) {
  if (held) URL.revokeObjectURL(held.url);
  let sent = null; // the promise of the photo on the server
  const id = async () => (await (sent ??= api.sendPhoto(file))).id;
  held = { file, url: URL.createObjectURL(file), id };
  return held;
}

/**
 * A drop zone with the text `prompt`. `answer(held, signal)` returns the elements to show for a
 * picture; `held` has its `file` and `url`, `id()` sends it and promises its id, and `isNew` is
 * whether it was given just now, and not on another view. With a `network` it takes folders, too.
 */
export function dropZone({ prompt, answer, network = null, signal }) {
  const { line, say, clear } = errorLine();
  const input = element("input", {
    type: "file",
    accept: "image/png,image/jpeg",
    class: "unseen",
    id: "picture-file",
  });
  const camera = element("button", { type: "button", hidden: !hasCamera() }, "Use the camera");
  const folder = network ? folderPart(network, signal) : null;
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
      camera,
      folder ? [" ", folder.button] : null,
      element(
        "span",
        { class: "soft hint" },
        folder ? " or drop a picture or a folder on this page" : " or drop it anywhere on this page",
      ),
    ),
    line,
    folder?.place,
    answers,
  );
  let turn = 0;

  async function respond(picture, isNew) {
    const mine = ++turn;
    clear();
    place.setAttribute("aria-busy", "true");
    try {
      const shown = await answer({ ...picture, isNew }, signal);
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
    if (file) respond(hold(file), true);
    else if (files?.length) say("That is no picture: a PNG or JPEG is wanted.");
  }

  camera.addEventListener("click", async () => {
    clear();
    camera.disabled = true;
    try {
      const file = await takePicture();
      if (!signal.aborted) respond(hold(file), true);
    } catch (error) {
      if (!signal.aborted) say(error);
    }
    camera.disabled = false;
  });
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
    const files = folder && filesOfDrop(event.dataTransfer);
    if (files) files.then(folder.take, say);
    else take(event.dataTransfer.files);
  });
  listen("paste", (event) => {
    if (event.clipboardData.files.length) take(event.clipboardData.files);
  });
  signal.addEventListener("abort", () => document.body.classList.remove("dragging"));
  if (held) respond(held, false);
  return place;
}
