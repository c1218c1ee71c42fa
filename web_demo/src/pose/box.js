// Boxes and affines. A box is [x0, y0, x1, y1] in image pixels; cell u of 56 lies at x0 + u (x1 - x0) / 56.
// An affine is [a, b, c, d, e, f]: x' = a x + b y + c, y' = d x + e y + f.

export const SIZE = 56; // cells per side of a heatmap
export const STICKY = {grow: 0.25, outer: 0.08, shrunk: 0.5};
export const LEAST = 4; // pixels a side, so that a pose seen edge-on still spans a grid

/** Smallest box around the finite points x, y, ... of `points`, `stride` numbers each; NaN where there is none. */
export function extent(points, stride = 2) {
  let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < points.length; i += stride) {
    const x = points[i], y = points[i + 1];
    if (!Number.isFinite(x) || !Number.isFinite(y)) continue;
    x0 = Math.min(x0, x); y0 = Math.min(y0, y); x1 = Math.max(x1, x); y1 = Math.max(y1, y);
  }
  return x0 <= x1 ? [x0, y0, x1, y1] : [NaN, NaN, NaN, NaN];
}

/** The pose's extent, squared, longer by `grow`. */
export function poseBox(points, stride = 2, grow = STICKY.grow) {
  const [x0, y0, x1, y1] = extent(points, stride);
  const half = Math.max(x1 - x0, y1 - y0, LEAST) * (1 + grow) / 2, x = (x0 + x1) / 2, y = (y0 + y1) / 2;
  return [x - half, y - half, x + half, y + half];
}

/** The box for a pose, given the one held so far (or null): held until a keypoint enters its rim or the pose shrinks. */
export function updateBox(box, points, stride = 2, rule = STICKY) {
  return box === null || mustMove(box, points, stride, rule) ? poseBox(points, stride, rule.grow) : box;
}

function mustMove(box, points, stride, {outer, shrunk}) {
  const pose = extent(points, stride), width = box[2] - box[0], height = box[3] - box[1];
  if (!pose.every(Number.isFinite)) return false;
  return pose[0] < box[0] + outer * width || pose[1] < box[1] + outer * height
    || pose[2] > box[2] - outer * width || pose[3] > box[3] - outer * height
    || Math.max(pose[2] - pose[0], pose[3] - pose[1]) < shrunk * Math.max(width, height);
}

/** Intersection over union of two boxes, 0..1. */
export function overlap(a, b) {
  const area = ([x0, y0, x1, y1]) => (x1 - x0) * (y1 - y0);
  const inner = Math.max(Math.min(a[2], b[2]) - Math.max(a[0], b[0]), 0)
    * Math.max(Math.min(a[3], b[3]) - Math.max(a[1], b[1]), 0);
  const union = area(a) + area(b) - inner;
  return union > 0 ? inner / union : 0;
}

/** Affine from cells of a `size` x `size` grid over `box` to image pixels. */
export const boxAffine = ([x0, y0, x1, y1], size = SIZE) => [(x1 - x0) / size, 0, x0, 0, (y1 - y0) / size, y0];

/** The affine that applies `inner` first and `outer` after it. */
export function compose([a, b, c, d, e, f], [p, q, r, s, t, u]) {
  return [a * p + b * s, a * q + b * t, a * r + b * u + c, d * p + e * s, d * q + e * t, d * r + e * u + f];
}

export function invert([a, b, c, d, e, f]) {
  const n = 1 / (a * e - b * d), [A, B, D, E] = [e * n, -b * n, -d * n, a * n];
  return [A, B, -(A * c + B * f), D, E, -(D * c + E * f)];
}

export const transform = ([a, b, c, d, e, f], x, y) => [a * x + b * y + c, d * x + e * y + f];

/** Keypoints (25 x [x, y, score]) with x and y sent through `affine`; the scores as they are. */
export function moveKeypoints(affine, keypoints) {
  const moved = new Float64Array(keypoints.length);
  for (let i = 0; i < keypoints.length; i += 3) {
    [moved[i], moved[i + 1]] = transform(affine, keypoints[i], keypoints[i + 1]);
    moved[i + 2] = keypoints[i + 2];
  }
  return moved;
}
