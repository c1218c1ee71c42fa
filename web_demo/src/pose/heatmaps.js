// Heatmaps: warp a native map into a box, normalise. Layout is row, column, keypoint; row = y.

import {SIZE, boxAffine, compose, invert} from "./box.js";
import {K} from "./skeleton.js";

export const MASS = 255; // every map of an input sums to this, or is all zero
export const PEAK = MASS / (2 * Math.PI); // 40.6: a Gaussian of sigma 1 of that mass
const PARTS = 32; // OpenCV samples many-channelled maps at 32nds of a cell; the same places give the same numbers

/** Negatives to 0, then every keypoint's map scaled to sum to 255, in place; an all-zero map stays zero. */
export function normalise(maps) {
  const total = new Float64Array(K);
  for (let i = 0, k = 0; i < maps.length; i++, k = k + 1 === K ? 0 : k + 1) {
    if (!(maps[i] > 0)) maps[i] = 0;
    total[k] += maps[i];
  }
  const factor = total.map(sum => sum > 0 ? MASS / sum : 0);
  for (let i = 0, k = 0; i < maps.length; i++, k = k + 1 === K ? 0 : k + 1) maps[i] *= factor[k];
  return maps;
}

/** A native map {data, rows, columns} on the 56 x 56 grid of `box`, bilinear, zero outside; one sampling, one affine. */
export function warp({data, rows, columns}, affine, box) {
  const [a, b, c, d, e, f] = compose(invert(affine), boxAffine(box));
  const maps = new Float32Array(SIZE * SIZE * K), fine = 1024, shift = fine / PARTS;
  for (let y = 0; y < SIZE; y++) {
    for (let x = 0; x < SIZE; x++) {
      const X = Math.floor((Math.round((b * y + c) * fine) + shift / 2 + Math.round(a * x * fine)) / shift);
      const Y = Math.floor((Math.round((e * y + f) * fine) + shift / 2 + Math.round(d * x * fine)) / shift);
      const column = Math.floor(X / PARTS), row = Math.floor(Y / PARTS);
      const right = X / PARTS - column, lower = Y / PARTS - row;
      for (const [r, v] of [[row, 1 - lower], [row + 1, lower]]) {
        for (const [q, u] of [[column, 1 - right], [column + 1, right]]) {
          const weight = u * v;
          if (weight === 0 || r < 0 || r >= rows || q < 0 || q >= columns) continue;
          const from = (r * columns + q) * K, to = (y * SIZE + x) * K;
          for (let k = 0; k < K; k++) maps[to + k] += weight * data[from + k];
        }
      }
    }
  }
  return maps;
}

/** The refiner's input for one observation: its native map warped into `box` and normalised. */
export const mapsOf = (observation, box) => normalise(warp(observation.native, observation.affine, box));
