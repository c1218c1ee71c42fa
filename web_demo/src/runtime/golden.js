// The golden test: input made from integers, and what a graph made of it. A backend that computes something else is
// refused before it is believed.

import {SIZE} from "../pose/box.js";
import {MASS} from "../pose/heatmaps.js";
import {K} from "../pose/skeleton.js";
import {GOLDEN_STEPS, WINDOW} from "./contract.js";

/** A 32-bit mix of integers (MurmurHash3's finaliser). */
export function hash32(i) {
  i = Math.imul(i ^ i >>> 16, 0x85ebca6b);
  i = Math.imul(i ^ i >>> 13, 0xc2b2ae35);
  return (i ^ i >>> 16) >>> 0;
}

/** Frame f of the golden input (56, 56, 25): a pyramid of mass 255 for every keypoint. */
export function goldenFrame(f) {
  const maps = new Float32Array(SIZE * SIZE * K);
  for (let k = 0; k < K; k++) {
    const [x, y] = [0, 1].map(i => 4 + hash32(2 * (K * f + k) + i) % 48);
    for (let dy = -3; dy <= 3; dy++) {
      for (let dx = -3; dx <= 3; dx++) {
        maps[((y + dy) * SIZE + x + dx) * K + k] = (4 - Math.abs(dx)) * (4 - Math.abs(dy)) * MASS / 256;
      }
    }
  }
  return maps;
}

/** Heights (25,) to golden frame f, for graphs that ask for them. */
export const goldenPeaks = f => Float32Array.from({length: K}, (_, k) => (1 + hash32(K * f + k) % 255) / 256);

/** What a graph emits at each of the golden steps; `model` is a RefinerModel of session.js. */
export async function goldenOutputs(model, steps = GOLDEN_STEPS) {
  const outputs = [], stepping = model.contract.form === "step";
  let state = null;
  for (let s = 0; s < steps; s++) {
    const seen = Array.from({length: stepping ? 1 : WINDOW}, (_, i) => s + i);
    const [emitted, next] = await model.run(seen.map(goldenFrame), seen.map(goldenPeaks), state);
    outputs.push(emitted);
    state = stepping ? next : null;
  }
  return outputs;
}

/** Largest difference from the contract's golden samples as a share of their scale; NaN where a value is none. */
export async function goldenError(model) {
  const {samples, scale} = model.contract.golden, outputs = await goldenOutputs(model);
  let worst = 0;
  for (const [s, i, value] of samples) {
    const apart = Math.abs(outputs[s][i] - value);
    worst = apart >= worst || Number.isNaN(apart) ? apart : worst;
    if (Number.isNaN(worst)) break;
  }
  return worst / Math.max(scale, 1e-9);
}
