// The jobs of a layer view: each renders some units and shows its progress on their tiles.

import * as api from "./api.js";
import { PendingJob } from "./pending_job.js";
import { announce, counted } from "./dom.js";
import { isOver, watch } from "./watch.js";

/**
 * The jobs that render units of a layer, with their `tiles` by unit. `changed(failed)` is called
 * when a job begins or ends, `say(error)` with errors.
 */
export function batches({ network, layer, tiles, changed, say, signal }) {
  const running = new Set(); // the jobs that have not ended

  function tileOf(target) {
    const colon = target.lastIndexOf(":");
    return target.slice(0, colon) === layer
      ? tiles.get(Number(target.slice(colon + 1)))
      : undefined;
  }

  function follow(job, pending = new PendingJob(job)) {
    const jobTiles = job.targets.map(tileOf);
    const ended = (failed) => {
      running.delete(pending);
      jobTiles.forEach((tile) => tile?.rest());
      changed(failed);
    };
    running.add(pending);
    jobTiles.forEach((tile) => tile?.wait());
    watch(
      job,
      {
        progress: (told) => jobTiles.forEach((tile) => tile?.grow(told)),
        made: ({ target, url }) => tileOf(target)?.know(null, url, job.steps),
        preview: ({ row, url }) => jobTiles[row]?.preview(url),
        end({ state, error }) {
          announce(`${counted(jobTiles.length, "unit")}: ${state}`);
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
      units.forEach((unit) => tiles.get(unit).wait());
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
          units.forEach((unit) => tiles.get(unit).rest());
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
          .filter((job) => job.request.kind === "channel" && job.targets.some(tileOf))
          .forEach((job) => follow(job));
      } catch {
        // The view works without them; the view of jobs shows the error.
      }
    },
  };
}
