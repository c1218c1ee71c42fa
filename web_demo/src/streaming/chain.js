// One chain: estimator, refiner, stream. What it was opened with and why stands in `about`.

import {Tracker} from "../estimators/blazepose.js";
import {Detector} from "../estimators/detector.js";
import {CROP_SIDE, LandmarkModel} from "../estimators/landmarks.js";
import {fetched} from "../files/assets.js";
import {GraphRefiner, Identity, Smoother} from "../refiners/refiner.js";
import {choose} from "../runtime/backends.js";
import {Clock} from "../runtime/clock.js";
import {GOLDEN_STEPS, readModel} from "../runtime/contract.js";
import {goldenError, hash32} from "../runtime/golden.js";
import {RUNTIME, RefinerModel, Session, manyThreads} from "../runtime/session.js";
import {Stream} from "./stream.js";

const GPU_MAY_DIFFER = 0.01; // of the scale, whatever a contract allows: a GPU computes in float what int8 recipes round
const MAY_DIFFER = 0.02; // of the scale: the landmark model on another backend than wasm; it is asked for half precision too

/** Runs that only warm up are not counted. */
async function timed(runs, run) {
  const times = [];
  for (let i = 0; i < runs; i++) {
    const begin = performance.now();
    await run(i);
    if (i) times.push(performance.now() - begin);
  }
  return times;
}

/** Detector and landmark model of an estimator of models.json: {name, detector, landmarks: chosen, close}. */
export async function openEstimator({name, ...files}, backend, gpu) {
  const [find, see] = await Promise.all([files.detector, files.landmarks].map(({path, sha256}) => fetched(path, sha256)));
  const detector = await Session.open("the detector", find, "wasm"); // its DENSIFY is wrong on WebGPU
  try {
    const open = where => Session.open("the landmark model", see, where, manyThreads());
    const landmarks = await choose("the landmark model", backend, gpu, open, likeWasm(see));
    return {name, detector, landmarks, close: () => [detector, landmarks.model].forEach(model => model.delete())};
  } catch (error) {
    detector.delete();
    throw error;
  }
}

/**
 * `refiner` is {name, path} of the server, {name, bytes} of the user's own, {filter: "gaussian"} or {name: "identity"};
 * `backend` is one of backends.WANTED; `estimator` is what openEstimator gave, and stays the caller's.
 */
export async function openChain({estimator, refiner, backend, people = 1}, gpu) {
  const clock = new Clock(), opened = await openRefiner(refiner, backend, gpu, clock), {landmarks} = estimator;
  const tracker = new Tracker(new Detector(estimator.detector), new LandmarkModel(landmarks.model), clock, people);
  const stream = new Stream(tracker, opened.refiner, clock);
  const about = {
    estimator: estimator.name, refiner: opened.refiner.name, contract: opened.refiner.contract, delay: opened.refiner.delay,
    runtime: opened.model ? RUNTIME : "none", backend: opened.backend, reason: opened.reason,
    estimatorBackend: landmarks.backend, estimatorReason: landmarks.reason, warning: opened.warning,
    checks: [...landmarks.checks, ...opened.checks],
  };
  return {clock, tracker, stream, about, close: () => opened.model?.delete()};
}

async function openRefiner(refiner, backend, gpu, clock) {
  const plain = {model: null, backend: "cpu", checks: [], warning: null};
  if (refiner.filter) return {...plain, refiner: new Smoother(refiner.filter), reason: "a filter needs no graph"};
  if (refiner.name === "identity") return {...plain, refiner: new Identity(clock), reason: "there is no graph to run"};
  const read = await readModel(refiner.name, refiner.bytes ?? await fetched(refiner.path));
  const {golden: {tolerance}, checks: {verdict, reasons = []}} = read.contract;
  const check = async (model, where) => {
    let error = 0;
    const times = await timed(2, async () => error = await goldenError(model));
    const allowed = where === "wasm" ? tolerance : Math.min(tolerance, GPU_MAY_DIFFER);
    return {error, tolerance: allowed, times: times.map(time => time / GOLDEN_STEPS)};
  };
  const chosen = await choose(refiner.name, backend, gpu, where => RefinerModel.open(refiner.name, read, where), check);
  const warning = verdict === "pass" ? null : `${refiner.name}: the checks of its conversion say "${verdict}": ${reasons.join("; ") || "no reason is given"}`;
  return {...chosen, refiner: new GraphRefiner(refiner.name, chosen.model, clock), warning};
}

/** A check of the landmark model: what wasm makes of a picture of integers, as shares of each output's scale. */
function likeWasm(bytes) {
  const picture = Float32Array.from({length: CROP_SIDE * CROP_SIDE * 3}, (_, i) => hash32(i) % 256 / 255);
  let wanted = null; // wasm is trusted: it is what Python's runtime computes, which the tests show
  return async session => {
    if (wanted === null) {
      const own = await Session.open("the landmark model", bytes, "wasm");
      wanted = await own.run([picture]);
      own.delete();
    }
    let found;
    const times = await timed(2, async () => found = await session.run([picture]));
    let error = 0;
    for (const [size, values] of wanted) {
      const scale = values.reduce((top, v) => Math.max(top, Math.abs(v)), 1e-9);
      const apart = values.reduce((top, v, i) => Math.max(top, Math.abs(v - found.get(size)[i])), 0);
      error = Math.max(error, apart / scale);
    }
    return {error, tolerance: MAY_DIFFER, times};
  };
}
