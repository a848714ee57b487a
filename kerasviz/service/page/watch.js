// A job as it goes on: by server-sent events, or by asking again and again where too many are open.

import * as api from "./api.js";
import { counted } from "./dom.js";

/** A browser opens six connections to a server: pictures need some of them. */
const STREAMS = 2;
const PAUSE = 1000; // milliseconds between two questions
const OVER = ["done", "failed", "cancelled"];
let open = 0;

export const isOver = (job) => OVER.includes(job.state);

/**
 * Follow a job until it ends or `signal` aborts. `on.progress` is given {step, steps, fraction,
 * position}, `on.preview` {row, url}, `on.made` a finished picture, each once, `on.end` the job in
 * its last state, `on.error` a refusal.
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
  // A window that nobody sees holds no connection.
  const hide = () => {
    if (!document.hidden) return;
    close();
    poll(job, on, signal);
  };
  const listen = (name, act) =>
    source.addEventListener(name, (event) => {
      if (!closed) act(event.data ? JSON.parse(event.data) : {});
    });
  let looked = Date.now();
  listen("progress", (told) => {
    on.progress?.(told);
    // Pictures of a large job that are finished are shown before all are.
    if (!(job.rows > 1) || Date.now() - looked < 2 * PAUSE) return;
    looked = Date.now();
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

/** What the job became, in full: events of other versions may say less. */
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

/** The fraction that is done, 0 to 1. */
export function fractionOf(told) {
  return told.fraction ?? 0;
}

/** How far it is, in words. */
export function wordsOf(told) {
  if (told.step > 0) return `step ${told.step} of ${told.steps}`;
  if (told.state === "running") return "starting";
  return told.position > 0 ? `${counted(told.position, "picture")} before it` : "waiting";
}
