// The stream gives, frame by frame, the results that Python gives: gaps, lost persons, boxes that move, fast sources.

import assert from "node:assert/strict";
import test from "node:test";
import {extent, transform} from "../src/pose/box.js";
import {decode} from "../src/pose/decode.js";
import {Identity, Smoother} from "../src/refiners/refiner.js";
import {Clock} from "../src/runtime/clock.js";
import {Stream} from "../src/streaming/stream.js";
import {jsonLines, line} from "../src/tracking/track_file.js";
import {near, vector} from "./vectors.mjs";

const {times, frames, results} = vector("stream");
const clock = new Clock();

/** Native maps with a pyramid at each place. */
function pyramids(places, heights) {
  const data = new Float32Array(64 * 64 * 25);
  places.forEach(([x, y], k) => {
    for (let dy = -3; dy <= 3; dy++) {
      for (let dx = -3; dx <= 3; dx++) {
        if (x + dx < 0 || x + dx > 63 || y + dy < 0 || y + dy > 63) continue;
        data[((y + dy) * 64 + x + dx) * 25 + k] = (4 - Math.abs(dx)) / 4 * (4 - Math.abs(dy)) / 4 * heights[k];
      }
    }
  });
  return {data, rows: 64, columns: 64};
}

const scripted = {
  reset() {},
  async observe({index}) {
    return frames[index].map(({person, places, heights, affine}) => {
      const native = pyramids(places, heights), keypoints = new Float32Array(75), cells = decode(native.data, 64, 64);
      for (let i = 0; i < 75; i += 3) keypoints.set([...transform(affine, cells[i], cells[i + 1]), Math.min(cells[i + 2], 1)], i);
      return {native, affine, keypoints, bbox: extent(keypoints, 3), person, score: 1};
    });
  },
};

const picture = (width, height) => ({width, height, data: new Uint8ClampedArray(4 * width * height)});
const frame = index => ({index, time: times[index], picture: picture(40, index < 34 ? 40 : 30)});

for (const spec of Object.keys(results)) {
  test(`streaming through ${spec} equals Python`, async () => {
    const stream = new Stream(scripted, spec === "identity" ? new Identity(clock) : new Smoother(spec), clock);
    const seen = new Set();
    for (let i = 0; i <= times.length; i++) {
      const found = (i < times.length ? await stream.push(frame(i)) : stream.flush()).map(line), wanted = results[spec][i];
      const plain = ({frame, t, person, state, delay}) => ({frame, t, person, state, delay});
      assert.deepEqual(found.map(plain), wanted.map(plain), `frame ${i}`);
      found.forEach((result, n) => {
        seen.add(result.state);
        for (const key of ["bbox", "raw", "refined"]) {
          near((result[key] ?? []).flat(), (wanted[n][key] ?? []).flat(), 0.02, `frame ${i} ${key}`);
        }
      });
    }
    assert.deepEqual([...seen].sort(), ["lost", "re-anchored", "tracking", "warming up"]);
    assert.equal(stream.settled, times.length - 1);
  });
}

test("a clock that stands and a frame without pixels are refused and leave no trace", async () => {
  const stream = new Stream(scripted, new Identity(clock), clock);
  await stream.push(frame(0));
  await assert.rejects(stream.push({...frame(1), time: times[0]}), /time stamps must increase/);
  await assert.rejects(stream.push({...frame(1), picture: picture(0, 0)}), /found no pixels/);
  await assert.rejects(stream.push({...frame(1), picture: undefined}), /found no pixels/);
  assert.equal((await stream.push(frame(1)))[0].frame, 1);
});

test("a track is JSON Lines in the order of frames and persons", () => {
  const rows = jsonLines({schema: "s"}, [{frame: 1, time: 1 / 3, person: 1}, {frame: 1, time: 1 / 3, person: 0}, {frame: 0, time: 0, person: null}]);
  assert.deepEqual(rows.trim().split("\n").slice(1).map(row => JSON.parse(row)).map(({frame, person, t}) => [frame, person, t]), [[0, null, 0], [1, 0, 0.333333], [1, 1, 0.333333]]);
});
