// The whole page on the demo clip: as a file and as a camera, against Python, and what is seen of it.

import assert from "node:assert/strict";
import fs from "node:fs";
import test, {after, before} from "node:test";
import {PHONE, docs, made, open, opened, replay, saved, serve, text, waitText, watched} from "./browser.mjs";

let server;
before(async () => server = await serve());
after(() => server.stop());

const FRAMES = 30;
const framesTaken = (page, count) => page.waitForFunction(n => self.kept.length > n, count, {timeout: 120000});

/** Keypoints within half a pixel of Python's. An even maximum of a map may fall to either side: one in 500 at most. */
function agrees(found) {
  console.log(JSON.stringify({...found, rows: undefined}));
  assert.deepEqual(found.other, []);
  assert.ok(found.regions.max < 0.5, `a region is ${found.regions.max} px from Python's`);
  for (const name of ["raw", "refined"]) {
    assert.ok(found[name].points >= 200, `${found[name].points} ${name} points`);
    assert.ok(found[name].over_half <= found[name].points / 500, `${name}: ${JSON.stringify(found[name])}`);
  }
}

test("the demo clip, every frame of it, equals Python", async () => {
  const {page, errors, foreign, close} = await open(server.url, {before: watched});
  try {
    await opened(page);
    await page.check("#every");
    await page.click("#demo");
    await framesTaken(page, FRAMES);
    await page.click("#stop");
    await waitText(page, "status", "stopped");
    await page.waitForTimeout(1000);
    const found = await replay(page);
    agrees(found);
    assert.ok(found.refined_results >= 10, `${found.refined_results} refined results`);
    assert.deepEqual(found.rows.map(({frame}) => frame), found.rows.map((_, i) => i), "a frame was left out");
    const coloured = await page.evaluate(() => {
      const canvas = document.getElementById("view"), {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let count = 0;
      for (let i = 0; i < data.length; i += 4) count += data[i] > 240 && data[i + 1] > 150 && data[i + 1] < 190 && data[i + 2] < 70;
      return count;
    });
    assert.ok(coloured > 50, `${coloured} pixels in the colour of the left side`);
    assert.match(await page.getAttribute("#view", "aria-label"), /One person/);
    for (const stage of ["capture", "crop", "landmarks", "warp", "refine", "decode"]) await page.locator("#stages th", {hasText: stage}).waitFor();
    fs.mkdirSync(docs, {recursive: true});
    await page.evaluate(() => scrollTo(0, 0));
    await page.screenshot({path: `${docs}/portrait.jpg`, type: "jpeg", quality: 70});
    await page.emulateMedia({colorScheme: "dark"});
    await page.setViewportSize({width: PHONE.height, height: PHONE.width});
    await page.evaluate(() => scrollTo(0, 0));
    await page.waitForTimeout(300);
    await page.screenshot({path: `${docs}/landscape-dark.jpg`, type: "jpeg", quality: 70});
    for (const size of [PHONE, {width: 915, height: 412}, {width: 320, height: 568}]) {
      await page.setViewportSize(size);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${wide} px wider than a screen of ${size.width}`);
    }
    assert.deepEqual(errors, []);
    assert.deepEqual(foreign, []);
  } finally {
    await close();
  }
});

test("the clip as a camera equals Python", async () => {
  const flags = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", `--use-file-for-fake-video-capture=${made}/camera.y4m`];
  const {page, errors, close} = await open(server.url, {before: watched, flags});
  try {
    await opened(page);
    await page.click("#camera");
    await framesTaken(page, 20);
    await page.click("#stop");
    await waitText(page, "status", "stopped");
    await page.waitForTimeout(1000);
    const found = await replay(page);
    agrees(found);
    const times = found.rows.map(({t}) => t);
    assert.ok(times.every((t, i) => !i || t > times[i - 1]), "time stamps increase");
    assert.deepEqual(errors, []);
  } finally {
    await close();
  }
});

test("a file ends, its last frames are flushed, and it can be played again", async () => {
  const {page, errors, close} = await open(server.url);
  try {
    await opened(page);
    await page.selectOption("#refiner", "filter:gaussian"); // two frames late
    await opened(page, 2);
    await page.check("#every");
    for (const again of [false, true]) {
      await page.setInputFiles("#file", []);
      await page.setInputFiles("#file", `${made}/short.mp4`);
      if (again) await waitText(page, "status", "running");
      await waitText(page, "status", "ended");
      const [header, ...rows] = (await saved(page, "track")).trim().split("\n").map(row => JSON.parse(row));
      assert.equal(header.schema, "climb-edge/track/1");
      assert.equal(header.source, "short.mp4");
      assert.match(header.refiner, /^gaussian/);
      assert.deepEqual(rows.map(({frame}) => frame), Array.from({length: 12}, (_, i) => i), `times ${rows.map(({t}) => t)}`);
      assert.ok(rows.some(({state, delay}) => state !== "lost" && delay === 2));
    }
    assert.equal(await text(page, "trouble"), "");
    assert.deepEqual(errors, []);
  } finally {
    await close();
  }
});

test("the benchmark gives the fields of climb-edge benchmark", async () => {
  const listed = JSON.parse(fs.readFileSync(`${process.env.CLIMB_EDGE_WEB ?? new URL("../../out/web", import.meta.url).pathname}/models.json`));
  const few = {...listed, refiners: listed.refiners.slice(0, 1)};
  const {page, errors, close} = await open(server.url, {before: page => page.route("**/models.json", route => route.fulfill({json: few}))});
  try {
    await opened(page);
    await page.click("#bench");
    await page.locator("#csv").waitFor({state: "visible", timeout: 180000});
    const report = JSON.parse(await saved(page, "json")), [head, ...lines] = (await saved(page, "csv")).trim().split("\n");
    assert.equal(report.schema, "climb-edge/benchmark/1");
    assert.equal(head, "chain,model,estimator,runtime,backend,stage,median_ms,p95_ms,fps,frames,cpu_ms,memory_mb");
    assert.equal(lines.length, report.rows.length);
    for (const model of [listed.refiners[0].name, "identity"]) {
      const stages = report.rows.filter(row => row.model === model).map(({stage}) => stage);
      for (const stage of ["detect", "crop", "landmarks", "warp", "decode", "draw", "estimator", "chain", "total"]) {
        assert.ok(stages.includes(stage), `${model}: ${stage} among ${stages}`);
      }
    }
    assert.ok(report.rows.every(({median_ms, p95_ms, frames}) => median_ms >= 0 && p95_ms >= median_ms && frames > 0));
    assert.equal(await text(page, "trouble"), "");
    assert.deepEqual(errors, []);
  } finally {
    await close();
  }
});
