// What happens to a page on a device: no GPU, a GPU that goes away, no network, a tab in the background, a keyboard.

import assert from "node:assert/strict";
import fs from "node:fs";
import test, {after, before} from "node:test";
import {GPU, made, open, opened, plays, serve, text, waitText, web} from "./browser.mjs";

let server;
before(async () => server = await serve());
after(() => server.stop());

test("without WebGPU the page says so and works on wasm", async () => {
  const {page, errors, foreign, close} = await open(server.url);
  try {
    await opened(page);
    await page.selectOption("#backend", "webgpu");
    await opened(page, 2);
    assert.equal(await text(page, "refinerBackend"), "wasm");
    assert.match(await text(page, "refinerWhy"), /webgpu: this browser offers no WebGPU here/);
    assert.match(await text(page, "checks"), /Self-check of default.tflite on wasm: passed/);
    assert.equal(await page.evaluate(() => crossOriginIsolated), true, "the server's headers give threads");
    assert.deepEqual([errors, foreign], [[], []]);
  } finally {
    await close();
  }
});

// CLIMB_EDGE_LOOP_SECONDS=300 for the figures of web_demo/README.md.
const LOOP = Number(process.env.CLIMB_EDGE_LOOP_SECONDS ?? 20);

test("what a first visit costs, and what a looping clip keeps", {timeout: 120000 + 1000 * LOOP}, async () => {
  const sizes = [];
  const before = async page => page.on("response", async response => sizes.push(Number(response.headers()["content-length"] ?? 0)));
  const begin = performance.now(), {page, context, errors, resident, close} = await open(server.url, {before});
  try {
    await opened(page);
    const ready = (performance.now() - begin) / 1000, megabytes = sizes.reduce((a, b) => a + b, 0) / 1e6;
    await page.check("#loop");
    await page.setInputFiles("#file", `${made}/short.mp4`);
    await page.waitForFunction(() => document.getElementById("fps").textContent !== "–");
    const first = (performance.now() - begin) / 1000, session = await context.newCDPSession(page), heaps = [], held = [];
    for (let i = 0; i < 5; i++) {
      await page.waitForTimeout(200 * LOOP);
      await session.send("HeapProfiler.collectGarbage");
      heaps.push((await session.send("Runtime.getHeapUsage")).usedSize / 1e6);
      held.push(await resident());
    }
    const told = values => values.map(v => v.toFixed(1)).join(", ");
    console.log(`${megabytes.toFixed(1)} MB and ${ready.toFixed(1)} s until ready, ${first.toFixed(1)} s until the first result; every ${LOOP / 5} s of the loop: page heap, MB: ${told(heaps)}; processes, MB: ${told(held)}`);
    assert.ok(megabytes < 18, `${megabytes} MB`);
    assert.ok(heaps.at(-1) < heaps[0] + 4, `the page's heap grows: ${heaps}`);
    if (LOOP >= 120) assert.ok(held.at(-1) < held[1] + 64, `the processes grow: ${held}`); // pools fill in the first minute
    assert.equal(await text(page, "trouble"), "");
    assert.deepEqual(errors, []);
  } finally {
    await close();
  }
});

test("a GPU that goes away: the page goes on with wasm", {timeout: 170000}, async () => {
  // The worker's device is kept where the test can reach it, before the runtime asks for one.
  const spy = `const ask = GPUAdapter.prototype.requestDevice;
    GPUAdapter.prototype.requestDevice = async function (...options) { return self.device = await ask.apply(this, options); };\n`;
  const before = page => page.route("**/src/worker/worker.js", route => route.fulfill({
    body: spy + fs.readFileSync(`${web}/src/worker/worker.js`), contentType: "text/javascript", headers: {"Cross-Origin-Embedder-Policy": "require-corp"},
  }));
  const {page, errors, close} = await open(server.url, {flags: GPU, before});
  try {
    await opened(page);
    const about = await text(page, "checks");
    assert.match(about, /default.tflite on webgpu: passed/);
    assert.match(about, /landmark model on webgpu: passed/);
    await page.workers()[0].evaluate(() => self.device.destroy());
    await opened(page, 2);
    await page.locator("#trouble").waitFor({state: "visible"});
    assert.match(await text(page, "trouble"), /the GPU went away .* going on with wasm/);
    assert.equal(await text(page, "refinerBackend"), "wasm");
    await plays(page, errors);
  } finally {
    await close();
  }
});

