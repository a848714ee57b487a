// Uploads a network, which the server checks before it serves it.

import * as api from "./api.js";
import { hashOf } from "./address.js";
import { announce, element, errorLine } from "./dom.js";

const PAUSE = 700; // milliseconds between two requests for its state
const ENDING = /\.(onnx|keras)$/i;

/** The form, or null if the server accepts no networks. */
export async function uploadForm(signal) {
  const rules = await api.uploads(signal);
  return rules.allowed ? form(rules, signal) : null;
}

/** A valid network name made from a file name. */
export const nameOf = (file) =>
  file
    .replace(ENDING, "")
    .replace(/[^A-Za-z0-9_.-]+/g, "_")
    .replace(/^[^A-Za-z0-9]+/, "")
    .slice(0, 64);

/** Why a file is refused: the server knows it as "model", its sender by its name. */
function refusal({ error }, { name }) {
  const words = error ?? "it was refused";
  const about = words.replace(/^model\b/, name).replace(/expected \.keras, .*/, "expected ONNX or .keras");
  return about.startsWith(name) ? about : `${name}: ${about}`;
}

function form({ bytes, presets }, signal) {
  const { line, say, clear } = errorLine();
  const file = element("input", {
    type: "file",
    id: "model-file",
    class: "unseen",
    accept: ".onnx,.keras",
  });
  const chosen = element("span", { class: "soft small" }, "ONNX or .keras");
  const name = element("input", { name: "name", required: true, maxlength: 64 });
  const preprocess = element(
    "select",
    { name: "preprocess" },
    element("option", { value: "" }, "show me what fits"),
    presets.map((preset) => element("option", { value: preset }, preset)),
  );
  const send = element("button", { class: "main", disabled: true }, "Upload");
  const how = element("p", { class: "soft small", role: "status", hidden: true });
  const made = element(
    "form",
    { class: "tools upload" },
    element(
      "div",
      { class: "pickfile" },
      file,
      element("label", { for: "model-file", class: "button" }, "Choose a model file"),
      " ",
      chosen,
    ),
    element("label", { class: "field" }, "Name", name),
    element("label", { class: "field" }, "Preprocessing", preprocess),
    send,
  );

  const tell = (text) => {
    how.textContent = text;
    how.hidden = !text;
  };

  file.addEventListener("change", () => {
    clear();
    const [first] = file.files;
    send.disabled = !first;
    chosen.textContent = first?.name ?? "ONNX or .keras";
    if (first) name.value = nameOf(first.name);
    if (first?.size > bytes) {
      send.disabled = true;
      say(`${first.name} is larger than the limit of ${Math.floor(bytes / 2 ** 20)} MiB.`);
    }
  });

  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    clear();
    send.disabled = true;
    tell("Uploading …");
    try {
      let upload = await api.upload(name.value, preprocess.value, file.files[0], signal);
      while (["queued", "checking"].includes(upload.state)) {
        tell(upload.state === "queued" ? "Waiting for the check …" : "Checking …");
        await new Promise((resolve) => setTimeout(resolve, PAUSE));
        upload = await api.uploaded(upload.id, signal);
      }
      if (upload.state !== "ready") throw new Error(refusal(upload, file.files[0]));
      announce(`${upload.name} is served`);
      dispatchEvent(new Event("networks")); // the list has a new one
      location.hash = hashOf({ view: "network", network: upload.name });
    } catch (error) {
      if (!signal.aborted) say(error);
    }
    tell("");
    send.disabled = false;
  });

  return element(
    "section",
    { class: "bring", "aria-labelledby": "bring-title" },
    element("h2", { id: "bring-title" }, "Upload a network"),
    element(
      "p",
      { class: "soft small" },
      "A file is checked in a sandbox before it is served. “Preprocessing” names the numbers that ",
      "the network expects for an image; who does not know them sees a photograph in all of them next.",
    ),
    made,
    how,
    line,
  );
}
