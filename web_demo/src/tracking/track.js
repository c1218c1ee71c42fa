// The track so far: results for the file, and frames that wait for theirs.

import {header, jsonLines} from "./track_file.js";

const MOST = 18000; // results: ten minutes of one person at 30 frames a second, about 20 MB

export class Track {
  constructor() {
    this.clear();
  }

  clear() {
    this.pending?.forEach(({bitmap}) => bitmap.close());
    this.results = [];
    this.pending = new Map(); // frames that a delayed result may still belong to
    this.full = false;
    this.size = null;
  }

  /** A frame whose results may come later. */
  wait(index, bitmap) {
    this.pending.set(index, {bitmap, results: []});
    this.size = [bitmap.width, bitmap.height];
  }

  /** Take results; the frames up to `settled` are complete, oldest first: [{index, bitmap, results}]. */
  settle(results, settled) {
    for (const result of results) {
      if (this.results.length < MOST) this.results.push(result);
      else this.full = true;
      this.pending.get(result.frame)?.results.push(result);
    }
    const done = [...this.pending].filter(([index]) => index <= settled).map(([index, frame]) => ({index, ...frame}));
    done.forEach(({index}) => this.pending.delete(index));
    return done;
  }

  text(about, source, dropped) {
    return jsonLines(header({...about, source, dropped, size: this.size}), this.results);
  }
}

/** Offer `text` as a file. */
export function save(name, text, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], {type}));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
