// The jobs of a wall: each renders a batch of its units, and shows on their tiles how far it is.

import * as api from "./api.js";
import { announce, counted } from "./element.js";
import { isOver, watch } from "./watch.js";

/**
 * The jobs that render units of a layer on their `tiles` (by unit). `changed(failed)` is called
 * when one begins or ends, `say(error)` when something goes wrong.
 */
export function batches({ network, layer, tiles, changed, say, signal }) {
  let jobs = [];
  const asking = new Set(); // between the click and the answer there is no job to be cancelled

  function tileOf(target) {
    const colon = target.lastIndexOf(":");
    return target.slice(0, colon) === layer
      ? tiles.get(Number(target.slice(colon + 1)))
      : undefined;
  }

  function follow(job) {
    const own = job.targets.map(tileOf);
    const ended = (failed) => {
      jobs = jobs.filter(({ id }) => id !== job.id);
      own.forEach((tile) => tile?.rest());
      changed(failed);
    };
    jobs.push(job);
    own.forEach((tile) => tile?.wait());
    watch(
      job,
      {
        progress: (told) => own.forEach((tile) => tile?.grow(told)),
        made: ({ target, url }) => tileOf(target)?.know(null, url),
        preview: ({ row, url }) => own[row]?.preview(url),
        end({ state, error }) {
          announce(`${counted(own.length, "unit")}: ${state}`);
          if (state === "failed") say(error ?? "It failed.");
          ended(state !== "done");
        },
        error(error) {
          say(error);
          ended(true);
        },
      },
      signal,
    );
    changed();
  }

  return {
    running: () => jobs.length + asking.size,

    /** Ask for units as one job. */
    async render(units, settings) {
      if (!units.length) return;
      units.forEach((unit) => tiles.get(unit).wait());
      const asked = { unwanted: false };
      asking.add(asked);
      changed();
      try {
        const targets = units.map((unit) => `${layer}:${unit}`);
        const job = await api.render({ network, targets, kind: "channel", ...settings });
        asking.delete(asked);
        follow(job);
        if (asked.unwanted) await api.cancel(job.id);
      } catch (error) {
        if (asking.delete(asked)) units.forEach((unit) => tiles.get(unit).rest());
        say(error);
        changed(true);
      }
    },

    async cancel() {
      asking.forEach((asked) => (asked.unwanted = true));
      try {
        await Promise.all(jobs.map(({ id }) => api.cancel(id)));
      } catch (error) {
        say(error);
      }
    },

    /** What was asked for before this wall was opened goes on here. */
    async resume() {
      try {
        const found = await api.jobs({ limit: 50 }, signal);
        found
          .filter((job) => !isOver(job) && job.network === network)
          .filter((job) => job.request.kind === "channel" && job.targets.some(tileOf))
          .forEach(follow);
      } catch {
        // The wall works without; the view of jobs says what is wrong.
      }
    },
  };
}
