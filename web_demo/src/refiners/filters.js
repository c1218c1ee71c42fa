// Classical temporal filters of 25 points over a window: mean, median, Gaussian, Savitzky-Golay; and One-Euro's step.
// A point that is NaN is missing: it comes out as NaN and takes no part in its neighbours' values.

import {ClimbEdgeError} from "../errors.js";

// reach, sigma: frames; cutoffs: Hz; beta: Hz per (box side / second).
export const DEFAULTS = {
  mean: {reach: 1},
  median: {reach: 1},
  gaussian: {reach: 3, sigma: 1},
  savitzky_golay: {reach: 2, order: 2},
  one_euro: {min_cutoff: 0.05, beta: 80, d_cutoff: 1},
};
const WHOLE = ["reach", "order"], FROM_ZERO = ["order", "beta"];

/** {name, parameters, emits} that a text names: "gaussian:sigma=2,emits=newest". Throws ClimbEdgeError. */
export function readFilter(spec) {
  const [name, rest = ""] = spec.split(/:(.*)/s).map(part => part.trim());
  const fail = expected => {
    throw new ClimbEdgeError(`filter ${spec}: expected ${expected}`);
  };
  if (!Object.hasOwn(DEFAULTS, name)) fail(`one of ${Object.keys(DEFAULTS).join(", ")}`);
  const pairs = rest.split(",").filter(Boolean).map(part => part.split("=").map(side => side.trim()));
  if (pairs.some(pair => pair.length !== 2) || new Set(pairs.map(([key]) => key)).size < pairs.length) fail("name:parameter=value,... with each parameter once");
  const {emits = name === "one_euro" ? "newest" : "centre", ...given} = Object.fromEntries(pairs);
  if (!(name === "one_euro" ? ["newest"] : ["newest", "centre"]).includes(emits)) fail("emits=newest, or emits=centre of what looks both ways");
  const parameters = {...DEFAULTS[name]};
  for (const [key, text] of Object.entries(given)) {
    const value = text === "" ? NaN : Number(text);
    if (!Object.hasOwn(parameters, key)) fail(`a parameter of ${name}: ${Object.keys(parameters).join(", ")}`);
    if (!(value >= 0 && value < Infinity) || value === 0 && !FROM_ZERO.includes(key) || WHOLE.includes(key) && value % 1) fail(`a fitting number for ${key}, found ${text}`);
    parameters[key] = value;
  }
  if (name === "savitzky_golay" && parameters.order > 2 * parameters.reach) fail("an order of at most 2 reach");
  return {name, parameters, emits};
}

/** Frame `at` of a window of T frames (each 25 x [x, y]), filtered. */
export function smooth({name, parameters}, frames, at) {
  const filtered = new Float64Array(frames[at].length);
  for (let i = 0; i < filtered.length; i++) {
    const series = frames.map(frame => frame[i]);
    filtered[i] = Number.isNaN(series[at]) ? NaN : KINDS[name](series, at, parameters);
  }
  return filtered;
}

const around = (series, at, reach) => series
  .map((value, t) => ({value, offset: t - at}))
  .filter(({value, offset}) => Math.abs(offset) <= reach && !Number.isNaN(value));

function weighted(points, weight) {
  const weights = points.map(({offset}) => weight(offset)), total = weights.reduce((a, b) => a + b, 0);
  return points.reduce((sum, {value}, i) => sum + value * weights[i], 0) / total;
}

const KINDS = {
  mean: (series, at, {reach}) => weighted(around(series, at, reach), () => 1),
  gaussian: (series, at, {reach, sigma}) => weighted(around(series, at, reach), d => Math.exp(-0.5 * (d / sigma) ** 2)),
  median(series, at, {reach}) {
    const sorted = around(series, at, reach).map(({value}) => value).sort((a, b) => a - b), n = sorted.length;
    return (sorted[(n - 1) >> 1] + sorted[n >> 1]) / 2;
  },
  savitzky_golay(series, at, {reach, order}) {
    const size = Math.min(2 * reach + 1, series.length), first = Math.min(Math.max(at - reach, 0), series.length - size);
    const points = series.map((value, t) => ({value, offset: (t - at) / size})).slice(first, first + size)
      .filter(({value}) => !Number.isNaN(value));
    return points.length <= order ? series[at] : fitted(points, order);
  },
};

/** At offset 0, the polynomial of `order` fitted to the points: the first of its coefficients, by normal equations. */
function fitted(points, order) {
  const n = order + 1, moment = p => points.reduce((sum, {offset}) => sum + offset ** p, 0);
  const rows = Array.from({length: n}, (_, r) => [
    ...Array.from({length: n}, (_, c) => moment(r + c)),
    points.reduce((sum, {value, offset}) => sum + value * offset ** r, 0),
  ]);
  for (let c = n - 1; c >= 0; c--) { // from the last unknown, so that the first is left alone in the first row
    const pivot = rows.slice(0, c + 1).reduce((best, row, r) => Math.abs(row[c]) > Math.abs(rows[best][c]) ? r : best, 0);
    [rows[c], rows[pivot]] = [rows[pivot], rows[c]];
    for (let r = 0; r < c; r++) {
      const factor = rows[r][c] / rows[c][c];
      rows[r] = rows[r].map((value, i) => value - factor * rows[c][i]);
    }
  }
  return rows[0][n] / rows[0][0];
}

/** One frame of One-Euro over points in shares of the box: {state, points}; `state` null begins. */
export function oneEuro({min_cutoff, beta, d_cutoff}, state, points, fps) {
  const next = state ?? {value: points.map(() => NaN), speed: points.map(() => 0), since: points.map(() => 0)};
  const held = {value: Float64Array.from(next.value), speed: Float64Array.from(next.speed), since: Float64Array.from(next.since)};
  points.forEach((point, i) => {
    if (Number.isNaN(point)) {
      held.since[i]++;
      return;
    }
    const before = Number.isNaN(next.value[i]) ? point : next.value[i], period = (next.since[i] + 1) / fps;
    let w = 2 * Math.PI * d_cutoff * period;
    held.speed[i] = (w * (point - before) / period + next.speed[i]) / (w + 1);
    w = 2 * Math.PI * (min_cutoff + beta * Math.abs(held.speed[i])) * period;
    held.value[i] = (w * point + before) / (w + 1);
    held.since[i] = 0;
  });
  return {state: held, points: points.map((point, i) => Number.isNaN(point) ? NaN : held.value[i])};
}
