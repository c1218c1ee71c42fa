// Streaming: frames in, one result per frame and person out, each with its own time and delay.
//
// Time stamps increase strictly. A gap or a lost person resets. The box is sticky; when it moves, the last frames' native
// maps are warped into the new one and pushed again, so that no state ever needs resampling. A source n times as fast as
// the refiner was trained on is taken apart into n phases that are refined apart.

import {ClimbEdgeError} from "../errors.js";
import {SIZE, boxAffine, compose, invert, updateBox} from "../pose/box.js";
import {mapsOf} from "../pose/heatmaps.js";
import {Ring} from "../refiners/ring.js";
import {percentile} from "../runtime/clock.js";
import {WINDOW} from "../runtime/contract.js";

export const GAP = 0.25; // seconds without a frame after which the past no longer counts
export const RATE = 30; // frames a second, where a refiner does not say at which rate it was trained
export const INTERVALS = 9; // their median is the source's pace, whatever a camera drops or stutters
export const STRAY = 0.6; // how far the pace may be from the number of phases before that changes
export const MOST_PHASES = 8; // a source of 240 frames a second

/** What a refiner has seen of a person. */
class Phase {
  box = null;
  seen = new Ring(WINDOW);
  state = null; // all of it in `box`
  waiting = []; // raw results that a delayed refiner has still to refine
  ahead = []; // what the last window says of the frames still waiting, after the one it gave

  /** Results for the frames still waiting: from the last window where it tells of them, raw otherwise. */
  end() {
    return this.waiting.map((result, i) => i < this.ahead.length ? {...result, refined: this.ahead[i]} : warmingUp(result));
  }
}

export class Stream {
  /** `estimator` is a Tracker; frames are {index, time in seconds, picture {data RGBA, width, height}}. */
  constructor(estimator, refiner, clock, gap = GAP) {
    Object.assign(this, {estimator, refiner, clock, gap, rate: refiner.rate ?? RATE});
    this.reset();
  }

  /** Forget everything: the next frame is of another source. */
  reset() {
    this.estimator.reset();
    this.phases = 1;
    this.turn = 0;
    this.people = new Map(); // number -> {box, phases: Map}
    this.last = -Infinity;
    this.index = -1;
    this.size = "";
    this.intervals = new Ring(INTERVALS);
  }

  /** Number of the newest frame up to which all results have been given; -1 before the first. */
  get settled() {
    const waiting = [...this.people.values()].flatMap(({phases}) => [...phases.values()].flatMap(phase => phase.waiting));
    return Math.min(this.index + 1, ...waiting.map(({frame}) => frame)) - 1;
  }

  /** Results that this frame makes final. Throws ClimbEdgeError for a clock that stands or what is no picture. */
  async push(frame) {
    const {width, height, data} = frame.picture ?? {};
    if (!(width > 0 && height > 0 && data?.length === 4 * width * height)) {
      throw new ClimbEdgeError(`frame ${frame.index}: expected a picture, found no pixels (${width} x ${height}); leave out frames that the camera did not give`);
    }
    if (!(frame.time > this.last)) {
      throw new ClimbEdgeError(`frame ${frame.index}: time ${frame.time} s does not follow ${this.last} s; time stamps must increase, reset before another source`);
    }
    const results = [], size = `${width} x ${height}`;
    if (size !== this.size) results.push(...this.flush()); // a camera turned, or another one: no box of before fits
    this.size = size;
    results.push(...this.#pace(frame.time - this.last));
    Object.assign(this, {last: frame.time, index: frame.index, turn: this.turn + 1});
    const observations = await this.clock.run("observe", () => this.estimator.observe(frame));
    for (const [number, person] of [...this.people]) {
      if (observations.some(({person: seen}) => seen === number)) continue;
      this.people.delete(number);
      results.push(...ended(person));
    }
    for (const observation of observations) {
      if (!this.people.has(observation.person)) this.people.set(observation.person, {box: null, phases: new Map()});
      results.push(...await this.#advance(this.people.get(observation.person), frame, observation));
    }
    if (!observations.length) {
      results.push({frame: frame.index, time: frame.time, person: null, state: "lost", delay: 0, bbox: null, raw: null, refined: null});
    }
    return results;
  }

  /** Give the results still waiting for later frames, and forget the windows. */
  flush() {
    const results = [...this.people.values()].flatMap(ended);
    this.people.clear();
    return results;
  }

  /** Decide from the time since the last frame whether its past still counts; what that makes final. */
  #pace(interval) {
    if (interval > this.gap) return this.flush();
    this.intervals.push(interval);
    const pace = 1 / (this.rate * percentile(this.intervals.items, 0.5));
    const phases = Math.abs(pace - this.phases) > STRAY ? Math.min(Math.max(Math.round(pace), 1), MOST_PHASES) : this.phases;
    if (phases === this.phases) return [];
    this.phases = phases;
    return this.flush();
  }

  async #advance(person, frame, observation) {
    const held = person.box, box = updateBox(held, observation.keypoints, 3);
    const state = held !== null && box !== held ? "re-anchored" : "tracking", which = this.turn % this.phases;
    person.box = box;
    if (!person.phases.has(which)) person.phases.set(which, new Phase());
    const phase = person.phases.get(which), raw = observation.keypoints;
    const refined = await this.#refine(phase, observation, box);
    phase.waiting.push({
      frame: frame.index, time: frame.time, person: observation.person, state, delay: this.refiner.delay * this.phases,
      bbox: box, raw, refined: raw,
    });
    if (refined !== null) {
      const [first, ...ahead] = refined.map(keypoints => inPixels(keypoints, box));
      phase.ahead = ahead;
      return [{...phase.waiting.shift(), refined: first}];
    }
    return phase.waiting.length > this.refiner.delay ? [warmingUp(phase.waiting.shift())] : [];
  }

  /** What the refiner says with one frame more; every frame of the window again where the box has moved. */
  async #refine(phase, observation, box) {
    phase.seen.push(observation);
    const held = phase.box;
    phase.box = box;
    const follows = held !== null && (held === box || phase.state.moved(compose(invert(boxAffine(box)), boxAffine(held))));
    if (!follows) phase.state = this.refiner.start();
    let refined = null;
    for (const seen of follows ? [observation] : phase.seen.items) {
      const maps = await this.clock.run("warp", () => mapsOf(seen, box));
      refined = await phase.state.push(maps, inCells(seen.keypoints, box));
    }
    return refined;
  }
}

const ended = ({phases}) => [...phases.values()].flatMap(phase => phase.end()).sort((a, b) => a.frame - b.frame);
const warmingUp = result => ({...result, state: "warming up"});

function inPixels(keypoints, [x0, y0, x1, y1]) {
  return Float32Array.from(keypoints, (v, i) => [x0 + v * (x1 - x0) / SIZE, y0 + v * (y1 - y0) / SIZE, v][i % 3]);
}

function inCells(keypoints, [x0, y0, x1, y1]) {
  return Float64Array.from(keypoints, (v, i) => [(v - x0) * SIZE / (x1 - x0), (v - y0) * SIZE / (y1 - y0), v][i % 3]);
}
