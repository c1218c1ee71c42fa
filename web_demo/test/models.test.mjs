// Every model of the page gives Python's numbers in the browser, on wasm and on WebGPU; wrong numbers are found out.

import assert from "node:assert/strict";
import fs from "node:fs";
import test, {after, before} from "node:test";
import {GPU, made, open, serve, web} from "./browser.mjs";

const wanted = JSON.parse(fs.readFileSync(`${made}/models.json`)), estimators = JSON.parse(fs.readFileSync(`${made}/estimator.json`));
const {refiners} = JSON.parse(fs.readFileSync(`${web}/models.json`));
// Where integers are multiplied, a value may be rounded to either of two steps. A GPU computes such a graph in float, so
// that it differs by what its contract allows; the page itself takes a GPU's numbers only within 1e-2.
const bar = (recipe, backend) => !/int8|int4/.test(recipe) ? 1e-4 : backend === "wasm" ? 1e-2 : 5e-2;

let server, browser;
before(async () => {
  server = await serve();
  // The page's own worker holds a runtime; this one is the test's, in a page of the same server without it.
  browser = await open(`${server.url}models.json`, {flags: GPU});
  await browser.page.evaluate(async () => {
    const {loadRuntime} = await import("/src/runtime/session.js");
    await loadRuntime(`${location.origin}/vendor/litert/wasm/`, false);
  });
});
after(async () => {
  await browser?.close();
  server.stop();
});

/** Sampled golden outputs of one refiner on one backend. */
const refined = (path, backend, step, steps) => browser.page.evaluate(async ([path, backend, step, steps]) => {
  const [{readModel}, {RefinerModel}, {goldenOutputs}] = await Promise.all(["contract", "session", "golden"].map(name => import(`/src/runtime/${name}.js`)));
  const bytes = new Uint8Array(await (await fetch(`/${path}`)).arrayBuffer());
  const model = await RefinerModel.open(path, await readModel(path, bytes), backend), values = [];
  let at = 0;
  for (const output of await goldenOutputs(model, steps)) for (const value of output) if (at++ % step === 0) values.push(value);
  model.delete();
  return {values, size: at};
}, [path, backend, step, steps]);

/** `found` may be the first part of what was wanted. */
function close(found, {values, scale, size}, tolerance, what, part = 1) {
  assert.equal(found.size, size * part, `${what}: size`);
  const worst = values.slice(0, found.values.length).reduce((top, value, i) => Math.max(top, Math.abs(value - found.values[i])), 0) / scale;
  console.log(`${what}: ${worst.toExponential(1)} of the scale`);
  assert.ok(worst <= tolerance, `${what}: ${worst} of the scale away, at most ${tolerance}`);
}

for (const {name, path, recipe, form} of refiners) {
  for (const backend of ["wasm", "webgpu"]) {
    test(`${name} on ${backend}`, {timeout: 120000}, async t => {
      const part = form === "window" && backend === "webgpu" ? 1 / 4 : 1; // windows are 8 runs of one graph: slow in software
      let found;
      try {
        found = await refined(path, backend, wanted[path].step, 8 * part);
      } catch (error) {
        // Dynamic-range int8 is made for processors: a GPU may leave nodes out, which must be said and not be hidden.
        if (backend === "webgpu" && recipe === "dynamic_int8" && /would leave a part|refuses the graph/.test(error.message)) {
          t.diagnostic(`${name}: refused on WebGPU as it should be: ${error.message}`);
          return;
        }
        throw error;
      }
      close(found, wanted[path], bar(recipe, backend), `${name} on ${backend}`, part);
      const left = browser.console.filter(line => /will run on the CPU|is not supported|fallback/i.test(line));
      assert.deepEqual(left, [], "nodes left to the processor");
    });
  }
}

test("the estimator's models on wasm, the landmark model on WebGPU", {timeout: 120000}, async () => {
  for (const [path, outputs] of Object.entries(estimators)) {
    for (const backend of path.includes("landmark") ? ["wasm", "webgpu"] : ["wasm"]) {
      const found = await browser.page.evaluate(async ([path, backend, outputs]) => {
        const [{Session}, {hash32}] = await Promise.all(["session", "golden"].map(name => import(`/src/runtime/${name}.js`)));
        const session = await Session.open(path, new Uint8Array(await (await fetch(`/${path}`)).arrayBuffer()), backend);
        const size = session.inputs[0].shape.reduce((n, side) => n * side, 1);
        const run = await session.run([Float32Array.from({length: size}, (_, i) => hash32(i) % 256 / 255)]);
        session.delete();
        return outputs.map(({size, step}) => ({size: run.get(size)?.length, values: [...run.get(size)].filter((_, i) => i % step === 0)}));
      }, [path, backend, outputs.map(({size, step}) => ({size, step}))]);
      // Half precision weights, 30 layers: single precision itself is only so near on another machine.
      outputs.forEach((output, i) => close(found[i], output, backend === "wasm" ? 1e-4 : 2e-3, `${path} [${output.size}] on ${backend}`));
    }
  }
});

test("a graph that computes something else is not used, and the reason is said", async () => {
  const said = await browser.page.evaluate(async path => {
    const [{readModel}, {RefinerModel}, {goldenError}, {choose}] =
      await Promise.all(["contract", "session", "golden", "backends"].map(name => import(`/src/runtime/${name}.js`)));
    const read = await readModel(path, new Uint8Array(await (await fetch(`/${path}`)).arrayBuffer()));
    const {tolerance, scale} = read.contract.golden;
    read.contract.golden.samples[7][2] += 0.1 * scale;
    const check = async model => ({error: await goldenError(model), tolerance, times: [1]});
    return choose("refiner", "auto", true, backend => RefinerModel.open("refiner", read, backend), check).then(() => "", error => error.message);
  }, refiners[0].path);
  assert.match(said, /no backend .* computes it rightly \(webgpu: on known input it is 0\.10 of the scale away/);
});
