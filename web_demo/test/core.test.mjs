// Every part by itself gives the numbers that Python gives.

import assert from "node:assert/strict";
import test from "node:test";
import {observed} from "../src/estimators/blazepose.js";
import {anchors, merged} from "../src/estimators/detector.js";
import {refineLandmarks} from "../src/estimators/landmarks.js";
import {People} from "../src/estimators/people.js";
import {crop, regionAround} from "../src/estimators/region.js";
import {Steady} from "../src/estimators/steady.js";
import {boxAffine, compose, invert, updateBox} from "../src/pose/box.js";
import {decode} from "../src/pose/decode.js";
import {normalise, warp} from "../src/pose/heatmaps.js";
import {BONES, FROM_BLAZEPOSE33, KEYPOINTS} from "../src/pose/skeleton.js";
import {oneEuro, readFilter, smooth} from "../src/refiners/filters.js";
import {Clock, percentile} from "../src/runtime/clock.js";
import {goldenFrame, goldenPeaks} from "../src/runtime/golden.js";
import {inRows, near, vector} from "./vectors.mjs";

test("the skeleton is Python's", () => {
  assert.deepEqual({keypoints: KEYPOINTS, bones: BONES, blazepose: FROM_BLAZEPOSE33}, vector("skeleton"));
});

test("the golden input is made from the same integers", () => {
  inRows(vector("golden frames"), 56 * 56 * 25).forEach((frame, f) => near(goldenFrame(f), frame, 1e-5));
  inRows(vector("golden peaks"), 25).forEach((peaks, f) => near(goldenPeaks(f), peaks, 1e-7));
});

test("a native map is warped into a box and normalised", () => {
  const native = {data: Float32Array.from(vector("warp native")), rows: 64, columns: 64};
  const maps = normalise(warp(native, vector("warp affine"), vector("warp box")));
  near(maps, vector("warp maps"), 2e-5);
});

test("affines: composing with the inverse changes nothing", () => {
  const affine = [4.1, -1.2, 60, 1.2, 4.1, -40];
  near(compose(affine, invert(affine)), [1, 0, 0, 0, 1, 0], 1e-12);
  near(boxAffine([10, 20, 66, 132]), [1, 0, 10, 0, 2, 20], 1e-12);
});

test("a map of no numbers shows nothing, and the others what they did", () => {
  const heatmaps = new Float32Array(64 * 64 * 39), affine = [4, 0, 0, 0, 4, 0];
  FROM_BLAZEPOSE33.forEach((from, k) => { heatmaps[(20 * 64 + 10 + k) * 39 + from] = 0.9; });
  const good = observed(heatmaps, affine, 1);
  for (const bad of [NaN, Infinity]) {
    const broken = heatmaps.slice();
    broken[FROM_BLAZEPOSE33[3]] = bad;
    const seen = observed(broken, affine, 1);
    assert.ok(seen.native.data.every(Number.isFinite) && seen.keypoints.every(Number.isFinite));
    assert.equal(seen.keypoints[3 * 3 + 2], 0);
    good.keypoints.forEach((value, i) => Math.floor(i / 3) === 3 || assert.equal(seen.keypoints[i], value));
  }
});

test("maxima, ties, borders and empty maps are decoded", () => {
  near(decode(Float32Array.from(vector("decode maps"))), vector("decode found"), 2e-3);
});

test("the box is held and moved at the same frames", () => {
  const boxes = inRows(vector("box boxes"), 4);
  let box = null, moves = 0;
  inRows(vector("box points"), 50).forEach((pose, i) => {
    const next = updateBox(box, pose);
    moves += box !== null && next !== box;
    box = next;
    near(box, boxes[i], 1e-9, `box ${i}`);
  });
  assert.ok(moves > 3, `${moves} moves`);
});

test("filters of a window", () => {
  const window = inRows(vector("filter points"), 50).slice(0, 5);
  for (const spec of ["mean", "median", "median:reach=3", "gaussian:sigma=2", "savitzky_golay", "savitzky_golay:reach=3,order=3"]) {
    const wanted = inRows(vector(`filter ${spec}`), 50), filter = readFilter(spec);
    wanted.forEach((frame, t) => near(smooth(filter, window, t), frame, 1e-5, `${spec} ${t}`));
  }
});

test("One-Euro over time", () => {
  const wanted = inRows(vector("filter one_euro"), 50), {parameters} = readFilter("one_euro");
  let state = null, points;
  inRows(vector("filter points"), 50).forEach((frame, t) => {
    ({state, points} = oneEuro(parameters, state, frame.map(v => v / 56), 30));
    near(points.map(v => v * 56), wanted[t], 1e-5, `frame ${t}`);
  });
});

test("a filter that there is not is refused in a sentence", () => {
  for (const spec of ["mode", "mean:reach=0", "mean:reach=1.5", "mean:sigma=1", "mean:reach", "one_euro:emits=centre", "savitzky_golay:order=5", "mean:reach=1,reach=2"]) {
    assert.throws(() => readFilter(spec), {name: "ClimbEdgeError", message: /expected/});
  }
});

test("regions and their pixels", () => {
  const [x, y, side, angle] = vector("region"), region = regionAround([70, 40], [88, 31]);
  near(Object.values(region), [x, y, side, angle], 1e-9);
  assert.equal(regionAround([1, 1], [1, 1.5]), null);
  assert.equal(regionAround([1, NaN], [1, 1.5]), null);
  const rgb = vector("region picture"), data = new Uint8ClampedArray(160 * 90 * 4).fill(255);
  rgb.forEach((value, i) => data[4 * Math.floor(i / 3) + i % 3] = value);
  for (const [name, replicate] of [["region replicated", true], ["region black", false]]) {
    const found = crop({data, width: 160, height: 90}, region, 64, replicate, 1), wanted = vector(name);
    near(found, wanted, 0, name);
  }
});

test("the detector's anchors and its merging of bodies", () => {
  near(anchors(), vector("anchors"), 1e-9);
  const scores = vector("body scores"), bodies = inRows(vector("bodies"), 12).map((points, i) => ({points: [...points], score: scores[i]}));
  near(merged(bodies).flatMap(({points}) => points), vector("bodies merged"), 1e-9);
});

test("landmarks move to the centre of mass of their heatmap", () => {
  near(refineLandmarks(vector("landmarks"), Float32Array.from(vector("landmark maps"))), vector("landmarks refined"), 1e-4);
});

test("a followed region is steadied", () => {
  const steady = new Steady(), wanted = inRows(vector("steady found"), 4);
  inRows(vector("steady points"), 4).forEach((points, i) => near(steady.next([...points], 1 + 0.04 * i), wanted[i], 1e-9));
});

test("two who cross keep their numbers", () => {
  const people = new People();
  for (const {poses, held, numbers} of vector("people")) assert.deepEqual(people.name(poses, held), numbers);
});

test("the clock takes inner stages out of outer ones", async () => {
  let now = 0;
  const clock = new Clock(() => now);
  await clock.run("outer", async () => {
    now += 5;
    await clock.run("inner", () => now += 3);
    now += 1;
    await assert.rejects(clock.run("inner", () => Promise.reject(Error("no"))));
  });
  assert.deepEqual(clock.lap(), {outer: 6, inner: 3});
  assert.deepEqual(clock.lap(), {});
  assert.equal(percentile([4, 1, 3, 2], 0.5), 2.5);
});
