// A graph on LiteRT.js: wasm (XNNPACK) on the processor, WebGPU on the graphics card. Tensors go by their names.

import * as litert from "../../vendor/litert/index.js";
import {ClimbEdgeError} from "../errors.js";
import {SIZE} from "../pose/box.js";
import {K} from "../pose/skeleton.js";
import {framesIn, inputNames, volume} from "./contract.js";

export const RUNTIME = "@litertjs/core 2.5.3";
export const BACKENDS = {
  wasm: {accelerator: "wasm"},
  webgpu: {accelerator: "webgpu", gpuOptions: {precision: "fp32"}},
  "webgpu-half": {accelerator: "webgpu", gpuOptions: {precision: "fp16"}},
};

/** Load the runtime from `folder` (a URL ending in /), with threads where the page is isolated from others. */
export async function loadRuntime(folder, threads = globalThis.crossOriginIsolated === true) {
  if (threads) {
    // The threaded wasm starts workers of its own from its own script; in a worker it cannot find out where that lies.
    const script = `${folder}litert_wasm_threaded_internal.js`;
    globalThis.Module = {locateFile: file => folder + file, mainScriptUrlOrBlob: script};
  } else {
    globalThis.Module = {locateFile: file => folder + file};
  }
  await litert.loadLiteRt(folder, {threads});
  return threads;
}

/** The GPU device that graphs run on, or null where there is none. */
export const gpuDevice = () => litert.getWebGpuDevice();

/**
 * Threads for a large graph. The runtime starts as many workers as there are cores and waits for ever for one more, and
 * two such graphs are open while one takes the other's place.
 */
export const manyThreads = () => globalThis.crossOriginIsolated ? Math.min(4, 1 + (navigator.hardwareConcurrency >> 1)) : 1;

/** Any graph: arrays in, arrays out. */
export class Session {
  static async open(name, bytes, backend, threads = 1) {
    let model;
    try {
      model = await litert.loadAndCompile(bytes, {...BACKENDS[backend], cpuOptions: {numThreads: threads}});
    } catch (error) {
      const refused = new ClimbEdgeError(`${name}: ${backend} refuses the graph (${String(error?.message ?? error).slice(0, 200)}); choose another backend or model`);
      throw Object.assign(refused, {cause: error});
    }
    const got = model.options.accelerator;
    if (got === BACKENDS[backend].accelerator && (got === "wasm" || model.isFullyAccelerated)) return new Session(name, model);
    model.delete();
    throw new ClimbEdgeError(`${name}: ${backend} would leave a part of the graph to wasm; choose wasm for it`);
  }

  constructor(name, model) {
    Object.assign(this, {name, model, inputs: model.getInputDetails(), outputs: model.getOutputDetails()});
  }

  /** Arrays by input name -> arrays by output name. */
  async runNamed(arrays) {
    const tensors = {};
    let outputs = {};
    try {
      for (const {name, shape} of this.inputs) tensors[name] = new litert.Tensor(arrays[name], [...shape]);
      outputs = await this.model.run(tensors);
      const found = {};
      for (const [name, tensor] of Object.entries(outputs)) found[name] = Float32Array.from(await tensor.data());
      return found;
    } finally {
      for (const tensor of [...Object.values(tensors), ...Object.values(outputs)]) tensor.delete();
    }
  }

  /** The one input in; outputs as a Map from their number of values, which tells BlazePose's apart. */
  async run([values]) {
    const found = await this.runNamed({[this.inputs[0].name]: values});
    return new Map(Object.values(found).map(array => [array.length, array]));
  }

  delete() {
    this.model.delete();
  }
}

/** A refiner's graph under its contract. */
export class RefinerModel {
  static async open(name, {graph, contract}, backend) {
    const session = await Session.open(name, graph, backend);
    try {
      return new RefinerModel(name, session, contract);
    } catch (error) {
      session.delete();
      throw error;
    }
  }

  constructor(name, session, contract) {
    Object.assign(this, {name, session, contract, names: inputNames(contract)});
    const outputs = contract.outputs.map((_, i) => `output_${i}`);
    this.#expect("inputs", this.names, contract.inputs, session.inputs);
    this.#expect("outputs", outputs, contract.outputs, session.outputs);
  }

  #expect(key, names, shapes, details) {
    const shown = list => list.map(({name, shape, dtype}) => `${dtype} ${name} [${shape}]`).sort().join(", ");
    const found = shown(details.map(({name, shape, dtype}) => ({name, shape: [...shape], dtype})));
    const wanted = shown(names.map((name, i) => ({name, shape: shapes[i], dtype: "float32"})));
    if (found !== wanted) {
      throw new ClimbEdgeError(`${this.name}: its contract promises ${key} ${wanted}, its graph has ${found}; convert the run again`);
    }
  }

  /** Maps and peaks of one frame, or of the five of a window, and the state (null: zeros) -> [what it emits, new state]. */
  async run(frames, peaks, state) {
    const {contract, names} = this, kept = state ?? contract.state.map(({shape}) => new Float32Array(volume(shape)));
    const entering = [frames.length === 1 ? frames[0] : stacked(frames), ...(contract.peaks ? [joined(peaks)] : []), ...kept];
    if (frames.length !== framesIn(contract)) throw new ClimbEdgeError(`${this.name}: expected ${framesIn(contract)} frames, found ${frames.length}; push one frame at a time`);
    const outputs = await this.session.runNamed(Object.fromEntries(names.map((name, i) => [name, entering[i]])));
    const [emitted, ...next] = contract.outputs.map((_, i) => outputs[`output_${i}`]);
    return [emitted, next];
  }

  delete() {
    this.session.delete();
  }
}

/** Five frames (56, 56, 25) as (56, 56, 125), frame-major channels. */
function stacked(frames) {
  const all = new Float32Array(SIZE * SIZE * K * frames.length);
  for (let cell = 0; cell < SIZE * SIZE; cell++) {
    frames.forEach((maps, t) => all.set(maps.subarray(cell * K, (cell + 1) * K), (cell * frames.length + t) * K));
  }
  return all;
}

function joined(parts) {
  const all = new Float32Array(parts.length * K);
  parts.forEach((part, t) => all.set(part, t * K));
  return all;
}
