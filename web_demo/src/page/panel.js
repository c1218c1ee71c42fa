// The numbers beside the picture.

import {percentile} from "../runtime/clock.js";
import {states} from "../tracking/overlay.js";
import {STAGES} from "../worker/benchmark.js";

const KEPT = 120; // frames
const at = id => document.getElementById(id);

export class Panel {
  constructor() {
    this.clear();
  }

  clear() {
    this.laps = [];
    this.times = [];
    this.shownAt = 0;
  }

  /** Count a frame; what is shown changes four times a second at most, which is all that anybody can read. */
  count(lap, milliseconds, results, dropped) {
    const now = performance.now();
    this.laps = [...this.laps, lap].slice(-KEPT);
    this.times = [...this.times, now].slice(-30);
    if (now - this.shownAt < 250) return;
    this.shownAt = now;
    const fps = (this.times.length - 1) / Math.max((now - this.times[0]) / 1000, 1e-3);
    at("fps").textContent = fps.toFixed(1);
    at("dropped").textContent = dropped;
    at("milliseconds").textContent = milliseconds.toFixed(0);
    at("state").textContent = states(results);
    at("stages").replaceChildren(...STAGES.map(stage => this.#row(stage)).filter(Boolean));
  }

  #row(stage) {
    const spent = this.laps.filter(lap => stage in lap).map(lap => lap[stage]);
    return spent.length ? row(stage, spent) : null;
  }

  /** Which backend computes what, and why. */
  about({backend, reason, estimatorBackend, estimatorReason, checks, warning}) {
    at("refinerBackend").textContent = backend;
    at("refinerWhy").textContent = reason;
    at("estimatorBackend").textContent = estimatorBackend;
    at("estimatorWhy").textContent = estimatorReason;
    at("warning").textContent = warning ?? "";
    at("warning").hidden = !warning;
    at("checks").replaceChildren(...checks.map(({name, backend: where, passed, said, error}) => {
      const item = document.createElement("li");
      const apart = error === null ? "" : ` (${error.toExponential(1)} of the scale away)`;
      item.textContent = `Self-check of ${name} on ${where}: ${passed ? `passed${apart}` : said}`;
      item.className = passed ? "" : "bad";
      return item;
    }));
  }

  /** The benchmark's whole frames, and what was left out. */
  report({rows, skipped}) {
    const body = at("report").tBodies[0];
    body.replaceChildren(...rows.filter(({stage}) => stage === "total").map(found => row(found.chain, null, found.median_ms, found.p95_ms)));
    at("report").hidden = false;
    at("progress").textContent = skipped.length ? `left out: ${skipped.map(({model, backend, reason}) => `${model} on ${backend} (${reason})`).join("; ")}` : "";
  }
}

function row(name, spent, median = percentile(spent, 0.5), p95 = percentile(spent, 0.95)) {
  const tr = document.createElement("tr"), th = document.createElement("th");
  th.scope = "row";
  th.textContent = name;
  tr.append(th, ...[median, p95].map(value => Object.assign(document.createElement("td"), {textContent: value.toFixed(1)})));
  return tr;
}
