// A job from the click on: until the server answers there is nothing yet that could be cancelled.

import * as api from "./api.js";

export class PendingJob {
  /** What was asked for; `job` where the answer is there already. */
  constructor(job = null) {
    this.job = job;
    this.unwanted = false;
  }

  /** Ask by `send()`, which promises a job, or null; `follow(job)` is called with it. */
  async send(send, follow) {
    this.job = await send();
    if (!this.job) return;
    follow(this.job);
    if (this.unwanted) await this.cancel();
  }

  /** Cancel the job, now or as soon as there is one. */
  async cancel() {
    this.unwanted = true;
    if (this.job) await api.cancel(this.job.id);
  }
}
