// The contract and the track are those of the published schemas.

import assert from "node:assert/strict";
import fs from "node:fs";
import test from "node:test";
import {ClimbEdgeError} from "../src/errors.js";
import {KEYPOINTS} from "../src/pose/skeleton.js";
import {EMITS, FORMS, IO, OUTPUTS, VERSION, checkContract, delayOf, framesIn, framesOut, inputNames} from "../src/runtime/contract.js";
import {SCHEMA, header, line} from "../src/tracking/track_file.js";

const schemas = new URL("../../climb_edge/schemas/", import.meta.url);
const schemaOf = name => JSON.parse(fs.readFileSync(new URL(`${name}.schema.json`, schemas)));
const schema = schemaOf("contract"), keys = schema.properties;

/** A contract of a step graph that gives heatmaps. */
const good = {
  version: VERSION, form: "step", emits: "newest", output: "heatmaps", skeleton: KEYPOINTS, state: [{name: "past", shape: [1, 56, 56, 50]}],
  inputs: [[1, 56, 56, 25], [1, 56, 56, 50]], outputs: [[1, 56, 56, 25], [1, 56, 56, 50]], io: "float32", normalisation: {sum: 255, negatives: 0},
  decode: "dark", peak: 40.5, fps: 30, golden: {tolerance: 0.001, scale: 1, samples: [[7, 3, 0.5]]}, checks: {verdict: "pass"}, sha256: "0".repeat(64),
};

const asKeypoints = {...good, output: "keypoints", outputs: [[1, 1, 25, 3], [1, 56, 56, 50]], decode: null, peak: null};
const asWindow = {...good, form: "window", emits: "centre", state: [], peaks: true, inputs: [[1, 56, 56, 125], [1, 1, 5, 25]], outputs: [[1, 56, 56, 25]]};

/** `value`, telling `heard` of every key that is read of it or inside it, and where the schema describes it. */
function watched(value, described, heard) {
  if (value === null || typeof value !== "object") return value;
  return new Proxy(value, {
    get(target, key) {
      if (typeof key === "symbol" || key === "toJSON") return target[key];
      const inner = Array.isArray(target) ? described.items : described.properties?.[key];
      if (!Array.isArray(target)) heard(key, described);
      return typeof target[key] === "function" ? target[key] : watched(target[key], inner ?? {}, heard);
    },
  });
}

test("every key that contract.js reads, at any depth, is a key of the schema", () => {
  const read = new Set();
  const heard = (key, described) => {
    read.add(key);
    assert.ok(key in (described.properties ?? {}), `runtime/contract.js reads ${key}, which contract.schema.json does not have there`);
  };
  for (const contract of [good, asKeypoints, asWindow]) {
    const proxy = watched(contract, schema, heard);
    checkContract("m", proxy);
    for (const asked of [framesIn, framesOut, inputNames, delayOf]) asked(proxy);
  }
  for (const key of ["form", "emits", "output", "sum", "negatives", "name", "shape", "peaks", "io", "verdict", "peak", "fps", "tolerance", "samples"]) assert.ok(read.has(key), `${key} was not read`);
});

test("every key of the contract that the page names is a key of the schema", () => {
  const src = new URL("../src/", import.meta.url).pathname, read = new Map();
  for (const file of fs.readdirSync(src, {recursive: true}).filter(file => file.endsWith(".js"))) {
    const text = fs.readFileSync(src + file, "utf8").replace(/contract\.js(on)?\b/g, "");
    for (const [, key] of text.matchAll(/\bcontract\??\.(\w+)/g)) read.set(key, file);
    for (const [, names] of text.matchAll(/\{([\w, ]+)\} = (?:\w+\.)?contract\b(?!\.)/g)) {
      for (const key of names.split(", ")) read.set(key, file);
    }
  }
  for (const key of ["version", "sha256", "golden", "output", "peak", "inputs", "fps"]) assert.ok(read.has(key), `${key}: not found in src`);
  for (const [key, file] of read) assert.ok(key in keys, `src/${file} reads ${key}, which contract.schema.json does not have`);
});

test("versions, forms, emissions, outputs and types are the schema's", () => {
  assert.equal(VERSION, keys.version.const);
  assert.deepEqual(Object.keys(FORMS), keys.form.enum);
  assert.deepEqual(Object.keys(EMITS), keys.emits.enum);
  assert.deepEqual(FORMS.step, schema.allOf[0].then.properties.emits.enum);
  assert.deepEqual(OUTPUTS, keys.output.enum);
  assert.ok(keys.io.enum.includes(IO));
});

test("what the schema requires of the version is required here", () => {
  checkContract("m", good);
  const others = new Set(["version", "sha256"]); // readModel looks at these before
  for (const key of schema.required.filter(key => !others.has(key))) {
    const {[key]: _, ...lean} = good;
    assert.throws(() => checkContract("m", lean), ClimbEdgeError, key);
  }
});

test("values that the schema does not list are refused", () => {
  for (const key of ["form", "emits", "output", "io", "decode"]) {
    assert.throws(() => checkContract("m", {...good, [key]: "another"}), error => error instanceof ClimbEdgeError && error.message.includes(`${key} = `));
  }
});

test("a track has the schema's keys", () => {
  const {header: first, row} = schemaOf("track").$defs, sorted = list => [...list].sort();
  assert.equal(SCHEMA, first.properties.schema.const);
  assert.deepEqual(sorted(Object.keys(header({source: "v.mp4", size: [4, 3], dropped: 0, estimator: "e", refiner: "r", contract: null, runtime: "n", backend: "b", reason: ""}))), sorted(first.required));
  const points = new Float64Array(75);
  const written = line({frame: 0, time: 0, person: 0, state: "tracking", delay: 0, bbox: [0, 0, 1, 1], raw: points, refined: points});
  assert.deepEqual(sorted(Object.keys(written)), sorted(row.required));
  assert.equal(written.raw.length, 25);
});
