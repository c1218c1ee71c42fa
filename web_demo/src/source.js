// Where frames come from: a camera, or a file that plays. Each frame keeps its own time; the newest one wins.

import {ClimbEdgeError} from "./errors.js";

const LONGEST_WAIT = 15000; // ms until a file must have shown that it is a video
const SEEK_WAIT = 5000, FIRST_WAIT = 200; // ms until a file's first frame is found again; in which it may be told of
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

/**
 * Gives the frames of `video` to `take({index, time, bitmap})`, one at a time: what comes while it works is dropped and
 * counted. With `every`, a file waits for `take`, and plays as slowly as that needs.
 */
export class Frames {
  dropped = 0;
  #busy = false;
  #stopped = false;
  #index = -1;
  #last = -Infinity;
  #presented = null;
  #interval = 1 / 30;

  constructor(video, {every, take, restarted}) {
    Object.assign(this, {video, every, take, restarted});
    if (every) video.playbackRate = 0.25; // until it is known how long a frame takes
  }

  async start() {
    const {video} = this;
    this.#wait();
    if (!video.srcObject) { // a file's first frame is on the screen already, and often nobody tells of it
      const wait = ms => new Promise(resolve => setTimeout(resolve, ms));
      const sought = new Promise(resolve => video.addEventListener("seeked", resolve, {once: true}));
      video.currentTime = 0;
      await Promise.race([sought, wait(SEEK_WAIT)]);
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
    this.video.currentTime = this.video.duration;
    await new Promise(resolve => setTimeout(resolve, LAST_WAIT));
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
    if (this.#stopped || time === this.#last) return;
    if (time < this.#last) { // it began again
      this.#index = -1;
      this.dropped = 0;
      this.restarted();
    } else if (this.#index >= 0) {
      const missed = presentedFrames && this.#presented !== null ? Math.max(presentedFrames - this.#presented - 1, 0) : 0;
      this.#index += missed;
      this.dropped += missed;
      this.#interval = Math.min(time - this.#last, this.#interval);
    }
    this.#presented = presentedFrames || null;
    this.#last = time;
    this.#index++;
    if (this.#busy) this.dropped++;
    else this.#give(this.#index, time);
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
      if (this.every && !this.#stopped && !this.video.ended) this.#resume((performance.now() - begin) / 1000);
    }
  }

  #resume(seconds) {
    this.video.playbackRate = Math.min(Math.max(ROOM * this.#interval / seconds, SLOWEST), 1);
    this.video.play().catch(() => {}); // stopped in the meantime
  }
}