test("after the first visit the page works offline", async () => {
  const own = await serve();
  const {page, context, errors, close} = await open(own.url, {serviceWorkers: "allow"});
  try {
    await opened(page);
    await page.waitForFunction(() => document.body.dataset.offline === "ready", null, {timeout: 60000});
    own.stop();
    await context.setOffline(true);
    await page.reload();
    await opened(page);
    assert.equal(await text(page, "status"), "ready", await text(page, "trouble"));
    await plays(page, errors);
  } finally {
    await close();
    own.stop();
  }
});

test("a tab in the background pauses and goes on", async () => {
  const {page, errors, close} = await open(server.url);
  const hide = hidden => page.evaluate(hidden => {
    Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);
  try {
    await opened(page);
    await page.check("#loop");
    await page.setInputFiles("#file", `${made}/short.mp4`);
    await waitText(page, "status", "running");
    await hide(true);
    await waitText(page, "status", "in the background");
    assert.equal(await page.evaluate(() => document.getElementById("video").paused), true);
    await hide(false);
    await waitText(page, "status", "running");
    await page.waitForTimeout(1500); // it began again at least once: a loop is another source
    assert.equal(await page.evaluate(() => document.getElementById("video").paused), false);
    assert.equal(await text(page, "trouble"), "");
    await page.click("#stop");
    assert.deepEqual(errors, []);
  } finally {
    await close();
  }
});

test("keyboard and screen reader: every control has a name and can be reached and seen", async () => {
  const {page, close} = await open(server.url);
  try {
    await opened(page);
    const unnamed = await page.evaluate(() => [...document.querySelectorAll("button, input, select, canvas, section, table")]
      .filter(one => !one.hidden && !(one.getAttribute("aria-label") || one.labels?.[0]?.textContent.trim() || one.textContent.trim()))
      .map(({outerHTML}) => outerHTML));
    assert.deepEqual(unnamed, []);
    const reached = new Set();
    for (let i = 0; i < 30; i++) {
      await page.keyboard.press("Tab");
      const [id, outline] = await page.evaluate(() => {
        const one = document.activeElement, shown = one.closest(".button") ?? one;
        return [one.id, getComputedStyle(shown).outlineStyle];
      });
      if (!id) continue;
      reached.add(id);
      assert.notEqual(outline, "none", `${id} does not show that it has the focus`);
    }
    for (const id of ["camera", "file", "demo", "refiner", "backend", "model", "raw", "refined", "trails", "every", "loop", "bench"]) {
      assert.ok(reached.has(id), `${id} is not reached by Tab`);
    }
    await page.locator("#trails").focus();
    await page.keyboard.press("Space");
    assert.equal(await page.isChecked("#trails"), false);
    for (const scheme of ["light", "dark"]) {
      await page.emulateMedia({colorScheme: scheme});
      const pairs = await page.evaluate(() => {
        const ground = getComputedStyle(document.body).backgroundColor;
        return ["h1", "#status", "#side p", "button"].map(one => {
          const style = getComputedStyle(document.querySelector(one));
          return [one, style.color, /0, 0, 0, 0/.test(style.backgroundColor) ? ground : style.backgroundColor];
        });
      });
      for (const [one, colour, ground] of pairs) assert.ok(contrast(colour, ground) >= 4.5, `${scheme} ${one}: ${contrast(colour, ground)}`);
    }
    const manifest = JSON.parse(fs.readFileSync(`${web}/manifest.webmanifest`));
    for (const {src} of manifest.icons) assert.ok(fs.existsSync(`${web}/${src}`), src);
  } finally {
    await close();
  }
});

/** Contrast of two CSS colours, WCAG 2. */
function contrast(a, b) {
  const light = colour => colour.match(/[\d.]+/g).slice(0, 3)
    .map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const [dark, bright] = [light(a), light(b)].sort((x, y) => x - y);
  return (bright + 0.05) / (dark + 0.05);
}
