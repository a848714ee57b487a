// A look into layers: a few pictures of each beside its name, made on demand where there are none.

import * as api from "./api.js";
import { PendingJob } from "./pending_job.js";
import { element, errorLine } from "./dom.js";
import { kept } from "./settings.js";
import { fractionOf, watch, wordsOf } from "./watch.js";

const SHOWN = 24; // units of a layer that are looked for
const FIRST = 3; // units of each layer in a first look
const MOST = 60; // pictures of a first look

/** The strip of a layer: `load()` asks for its pictures, `add(url)` shows one more. */
export function strip(network, layer, signal) {
  const place = element("div", { class: "look", "aria-hidden": "true" });
  let asked = null;
  const add = (url) => {
    place.classList.remove("none");
    place.append(element("img", { src: url, alt: "", width: 56, height: 56 }));
  };
  async function ask() {
    const { units } = await api.layer(
      network,
      { layer: layer.name, first: 0, count: SHOWN },
      signal,
    );
    const pictures = units.filter(({ picture }) => picture);
    place.classList.toggle("none", pictures.length === 0);
    pictures.forEach(({ picture }) => add(picture));
    return pictures.length;
  }
  return {
    place,
    layer,
    add,
    load: () => (asked ??= ask()),
  };
}

/** A button that asks for a few units of every layer that has no picture, as one job. */
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
  let asked = null; // as long as it is not over

  const busy = (words) => {
    button.textContent = "Cancel";
    doing.hidden = false;
    how.textContent = words;
  };

  const rest = () => {
    asked = null;
    doing.hidden = true;
    button.textContent = "Render a first look";
  };

  async function begin() {
    clear();
    bar.value = 0;
    busy("asking");
    const own = (asked = new PendingJob());
    try {
      await own.send(() => ask(own), follow);
    } catch (error) {
      if (!signal.aborted) say(error);
    }
    if (!own.job) rest();
  }

  async function cancel() {
    how.textContent = "cancelling";
    try {
      await asked.cancel();
    } catch (error) {
      if (!signal.aborted) say(error);
    }
  }

  async function ask(own) {
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
    if (!targets.length) button.hidden = true; // there is nothing without pictures
    if (!targets.length || own.unwanted) return null;
    return api.render({ network, targets, kind: "channel", ...kept() });
  }

  function follow(job) {
    busy("");
    watch(
      job,
      {
        progress(told) {
          bar.value = fractionOf(told);
          how.textContent = wordsOf(told);
        },
        made({ target, url }) {
          strips
            .find(({ layer }) => target.slice(0, target.lastIndexOf(":")) === layer.name)
            ?.add(url);
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
    if (asked) cancel();
    else begin();
  });
  return { button, doing, line };
}
