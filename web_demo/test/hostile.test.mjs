// Damaged and foreign files: each is refused in a sentence, and the page goes on.

import assert from "node:assert/strict";
import fs from "node:fs";
import test, {after, before} from "node:test";
import {sha256} from "../src/files/sha256.js";
import {crc32, readEntry} from "../src/files/zip.js";
import {readModel} from "../src/runtime/contract.js";
import {hash32} from "../src/runtime/golden.js";
import {heatmapModel, made, open, opened, plays, saved, serve, text, waitText, web} from "./browser.mjs";

const model = new Uint8Array(fs.readFileSync(heatmapModel)); // one that gives maps: more of its contract can be wrong
const {graph, contract} = await readModel("model", model);
const DAMAGED = 200;

/** Graph and contract as one file, as append_contract writes it. */
async function packed(graph, changed) {
  const content = new TextEncoder().encode(JSON.stringify({...changed, sha256: await sha256(graph)}));
  const name = new TextEncoder().encode("contract.json"), out = [], crc = crc32(content);
  const numbers = (...pairs) => pairs.flatMap(([value, bytes]) => Array.from({length: bytes}, (_, i) => value / 2 ** (8 * i) & 255));
  const common = [[0, 2], [0, 2], [0, 2], [33, 2], [crc, 4], [content.length, 4], [content.length, 4], [name.length, 2], [0, 2]];
  out.push(...numbers([0x04034b50, 4], [20, 2], ...common), ...name);
  const central = [...numbers([0x02014b50, 4], [20, 2], [20, 2], ...common, [0, 2], [0, 2], [0, 2], [0, 4], [graph.length, 4]), ...name];
  const start = graph.length + out.length + content.length;
  const end = numbers([0x06054b50, 4], [0, 2], [0, 2], [1, 2], [1, 2], [central.length, 4], [start, 4], [0, 2]);
  return Uint8Array.from([...graph, ...out, ...content, ...central, ...end]);
}

test(`${DAMAGED} damaged files are refused, or read as what they were`, async () => {
  let refused = 0;
  for (let n = 0; n < DAMAGED; n++) {
    let bytes = model.slice();
    const kind = n % 4, random = i => hash32(16 * n + i);
    if (kind === 0) bytes[random(0) % bytes.length] ^= 1 << random(1) % 8;
    if (kind === 1) bytes = bytes.slice(0, random(0) % bytes.length);
    if (kind === 2) for (let i = 0; i < 8; i++) bytes[bytes.length - 1 - random(i) % 3000] = random(i + 8) % 256; // the ZIP part
    if (kind === 3) bytes = Uint8Array.from([...bytes.slice(0, random(0) % bytes.length), ...bytes.slice(random(1) % bytes.length)]);
    await readModel("model", bytes).then(read => {
      assert.deepEqual(read.contract, contract);
      assert.equal(Buffer.compare(read.graph, graph), 0);
    }, error => {
      assert.equal(error.name, "ClimbEdgeError", error.stack);
      assert.match(error.message, /^model: .*(expected|holds no|was changed|asks for).*; /);
      refused++;
    });
  }
  console.log(`${refused} of ${DAMAGED} refused`);
  assert.ok(refused > DAMAGED * 0.9);
});

test("100 contracts that cannot be met are refused by the field", async () => {
  const wrong = [null, 7, -1, "x", [], {}, true, 1e9, [[1, 2]], NaN];
  const fields = ["version", "skeleton", "form", "emits", "output", "decode", "normalisation", "state", "inputs", "outputs", "io", "checks", "peak", "golden"];
  let count = 0;
  for (const field of fields) {
    for (const value of wrong) {
      if (field === "peak" && (value === 7 || value === true)) continue; // 7 is a peak; see below for true
      const error = await readModel("model", await packed(graph, {...contract, [field]: value})).then(() => null, error => error);
      assert.equal(error?.name, "ClimbEdgeError", `${field} = ${JSON.stringify(value)}: ${error?.stack}`);
      count++;
    }
  }
  for (const changed of [{peak: true}, {fps: 0}, {fps: "30"}, {peaks: "yes"}, {io: "int8"}, {form: "window"}, {emits: "all"}, {output: "keypoints"}]) {
    await assert.rejects(async () => readModel("model", await packed(graph, {...contract, ...changed})), {name: "ClimbEdgeError"});
    count++;
  }
  const golden = {...contract.golden, samples: [[0, 1e8, 1]]};
  await assert.rejects(async () => readModel("model", await packed(graph, {...contract, golden})), /golden/);
  await assert.doesNotReject(async () => readModel("model", await packed(graph, contract)));
  await assert.doesNotReject(async () => readModel("model", await packed(graph, {...contract, peaks: false})));
  assert.ok(count >= 100, `${count}`);
});

test("a ZIP whose offsets lead astray", () => {
  for (const [at, length] of [[0, 4], [16, 4], [8, 4]]) { // its mark, where its directory is, how much that lists
    for (const value of [0xff, 0]) {
      const bytes = model.slice().fill(value, model.length - 22 + at, model.length - 22 + at + length);
      if (at === 8 && value) readEntry(bytes, "contract.json"); // what it lists is found all the same
      else assert.throws(() => readEntry(bytes, "contract.json"), `${at} ${value}`);
    }
  }
  assert.throws(() => readEntry(new Uint8Array(0), "contract.json"));
  assert.throws(() => readEntry(new Uint8Array(22), "contract.json"));
});

