// The list of jobs, and the page of one job.

import * as api from "./api.js";
import { hashOf, unitHash } from "./address.js";
import { added, counted, element, errorLine, joined } from "./dom.js";
import { rounded } from "./activation.js";
import { latentLines } from "./latents.js";
import { madeDetails } from "./provenance_list.js";
import { trustPart, trustResult } from "./trust.js";
import { fractionOf, isOver, watch, progressText } from "./watch.js";

const PAUSE = 2000; // milliseconds between two requests
const SHOWN = 100;

/** Show all jobs, newest first, and keep the list up to date. */
export async function showAll(main, place, _, signal) {
  const { line, say, clear } = errorLine();
  const state = element(
    "select",
    {},
    ["", "accepted", "running", "done", "failed", "cancelled"].map((value) =>
      element("option", { value }, value || "all"),
    ),
  );
  const list = element("ul", { class: "jobs" });
  const rows = new Map();
  added(
    main,
    element("header", { class: "head" }, element("h1", { tabindex: "-1" }, "Jobs")),
    element("form", { class: "settings" }, element("label", { class: "field" }, "State", state)),
    line,
    list,
  );
  state.addEventListener("change", () => {
    rows.clear();
    list.replaceChildren();
    refresh();
  });

  async function refresh() {
    try {
      const chosen = state.value;
      const query = { limit: SHOWN, ...(chosen ? { state: chosen } : {}) };
      const jobs = await api.jobs(query, signal);
      if (chosen !== state.value) return false;
      clear();
      const known = new Set(jobs.map(({ id }) => id));
      for (const [id, row] of rows)
        if (!known.has(id)) {
          row.item.remove();
          rows.delete(id);
        }
      jobs.forEach((job, i) => {
        if (!rows.has(job.id)) rows.set(job.id, jobRow(job));
        const row = rows.get(job.id);
        row.update(job);
        if (list.children[i] !== row.item) list.insertBefore(row.item, list.children[i] ?? null);
      });
      list.dataset.empty = String(jobs.length === 0);
      return true;
    } catch (error) {
      if (!signal.aborted) say(error);
      return false;
    }
  }

  await refresh();
  const timer = setInterval(() => {
    if (!document.hidden) refresh();
  }, PAUSE);
  signal.addEventListener("abort", () => clearInterval(timer));
}

function jobRow(first) {
  const bar = element("progress", { max: 1, value: 0, "aria-label": "Progress" });
  const how = element("span", { class: "small soft" });
  const badge = element("span", { class: "badge" });
  const strip = element("span", { class: "strip", "aria-hidden": "true" });
  const { line, say, clear } = errorLine();
  const button = cancelButton(() => first.id, say);
  const item = element(
    "li",
    {},
    element(
      "a",
      { href: hashOf({ view: "job", id: first.id }) },
      element("span", { class: "name" }, titleOf(first)),
      element("span", { class: "small soft" }, factsOf(first)),
      strip,
    ),
    element("div", { class: "doing" }, badge, bar, how, button),
    line,
  );
  let shown = -1;
  return {
    item,
    update(job) {
      badge.textContent = badge.dataset.state = job.state;
      item.dataset.state = job.state;
      bar.hidden = button.hidden = isOver(job);
      bar.value = fractionOf(job);
      how.textContent = isOver(job) ? "" : progressText(job);
      if (job.state === "failed" && job.error) say(job.error);
      else clear();
      const pictures = job.pictures ?? [];
      if (pictures.length !== shown) {
        shown = pictures.length;
        strip.replaceChildren(
          ...pictures
            .slice(0, 6)
            .map(({ url }) =>
              element("img", { src: url, alt: "", width: 40, height: 40, loading: "lazy" }),
            ),
        );
      }
    },
  };
}

function cancelButton(id, say) {
  const button = element("button", { type: "button" }, "Cancel");
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await api.cancel(id());
    } catch (error) {
      say(error);
      button.disabled = false;
    }
  });
  return button;
}

