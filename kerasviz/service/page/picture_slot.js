// The slot of one or a few pictures: empty, busy or filled.

import * as api from "./api.js";
import { rounded } from "./activation.js";
import { PendingJob } from "./pending_job.js";
import { announce, element, errorLine, joined } from "./dom.js";
import { fractionOf, watch, progressText } from "./watch.js";

/**
 * A slot with the title `words` for `rows` pictures. `request()` returns the body of the request;
 * `begun(job)` is called when a job was sent, `done(job)` when it is done. With `bare` its only
 * button is Cancel; `heading` is the level of its title. The rows may have `names`.
 */
export function pictureSlot({
  words,
  note = "",
  rows = 1,
  bare = false,
  heading = "h3",
  names = [],
  request,
  begun = () => {},
  done = () => {},
  signal,
}) {
  const images = Array.from({ length: rows }, (_, row) =>
    element("div", { class: "frame", data: names[row] ? { name: names[row] } : {} }),
  );
  const rowName = (row) => names[row] ?? row + 1;
  const bar = element("progress", { max: 1, value: 0, "aria-label": `${words}: progress` });
  const how = element("span", { class: "small soft" });
  const action = element("button", { type: "button" }, "Render");
  const { line, say, clear } = errorLine();
  const doing = element("div", { class: "doing", hidden: true }, bar, how);
  const facts = element("p", { class: "small soft facts" });
  const beside = element("div", { class: "small soft beside" });
  const figure = element(
    "figure",
    { class: "slot", data: { state: "empty" } },
    element("div", { class: rows > 1 ? "frames several" : "frames" }, images),
    element(
      "figcaption",
      {},
      element(heading, {}, words),
      note ? element("p", { class: "small soft" }, note) : null,
      doing,
      facts,
      beside,
      action,
      line,
    ),
  );
  let pending = null; // the job until it ends
  action.setAttribute("aria-label", `Render: ${words}`);

  const state = (now) => {
    figure.dataset.state = now;
    doing.hidden = now !== "busy";
    action.hidden = bare && now !== "busy";
    const verb = { busy: "Cancel", there: "Render again", empty: "Render" }[now];
    action.textContent = verb;
    action.setAttribute("aria-label", `${verb}: ${words}`);
  };
  const turns = images.map(() => 0);
  const place = (row, url, link) => {
    const frame = images[row];
    if (!frame) return;
    const turn = (turns[row] += 1);
    const image = element("img", { src: url, alt: rows > 1 ? `${words} ${rowName(row)}` : words });
    const shown = link ? element("a", { href: url, target: "_blank" }, image) : image;
    // The old picture stays until the next one is decoded.
    image.decode().then(
      () => {
        if (turn === turns[row]) frame.replaceChildren(shown);
      },
      () => {},
    );
  };
  const clearFrom = (first) => {
    images.slice(first).forEach((frame, i) => {
      turns[first + i] += 1;
      frame.replaceChildren();
    });
  };

  /** Show finished pictures, by row, and a line of facts. */
  function fill(pictures, told = "") {
    clearFrom(pictures.length);
    pictures.slice(0, rows).forEach(({ url }, row) => place(row, url, true));
    facts.textContent = told;
    beside.replaceChildren(...pictures.slice(0, rows).flatMap((one) => filesOf(one.beside)));
    if (!pending) state(pictures.length ? "there" : "empty");
  }

  function follow(job) {
    pending ??= new PendingJob(job);
    state("busy");
    watch(
      job,
      {
        progress(told) {
          bar.value = fractionOf(told);
          how.textContent = progressText(told);
        },
        preview: ({ row, url }) => place(row, url, false),
        end(ended) {
          pending = null;
          announce(`${words}: ${ended.state}`);
          if (ended.state === "done") {
            fill(ended.pictures, factsOf(ended));
            done(ended);
            return;
          }
          clearFrom(0);
          state("empty");
          if (ended.state === "failed") say(ended.error ?? "It failed.");
        },
        error(error) {
          pending = null;
          state("empty");
          say(error);
        },
      },
      signal,
    );
  }

  /** Render; with `whileHere` only until the view is left. */
  async function render({ whileHere = false } = {}) {
    if (pending) return;
    clear();
    how.textContent = "sending";
    bar.value = 0;
    facts.textContent = "";
    beside.replaceChildren();
    state("busy");
    const started = (pending = new PendingJob());
    if (whileHere) signal.addEventListener("abort", () => started === pending && cancel());
    try {
      await started.send(
        () => api.render(request()),
        (job) => {
          begun(job);
          follow(job);
        },
      );
    } catch (error) {
      if (!started.job) {
        pending = null;
        state("empty");
      }
      say(error);
    }
  }

  async function cancel() {
    how.textContent = "cancelling";
    try {
      await pending.cancel();
    } catch (error) {
      say(error);
    }
  }

  action.addEventListener("click", () => {
    if (pending) cancel();
    else render();
  });
  state("empty");
  return { figure, render, fill, follow, isEmpty: () => figure.dataset.state === "empty" };
}

/** The files beside a picture: what can be heard or looked at, and links to the others. */
function filesOf(files = []) {
  return files.map(({ kind, url }) => {
    if (kind === "wav") return element("audio", { controls: true, src: url, preload: "none" });
    const film = kind === "gif" ? { target: "_blank" } : { download: true };
    return element("a", { href: url, ...film }, kind);
  });
}

function factsOf({ request = {}, pictures }) {
  const [{ target, score, recipe } = {}] = pictures;
  return joined(target, recipe ?? request.recipe, typeof score === "number" && `score ${rounded(score)}`);
}
