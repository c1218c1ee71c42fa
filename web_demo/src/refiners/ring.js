// The last few of something, oldest first: what a window is made of.

export class Ring {
  #kept = [];

  constructor(length) {
    this.length = length;
  }

  push(item) {
    this.#kept.push(item);
    if (this.#kept.length > this.length) this.#kept.shift();
  }

  /** Put `change(item)` in the place of every item. */
  change(change) {
    this.#kept = this.#kept.map(change);
  }

  get full() {
    return this.#kept.length === this.length;
  }

  get items() {
    return [...this.#kept];
  }
}
