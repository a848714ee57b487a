// How far pictures can be trusted: what they are compared with, and the numbers.

import * as api from "./api.js";
import { PendingJob } from "./pending_job.js";
import { announce, counted, element, errorLine } from "./dom.js";
import { photoSet } from "./photo_set.js";
import { fractionOf, progressText, watch } from "./watch.js";

const BY_LAYER = "layer by layer"; // the name of the row that lists layers

/**
 * A section that compares finished pictures of a network, of which `pictures()` returns {file,
 * url, target or title, trust}. `show()` shows what is known of them; it is hidden without any.
 */
export function trustPart({ network, pictures, signal }) {
  const { line, say, clear } = errorLine();
  const photos = photoSet({
    id: "trust-photos",
    label: "Photos to compare with",
    folder: true,
    ...{ say, clear, signal },
  });
  const judge = element("select", {}, element("option", { value: "" }, "none"));
  const start = element("button", { class: "main" }, "Compare");
  const bar = element("progress", { max: 1, value: 0, "aria-label": "Comparison: progress" });
  const how = element("span", { class: "small soft" });
  const cancel = element("button", { type: "button" }, "Cancel");
  const doing = element("div", { class: "doing", hidden: true }, bar, how, cancel);
  const found = element("div", {});
  const form = element(
    "form",
    { class: "composer", "aria-label": "Comparison" },
    photos.place,
    element("label", { class: "field" }, "A second network that names the class it sees", judge),
    start,
    doing,
    line,
  );
  const place = element(
    "section",
    { class: "trust", "aria-label": "How far to trust the pictures", hidden: true },
    element("h2", {}, "How far to trust the pictures"),
    element(
      "p",
      { class: "small soft" },
      "A picture shows what excites a unit most, which need not be what it responds to in photos. ",
      "Compare: with your photos (those in folders named after classes are taken for such), ",
      "with the classes that a second network sees, and pictures of other seeds with each other.",
    ),
    form,
    found,
  );
  let pending = null;

  function show() {
    const now = pictures();
    place.hidden = !now.length;
    start.textContent = now.length > 1 ? `Compare ${counted(now.length, "picture")}` : "Compare";
    const known = now.filter(({ trust = [] }) => trust.length);
    found.replaceChildren(...(known.length ? [trustList(known)] : []));
  }

  function busy(job) {
    pending = job;
    doing.hidden = !job;
    start.disabled = Boolean(job);
  }

  function follow(job) {
    watch(
      job,
      {
        progress(told) {
          bar.value = fractionOf(told);
          how.textContent = told.step > 0 ? `${Math.round(100 * fractionOf(told))} %` : progressText(told);
        },
        end(ended) {
          busy(null);
          announce(`Comparison: ${ended.state}`);
          if (ended.state === "failed") say(ended.error ?? "It failed.");
          if (ended.trust) found.replaceChildren(trustResult(ended.trust));
        },
        error(error) {
          busy(null);
          say(error);
        },
      },
      signal,
    );
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (pending) return;
    clear();
    bar.value = 0;
    how.textContent = "sending";
    const job = new PendingJob();
    busy(job);
    const request = {
      network,
      pictures: pictures().map(({ file }) => file),
      ...(photos.photos().length && { photos: byClass(photos.photos()) }),
      ...(judge.value && { judge: judge.value }),
    };
    try {
      await job.send(() => api.trust(request), follow);
    } catch (error) {
      if (!job.job) busy(null);
      say(error);
    }
  });
  cancel.addEventListener("click", async () => {
    how.textContent = "cancelling";
    try {
      await pending?.cancel();
    } catch (error) {
      say(error);
    }
  });

  api.networks(signal).then(
    (served) => {
      const others = served.filter(({ name, loaded }) => name !== network && loaded);
      judge.append(...others.map(({ name }) => element("option", { value: name }, name)));
      judge.closest(".field").hidden = !others.length;
    },
    () => {},
  );
  show();
  return { place, show };
}

/** Ids of photos, by the folders that they were in if there are such. */
function byClass(photos) {
  if (!photos.some(({ group }) => group)) return photos.map(({ id }) => id);
  const classes = {};
  for (const { id, group } of photos) (classes[group || "others"] ??= []).push(id);
  return classes;
}

/** The answer of a job: the numbers of each picture, and what could not be computed. */
export function trustResult({ pictures, notes }) {
  return element(
    "div",
    {},
    trustList(pictures.map(({ rows, ...picture }) => ({ ...picture, trust: rows }))),
    notes.map((note) => element("p", { class: "small soft" }, note)),
  );
}

function trustList(pictures) {
  return element(
    "ul",
    { class: "trusted" },
    pictures.map(({ url, target, trust }) => {
      const layers = trust.find(([name]) => name === BY_LAYER);
      return element(
        "li",
        {},
        element("img", { src: url, alt: target, loading: "lazy" }),
        element(
          "div",
          {},
          element("h3", { class: "code" }, target),
          trust.length
            ? element(
                "dl",
                { class: "small" },
                trust
                  .filter((row) => row !== layers)
                  .map(([name, text]) => [element("dt", {}, name), element("dd", {}, text)]),
              )
            : element("p", { class: "small soft" }, "Nothing could be computed."),
          layers
            ? element(
                "details",
                { class: "small" },
                element("summary", {}, layers[0]),
                element("p", {}, layers[1]),
              )
            : null,
        ),
      );
    }),
  );
}