function titleOf({ request }) {
  if (request.folder) return `Search ${request.name} for what units respond to`;
  if (request.pictures) return `How far to trust ${counted(request.pictures.length, "picture")}`;
  const [one = "pictures", ...others] = request.targets;
  return others.length ? `${one} and ${others.length} more` : one;
}

function factsOf({ network, request, created }) {
  const time = new Date(created * 1000).toLocaleString("en-GB", {
    dateStyle: "medium",
    timeStyle: "short",
  });
  return joined(network, request.kind, request.recipe, time);
}

/** Show a job and its progress. */
export async function showOne(main, { id }, _, signal) {
  const job = await api.job(id, signal);
  const { line, say } = errorLine();
  const badge = element("span", { class: "badge" });
  const bar = element("progress", { max: 1, value: 0, "aria-label": "Progress" });
  const how = element("span", { class: "small soft" });
  const button = cancelButton(() => id, say);
  const targets = job.targets;
  const shelf = element("ul", { class: "shelf" });
  const made = element("section", { class: "made" });
  let finishedPictures = [];
  const trust = trustPart({ network: job.network, pictures: () => finishedPictures, signal });
  added(
    main,
    element(
      "header",
      { class: "head" },
      element(
        "nav",
        { class: "crumbs small", "aria-label": "Breadcrumbs" },
        element("a", { href: "#/jobs" }, "Jobs"),
      ),
      element("h1", { tabindex: "-1" }, titleOf(job)),
      element("p", { class: "soft" }, factsOf(job)),
    ),
    element("div", { class: "doing" }, badge, bar, how, button),
    line,
    shelf,
    trust.place,
    made,
  );
  const pictures = new Map();

  function place(row, url, words) {
    const target = targets[row];
    if (!pictures.has(row)) {
      const image = element("img", { alt: words });
      const notes = element("div", {});
      const item = element("li", {}, image, caption(job.network, target), notes);
      pictures.set(row, { image, item, notes });
      shelf.append(pictures.get(row).item);
    }
    const { image } = pictures.get(row);
    image.alt = words;
    image.src = url;
  }

  const update = (now) => {
    badge.textContent = badge.dataset.state = now.state;
    bar.hidden = button.hidden = isOver(now);
  };
  update(job);
  watch(
    job,
    {
      progress(told) {
        bar.value = fractionOf(told);
        how.textContent = progressText(told);
        if (told.step > 0) update({ state: "running" });
      },
      made: (picture) => {
        place(picture.row, picture.url, picture.target);
        pictures.get(picture.row).notes.replaceChildren(...notesOf(picture));
      },
      preview: ({ row, url }) => place(row, url, "Preview"),
      end(ended) {
        update(ended);
        how.textContent = ended.pictures?.length ? counted(ended.pictures.length, "picture") : "";
        if (ended.state === "failed") say(ended.error ?? "It failed.");
        if (ended.trust) made.replaceChildren(trustResult(ended.trust));
        const finished = new Set(ended.pictures.map(({ row }) => row));
        for (const [row, { item }] of pictures) if (!finished.has(row)) item.remove();
        if (!finished.size) return;
        finishedPictures = ended.pictures.filter(({ file }) => file);
        trust.show();
        made.replaceChildren(
          element("h2", {}, "How the pictures were made"),
          ...ended.pictures.map((picture) => madeDetails(picture, picture.target)),
        );
      },
      error: say,
    },
    signal,
  );
}

/** What is said of a picture beside its target. */
function notesOf(picture) {
  const probes = Object.entries(picture.facets ?? {});
  const words = probes.map(([name, value]) => `${name} ${rounded(value)}`).join(" · ");
  return [
    words ? element("p", { class: "small soft" }, `Probes of facets: ${words}`) : null,
    latentLines(picture),
  ].filter(Boolean);
}

function caption(network, target) {
  const match = /^([^*@+\s]+):(\d+)$/.exec(target ?? "");
  return match
    ? element("a", { class: "small", href: unitHash(network, match[1], match[2]) }, target)
    : element("span", { class: "small soft" }, target ?? "");
}
