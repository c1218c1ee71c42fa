// Decode: the maximum of each map (mean over ties), then one second-order step on its log (DARK, Zhang et al., CVPR 2020).

import {SIZE} from "./box.js";
import {PEAK} from "./heatmaps.js";
import {K} from "./skeleton.js";

export const CENTRE = SIZE / 2; // where an empty map decodes to: the middle of the box
export const FLOOR = 1e-10; // values are at least this under the logarithm
export const LEAST_DETERMINANT = 1e-12; // of the second derivatives: what is flatter is no peak
export const CLAMP = 1; // cells; the longest step along an axis

/** 25 x [x, y in cells, height] of maps (rows, columns, channels), from channel `first` on. */
export function decode(maps, rows = SIZE, columns = SIZE, channels = K, first = 0) {
  const top = new Float64Array(K).fill(-Infinity), ties = new Float64Array(K), sums = new Float64Array(2 * K);
  for (let cell = 0, i = first; cell < rows * columns; cell++, i += channels) {
    for (let k = 0; k < K; k++) {
      const height = maps[i + k];
      if (height < top[k]) continue;
      if (height > top[k]) {
        top[k] = height;
        ties[k] = sums[2 * k] = sums[2 * k + 1] = 0;
      }
      ties[k]++;
      sums[2 * k] += cell % columns;
      sums[2 * k + 1] += Math.floor(cell / columns);
    }
  }
  const found = new Float64Array(3 * K);
  for (let k = 0; k < K; k++) {
    let x = CENTRE, y = CENTRE;
    if (top[k] > 0) {
      x = sums[2 * k] / ties[k];
      y = sums[2 * k + 1] / ties[k];
      if (ties[k] === 1 && x >= 1 && x <= columns - 2 && y >= 1 && y <= rows - 2) {
        const [dx, dy] = step((u, v) => maps[((y + v) * columns + x + u) * channels + first + k]);
        x += dx;
        y += dy;
      }
    }
    found.set([x, y, Math.max(top[k], 0)], 3 * k);
  }
  return found;
}

/** -H^-1 g of the log of the nine values around a maximum, at most CLAMP; 0 where H is not a peak's. */
function step(value) {
  const log = (u, v) => Math.log(Math.max(value(u, v), FLOOR)), clamp = v => Math.min(Math.max(v, -CLAMP), CLAMP);
  const c = log(0, 0), e = log(1, 0), w = log(-1, 0), n = log(0, -1), s = log(0, 1);
  const gx = (e - w) / 2, gy = (s - n) / 2, hxx = e - 2 * c + w, hyy = s - 2 * c + n;
  const hxy = (log(1, 1) - log(-1, 1) - log(1, -1) + log(-1, -1)) / 4, determinant = hxx * hyy - hxy * hxy;
  if (!(hxx < 0 && determinant > LEAST_DETERMINANT)) return [0, 0];
  return [clamp((hxy * gy - hyy * gx) / determinant), clamp((hxy * gx - hxx * gy) / determinant)];
}

/** Refined maps -> 25 x [x, y in cells, score], the score 1 for a peak as high as `full`. */
export function toKeypoints(maps, full = PEAK, channels = K, first = 0) {
  const found = decode(maps, SIZE, SIZE, channels, first);
  for (let i = 2; i < found.length; i += 3) found[i] = Math.min(Math.max(found[i] / full, 0), 1);
  return found;
}