let server;
before(async () => server = await serve());
after(() => server.stop());

const file = (name, content, mimeType = "application/octet-stream") => ({name, mimeType, buffer: Buffer.from(content)});

test("the page refuses what is no refiner, and goes on with the one it had", {timeout: 170000}, async () => {
  const {page, errors, close} = await open(server.url);
  try {
    await opened(page);
    let count = 1;
    const offer = async (bytes, sentence) => {
      await page.setInputFiles("#model", []);
      await page.setInputFiles("#model", file("theirs.tflite", bytes));
      await opened(page, ++count);
      assert.match(await text(page, "trouble"), sentence);
    };
    await offer("hello", /theirs.tflite: expected a TFLite file/);
    await offer(fs.readFileSync(`${web}/models/pose_detection.tflite`), /holds no readable contract/);
    await offer(model.slice(0, 50000), /holds no readable contract/);
    const flipped = model.slice();
    flipped[30000] ^= 4;
    await offer(flipped, /the file was changed/);
    const golden = structuredClone(contract.golden);
    golden.samples[3][2] += golden.scale;
    await offer(await packed(graph, {...contract, golden}), /no backend of this browser computes it rightly .* of the scale away/);
    for (let n = 0; n < 12; n++) { // graphs that are damaged under a contract that vouches for them
      const spoiled = graph.slice();
      for (let i = 0; i < 4; i++) spoiled[(n < 6 ? 8 : 8000) + hash32(8 * n + i) % (n < 6 ? 400 : 90000)] ^= 1 << hash32(i) % 8;
      await page.setInputFiles("#model", []);
      await page.setInputFiles("#model", file("theirs.tflite", await packed(spoiled, contract)));
      await opened(page, ++count);
    }
    await page.selectOption("#refiner", "default.tflite");
    await opened(page, ++count);
    assert.equal(await text(page, "trouble"), "");
    await plays(page, errors);
  } finally {
    await close();
  }
});

test("what is no video is refused, and the next one plays", async () => {
  const {page, errors, close} = await open(server.url);
  const video = fs.readFileSync(`${made}/short.mp4`);
  try {
    await opened(page);
    for (const [content, sentence] of [
      ["", /empty file/],
      ["this is no video", /does not play/],
      [video.subarray(0, 60), /does not play|nothing that can be shown/],
      [zeroSized(), /does not play|zero size|nothing that can be shown/],
    ]) {
      await page.setInputFiles("#file", []);
      await page.setInputFiles("#file", file("theirs.mp4", content, "video/mp4"));
      await page.waitForFunction(wanted => new RegExp(wanted).test(document.getElementById("trouble").textContent), sentence.source, {timeout: 30000});
      await waitText(page, "status", "stopped");
    }
    await plays(page, errors);
  } finally {
    await close();
  }
});

/** The header of a WebM file whose one video track is 0 x 0. */
const zeroSized = () => Uint8Array.from([
  0x1a, 0x45, 0xdf, 0xa3, 0x87, 0x42, 0x82, 0x84, 0x77, 0x65, 0x62, 0x6d, // EBML, doc type webm
  0x18, 0x53, 0x80, 0x67, 0x9d, 0x16, 0x54, 0xae, 0x6b, 0x98, 0xae, 0x96, // segment, tracks, one track
  0xd7, 0x81, 0x01, 0x83, 0x81, 0x01, 0x86, 0x85, 0x56, 0x5f, 0x56, 0x50, 0x38, 0xe0, 0x86, 0xb0, 0x81, 0x00, 0xba, 0x81, 0x00, 0x00,
]);

test("a video whose frames change their size is followed to its end", async () => {
  const {page, errors, close} = await open(server.url);
  try {
    await opened(page);
    await page.check("#every");
    await page.setInputFiles("#file", `${made}/turned.webm`);
    await waitText(page, "status", "ended");
    assert.equal(await text(page, "trouble"), "");
    const rows = (await saved(page, "track")).trim().split("\n").slice(1).map(row => JSON.parse(row));
    const frames = [...new Set(rows.map(({frame}) => frame))];
    assert.ok(frames.length >= 14, `${frames.length} frames of 16`);
    const after = rows.filter(({t}) => t > 0.25), seen = after.filter(({person}) => person !== null);
    assert.ok(seen.length > 0, "nobody is seen in the second half");
    assert.equal(seen[0].state, "warming up"); // pixels of before mean nothing now
    assert.ok(seen.every(({raw}) => raw.every(([x]) => x < 320)), "a keypoint lies where there is no picture any more");
    assert.deepEqual(errors, []);
  } finally {
    await close();
  }
});

for (const [what, name, sentence] of [
  ["a refused camera", "NotAllowedError", /the camera was refused: allow it/],
  ["no camera", "NotFoundError", /no camera was found/],
  ["a camera in use", "NotReadableError", /in use by another program/],
]) {
  test(`${what} is said`, async () => {
    const before = page => page.addInitScript(name => {
      navigator.mediaDevices.getUserMedia = async () => {
        throw new DOMException("no", name);
      };
    }, name);
    const {page, errors, close} = await open(server.url, {before});
    try {
      await opened(page);
      await page.click("#camera");
      await page.locator("#trouble").waitFor({state: "visible"});
      assert.match(await text(page, "trouble"), sentence);
      assert.deepEqual(errors, []);
    } finally {
      await close();
    }
  });
}
