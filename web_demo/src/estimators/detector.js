// BlazePose's detector: finds bodies in a whole picture.

import {transform} from "../pose/box.js";
import {crop, cropAffine, regionAround, wholePicture} from "./region.js";

const SIDE = 224, MIN_SCORE = 0.5, OVERLAP = 0.3;
export const ANCHORS = 2254;

/** Centres [x, y, ...] of the SSD anchors in 0..1; the three layers of stride 32 share their cells. */
export function anchors() {
  const centres = [];
  for (const [stride, perCell] of [[8, 2], [16, 2], [32, 6]]) {
    const n = SIDE / stride;
    for (let y = 0; y < n; y++) {
      for (let x = 0; x < n; x++) {
        for (let i = 0; i < perCell; i++) centres.push((x + 0.5) / n, (y + 0.5) / n);
      }
    }
  }
  return centres;
}

export class Detector {
  #anchors = anchors();

  /** `graph`.run takes arrays and gives them, by their number of values: see session.js. */
  constructor(graph) {
    this.graph = graph;
  }

  /** Regions of the bodies in a picture, best first. */
  async find(picture) {
    const whole = wholePicture(picture), affine = cropAffine(whole, SIDE);
    const outputs = await this.graph.run([crop(picture, whole, SIDE, false, 1 / 127.5, -1)]);
    const bodies = read(outputs.get(ANCHORS * 12), outputs.get(ANCHORS), this.#anchors);
    return merged(bodies)
      .map(({points}) => regionAround(...[2, 3].map(i => transform(affine, points[2 * i] * SIDE, points[2 * i + 1] * SIDE))))
      .filter(region => region !== null);
  }
}

/** Bodies {score, points: centre, size and four keypoints in 0..1}, best first. */
function read(boxes, logits, centres) {
  const bodies = [];
  for (let i = 0; i < ANCHORS; i++) {
    const score = sigmoid(logits[i]);
    if (!(score >= MIN_SCORE)) continue;
    const points = Array.from(boxes.subarray(12 * i, 12 * i + 12), v => v / SIDE);
    for (const p of [0, 2, 3, 4, 5]) {
      points[2 * p] += centres[2 * i];
      points[2 * p + 1] += centres[2 * i + 1];
    }
    bodies.push({score, points});
  }
  return bodies.sort((a, b) => b.score - a.score);
}

/** Overlapping bodies merged, best first: each group becomes its score-weighted mean. */
export function merged(bodies) {
  const found = [];
  for (let left = bodies; left.length;) {
    const [best] = left, same = left.filter(body => body === best || overlaps(best, body));
    const total = same.reduce((sum, {score}) => sum + score, 0);
    const points = best.points.map((_, i) => same.reduce((sum, body) => sum + body.points[i] * body.score, 0) / total);
    found.push({score: best.score, points});
    left = left.filter(body => !same.includes(body));
  }
  return found;
}

function overlaps(a, b) {
  const edges = ({points: [x, y, w, h]}) => [x - w / 2, y - h / 2, x + w / 2, y + h / 2];
  const area = ([x0, y0, x1, y1]) => Math.max(x1 - x0, 0) * Math.max(y1 - y0, 0), p = edges(a), q = edges(b);
  const inner = area([Math.max(p[0], q[0]), Math.max(p[1], q[1]), Math.min(p[2], q[2]), Math.min(p[3], q[3])]);
  return inner > OVERLAP * (area(p) + area(q) - inner);
}

export const sigmoid = logit => 1 / (1 + Math.exp(-Math.min(Math.max(logit, -60), 60)));
