// Results as JSON Lines: a header, then one line per frame and person, the fields of `climb-edge track`.

import {KEYPOINTS} from "../pose/skeleton.js";

export const SCHEMA = "climb-edge/track/1";

export const header = ({source, size, dropped, estimator, refiner, contract, runtime, backend, reason}) => ({
  schema: SCHEMA, source, frame_size: size, dropped, estimator, refiner, contract, runtime, backend, reason, keypoints: KEYPOINTS,
});

const rounded = (value, digits) => Math.round(value * 10 ** digits) / 10 ** digits;
const rows = points => points && Array.from({length: points.length / 3}, (_, i) => Array.from(points.slice(3 * i, 3 * i + 3), v => rounded(v, 3)));

/** One result as plain data: pixels to 3 decimals. */
export const line = ({frame, time, person, state, delay, bbox, raw, refined}) => ({
  frame, t: rounded(time, 6), person, state, delay, bbox: bbox && Array.from(bbox, v => rounded(v, 3)), raw: rows(raw), refined: rows(refined),
});

/** The whole track as text, ordered by frame and person. */
export function jsonLines(first, results) {
  const ordered = [...results].sort((a, b) => a.frame - b.frame || (a.person ?? -1) - (b.person ?? -1));
  return [first, ...ordered.map(line)].map(row => JSON.stringify(row) + "\n").join("");
}
