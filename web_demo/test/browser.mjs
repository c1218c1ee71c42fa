// Debian's Chromium and the served page, for the tests.

import assert from "node:assert/strict";
import {spawn, spawnSync} from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import {chromium} from "playwright-core";

const root = new URL("../../", import.meta.url).pathname;
export const python = process.env.CLIMB_EDGE_PYTHON ?? `${root}.venv/bin/python`;
export const web = process.env.CLIMB_EDGE_WEB ?? `${root}out/web`;
export const made = process.env.CLIMB_EDGE_WEB_VECTORS ?? `${root}out/web-test`;
export const heatmapModel = `${root}tests/fixtures/conv3d.step-newest.float16.tflite`;
export const docs = `${root}web_demo/docs`;
export const PHONE = {width: 412, height: 915};
// A software adapter: the real delegate, slowly.
export const GPU = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"];
const QUIET = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic", "--no-first-run"];

/** {url, stop} of the page as make web-serve serves it. */
export async function serve(folder = web) {
  if (!fs.existsSync(`${folder}/index.html`)) throw Error(`${folder}: expected the page, found none; run: make web`);
  const server = spawn(python, [`${root}web_demo/tools/serve.py`, folder, "0"], {stdio: ["ignore", "pipe", "inherit"]});
  const url = await new Promise((resolve, reject) => {
    server.stdout.once("data", line => resolve(String(line).trim()));
    server.once("exit", code => reject(Error(`the server ended with ${code}`)));
  });
  return {url, stop: () => server.kill()};
}

/**
 * A browser with one page at `url`, or none where that is null. `errors`: what the page threw; `foreign`: what it asked of
 * others; `before` gets the page first.
 */
export async function open(url, {flags = [], before = async () => {}, ...options} = {}) {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  if (!fs.existsSync(executablePath)) throw Error(`${executablePath}: expected Debian's chromium, found none; apt-get install chromium`);
  const browser = await chromium.launch({executablePath, args: [...QUIET, ...flags]});
  const context = await browser.newContext({viewport: PHONE, deviceScaleFactor: 1, serviceWorkers: "block", ...options});
  const page = await context.newPage(), errors = [], foreign = [], console = [];
  page.setDefaultTimeout(60000);
  page.on("pageerror", error => errors.push(error.stack));
  page.on("console", message => console.push(message.text()));
  context.on("request", request => /^https?:/.test(request.url()) && !request.url().startsWith(url) && foreign.push(request.url()));
  await before(page);
  await page.goto(url);
  return {page, context, errors, foreign, console, resident: () => resident(browser), close: () => browser.close()};
}

/** MB in memory of the browser's processes that run the page and its worker, and its GPU process; 0 where /proc is not. */
async function resident(browser) {
  const session = await browser.newBrowserCDPSession(), {processInfo} = await session.send("SystemInfo.getProcessInfo");
  await session.detach();
  return processInfo.filter(({type}) => type === "renderer" || type === "GPU").reduce((sum, {id}) => {
    const status = fs.existsSync(`/proc/${id}/status`) ? fs.readFileSync(`/proc/${id}/status`, "utf8") : "";
    return sum + Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024 / 1e6;
  }, 0);
}

/** Wait until the page has opened, or failed to open, its models for the `count`th time. */
export const opened = (page, count = 1) =>
  page.waitForFunction(n => Number(document.body.dataset.open ?? 0) >= n, count, {timeout: 240000});

export const text = (page, id) => page.locator(`#${id}`).textContent();
export const waitText = (page, id, wanted) => page.waitForFunction(
  ([id, wanted]) => document.getElementById(id).textContent.includes(wanted), [id, wanted], {timeout: 90000});

/** What a click on `id` saves, as text. */
export async function saved(page, id) {
  const [download] = await Promise.all([page.waitForEvent("download"), page.click(`#${id}`)]);
  return fs.readFileSync(await download.path(), "utf8");
}

/** The page is as good as new: it plays a clip to its end, with nothing to complain of. */
export async function plays(page, errors) {
  await page.setInputFiles("#file", `${made}/short.mp4`);
  await waitText(page, "status", "ended");
  assert.equal(await text(page, "trouble"), "");
  assert.deepEqual(errors, []);
}

/** Before the page runs: keep the pixels of every picture that it takes, and the region that the tracker looks at. */
export async function watched(page) {
  await page.addInitScript(() => {
    const make = self.createImageBitmap.bind(self);
    self.kept = [];
    self.createImageBitmap = async (...given) => {
      const bitmap = await make(...given), canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
      canvas.getContext("2d", {willReadFrequently: true}).drawImage(bitmap, 0, 0);
      self.kept.push(canvas.convertToBlob({type: "image/png"}));
      return bitmap;
    };
  });
  await page.route("**/src/estimators/blazepose.js", async route => {
    const source = fs.readFileSync(`${web}/src/estimators/blazepose.js`, "utf8"), from = "    const cropped = await";
    assert.equal(source.split(from).length, 2);
    const body = source.replace(from, `    (self.regions ??= []).push([frame.time, track.region.x, track.region.y, track.region.side, track.region.angle]);\n${from}`);
    await route.fulfill({body, contentType: "text/javascript", headers: {"Cross-Origin-Embedder-Policy": "require-corp"}});
  });
}

/** How far the page's track is from Python's on the same pixels and regions: see tools/replay.py. */
export async function replay(page, refiner = "default") {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "climb-edge-web-"));
  try {
    const track = await saved(page, "track"), rows = track.trim().split("\n").slice(1).map(row => JSON.parse(row));
    const frames = [...new Set(rows.map(({frame}) => frame))].sort((a, b) => a - b);
    for (const [i, frame] of frames.entries()) {
      const png = await page.evaluate(async i => {
        const bytes = new Uint8Array(await (await self.kept[i]).arrayBuffer());
        let all = "";
        for (let at = 0; at < bytes.length; at += 32768) all += String.fromCharCode(...bytes.subarray(at, at + 32768));
        return btoa(all);
      }, i);
      fs.writeFileSync(`${folder}/${String(frame).padStart(6, "0")}.png`, Buffer.from(png, "base64"));
    }
    const worker = page.workers().find(one => one.url().endsWith("/src/worker/worker.js"));
    fs.writeFileSync(`${folder}/regions.json`, JSON.stringify(await worker.evaluate(() => self.regions)));
    fs.writeFileSync(`${folder}/track.jsonl`, track);
    const done = spawnSync(python, [`${root}web_demo/tools/replay.py`, `${folder}/track.jsonl`, "--pictures", folder, "--refiner", refiner], {encoding: "utf8"});
    assert.equal(done.status, 0, done.stderr);
    return {rows, ...JSON.parse(done.stdout)};
  } finally {
    fs.rmSync(folder, {recursive: true});
  }
}
