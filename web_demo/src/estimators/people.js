// Who is who from frame to frame: by where each body was going, and by the tracker's own hold where that is close.

import {extent, overlap} from "../pose/box.js";
import {K} from "../pose/skeleton.js";

const FORGET = 15, STAY = 0.15, NEAR = 0.5, INERTIA = 0.5; // frames, -, sides of the body's box, share of older frames

export class People {
  #known = new Map(); // number -> {points, speed, gone}
  #next = 0;

  /** Poses (25 x [x, y]) and the number that each held by tracking, or null -> the number of each, from 0. */
  name(poses, held) {
    const pairs = [];
    for (const [number, body] of this.#known) {
      poses.forEach((points, i) => {
        const apart = distance(forecast(body), points);
        if (apart <= NEAR) pairs.push([apart + (number !== held[i] ? STAY : 0), number, i]);
      });
    }
    pairs.sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]);
    const given = new Map(), taken = number => [...given.values()].includes(number);
    for (const [, number, i] of pairs) if (!given.has(i) && !taken(number)) given.set(i, number);
    poses.forEach((_, i) => {
      if (!given.has(i)) given.set(i, held[i] !== null && !taken(held[i]) ? held[i] : this.#next++);
    });
    this.#remember(given, poses);
    return poses.map((_, i) => given.get(i));
  }

  #remember(given, poses) {
    for (const body of this.#known.values()) body.gone++;
    for (const [i, number] of given) {
      const body = this.#known.get(number), points = poses[i];
      const speed = body ? body.speed.map((old, axis) => INERTIA * old + (1 - INERTIA) * moved(body, points, axis)) : [0, 0];
      this.#known.set(number, {points, speed, gone: 0});
    }
    for (const [number, body] of this.#known) if (body.gone > FORGET) this.#known.delete(number);
  }
}

const forecast = ({points, speed, gone}) => points.map((v, i) => v + speed[i % 2] * (gone + 1));

/** Pixels a frame along one axis; `gone` counts this frame already. */
function moved({points, gone}, now, axis) {
  let sum = 0;
  for (let i = axis; i < now.length; i += 2) sum += now[i] - points[i];
  return sum / K / gone;
}

/** Mean distance of two poses in sides of the box around the first; infinite where their boxes do not overlap. */
function distance(forecasted, points) {
  const box = extent(forecasted);
  if (!overlap(box, extent(points))) return Infinity;
  let sum = 0;
  for (let i = 0; i < points.length; i += 2) sum += Math.hypot(forecasted[i] - points[i], forecasted[i + 1] - points[i + 1]);
  return sum / K / Math.max(box[2] - box[0], box[3] - box[1], 1);
}
