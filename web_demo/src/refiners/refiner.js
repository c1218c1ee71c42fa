// Refiners: heatmaps of one person in, frame after frame; keypoints in cells out, those of the delayed frame first.
// A refiner has name, delay, rate, contract and start(); a state has push(maps, seen) and moved(affine).

import {SIZE, moveKeypoints} from "../pose/box.js";
import {toKeypoints} from "../pose/decode.js";
import {K} from "../pose/skeleton.js";
import {WINDOW, delayOf, framesOut} from "../runtime/contract.js";
import {oneEuro, readFilter, smooth} from "./filters.js";
import {Ring} from "./ring.js";

const noClock = {run: (stage, work) => work()};

/** A refiner's memory of one person; push gives a list of keypoints (25 x [x, y in cells, score]), or null before the fifth frame. */
class RefinerState {
  /** The box has moved; `affine` maps old cells to new ones. False: the last frames have to be pushed again. */
  moved() {
    return false;
  }
}

/** The refiner that changes nothing: the newest map, decoded. */
export class Identity {
  name = "identity"; delay = 0; rate = null; contract = null;

  constructor(clock = noClock) {
    this.clock = clock;
  }

  start() {
    return new IdentityState(this.clock);
  }
}

class IdentityState extends RefinerState {
  #seen = 0;

  constructor(clock) {
    super();
    this.clock = clock;
  }

  async push(maps) {
    return ++this.#seen < WINDOW ? null : [await this.clock.run("decode", () => toKeypoints(maps))];
  }
}

/** A graph with its contract, of either form; `model` is a RefinerModel of session.js. */
export class GraphRefiner {
  constructor(name, model, clock = noClock) {
    const {contract} = model;
    Object.assign(this, {name, model, clock, contract, delay: delayOf(contract), rate: contract.fps});
  }

  start() {
    return this.contract.form === "step" ? new StepState(this) : new WindowState(this);
  }

  /** What one run emits as keypoints: those of the delayed frame and, where there are any, later ones. */
  keypoints(emitted) {
    const {output, peak} = this.contract, frames = framesOut(this.contract), first = frames === WINDOW ? WINDOW >> 1 : 0;
    return Array.from({length: frames - first}, (_, i) => output === "heatmaps"
      ? toKeypoints(emitted, peak, frames * K, (first + i) * K)
      : Float64Array.from(emitted.subarray(3 * K * (first + i), 3 * K * (first + i + 1))));
  }
}

class StepState extends RefinerState {
  #state = null;
  #seen = 0;

  constructor(refiner) {
    super();
    this.refiner = refiner;
  }

  async push(maps, seen) {
    const {model, clock} = this.refiner;
    const [emitted, state] = await clock.run("refine", () => model.run([maps], [peaksOf(seen)], this.#state));
    this.#state = state;
    return ++this.#seen < WINDOW ? null : clock.run("decode", () => this.refiner.keypoints(emitted));
  }
}

class WindowState extends RefinerState {
  #frames = new Ring(WINDOW);
  #peaks = new Ring(WINDOW);

  constructor(refiner) {
    super();
    this.refiner = refiner;
  }

  async push(maps, seen) {
    this.#frames.push(maps);
    this.#peaks.push(peaksOf(seen));
    if (!this.#frames.full) return null;
    const {model, clock} = this.refiner;
    const [emitted] = await clock.run("refine", () => model.run(this.#frames.items, this.#peaks.items, null));
    return clock.run("decode", () => this.refiner.keypoints(emitted));
  }
}

/** Heights (25,) of decoded keypoints, 0 where they are no numbers. */
const peaksOf = seen => Float32Array.from({length: K}, (_, k) => Number.isFinite(seen[3 * k + 2]) ? seen[3 * k + 2] : 0);

/** A classical filter where a graph could stand. */
export class Smoother {
  rate = 30; contract = null;

  constructor(spec) {
    this.filter = readFilter(spec);
    this.delay = this.filter.emits === "newest" ? 0 : WINDOW >> 1;
    const values = Object.entries(this.filter.parameters).map(([key, value]) => `${key}=${value}`);
    this.name = `${this.filter.name}:${[...values, `emits=${this.filter.emits}`].join(",")}`;
  }

  start() {
    return this.filter.name === "one_euro" ? new OneEuroState(this) : new FilterState(this);
  }
}

class FilterState extends RefinerState {
  #window = new Ring(WINDOW); // keypoints in cells of the box held now

  constructor({filter, delay}) {
    super();
    Object.assign(this, {filter, delay});
  }

  async push(maps, seen) {
    this.#window.push(Float64Array.from(seen));
    if (!this.#window.full) return null;
    const window = this.#window.items, known = window.map(places);
    return window.slice(WINDOW - 1 - this.delay)
      .map((keypoints, i) => filled(smooth(this.filter, known, WINDOW - 1 - this.delay + i), keypoints));
  }

  moved(affine) {
    this.#window.change(keypoints => moveKeypoints(affine, keypoints));
    return true;
  }
}

class OneEuroState extends RefinerState {
  #state = null;
  #count = 0;

  constructor({filter, rate}) {
    super();
    Object.assign(this, {filter, rate});
  }

  async push(maps, seen) {
    const {state, points} = oneEuro(this.filter.parameters, this.#state, places(seen).map(v => v / SIZE), this.rate);
    this.#state = state;
    return ++this.#count < WINDOW ? null : [filled(points.map(v => v * SIZE), seen)];
  }

  moved([a, b, c, d, e, f]) {
    const {value, speed, since} = this.#state;
    for (let i = 0; i < value.length; i += 2) {
      const [x, y, u, v] = [value[i], value[i + 1], speed[i], speed[i + 1]];
      value.set([a * x + b * y + c / SIZE, d * x + e * y + f / SIZE], i);
      speed.set([a * u + b * v, d * u + e * v], i);
    }
    this.#state = {value, speed, since};
    return true;
  }
}

/** 25 x [x, y], NaN where the map was empty and decoded to the middle of the box for want of anything else. */
const places = keypoints => Float64Array.from({length: 2 * K}, (_, i) => keypoints[3 * (i >> 1) + 2] > 0 ? keypoints[3 * (i >> 1) + i % 2] : NaN);

/** Filtered points with the decoded scores; what is not known stays as it was decoded. */
const filled = (points, keypoints) => Float64Array.from(keypoints, (value, i) =>
  i % 3 === 2 || Number.isNaN(points[2 * Math.floor(i / 3) + i % 3]) ? value : points[2 * Math.floor(i / 3) + i % 3]);
