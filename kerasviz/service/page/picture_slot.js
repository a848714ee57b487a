// The place of a picture, or of a few: empty, waited for, growing or there.

import * as api from "./api.js";
import { rounded } from "./activation.js";
import { PendingJob } from "./pending_job.js";
import { announce, element, errorLine, joined } from "./dom.js";
import { fractionOf, watch, wordsOf } from "./watch.js";

/**
 * A slot named `words` of so many pictures in `rows`. `request()` is what is asked for; `done(job)`
 * is called when a job of it has ended well. Where `bare` is set, something else asks for renderings.
 */
export function pictureSlot({
  words,
  note = "",
  rows = 1,
  bare = false,
  request,
  done = () => {},
  signal,
}) {
  const images = Array.from({ length: rows }, () => element("div", { class: "frame" }));
  const bar = element("progress", { max: 1, value: 0, "aria-label": `${words}: progress` });
  const how = element("span", { class: "small soft" });
  const action = element("button", { type: "button" }, "Render");
  const { line, say, clear } = errorLine();
  const doing = element("div", { class: "doing", hidden: true }, bar, how);
  const facts = element("p", { class: "small soft facts" });
  const figure = element(
    "figure",
    { class: "slot", data: { state: "empty" } },
    element("div", { class: rows > 1 ? "frames several" : "frames" }, images),
    element(
      "figcaption",
      {},
      element("h3", {}, words),
      note ? element("p", { class: "small soft" }, note) : null,
      doing,
      facts,
      action,
      line,
    ),
  );
  let asked = null; // as long as it is not over
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
    const image = element("img", { src: url, alt: rows > 1 ? `${words} ${row + 1}` : words });
    const made = link ? element("a", { href: url, target: "_blank" }, image) : image;
    // The picture before stays until the next one can be drawn.
    image.decode().then(
      () => {
        if (turn === turns[row]) frame.replaceChildren(made);
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

  /** Show pictures that are there: `url`s by row, and a line of facts. */
  function fill(pictures, told = "") {
    clearFrom(pictures.length);
    pictures.slice(0, rows).forEach(({ url }, row) => place(row, url, true));
    facts.textContent = told;
    if (!asked) state(pictures.length ? "there" : "empty");
  }

  function follow(job) {
    asked ??= new PendingJob(job);
    state("busy");
    watch(
      job,
      {
        progress(told) {
          bar.value = fractionOf(told);
          how.textContent = wordsOf(told);
        },
        preview: ({ row, url }) => place(row, url, false),
        end(ended) {
          asked = null;
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
          asked = null;
          state("empty");
          say(error);
        },
      },
      signal,
    );
  }

  async function render() {
    if (asked) return;
    clear();
    how.textContent = "asking";
    bar.value = 0;
    facts.textContent = "";
    state("busy");
    const own = (asked = new PendingJob());
    try {
      await own.send(() => api.render(request()), follow);
    } catch (error) {
      if (!own.job) {
        asked = null;
        state("empty");
      }
      say(error);
    }
  }

  async function cancel() {
    how.textContent = "cancelling";
    try {
      await asked.cancel();
    } catch (error) {
      say(error);
    }
  }

  action.addEventListener("click", () => {
    if (asked) cancel();
    else render();
  });
  state("empty");
  return { figure, render, fill, follow, isEmpty: () => figure.dataset.state === "empty" };
}

function factsOf({ request = {}, pictures }) {
  const [{ target, score } = {}] = pictures;
  return joined(target, request.recipe, typeof score === "number" && `score ${rounded(score)}`);
}
