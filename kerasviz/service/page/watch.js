// Follows jobs by server-sent events, or by polling where too many streams are open.

import * as api from "./api.js";
import { counted } from "./dom.js";

/** Browsers open six connections to a server, and pictures need some of them. */
const STREAMS = 2;
const PAUSE = 1000; // milliseconds between two requests
const OVER = ["done", "failed", "cancelled"];
let open = 0;

export const isOver = (job) => OVER.includes(job.state);

/**
 * Follow a job until it ends or `signal` aborts. `progress` gets {step, steps, fraction, position},
 * `preview` {row, url}, `made` each finished picture once, `end` the ended job, `error` an error.
 */
export function watch(job, heard, signal) {
  const told = new Set();
  const news = (now) => {
    for (const picture of now.pictures ?? []) {
      if (told.has(picture.row)) continue;
      told.add(picture.row);
      heard.made?.(picture);
    }
  };
  const on = {
    ...heard,
    news,
    end: (ended) => {
      news(ended);
      heard.end(ended);
    },
  };
  news(job);
  if (isOver(job)) {
    on.end(job);
    return;
  }
  on.progress?.(job);
  if (open < STREAMS) stream(job, on, signal);
  else poll(job, on, signal);
}

function stream(job, on, signal) {
  const source = new EventSource(job.events);
  open += 1;
  let closed = false;
  const close = () => {
    if (closed) return;
    closed = true;
    open -= 1;
    source.close();
    document.removeEventListener("visibilitychange", hide);
    signal?.removeEventListener("abort", close);
  };
  // A hidden window holds no connection.
  const hide = () => {
    if (!document.hidden) return;
    close();
    poll(job, on, signal);
  };
  const listen = (name, act) =>
    source.addEventListener(name, (event) => {
      if (!closed) act(event.data ? JSON.parse(event.data) : {});
    });
  let made = 0;
  listen("progress", (told) => {
    on.progress?.(told);
    // Finished pictures of a large job are shown before the others are ready.
    if (told.made <= made) return;
    made = told.made;
    api.job(job.id, signal).then(
      (now) => closed || on.news(now),
      () => {},
    );
  });
  listen("preview", (told) => on.preview?.(told));
  for (const name of OVER) {
    listen(name, async () => {
      close();
      await finish(job, on, signal);
    });
  }
  source.onerror = () => {
    if (closed) return;
    close();
    poll(job, on, signal);
  };
  document.addEventListener("visibilitychange", hide);
  signal?.addEventListener("abort", close);
}

/** Report the ended job in full; events may say less. */
async function finish(job, on, signal) {
  try {
    on.end(await api.job(job.id, signal));
  } catch (error) {
    if (!signal?.aborted) on.error?.(error);
  }
}

async function poll(job, on, signal) {
  let missed = 0;
  while (!signal?.aborted) {
    await new Promise((wake) => setTimeout(wake, PAUSE));
    if (signal?.aborted) return;
    try {
      const now = await api.job(job.id, signal);
      missed = 0;
      if (isOver(now)) return on.end(now);
      on.progress?.(now);
      on.news(now);
      if (open < STREAMS && !document.hidden) return stream(now, on, signal);
    } catch (error) {
      if (signal?.aborted) return;
      missed += 1;
      if (error.status || missed > 5) return on.error?.(error);
    }
  }
}

/** The finished fraction, 0 to 1. */
export function fractionOf(told) {
  return told.fraction ?? 0;
}

/** The progress as text. */
export function progressText(told) {
  if (told.step > 0) return `step ${told.step} of ${told.steps}`;
  if (told.state === "running") return "starting";
  return told.position > 0 ? `${counted(told.position, "picture")} ahead` : "waiting";
}
