// Whether the service answers: a line says where it does not, and requests wait until it does again.

import { announce, element } from "./dom.js";

const BEAT = 4000; // milliseconds between two looks while nothing is asked for
const PAUSE = 1000; // while it does not answer
const LINGER = 4000; // for which the page says that the service is back

let away = null; // the promise of the service's return
let line = null;

/** Note that the service does not answer; the promise is kept as soon as it does again. */
export function untilBack(signal) {
  away ??= waiting();
  if (!signal) return away;
  return new Promise((back, refuse) => {
    const give = () => refuse(new DOMException("The view was left.", "AbortError"));
    if (signal.aborted) give();
    signal.addEventListener("abort", give, { once: true });
    away.then(back);
  });
}

async function answers() {
  try {
    return (await fetch("/healthz", { cache: "no-store" })).ok;
  } catch {
    return false;
  }
}

const pause = (time) => new Promise((wake) => setTimeout(wake, time));

async function waiting() {
  if (await answers()) {
    away = null; // it was one request
    return;
  }
  say("The service does not answer. Waiting for it …");
  while (!(await answers())) await pause(PAUSE);
  away = null;
  say("The service is back. Nothing is lost.", true);
  for (const image of document.images) {
    const { src } = image;
    if (!src || !image.complete || image.naturalWidth) continue;
    image.src = ""; // what could not be loaded meanwhile
    image.src = src;
  }
}

function say(words, isBack = false) {
  if (!line) {
    line = element("p", { class: "connection" });
    document.querySelector("header.bar").after(line);
  }
  line.textContent = words;
  line.dataset.state = isBack ? "back" : "away";
  announce(words);
  if (isBack) setTimeout(clear, LINGER);
}

function clear() {
  if (away) return;
  line?.remove();
  line = null;
}

/** Look from time to time whether the service answers, while somebody looks at the page. */
export function watchService() {
  setInterval(async () => {
    if (!document.hidden && !away && !(await answers())) untilBack();
  }, BEAT);
}
