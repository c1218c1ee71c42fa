// How long each part of a chain takes on this device: every refiner on every backend, in turns, a round of frames each.
// Rows have the fields and stages of `climb-edge benchmark`.

import {sentence} from "../errors.js";
import {percentile} from "../runtime/clock.js";
import {RUNTIME} from "../runtime/session.js";
import {openChain, openEstimator} from "../streaming/chain.js";
import {Overlay} from "../tracking/overlay.js";

export const ROW = ["chain", "model", "estimator", "runtime", "backend", "stage", "median_ms", "p95_ms", "fps", "frames", "cpu_ms", "memory_mb"];
const ESTIMATOR = ["detect", "crop", "landmarks", "observe"], AROUND = ["warp", "decode", "stream"];
const CHAIN = [...ESTIMATOR, ...AROUND, "refine"];
export const STAGES = ["capture", ...ESTIMATOR, "warp", "refine", "decode", "stream", "draw"];
const SUMS = {estimator: ESTIMATOR, around: AROUND, chain: CHAIN, total: ["capture", ...CHAIN, "draw"]};

/**
 * {schema, machine, rows, skipped}. `chains` are {refiner, backend}; of `pictures`, the first of each round is the one on
 * which the person is searched for anew, the others are counted. `say` is told how far it is.
 */
export async function benchmark({estimator, chains, pictures, rounds, threads, gpu, say}) {
  const opened = [], skipped = [], estimators = new Map(); // one for each backend
  for (const [i, {refiner, backend}] of chains.entries()) {
    say(`opening ${i + 1} of ${chains.length}: ${refiner.name ?? refiner.filter} on ${backend}`);
    try {
      if (!estimators.has(backend)) estimators.set(backend, await openEstimator(estimator, backend, gpu));
      const chain = await openChain({estimator: estimators.get(backend), refiner, backend}, gpu), {about} = chain;
      const got = about.runtime === "none" ? about.estimatorBackend : about.backend;
      if (got === backend) opened.push({...chain, backend, laps: [], first: []});
      else {
        skipped.push({model: about.refiner, backend, reason: about.reason});
        chain.close();
      }
    } catch (error) {
      skipped.push({model: refiner.name ?? refiner.filter, backend, reason: sentence(error)});
    }
  }
  const context = new OffscreenCanvas(pictures[0].width, pictures[0].height).getContext("2d");
  let time = 0;
  for (let round = 0; round <= rounds; round++) { // the first warms up
    for (const [i, chain] of (round % 2 ? opened : [...opened].reverse()).entries()) {
      say(`round ${round} of ${rounds}, chain ${i + 1} of ${opened.length}`);
      chain.tracker.reset();
      time += 1;
      for (const [n, picture] of pictures.entries()) {
        time += 1 / 30;
        const lap = await oneFrame(chain, context, {index: n, time, picture});
        if (round) (n ? chain.laps : chain.first).push(lap);
      }
    }
  }
  const memory = await usedMemory(), rows = opened.flatMap(chain => rowsOf(chain, memory));
  [...opened, ...estimators.values()].forEach(part => part.close());
  return {schema: "climb-edge/benchmark/1", machine: machine(threads), rows, skipped};
}

async function oneFrame({clock, stream, about}, context, frame) {
  const copy = await clock.run("capture", () => new ImageData(new Uint8ClampedArray(frame.picture.data), frame.picture.width));
  const results = await clock.run("stream", () => stream.push(frame));
  await clock.run("draw", () => {
    context.putImageData(copy, 0, 0);
    new Overlay().draw(context, results, {raw: true, refined: true, trails: false}, 1);
  });
  return clock.lap();
}

function rowsOf({about, backend, laps, first}, memory) {
  const rows = [];
  for (const stage of [...STAGES, ...Object.keys(SUMS)]) {
    const parts = SUMS[stage] ?? [stage];
    const spent = (stage === "detect" ? first : laps).filter(lap => parts.some(part => part in lap))
      .map(lap => parts.reduce((sum, part) => sum + (lap[part] ?? 0), 0));
    if (!spent.length) continue;
    const mean = spent.reduce((a, b) => a + b, 0) / spent.length;
    const values = [
      `${about.refiner} on ${backend}`, about.refiner, about.estimator, RUNTIME, backend, stage,
      percentile(spent, 0.5), percentile(spent, 0.95), 1000 / Math.max(mean, 1e-6), spent.length, null, stage === "chain" ? memory : null,
    ];
    rows.push(Object.fromEntries(ROW.map((key, i) => [key, typeof values[i] === "number" ? Math.round(values[i] * 1000) / 1000 : values[i]])));
  }
  return rows;
}

/** MiB held by page and workers, where the browser tells (only to a page isolated from others), else null. */
async function usedMemory() {
  try {
    return (await performance.measureUserAgentSpecificMemory()).bytes / 2 ** 20;
  } catch {
    return null;
  }
}

const machine = threads => ({
  cpu: "unknown: browsers do not tell", cores: navigator.hardwareConcurrency, system: navigator.userAgent, threads,
});

/** The rows as CSV. */
export const csv = rows => [ROW, ...rows.map(row => ROW.map(key => row[key] ?? ""))]
  .map(cells => cells.map(cell => /[",\n]/.test(cell) ? `"${String(cell).replaceAll('"', '""')}"` : cell).join(",") + "\n").join("");
