// A region: a rotated square of the picture, and its pixels. Crop pixel p of `size` lies at the edge + p side / size.

const GROW = 1.25;

/** {x, y, side, angle}: centre and side in image pixels, angle in radians, clockwise on the screen. */
export const wholePicture = ({width, height}) => ({x: width / 2, y: height / 2, side: Math.max(width, height), angle: 0});

/** The region of a body from its hip centre and a point on the circle around it; null where they are no body. */
export function regionAround([x, y], [rimX, rimY]) {
  const dx = rimX - x, dy = rimY - y, radius = Math.hypot(dx, dy), turn = 2 * Math.PI;
  if (!Number.isFinite(radius) || radius < 1) return null;
  const angle = Math.PI / 2 - Math.atan2(-dy, dx) + Math.PI;
  return {x, y, side: 2 * radius * GROW, angle: angle - turn * Math.floor(angle / turn) - Math.PI};
}

/** Affine from pixels of a `size` x `size` crop to image pixels. */
export function cropAffine({x, y, side, angle}, size) {
  const c = Math.cos(angle) * side / size, s = Math.sin(angle) * side / size, half = size / 2;
  return [c, -s, x - c * half + s * half, s, c, y - s * half - c * half];
}

/**
 * The region of a picture {data RGBA, width, height} as (size, size, 3) of v * scale + shift, bilinear; v whole, 0..255.
 * Beyond the picture's edge its border goes on where `replicate`, else there is black. Places are computed in single
 * precision and in OpenCV's order, since a crop that is a level brighter here and there moves keypoints by pixels.
 */
export function crop({data, width, height}, region, size, replicate, scale, shift = 0) {
  const [a, b, c, d, e, f] = cropAffine(region, size).map(Math.fround), {fround, floor} = Math;
  const out = new Float32Array(size * size * 3);
  const weight = (at, sides) => replicate || at >= 0 && at < sides ? 1 : 0;
  for (let y = 0, to = 0; y < size; y++) {
    const beginX = fround(fround(b * y) + c), beginY = fround(fround(e * y) + f);
    for (let x = 0; x < size; x++) {
      const X = fround(a * x + beginX), Y = fround(d * x + beginY), column = floor(X), row = floor(Y);
      const right = fround(X - column), lower = fround(Y - row);
      const x0 = 4 * clamp(column, width - 1), x1 = 4 * clamp(column + 1, width - 1);
      const y0 = 4 * width * clamp(row, height - 1), y1 = 4 * width * clamp(row + 1, height - 1);
      const w0 = weight(column, width), w1 = weight(column + 1, width), h0 = weight(row, height), h1 = weight(row + 1, height);
      for (let i = 0; i < 3; i++) {
        const nw = data[y0 + x0 + i] * w0 * h0, ne = data[y0 + x1 + i] * w1 * h0;
        const sw = data[y1 + x0 + i] * w0 * h1, se = data[y1 + x1 + i] * w1 * h1;
        const upper = fround(right * (ne - nw) + nw), below = fround(right * (se - sw) + sw);
        out[to++] = rounded(fround(lower * fround(below - upper) + upper)) * scale + shift;
      }
    }
  }
  return out;
}

const clamp = (v, top) => v < 0 ? 0 : v > top ? top : v;

/** To the nearest whole number, halves to the even one. */
function rounded(v) {
  const near = Math.floor(v + 0.5);
  return near - v === 0.5 && near % 2 ? near - 1 : near;
}
