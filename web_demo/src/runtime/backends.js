// Which backend computes a graph, and why. Each is checked on known input first; one that computes wrongly is not used.

import {ClimbEdgeError, sentence} from "../errors.js";
import {percentile} from "./clock.js";

export const WANTED = ["auto", "wasm", "webgpu", "webgpu-half"];
const NO_GPU = "this browser offers no WebGPU here";

/**
 * {model, backend, reason, checks}. `open(backend)` gives a model, `check(model, backend)` {error, tolerance, times in
 * ms}: how far it is from known numbers. "auto" takes the faster one that is right. Throws ClimbEdgeError where wasm fails as well.
 */
export async function choose(name, wanted, gpu, open, check) {
  const backends = wanted === "auto" ? ["webgpu", "wasm"] : wanted === "wasm" ? ["wasm"] : [wanted, "wasm"];
  const checks = [], right = [], without = [];
  for (const backend of backends) {
    if (backend === "wasm" && wanted !== "auto" && right.length) break; // what was asked for works
    if (!gpu && backend !== "wasm") {
      without.push(`${backend}: ${NO_GPU}`);
      continue;
    }
    const found = await tried(name, backend, open, check);
    checks.push({name, backend, passed: !found.refused, error: found.error ?? null, said: found.refused ?? "right"});
    if (!found.refused) right.push(found);
  }
  const [best, ...others] = right.sort((a, b) => a.median - b.median);
  const refused = [...without, ...checks.filter(({passed}) => !passed).map(({backend, said}) => `${backend}: ${said}`)];
  if (!best) throw new ClimbEdgeError(`${name}: no backend of this browser computes it rightly (${refused.join("; ")}); choose another model`);
  others.forEach(({model}) => model.delete());
  const faster = others.map(({backend, median}) => `faster than ${backend}, ${best.median.toFixed(1)} against ${median.toFixed(1)} ms`);
  const reason = [...faster, ...refused].join("; ") || (wanted === "wasm" ? "it was asked for" : "it was asked for and computes rightly");
  return {model: best.model, backend: best.backend, reason, checks};
}

async function tried(name, backend, open, check) {
  let model = null;
  try {
    model = await open(backend);
    const {error, tolerance, times} = await check(model, backend);
    if (error <= tolerance) return {model, backend, error, median: percentile(times, 0.5)};
    model.delete();
    return {backend, error, refused: `on known input it is ${Number(error).toPrecision(2)} of the scale away, at most ${tolerance} is allowed`};
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError || error.cause instanceof WebAssembly.RuntimeError) throw error; // nothing works any more
    model?.delete();
    return {backend, refused: sentence(error)};
  }
}
