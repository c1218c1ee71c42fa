// The constants are those that Python publishes.

import assert from "node:assert/strict";
import fs from "node:fs";
import test from "node:test";
import {LEAST, SIZE, STICKY} from "../src/pose/box.js";
import {CENTRE, CLAMP, FLOOR, LEAST_DETERMINANT} from "../src/pose/decode.js";
import {MASS, PEAK} from "../src/pose/heatmaps.js";
import {BONES, FROM_BLAZEPOSE33, KEYPOINTS, SHOWN} from "../src/pose/skeleton.js";
import {DEFAULTS} from "../src/refiners/filters.js";
import {EMITS, FORMS, GOLDEN_STEPS, MAX_FILE, MAX_STATE, MAX_TENSORS, OUTPUTS, VERSION, WINDOW} from "../src/runtime/contract.js";
import {GAP, INTERVALS, MOST_PHASES, RATE, STRAY} from "../src/streaming/stream.js";

const {description, ...shared} = JSON.parse(fs.readFileSync(new URL("../../climb_edge/schemas/constants.json", import.meta.url)));

const own = {
  heatmaps: {window: WINDOW, size: SIZE, mass: MASS, peak: PEAK, centre: CENTRE},
  decode: {floor: FLOOR, least_determinant: LEAST_DETERMINANT, clamp: CLAMP},
  box: {...STICKY, least: LEAST},
  stream: {gap: GAP, rate: RATE, intervals: INTERVALS, stray: STRAY, most_phases: MOST_PHASES},
  golden: {steps: GOLDEN_STEPS},
  contract: {version: VERSION, forms: FORMS, emits: EMITS, outputs: OUTPUTS, max_file: MAX_FILE, max_state: MAX_STATE, max_tensors: MAX_TENSORS},
  filters: DEFAULTS,
  skeleton: {keypoints: KEYPOINTS, bones: BONES, from_blazepose33: FROM_BLAZEPOSE33, shown: SHOWN},
};
// The page reads golden tests and makes none, and mirrors no poses.
const WITHOUT = {golden: ["samples"], skeleton: ["mirror"]};

for (const [group, constants] of Object.entries(shared)) {
  test(`the constants of ${group}`, () => {
    const expected = Object.fromEntries(Object.entries(constants).filter(([key]) => !WITHOUT[group]?.includes(key)));
    assert.deepEqual(own[group], expected);
  });
}

test("the file holds every group", () => {
  assert.deepEqual(Object.keys(own), Object.keys(shared));
  assert.ok(description);
});
