// A first look at a network: a few pictures of each layer, rendered on demand.

import * as api from "./api.js";
import { PendingJob } from "./pending_job.js";
import { element, errorLine } from "./dom.js";
import { unitOf } from "./strip.js";
import { kept } from "./settings.js";
import { fractionOf, watch, progressText } from "./watch.js";

const FIRST = 3; // units of each layer that a first look renders
const MOST = 60; // pictures of a first look, at most

/** A button that renders a few units of every layer without pictures, as one job. */
export function firstLook(network, strips, signal) {
  const button = element(
    "button",
    { type: "button", title: `${FIRST} units of every main layer without pictures` },
    "Render a first look",
  );
  const bar = element("progress", { max: 1, value: 0, "aria-label": "First look: progress" });
  const how = element("span", { class: "small soft" });
  const doing = element("span", { class: "doing", hidden: true }, bar, how);
  const { line, say, clear } = errorLine();
  let pending = null; // the job until it ends

  const busy = (progress) => {
    button.textContent = "Cancel";
    doing.hidden = false;
    how.textContent = progress;
  };

  const rest = () => {
    pending = null;
    doing.hidden = true;
    button.textContent = "Render a first look";
  };

  async function begin() {
    clear();
    bar.value = 0;
    busy("sending");
    const started = (pending = new PendingJob());
    try {
      await started.send(() => request(started), follow);
    } catch (error) {
      if (!signal.aborted) say(error);
    }
    if (!started.job) rest();
  }

  async function cancel() {
    how.textContent = "cancelling";
    try {
      await pending.cancel();
    } catch (error) {
      if (!signal.aborted) say(error);
    }
  }

  async function request(started) {
    const counts = await Promise.all(strips.map((one) => one.load()));
    const empty = strips.filter((_, i) => counts[i] === 0);
    const each = Math.max(1, Math.min(FIRST, Math.floor(MOST / Math.max(1, empty.length))));
    const targets = empty
      .flatMap(({ layer }) =>
        Array.from(
          { length: Math.min(each, layer.units ?? each) },
          (_, unit) => `${layer.name}:${unit}`,
        ),
      )
      .slice(0, MOST);
    if (!targets.length) button.hidden = true; // every layer has pictures
    if (!targets.length || started.unwanted) return null;
    return api.render({ network, targets, kind: "channel", ...kept() });
  }

  function follow(job) {
    busy("");
    watch(
      job,
      {
        progress(told) {
          bar.value = fractionOf(told);
          how.textContent = progressText(told);
        },
        made({ target, url }) {
          const { layer, unit } = unitOf(target);
          strips.find((one) => one.layer.name === layer)?.add(unit, url);
        },
        end(ended) {
          rest();
          button.hidden = ended.state === "done";
          if (ended.state === "failed") say(ended.error ?? "It failed.");
        },
        error(error) {
          rest();
          say(error);
        },
      },
      signal,
    );
  }

  button.addEventListener("click", () => {
    if (pending) cancel();
    else begin();
  });
  return { button, doing, line };
}
