// The jobs of a wall: each renders a batch of its units, and shows on their tiles how far it is.

import * as api from "./api.js";
import { PendingJob } from "./pending_job.js";
import { announce, counted } from "./dom.js";
import { isOver, watch } from "./watch.js";

/**
 * The jobs that render units of a layer on their `tiles` (by unit). `changed(failed)` is called
 * when one begins or ends, `say(error)` when something goes wrong.
 */
export function batches({ network, layer, tiles, changed, say, signal }) {
  const running = new Set(); // what was asked for and is not over

  function tileOf(target) {
    const colon = target.lastIndexOf(":");
    return target.slice(0, colon) === layer
      ? tiles.get(Number(target.slice(colon + 1)))
      : undefined;
  }

  function follow(job, asked = new PendingJob(job)) {
    const own = job.targets.map(tileOf);
    const ended = (failed) => {
      running.delete(asked);
      own.forEach((tile) => tile?.rest());
      changed(failed);
    };
    running.add(asked);
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
    running: () => running.size,

    /** Ask for units as one job. */
    async render(units, settings) {
      if (!units.length) return;
      units.forEach((unit) => tiles.get(unit).wait());
      const asked = new PendingJob();
      running.add(asked);
      changed();
      try {
        const targets = units.map((unit) => `${layer}:${unit}`);
        const request = { network, targets, kind: "channel", ...settings };
        await asked.send(
          () => api.render(request),
          (job) => follow(job, asked),
        );
      } catch (error) {
        if (!asked.job) {
          running.delete(asked);
          units.forEach((unit) => tiles.get(unit).rest());
        }
        say(error);
        changed(true);
      }
    },

    async cancel() {
      try {
        await Promise.all([...running].map((asked) => asked.cancel()));
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
          .forEach((job) => follow(job));
      } catch {
        // The wall works without; the view of jobs says what is wrong.
      }
    },
  };
}
