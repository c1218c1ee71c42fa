// What Python computed, read back: see tools/vectors.py.

import assert from "node:assert/strict";
import fs from "node:fs";

const folder = process.env.CLIMB_EDGE_WEB_VECTORS ?? new URL("../../out/web-test/", import.meta.url).pathname;
if (!fs.existsSync(`${folder}/vectors.json`)) throw Error(`${folder}: expected the golden vectors, found none; run: make test-web`);
const entries = JSON.parse(fs.readFileSync(`${folder}/vectors.json`));
const bytes = fs.readFileSync(`${folder}/vectors.f64`);
const numbers = new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));

/** An entry as Python wrote it: an array of doubles, or plain data. */
export function vector(name) {
  const entry = entries[name];
  if (entry === undefined) throw Error(`${name}: no such vector`);
  if (!("offset" in entry)) return entry;
  const size = entry.shape.reduce((n, side) => n * side, 1);
  return numbers.slice(entry.offset, entry.offset + size);
}

/** Assert that two lists of numbers agree within `tolerance`; NaN equals NaN. Returns the largest difference. */
export function near(found, wanted, tolerance, what = "") {
  assert.equal(found.length, wanted.length, `${what}: length`);
  let worst = 0;
  for (let i = 0; i < found.length; i++) {
    const apart = Number.isNaN(wanted[i]) && Number.isNaN(found[i]) ? 0 : Math.abs(found[i] - wanted[i]);
    assert.ok(apart <= tolerance, `${what}[${i}]: expected ${wanted[i]}, found ${found[i]}`);
    worst = Math.max(worst, apart);
  }
  return worst;
}

/** `list` in rows of `length`. */
export const inRows = (list, length) => Array.from({length: list.length / length}, (_, i) => list.slice(i * length, (i + 1) * length));
