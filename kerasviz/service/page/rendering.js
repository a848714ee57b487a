// Pictures of units that a view requests by itself, and gives up when it is left.

import * as api from "./api.js";
import { PendingJob } from "./pending_job.js";
import { watch } from "./watch.js";

/**
 * Render channel pictures of `targets` with `settings` as one job. `made({ target, url })` gets
 * each picture, `end(failed)` is called once; returns the job, which can be cancelled.
 */
export function renderUnits({ network, targets, settings, made, end, signal }) {
  const pending = new PendingJob();
  const follow = (job) =>
    watch(
      job,
      { made, end: ({ state }) => end(state === "failed"), error: () => end(true) },
      signal,
    );
  pending
    .send(() => api.render({ network, targets, kind: "channel", ...settings }), follow)
    .catch(() => end(true));
  return pending;
}
