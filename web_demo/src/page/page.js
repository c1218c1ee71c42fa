// The page: choices in, pictures and numbers out. Everything that computes runs in the worker.

import {sentence} from "../errors.js";
import {catalogue} from "../files/assets.js";
import {Frames, openCamera, openFile, release} from "../media/source.js";
import {Overlay} from "../tracking/overlay.js";
import {Track, save} from "../tracking/track.js";
import {csv} from "../worker/benchmark.js";
import {Choices} from "./choices.js";
import {install} from "./install.js";
import {Panel} from "./panel.js";
import {Engine} from "./remote.js";

const at = id => document.getElementById(id);
const WIDEST = 1280; // canvas pixels
const BENCHED = 11, ROUNDS = 3; // frames of a round; the first is the one that searches for the person
const OPENING = 240000; // ms at most for loading and checking; a software GPU needs a minute

const video = at("video"), view = at("view").getContext("2d");
const overlay = new Overlay(), panel = new Panel(), track = new Track();
const engine = new Engine({told: text => at("progress").textContent = text, lost});
let choices = null; // of what models.json offers
let about = null; // what the worker opened
let frames = null; // of the source that plays
let source = ""; // its name
let facing = "environment";
let report = null;
let last = null; // the newest drawn frame: {bitmap, results}
let opening = Promise.resolve();

const say = text => {
  if (at("status").textContent !== text) at("status").textContent = text; // only a change is read aloud
};

function trouble(error, where) {
  at("trouble").textContent = error === null ? "" : sentence(error, where);
  at("trouble").hidden = error === null;
}

/** Open what is chosen in the worker. Later calls wait for earlier ones. */
function open() {
  opening = opening.then(async () => {
    const refiner = choices.refiner(), {backend} = choices;
    say(`loading and checking ${refiner.name ?? refiner.filter}`);
    try {
      const answer = await engine.ask("open", {estimator: choices.estimator(), refiner, backend}, [], OPENING);
      engine.fresh = false;
      about = answer.about;
      panel.about(about);
      panel.clear();
      forget();
      trouble(null);
      keep(answer.resources);
      say(frames ? "running" : "ready");
      at("bench").disabled = false;
    } catch (error) {
      if (engine.fresh) about = null; // the runtime died of it
      trouble(error, "the models could not be loaded");
      say(about ? `still on ${about.refiner}` : "not ready: choose another refiner");
    }
    document.body.dataset.open = String(Number(document.body.dataset.open ?? 0) + 1);
  });
  return opening;
}

/** Another source or chain: its results are none of the old one's. */
function forget() {
  track.clear();
  overlay.reset();
  at("track").disabled = true;
}

async function play(name, openSource, every) {
  stop();
  trouble(null);
  source = name;
  try {
    say(`opening ${name}`);
    await openSource();
    await opening;
    await engine.ask("reset");
    forget();
    panel.clear();
    frames = new Frames(video, {every, take, restarted: () => {
      forget();
      engine.ask("reset").catch(() => {}); // the next frame will say what is wrong
    }});
    at("stop").disabled = false;
    at("hint").hidden = true;
    await frames.start();
    say("running");
  } catch (error) {
    stop();
    trouble(error, name);
    say("stopped");
  }
}

function stop() {
  frames?.stop();
  frames = null;
  video.onended = null;
  release(video);
  at("stop").disabled = true;
}

/** One frame through the worker, and on the screen with its results. */
async function take({index, time, bitmap}) {
  const {width, height} = bitmap;
  if (!about) {
    bitmap.close();
    return;
  }
  try {
    const answer = await engine.ask("frame", {index, time, bitmap}, [bitmap]);
    track.wait(index, answer.bitmap);
    panel.count(answer.laps, answer.milliseconds, answer.results, frames?.dropped ?? 0);
    draw(track.settle(answer.results, answer.settled));
    at("track").disabled = false;
  } catch (error) {
    trouble(error, `frame ${index} of ${width} x ${height}`);
    stop();
    say("stopped");
  }
}

function draw(complete) {
  for (const frame of complete) {
    last?.bitmap.close();
    last = frame;
    paint();
  }
}

function paint(results = last?.results) {
  if (!last) return;
  const {bitmap} = last, scale = Math.min(WIDEST / bitmap.width, 1), {canvas} = view;
  const [width, height] = [Math.round(bitmap.width * scale), Math.round(bitmap.height * scale)];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, {width, height});
  view.drawImage(bitmap, 0, 0, width, height);
  const shown = Object.fromEntries(["raw", "refined", "trails"].map(id => [id, at(id).checked]));
  overlay.draw(view, results, shown, scale);
  const people = results.filter(({person}) => person !== null).length;
  const label = people ? `${people === 1 ? "One person" : `${people} persons`} with keypoints` : "Nobody is seen";
  if (canvas.getAttribute("aria-label") !== label) canvas.setAttribute("aria-label", label);
}

