// A network of the user: sent to the server, which looks at it before anybody sees it.

import * as api from "./api.js";
import { hashOf } from "./address.js";
import { announce, element, errorLine } from "./dom.js";

const PAUSE = 700; // milliseconds between two questions what became of it
const ENDING = /\.(onnx|keras)$/i;

/** The form, or null where the server takes no networks. */
export async function uploadForm(signal) {
  const rules = await api.uploads(signal);
  return rules.allowed ? form(rules, signal) : null;
}

/** A name that the server takes, from that of a file. */
export const nameOf = (file) =>
  file
    .replace(ENDING, "")
    .replace(/[^A-Za-z0-9_.-]+/g, "_")
    .replace(/^[^A-Za-z0-9]+/, "")
    .slice(0, 64);

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
    element("option", { value: "" }, "not said"),
    presets.map((preset) => element("option", { value: preset }, preset)),
  );
  const send = element("button", { class: "main", disabled: true }, "Send");
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
    element("label", { class: "field" }, "What it takes", preprocess),
    send,
  );

  const tell = (words) => {
    how.textContent = words;
    how.hidden = !words;
  };

  file.addEventListener("change", () => {
    clear();
    const [first] = file.files;
    send.disabled = !first;
    chosen.textContent = first?.name ?? "ONNX or .keras";
    if (first) name.value = nameOf(first.name);
    if (first?.size > bytes) {
      send.disabled = true;
      say(`${first.name} is larger than the ${Math.floor(bytes / 2 ** 20)} MiB that are taken.`);
    }
  });

  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    clear();
    send.disabled = true;
    tell("Sending …");
    try {
      let upload = await api.upload(name.value, preprocess.value, file.files[0], signal);
      while (["queued", "checking"].includes(upload.state)) {
        tell(upload.state === "queued" ? "It waits to be looked at …" : "It is looked at …");
        await new Promise((resolve) => setTimeout(resolve, PAUSE));
        upload = await api.uploaded(upload.id, signal);
      }
      if (upload.state !== "ready") throw new Error(upload.error ?? "It was refused.");
      announce(`${upload.name} is served`);
      dispatchEvent(new Event("networks")); // there is one more to pick
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
    element("h2", { id: "bring-title" }, "Bring a network"),
    element(
      "p",
      { class: "soft small" },
      "A file is looked at in a process with limits before it is served. “What it takes” says ",
      "which numbers it expects for an image; without it no pictures can be made.",
    ),
    made,
    how,
    line,
  );
}
