// The jobs of a layer view: each renders some units and shows its progress on their tiles.

import * as api from "./api.js";
import { PendingJob } from "./pending_job.js";
import { announce, counted } from "./dom.js";
import { unitOf } from "./strip.js";
import { isOver, watch } from "./watch.js";

/**
 * The jobs that render units of a layer, with the `tiles` of those that are near the window, by
 * unit. `finished(unit, url, steps)` gets each picture, `changed(failed)` is called when a job
 * begins or ends, `say(error)` with errors.
 */
export function batches({ network, layer, tiles, finished, changed, say, signal }) {
  const running = new Set(); // the jobs that have not ended

  const isOurs = (target) => unitOf(target).layer === layer;
  const tileOf = (target) => (isOurs(target) ? tiles.get(unitOf(target).unit) : undefined);

  function follow(job, pending = new PendingJob(job)) {
    const { targets } = job;
    const ended = (failed) => {
      running.delete(pending);
      targets.forEach((target) => tileOf(target)?.rest());
      changed(failed);
    };
    running.add(pending);
    targets.forEach((target) => tileOf(target)?.wait());
    watch(
      job,
      {
        progress: (told) => targets.forEach((target) => tileOf(target)?.grow(told)),
        made({ target, url }) {
          if (isOurs(target)) finished(unitOf(target).unit, url, job.steps / targets.length);
        },
        preview: ({ row, url }) => tileOf(targets[row])?.preview(url),
        end({ state, error }) {
          announce(`${counted(targets.length, "unit")}: ${state}`);
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

    /** Render units as one job. */
    async render(units, settings) {
      if (!units.length) return;
      units.forEach((unit) => tiles.get(unit)?.wait());
      const pending = new PendingJob();
      running.add(pending);
      changed();
      try {
        const targets = units.map((unit) => `${layer}:${unit}`);
        const request = { network, targets, kind: "channel", ...settings };
        await pending.send(
          () => api.render(request),
          (job) => follow(job, pending),
        );
      } catch (error) {
        if (!pending.job) {
          running.delete(pending);
          units.forEach((unit) => tiles.get(unit)?.rest());
        }
        say(error);
        changed(true);
      }
    },

    async cancel() {
      try {
        await Promise.all([...running].map((pending) => pending.cancel()));
      } catch (error) {
        say(error);
      }
    },

    /** Follow the jobs that were started before this view was opened. */
    async resume() {
      try {
        const jobs = await api.jobs({ limit: 50 }, signal);
        jobs
          .filter((job) => !isOver(job) && job.network === network)
          .filter((job) => job.request.kind === "channel" && job.targets.some(isOurs))
          .forEach((job) => follow(job));
      } catch {
        // The view works without them; the view of jobs shows the error.
      }
    },
  };
}
