// The contract: what a .tflite file needs and promises, a ZIP entry behind the graph. What cannot be met is refused here.

import {ClimbEdgeError} from "../errors.js";
import {sha256} from "../files/sha256.js";
import {readEntry} from "../files/zip.js";
import {SIZE} from "../pose/box.js";
import {MASS} from "../pose/heatmaps.js";
import {K, KEYPOINTS} from "../pose/skeleton.js";

export const VERSION = 3;
export const WINDOW = 5; // frames
export const GOLDEN_STEPS = 8;
const ENTRY = "contract.json";
export const MAX_FILE = 256 << 20, MAX_STATE = 16 << 20; // bytes of a file, values of one state tensor
export const MAX_TENSORS = 64; // of the state
export const EMITS = {all: WINDOW, newest: 1, centre: 1}; // frames of a run
export const FORMS = {window: ["all", "newest", "centre"], step: ["newest", "centre"]};
export const OUTPUTS = ["heatmaps", "keypoints"];
export const IO = "float32"; // what a browser's runtime takes
const AGAIN = "convert the run again, or copy the file again";

/** {graph, contract} of a file's bytes, checked. Throws ClimbEdgeError with the reason it must not be run. */
export async function readModel(name, bytes) {
  if (bytes.length > MAX_FILE) {
    throw new ClimbEdgeError(`${name}: ${bytes.length} bytes is no refiner (at most ${MAX_FILE}); choose what python -m convert wrote`);
  }
  if (String.fromCharCode(...bytes.subarray(4, 8)) !== "TFL3") {
    throw new ClimbEdgeError(`${name}: expected a TFLite file, found another kind of file; choose what python -m convert wrote`);
  }
  let contract, graph;
  try {
    const entry = readEntry(bytes, ENTRY);
    contract = JSON.parse(new TextDecoder("utf-8", {fatal: true}).decode(entry.content));
    graph = bytes.subarray(0, entry.offset);
  } catch (error) {
    throw new ClimbEdgeError(`${name}: holds no readable contract (${error.message}): it is truncated, damaged or was not made by python -m convert; ${AGAIN}`);
  }
  if (contract === null || typeof contract !== "object" || contract.version !== VERSION) {
    throw new ClimbEdgeError(`${name}: expected a contract of version ${VERSION}, found another; use the release that wrote it, or convert again`);
  }
  const found = await sha256(graph);
  if (contract.sha256 !== found) {
    throw new ClimbEdgeError(`${name}: the graph's SHA-256 is ${found.slice(0, 12)}..., its contract says ${String(contract.sha256).slice(0, 12)}...: the file was changed; ${AGAIN}`);
  }
  checkContract(name, contract);
  return {graph, contract};
}

/** Throw ClimbEdgeError for a contract that this code cannot meet. */
export function checkContract(name, contract) {
  const need = (key, met, expected) => {
    if (met) return;
    const found = String(JSON.stringify(contract[key])).slice(0, 60);
    throw new ClimbEdgeError(`${name}: its contract asks for ${key} = ${found}, this code has ${expected}; use the release that wrote it`);
  };
  need("skeleton", same(contract.skeleton, KEYPOINTS), `the ${K} keypoints of its own order`);
  need("form", Object.hasOwn(FORMS, contract.form), "one of window, step");
  const emits = FORMS[contract.form];
  need("emits", emits.includes(contract.emits), `one of ${emits.join(", ")} in the ${contract.form} form`);
  need("output", OUTPUTS.includes(contract.output), `one of ${OUTPUTS.join(", ")}`);
  const heatmaps = contract.output === "heatmaps";
  need("decode", contract.decode === (heatmaps ? "dark" : null), "dark for heatmaps, null for keypoints");
  const {sum, negatives, ...rest} = contract.normalisation ?? {};
  need("normalisation", sum === MASS && negatives === 0 && !Object.keys(rest).length, `heatmaps that sum to ${MASS}`);
  const {state} = contract;
  need("state", isState(state) && (!state.length || contract.form === "step"), "named 4-D tensors of the step form");
  need("peaks", [undefined, true, false].includes(contract.peaks), "true or false");
  const kept = state.map(({shape}) => shape), entering = inputShapes(contract);
  need("inputs", same(contract.inputs, [...entering, ...kept]), `${JSON.stringify(entering)} and the state`);
  const leaving = outputShape(contract);
  need("outputs", same(contract.outputs, [leaving, ...kept]), `${JSON.stringify(leaving)} and the state`);
  need("io", contract.io === IO, "float32 alone: a browser's runtime takes no int8 tensors, choose another recipe");
  need("checks", typeof contract.checks?.verdict === "string", "the verdict of the checks");
  const {peak, fps} = contract;
  need("peak", heatmaps ? isNumber(peak) && peak > 0 && peak <= MASS : peak === null, `a full-score peak of 0 to ${MASS} for heatmaps, null for keypoints`);
  need("fps", fps === null || (isNumber(fps) && fps >= 1 && fps <= 1000), "frames a second of 1 to 1000, or null");
  need("golden", isGolden(contract.golden, volume(leaving)), "samples of a golden test to repeat");
}

/** Frames that enter one run. */
export const framesIn = ({form}) => form === "window" ? WINDOW : 1;

/** Frames that one run emits. */
export const framesOut = ({emits}) => EMITS[emits];

/** Names of what enters a graph, in the order of the contract's `inputs`. */
export const inputNames = ({form, peaks, state}) =>
  [form === "window" ? "window" : "frame", ...(peaks ? ["peaks"] : []), ...state.map(({name}) => name)];

/** Frames between the newest one and the one whose keypoints come out first. */
export const delayOf = ({emits}) => emits === "newest" ? 0 : WINDOW >> 1;

export const volume = shape => shape.reduce((n, side) => n * side, 1);

function inputShapes(contract) {
  const frames = framesIn(contract);
  return [[1, SIZE, SIZE, frames * K], ...(contract.peaks ? [[1, 1, frames, K]] : [])];
}

function outputShape(contract) {
  const frames = framesOut(contract);
  return contract.output === "heatmaps" ? [1, SIZE, SIZE, frames * K] : [1, frames, K, 3];
}

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
const isNumber = value => typeof value === "number" && Number.isFinite(value);
const isShape = shape => Array.isArray(shape) && shape.length === 4 && shape[0] === 1
  && shape.every(n => Number.isInteger(n) && n > 0) && volume(shape) <= MAX_STATE;
const isState = state => Array.isArray(state) && state.length <= MAX_TENSORS
  && state.every(tensor => isShape(tensor?.shape) && typeof tensor.name === "string");

function isGolden(golden, size) {
  const sample = row => Array.isArray(row) && row.length === 3 && row.every(isNumber) && Number.isInteger(row[0])
    && Number.isInteger(row[1]) && row[0] >= 0 && row[0] < GOLDEN_STEPS && row[1] >= 0 && row[1] < size;
  return isNumber(golden?.tolerance) && isNumber(golden.scale) && Array.isArray(golden.samples)
    && golden.samples.length > 0 && golden.samples.every(sample);
}