/** The source has ended: give what still waits. */
async function ended() {
  const done = frames;
  if (!done) return;
  await done.last();
  while (done.busy) await new Promise(resolve => setTimeout(resolve, 10));
  if (done !== frames) return; // something else plays already
  const {results} = await engine.ask("flush");
  draw(track.settle(results, Infinity));
  done.stop();
  frames = null;
  at("stop").disabled = true;
  say(track.full ? "ended; the track holds its first 18,000 results" : "ended");
}

function playFile(blob, name) {
  at("stage").classList.remove("mirrored");
  return play(name, async () => {
    await openFile(video, blob, name);
    video.loop = at("loop").checked;
    video.onended = () => {
      video.onended = null;
      ended().catch(error => trouble(error));
    };
  }, at("every").checked);
}

function playCamera() {
  return play("camera", async () => {
    const device = await openCamera(video, facing);
    device.onended = () => {
      stop();
      trouble("the camera went away: plug it in again, or open a video");
    };
    at("stage").classList.toggle("mirrored", facing === "user");
    const cameras = (await navigator.mediaDevices.enumerateDevices()).filter(({kind}) => kind === "videoinput");
    at("turn").hidden = cameras.length < 2;
  }, false);
}

async function playDemo() {
  say("fetching the demo clip");
  try {
    const response = await fetch(choices.catalogue.clip.path);
    if (!response.ok) throw Error(`the server answers ${response.status}`);
    await playFile(await response.blob(), "demo.mp4");
  } catch (error) {
    trouble(error, "the demo clip could not be fetched");
    say("stopped");
  }
}

/** The GPU went away: go on without it, and say so. */
function lost(reason) {
  engine.restart("the GPU went away in the middle of it");
  at("backend").value = "wasm";
  about = null;
  open().then(() => trouble(`the GPU went away (${reason}); going on with wasm. Choose WebGPU again to try it once more.`));
}

async function bench() {
  const bitmaps = [];
  at("bench").disabled = true;
  stop();
  try {
    const blob = await (await fetch(choices.catalogue.clip.path)).blob();
    await openFile(video, blob, "demo.mp4");
    for (let i = 0; i < BENCHED; i++) {
      await new Promise(resolve => {
        video.onseeked = resolve;
        video.currentTime = (i + 0.5) / 30;
      });
      bitmaps.push(await createImageBitmap(video));
    }
    release(video);
    const backends = about?.gpu ? ["wasm", "webgpu"] : ["wasm"];
    const chains = [...choices.catalogue.refiners, {name: "identity"}].flatMap(refiner => backends.map(backend => ({refiner, backend})));
    ({report} = await engine.ask("benchmark", {bitmaps, chains, rounds: ROUNDS, estimator: choices.estimator()}, bitmaps));
    panel.report(report);
    at("csv").hidden = at("json").hidden = false;
  } catch (error) {
    trouble(error, "the benchmark could not run");
  }
  at("bench").disabled = false;
}

function listen() {
  at("camera").onclick = () => playCamera();
  at("turn").onclick = () => {
    facing = facing === "user" ? "environment" : "user";
    playCamera();
  };
  at("demo").onclick = () => playDemo();
  at("file").onchange = ({target}) => target.files.length && playFile(target.files[0], target.files[0].name);
  at("stop").onclick = () => {
    stop();
    say("stopped");
  };
  for (const id of ["refiner", "backend", "estimator"]) at(id).onchange = open;
  for (const id of ["raw", "refined", "trails"]) at(id).onchange = () => paint();
  at("model").onchange = ({target}) => target.files.length && choices.add(target.files[0]).then(open);
  at("track").onclick = () => save("track.jsonl", track.text(about, source, frames?.dropped ?? 0), "application/jsonl");
  at("bench").onclick = bench;
  at("csv").onclick = () => save("benchmark.csv", csv(report.rows), "text/csv");
  at("json").onclick = () => save("benchmark.json", JSON.stringify(report, null, 1), "application/json");
  document.ondragover = event => {
    event.preventDefault();
    at("stage").classList.add("over");
  };
  document.ondragleave = () => at("stage").classList.remove("over");
  document.ondrop = event => {
    event.preventDefault();
    at("stage").classList.remove("over");
    const [file] = event.dataTransfer.files;
    if (file) (file.name.endsWith(".tflite") ? choices.add(file).then(open) : playFile(file, file.name));
  };
  document.onvisibilitychange = () => {
    if (!frames) return;
    if (document.hidden) {
      video.pause();
      say("paused: the tab is in the background");
    } else {
      video.play().catch(error => trouble(error, "the video did not go on"));
      say("running");
    }
  };
}

const keep = install();

try {
  choices = new Choices(await catalogue());
  listen();
  await open();
} catch (error) {
  trouble(error, "the page could not be started");
  say("not ready");
}
