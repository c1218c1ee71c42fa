// A One-Euro filter (Casiez et al., CHI 2012) of the two points that a region follows; speeds in region sides a second.

const MIN_CUTOFF = 0.01, SPEED_GAIN = 10, SPEED_CUTOFF = 1;

export class Steady {
  #time = null;

  /** Hip centre and rim [x, y, x, y] in image pixels at `time` (seconds, increasing) -> the same, steadied. */
  next(points, time) {
    if (this.#time === null) {
      this.smooth = points;
      this.speed = points.map(() => 0);
    } else {
      const rate = 1 / Math.max(time - this.#time, 1e-3);
      const side = Math.max(2 * Math.hypot(points[2] - points[0], points[3] - points[1]), 1);
      const share = cutoff => 1 / (1 + rate / (2 * Math.PI * cutoff));
      this.speed = this.speed.map((old, i) => old + ((points[i] - this.raw[i]) * rate / side - old) * share(SPEED_CUTOFF));
      this.smooth = this.smooth.map((old, i) => old + (points[i] - old) * share(MIN_CUTOFF + SPEED_GAIN * Math.abs(this.speed[i])));
    }
    this.#time = time;
    this.raw = points;
    return this.smooth;
  }
}
