// The BlazePose chain: detect a person once, then track from frame to frame. A picture in, observations out.

import {compose, extent, overlap, transform} from "../pose/box.js";
import {decode} from "../pose/decode.js";
import {FROM_BLAZEPOSE33, K} from "../pose/skeleton.js";
import {COUNT, CROP_SIDE, GRID, cropFor, refineLandmarks} from "./landmarks.js";
import {People} from "./people.js";
import {cropAffine, regionAround} from "./region.js";
import {Steady} from "./steady.js";

const MIN_SCORE = 0.5, SAME_PERSON = 0.1, OVERLAP = 0.4;

export class Tracker {
  /** Follows up to `people` persons with a Detector and a LandmarkModel; `clock` counts the stages. */
  constructor(detector, landmarks, clock, people = 1) {
    Object.assign(this, {detector, landmarks, clock, people});
    this.reset();
  }

  /** Forget everybody: the next frame is of another source. */
  reset() {
    this.tracks = []; // {region, person: null when just detected, steady}
    this.who = new People();
  }

  /** Observations {native, affine, keypoints, bbox, person, score} of a frame {time, picture}. */
  async observe(frame) {
    const seen = [];
    for (const track of this.tracks) await this.#see(frame, track, seen);
    if (seen.length < this.people) {
      for (const region of await this.clock.run("detect", () => this.detector.find(frame.picture))) {
        if (seen.length < this.people) await this.#see(frame, {region, person: null, steady: new Steady()}, seen);
      }
    }
    this.tracks = seen.map(({track}) => track);
    const numbers = this.who.name(seen.map(({observation}) => places(observation)), this.tracks.map(({person}) => person));
    numbers.forEach((number, i) => this.tracks[i].person = seen[i].observation.person = number);
    return seen.map(({observation}) => observation);
  }

  /** Add what is seen of one track to `seen` and move its region; nothing when it is lost or seen already. */
  async #see(frame, track, seen) {
    const cropped = await this.clock.run("crop", () => cropFor(frame.picture, track.region));
    const {score, landmarks, heatmaps} = await this.clock.run("landmarks", () => this.landmarks.see(cropped));
    if (!(score >= MIN_SCORE)) return;
    const affine = cropAffine(track.region, CROP_SIDE), refined = refineLandmarks(landmarks, heatmaps);
    const observation = observed(heatmaps, compose(affine, [CROP_SIDE / GRID, 0, 0, 0, CROP_SIDE / GRID, 0]), score);
    if (seen.some(({observation: other}) => same(track, observation, other))) return;
    const [centre, rim] = [33, 34].map(i => transform(affine, refined[2 * i], refined[2 * i + 1]));
    const steadied = track.steady.next([...centre, ...rim], frame.time);
    const region = regionAround(steadied.slice(0, 2), steadied.slice(2));
    if (region === null) return;
    track.region = region;
    seen.push({track, observation});
  }
}

/** The 25 maps of 39, and everything that follows from them. A map with a value that is no number becomes empty: no later frame sees it. */
export function observed(heatmaps, affine, score) {
  const data = new Float32Array(GRID * GRID * K);
  for (let cell = 0; cell < GRID * GRID; cell++) {
    for (let k = 0; k < K; k++) data[cell * K + k] = heatmaps[cell * COUNT + FROM_BLAZEPOSE33[k]];
  }
  const bad = new Set();
  for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i])) bad.add(i % K);
  for (const k of bad) for (let i = k; i < data.length; i += K) data[i] = 0;
  const cells = decode(data, GRID, GRID), keypoints = new Float32Array(3 * K);
  for (let i = 0; i < 3 * K; i += 3) {
    keypoints.set([...transform(affine, cells[i], cells[i + 1]), Math.min(cells[i + 2], 1)], i);
  }
  return {native: {data, rows: GRID, columns: GRID}, affine, keypoints, bbox: extent(keypoints, 3), score, person: 0};
}

const places = ({keypoints}) => Array.from(keypoints).filter((_, i) => i % 3 < 2);

/** Whether what `track` sees is the person of another observation. */
function same(track, a, b) {
  if (track.person === null && overlap(a.bbox, b.bbox) > OVERLAP) return true;
  const [p, q] = [places(a), places(b)];
  let sum = 0;
  for (let i = 0; i < p.length; i += 2) sum += Math.hypot(p[i] - q[i], p[i + 1] - q[i + 1]);
  return sum / K < SAME_PERSON * track.region.side;
}
