// Overlay: raw and refined keypoints on the frame that they belong to, with trails of hands and feet.

import {BONES, K, SHOWN, TRAILED} from "../pose/skeleton.js";

const TRAIL = 15; // frames
const LEFT = "#ffaa28", RIGHT = "#3cbeff", MIDDLE = "#f0f0f0", RAW = "#c9ccd1", EDGE = "#1e1e1e";

export class Overlay {
  #trails = new Map(); // person -> places of the last frames, image pixels

  /** Forget the trails: another source. */
  reset() {
    this.#trails.clear();
  }

  /** Draw one frame's results over it. `shown` is {raw, refined, trails}; `scale` = canvas pixels per image pixel. */
  draw(context, results, shown, scale) {
    const seen = results.filter(({person}) => person !== null), width = Math.max(context.canvas.width / 360, 1);
    context.lineCap = "round";
    for (const {person, refined} of seen) {
      const trail = [...(this.#trails.get(person) ?? []), TRAILED.map(k => [refined[3 * k], refined[3 * k + 1]])].slice(-TRAIL);
      this.#trails.set(person, trail);
      if (shown.trails) drawTrail(context, trail, scale, width);
    }
    for (const person of this.#trails.keys()) if (!seen.some(result => result.person === person)) this.#trails.delete(person);
    for (const {raw, refined} of seen) {
      if (shown.raw) drawBones(context, raw, scale, width, () => RAW);
      if (!shown.refined) continue;
      drawBones(context, refined, scale, 1.8 * width, colour);
      drawPoints(context, refined, scale, 2.2 * width);
    }
  }
}

/** Left joints are odd, right ones even; what joins both sides, or the nose, is neither. */
const colour = (a, b) => a === 0 || b === 0 || a % 2 !== b % 2 ? MIDDLE : a % 2 ? LEFT : RIGHT;

function drawBones(context, points, scale, width, tint) {
  for (const [a, b] of BONES) {
    context.lineWidth = points[3 * a + 2] >= SHOWN && points[3 * b + 2] >= SHOWN ? width : width / 2;
    context.strokeStyle = tint(a, b);
    line(context, [points[3 * a], points[3 * a + 1]], [points[3 * b], points[3 * b + 1]], scale);
  }
}

function drawPoints(context, points, scale, radius) {
  context.lineWidth = radius / 3;
  context.strokeStyle = EDGE;
  context.fillStyle = "#fff";
  for (let k = 0; k < K; k++) {
    context.beginPath();
    context.arc(points[3 * k] * scale, points[3 * k + 1] * scale, points[3 * k + 2] >= SHOWN ? radius : radius / 1.6, 0, 2 * Math.PI);
    context.fill();
    context.stroke();
  }
}

function drawTrail(context, trail, scale, width) {
  context.lineWidth = 1.5 * width;
  TRAILED.forEach((joint, i) => {
    context.strokeStyle = colour(joint, joint);
    for (let t = 1; t < trail.length; t++) {
      context.globalAlpha = t / trail.length;
      line(context, trail[t - 1][i], trail[t][i], scale);
    }
  });
  context.globalAlpha = 1;
}

function line(context, from, to, scale) {
  context.beginPath();
  context.moveTo(from[0] * scale, from[1] * scale);
  context.lineTo(to[0] * scale, to[1] * scale);
  context.stroke();
}

/** Everybody seen as "person: state", or "lost". */
export const states = results => results.filter(({person}) => person !== null).map(({person, state}) => `${person}: ${state}`).join(", ") || "lost";
