// A job from the click on: it can be cancelled even before the server has answered.

import * as api from "./api.js";

export class PendingJob {
  /** `job` is given where the server has answered before. */
  constructor(job = null) {
    this.job = job;
    this.unwanted = false;
  }

  /** Send a request by `send()`, which promises a job or null, and `follow(job)`. */
  async send(send, follow) {
    this.job = await send();
    if (!this.job) return;
    follow(this.job);
    if (this.unwanted) await this.cancel();
  }

  /** Cancel the job, now or as soon as the server has answered. */
  async cancel() {
    this.unwanted = true;
    if (this.job) await api.cancel(this.job.id);
  }
}
