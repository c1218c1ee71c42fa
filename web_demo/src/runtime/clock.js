// A stage clock: milliseconds of each part of a running chain, frame by frame. What runs inside a stage is taken out of
// it, so that stages add up to what passed. One frame is in flight at a time, so that a stack tells what runs.

export class Clock {
  #spent = {};
  #running = [];
  #since = 0;

  constructor(now = () => performance.now()) {
    this.now = now;
  }

  /** Run `work`, sync or async, its time counted for `stage`. */
  async run(stage, work) {
    this.#pass();
    this.#running.push(stage);
    try {
      return await work();
    } finally {
      this.#pass();
      this.#running.pop();
    }
  }

  /** Milliseconds of the stages that ran since the last lap. */
  lap() {
    const spent = this.#spent;
    this.#spent = {};
    return spent;
  }

  #pass() {
    const now = this.now(), stage = this.#running.at(-1);
    if (stage !== undefined) this.#spent[stage] = (this.#spent[stage] ?? 0) + now - this.#since;
    this.#since = now;
  }
}

/** Value below which a `share` of the numbers lies, linear between neighbours; NaN of none. */
export function percentile(numbers, share) {
  const sorted = [...numbers].sort((a, b) => a - b), place = (sorted.length - 1) * share, low = Math.floor(place);
  return sorted.length ? sorted[low] + (place - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]) : NaN;
}
