// Where frames come from: a camera, or a file that plays. Each frame keeps its own time; the newest one wins.

import {ClimbEdgeError} from "../errors.js";

const LONGEST_WAIT = 15000; // ms until a file must have shown that it is a video
const SEEK_WAIT = 5000, FIRST_WAIT = 200; // ms until a place in a file is found; in which its first frame may be told of
const LAST_WAIT = 400; // ms in which a file's last frame is shown again
const SLOWEST = 0.1, ROOM = 0.7; // of real time; share of a frame's time that working on it may take

const REFUSED = {
  NotAllowedError: "the camera was refused: allow it in the browser's settings of this page, or open a video",
  NotFoundError: "no camera was found: plug one in, or open a video",
  NotReadableError: "the camera is in use by another program: close that one, or open a video",
  OverconstrainedError: "no camera gives such a picture: open a video",
};

/** Point `video` at a camera, "environment" (back) or "user" (front). Throws ClimbEdgeError. */
export async function openCamera(video, facing) {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new ClimbEdgeError("no camera can be asked for: browsers give one only to pages over https or from localhost");
  }
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      audio: false, video: {facingMode: facing, width: {ideal: 1280}, height: {ideal: 720}, frameRate: {ideal: 30}},
    });
  } catch (error) {
    throw new ClimbEdgeError(REFUSED[error.name] ?? `the camera could not be opened (${error.message}): open a video`);
  }
  video.srcObject = stream;
  await shown(video, "the camera");
  return stream.getVideoTracks()[0];
}

/** Point `video` at the bytes of a file (a Blob). Throws ClimbEdgeError for what is no video. */
export async function openFile(video, blob, name) {
  if (blob.size === 0) throw new ClimbEdgeError(`${name}: expected a video, found an empty file; choose another`);
  video.src = URL.createObjectURL(blob);
  await shown(video, name);
}

/** Let go of whatever `video` shows. */
export function release(video) {
  video.srcObject?.getTracks().forEach(track => track.stop());
  if (video.src.startsWith("blob:")) URL.revokeObjectURL(video.src);
  video.srcObject = null;
  video.removeAttribute("src");
  video.load();
}

function shown(video, name) {
  return new Promise((resolve, reject) => {
    const fail = found => reject(new ClimbEdgeError(`${name}: expected a video, found ${found}; choose another file, or export it again as H.264`));
    const timer = setTimeout(() => fail("nothing that can be shown"), LONGEST_WAIT);
    const done = () => {
      clearTimeout(timer);
      video.onloadeddata = video.onerror = null;
    };
    video.onloadeddata = () => {
      done();
      if (video.videoWidth > 0 && video.videoHeight > 0) resolve();
      else fail("one without a picture, or of zero size");
    };
    video.onerror = () => {
      done();
      fail(`a file that this browser does not play (${video.error?.message || "unknown format"})`);
    };
  });
}

const wait = ms => new Promise(resolve => setTimeout(resolve, ms));

/** Show the place `time` of a file. */
async function seek(video, time) {
  const found = new Promise(resolve => video.addEventListener("seeked", resolve, {once: true}));
  video.currentTime = time;
  await Promise.race([found, wait(SEEK_WAIT)]);
}

/**
 * Gives the frames of `video` to `take({index, time, bitmap})`, one at a time: what comes while it works is dropped and
 * counted. With `every`, a file waits for `take`, plays as slowly as that needs, and goes back for what was passed over.
 */
export class Frames {
  dropped = 0;
  #busy = false;
  #stopped = false;
  #index = -1;
  #last = -Infinity;
  #presented = null;
  #interval = 1 / 30;
  #spacing = Infinity; // between frames, the least that was seen
  #gap = -Infinity; // up to here nothing is missing, for it was gone back once
  #passed = false; // a frame came while one was worked on, and must be gone back for
  #returning = false;

  constructor(video, {every, take, restarted}) {
    Object.assign(this, {video, every, take, restarted});
    if (every) video.playbackRate = 0.25; // until it is known how long a frame takes
  }

  async start() {
    const {video} = this;
    this.#wait();
    if (!video.srcObject) { // a file's first frame is on the screen already, and often nobody tells of it
      await seek(video, 0);
      await wait(FIRST_WAIT);
      if (this.#index < 0) this.#take({mediaTime: video.currentTime, presentedFrames: 0});
    }
    if (this.#stopped || (this.every && this.#index >= 0)) return; // it goes on when that frame is done
    await video.play();
  }

  stop() {
    this.#stopped = true;
    this.video.pause();
  }

  /** At the end of a file: have its last frame shown once more, which playing to the end may not have told of. */
  async last() {
    for (let waited = 0; (this.#busy || this.#returning) && waited < SEEK_WAIT; waited += 10) await wait(10);
    await seek(this.video, this.video.duration);
    await wait(LAST_WAIT);
  }

  get busy() {
    return this.#busy;
  }

  #wait() {
    const {video} = this;
    if (this.#stopped) return;
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback((now, told) => this.#shown(told));
    else requestAnimationFrame(() => this.#shown({mediaTime: video.currentTime, presentedFrames: 0}));
  }

  #shown(told) {
    this.#wait();
    this.#take(told);
  }

  #take({mediaTime: time, presentedFrames}) {
    if (this.#stopped || time === this.#last || this.#isAhead(time)) return;
    this.#returning = false;
    if (time < this.#last) { // it began again
      this.#index = -1;
      this.#gap = -Infinity;
      this.dropped = 0;
      this.restarted();
    } else if (this.#index >= 0) {
      const told = !this.every && presentedFrames && this.#presented !== null;
      const missed = told ? Math.max(presentedFrames - this.#presented - 1, 0) : 0;
      this.#index += missed;
      this.dropped += missed;
      this.#spacing = Math.min(time - this.#last, this.#spacing);
      this.#interval = Math.min(this.#spacing, this.#interval);
    }
    this.#presented = presentedFrames || null;
    this.#last = time;
    this.#index++;
    if (this.#busy) this.dropped++;
    else this.#give(this.#index, time);
  }

  /** Whether a frame of a file that is to be taken whole comes too early: one before it was passed over. */
  #isAhead(time) {
    if (!this.every || this.#index < 0 || time < this.#last) return false;
    if (this.#busy) return this.#passed = true;
    if (time <= this.#gap || time - this.#last < 1.5 * this.#spacing) return false;
    this.#gap = time; // when it comes again, there is nothing between
    this.#goBack();
    return true;
  }

  async #goBack() {
    this.#returning = true;
    this.video.pause();
    await seek(this.video, this.#last + 0.001);
    if (!this.#stopped && !this.#busy) this.#play(SLOWEST);
  }

  async #give(index, time) {
    this.#busy = true;
    const begin = performance.now();
    try {
      if (this.every) this.video.pause();
      const bitmap = await createImageBitmap(this.video); // of now, in the same task as its time
      await this.take({index, time, bitmap});
    } finally {
      this.#busy = false;
      if (this.every && !this.#stopped) this.#goOn((performance.now() - begin) / 1000);
    }
  }

  /** After a frame that took `seconds`. */
  #goOn(seconds) {
    if (this.#passed) this.#goBack();
    else if (!this.video.ended) this.#play(Math.min(Math.max(ROOM * this.#interval / seconds, SLOWEST), 1));
    this.#passed = false;
  }

  #play(rate) {
    this.video.playbackRate = rate;
    this.video.play().catch(() => {}); // stopped in the meantime
  }
}
