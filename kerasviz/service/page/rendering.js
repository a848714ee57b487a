// Pictures of units that a view requests by itself, and gives up when it is left.

import * as api from "./api.js";
import { element } from "./dom.js";
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

/**
 * Render the pictures that `tiles`, by target, lack: by themselves where pages fill themselves, else
 * after a click on a button behind `after`.
 */
export function renderMissing({ described, tiles, settings, after, signal }) {
  const targets = [...tiles].filter(([, tile]) => tile.isEmpty()).map(([target]) => target);
  if (!targets.length) return;
  const start = () => {
    targets.forEach((target) => tiles.get(target).wait());
    const pending = renderUnits({
      network: described.name,
      targets,
      settings: described.filling?.rough ?? settings(),
      made: ({ target, url }) => tiles.get(target)?.know(null, url),
      end: () => targets.forEach((target) => tiles.get(target).rest()),
      signal,
    });
    signal.addEventListener("abort", () => pending.cancel().catch(() => {}));
  };
  if (described.filling) {
    start();
    return;
  }
  const button = element("button", { type: "button" }, "Render their pictures");
  button.addEventListener("click", () => {
    button.remove();
    start();
  });
  after.after(button);
}
