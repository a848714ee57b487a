// A folder of images as data: sent, searched by the server, and found again on every view.

import * as api from "./api.js";
import { counted, element, errorLine } from "./dom.js";
import { isOver, watch } from "./watch.js";

const PARTS = 3; // of a search: looking at what units see, searching, writing
const AT_ONCE = 4; // images that are sent at the same time
const MOST = 10000; // images of a folder
const NAMED = 3; // files that are named of those that were left out
const isImage = ({ type }) => /^image\/(png|jpeg)$/.test(type);

// Sending and searching continue while views change: { network, words, fraction, job, stop }.
let current = null;
const listeners = new Set();
const tell = (change) => {
  current = change && { ...current, ...change };
  listeners.forEach((listener) => listener());
};

/** The files of a folder that was chosen, each { file, path } with its path in the folder. */
export const filesOfInput = (input) =>
  [...input.files].map((file) => ({
    file,
    path: file.webkitRelativePath.split("/").slice(1).join("/") || file.name,
    folder: file.webkitRelativePath.split("/")[0],
  }));

/**
 * The files of what was dropped, with those in its folders; null where it is one picture. Must be
 * called while the event is handled.
 */
export function filesOfDrop(data) {
  const entries = [...(data.items ?? [])]
    .map((item) => item.webkitGetAsEntry?.())
    .filter(Boolean);
  const files = [...data.files];
  if (entries.some((entry) => entry.isDirectory)) return filesOfEntries(entries);
  return files.length > 1
    ? Promise.resolve(files.map((file) => ({ file, path: file.name, folder: "photos" })))
    : null;
}

async function filesOfEntries(entries) {
  const only = entries.length === 1 ? entries[0].name : "photos";
  const found = [];
  async function visit(entry, path) {
    if (found.length > MOST) return;
    if (entry.isFile) {
      const file = await new Promise((take, refuse) => entry.file(take, refuse));
      found.push({ file, path: path + entry.name, folder: only });
      return;
    }
    const inside = entries.length === 1 && entry === entries[0] ? "" : `${path}${entry.name}/`;
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((take, refuse) => reader.readEntries(take, refuse));
      if (!some.length) return;
      for (const one of some) await visit(one, inside);
    }
  }
  for (const entry of entries) await visit(entry, "");
  return found;
}

/** Send files, and search them for what the units of a network respond to. */
async function search(network, files, say) {
  const images = files.filter(({ file }) => isImage(file)).slice(0, MOST);
  const left = files.filter(({ file }) => !isImage(file)).map(({ path }) => path);
  if (!images.length) {
    say("There are no PNG or JPEG images in it.");
    return;
  }
  const stop = new AbortController();
  const id = [...crypto.getRandomValues(new Uint8Array(8))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
  let sent = 0;
  const show = () =>
    tell({ words: `Sending ${sent} of ${images.length} images`, fraction: sent / images.length });
  current = { network, stop: () => stop.abort() };
  show();
  const queue = images.values();
  async function send() {
    for (const { file, path } of queue) {
      try {
        await api.sendImage(id, path, file, stop.signal);
      } catch (error) {
        if (error.status !== 422) throw error;
        left.push(path); // it is no picture, whatever its name says
      }
      sent += 1;
      show();
    }
  }
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, send));
    const job = await api.searchFolder(network, { folder: id, name: files[0].folder || "photos" });
    follow(job, say, left);
  } catch (error) {
    stop.abort();
    if (error.name !== "AbortError") say(error);
    tell(null);
  }
}

/** Follow the search of a folder until it ends. */
function follow(job, say, left = []) {
  current = { network: job.network, job: job.id, stop: () => api.cancel(job.id).catch(say) };
  const progress = ({ step = 0, steps = job.steps }) => {
    const images = Math.max(1, steps / PARTS);
    const part = Math.min(Math.floor(step / images), PARTS - 1);
    const done = Math.round(step - part * images);
    const share = `${Math.round((100 * done) / images)} %`;
    const words = [
      `Looking at what each unit sees, for the search of ${counted(images, "image")}: ${share}`,
      `Searching ${done} of ${counted(images, "image")} for what units respond to`,
      `Writing what was found: ${share}`,
    ][part];
    tell({ words, fraction: steps ? step / steps : 0 });
  };
  progress(job);
  watch(job, {
    progress,
    end({ state, error, examples }) {
      tell(state === "done" ? { words: found(examples, left), job: null, stop: null } : null);
      if (state === "failed") say(error ?? "It failed.");
      if (state === "done") dispatchEvent(new Event("examples"));
    },
    error(error) {
      tell(null);
      say(error);
    },
  });
}

function found({ images, classes, unreadable, names }, left) {
  const bad = [...left, ...names];
  const count = left.length + unreadable;
  const named = bad.slice(0, NAMED).join(", ") + (count > NAMED ? ", …" : "");
  const what = `${counted(images - unreadable, "image")}${classes ? ` of ${classes} classes` : ""}`;
  const others = count ? ` ${counted(count, "file")} left out: ${named}.` : "";
  return `${what} searched: walls can be sorted by them, and units show examples.${others}`;
}

/**
 * The part of a drop zone for folders: `button` chooses one, `place` says what is being done, and
 * `take(files)` searches the files of a drop.
 */
export function folderPart(network, signal) {
  const { line, say, clear } = errorLine();
  const input = element("input", {
    type: "file",
    id: "folder-file",
    class: "unseen",
    webkitdirectory: true,
    multiple: true,
  });
  const button = element(
    "span",
    { class: "pickfile" },
    input,
    element("label", { for: "folder-file", class: "button" }, "Choose a folder"),
  );
  const bar = element("progress", { max: 1, value: 0, "aria-label": "The folder: progress" });
  const words = element("span", { class: "small", role: "status" });
  const cancel = element("button", { type: "button" }, "Cancel");
  const doing = element("div", { class: "doing searching" }, bar, words, cancel);
  const place = element("div", { class: "folder" }, doing, line);

  const show = () => {
    const ours = current?.network === network ? current : null;
    doing.hidden = !ours;
    words.textContent = ours?.words ?? "";
    bar.value = ours?.fraction ?? 0;
    bar.hidden = cancel.hidden = !ours?.stop;
  };
  const take = (files) => {
    clear();
    if (current?.stop) say("Another folder is being searched: cancel it, or wait for its end.");
    else search(network, files, say);
  };
  cancel.addEventListener("click", () => current?.stop?.());
  input.addEventListener("change", () => {
    const files = filesOfInput(input);
    input.value = ""; // so that the same folder can be chosen again
    if (files.length) take(files);
  });
  listeners.add(show);
  signal.addEventListener("abort", () => listeners.delete(show));
  show();
  resume(network, say, signal);
  return { button, place, take };
}

/** Follow a search that began before the page was opened. */
async function resume(network, say, signal) {
  if (current?.stop) return;
  try {
    const { job } = await api.searched(network, signal);
    if (!job || current?.stop) return;
    const now = await api.job(job, signal);
    if (!isOver(now) && !current?.stop) follow(now, say);
  } catch {
    // The view works without it; the view of jobs shows the error.
  }
}
