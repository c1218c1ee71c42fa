// Inside the worker: messages in, answers out, one at a time. Every request has an id and gets one answer.

import {ClimbEdgeError, sentence} from "../errors.js";
import {gpuDevice, loadRuntime} from "../runtime/session.js";
import {openChain, openEstimator} from "../streaming/chain.js";
import {benchmark} from "./benchmark.js";

const RUNTIME_FOLDER = new URL("../../vendor/litert/wasm/", import.meta.url).href;
let runtime = null, chain = null, canvas = null;
let estimator = {key: "", close() {}};
let turn = Promise.resolve();

/** Answer a request after those before it. */
export function receive({id, type, ...request}) {
  turn = turn.then(async () => {
    try {
      const [answer, transfer = []] = await requests[type](request);
      postMessage({id, ...answer}, transfer);
    } catch (error) {
      request.bitmap?.close();
      postMessage({id, error: sentence(error, "the worker failed"), fatal: broken(error) || broken(error?.cause)});
    }
  });
}

/** Whether the runtime itself has died of it: nothing can be run in this worker any more. */
const broken = error => error instanceof WebAssembly.RuntimeError || /abort|out of memory/i.test(error?.message ?? "");

const requests = {
  /** Load estimator and refiner, check them on the wanted backend; what is told of them. */
  async open({estimator: wanted, refiner, backend}) {
    const threads = await ready(), gpu = gpuDevice() !== null, key = `${wanted.name} ${backend}`;
    const used = estimator.key === key ? estimator : {key, ...await openEstimator(wanted, backend, gpu)};
    try {
      const next = await openChain({estimator: used, refiner, backend}, gpu);
      chain?.close();
      if (used !== estimator) estimator.close();
      [chain, estimator] = [next, used];
    } catch (error) {
      if (used !== estimator) used.close(); // the old chain goes on
      throw error;
    }
    const resources = performance.getEntriesByType("resource").map(({name}) => name);
    return [{about: {...chain.about, threads, gpu}, resources}];
  },

  /** One frame through the chain. The bitmap goes back: what is drawn is the picture that the results belong to. */
  async frame({index, time, bitmap}) {
    if (chain === null) throw new ClimbEdgeError("expected a model before the first frame, found none; choose a refiner");
    const begin = performance.now();
    const picture = await chain.clock.run("capture", () => pixels(bitmap));
    const results = await chain.clock.run("stream", () => chain.stream.push({index, time, picture}));
    const laps = chain.clock.lap(), milliseconds = performance.now() - begin;
    return [{results, settled: chain.stream.settled, laps, milliseconds, bitmap}, [bitmap]];
  },

  async flush() {
    return [{results: chain?.stream.flush() ?? []}];
  },

  async reset() {
    chain?.stream.reset();
    return [{}];
  },

  async benchmark({bitmaps, ...options}) {
    const threads = await ready(), pictures = bitmaps.map(pixels);
    bitmaps.forEach(bitmap => bitmap.close());
    return [{report: await benchmark({...options, pictures, threads, gpu: gpuDevice() !== null, say: told => postMessage({told})})}];
  },
};

async function ready() {
  runtime ??= loadRuntime(RUNTIME_FOLDER).catch(error => {
    throw new ClimbEdgeError(`the runtime could not be started (${sentence(error)}); reload the page, or use a browser with WebAssembly`);
  });
  const threads = await runtime;
  const device = gpuDevice();
  if (device && !device.watched) {
    device.watched = true;
    device.lost.then(({reason, message}) => postMessage({lost: message || reason || "no reason is given"}));
  }
  return threads;
}

/** The picture's pixels, copied and read once. */
function pixels(bitmap) {
  const {width, height} = bitmap;
  if (canvas === null || canvas.canvas.width !== width || canvas.canvas.height !== height) {
    canvas = new OffscreenCanvas(width, height).getContext("2d", {willReadFrequently: true});
  }
  canvas.drawImage(bitmap, 0, 0);
  return {width, height, data: canvas.getImageData(0, 0, width, height).data};
}
