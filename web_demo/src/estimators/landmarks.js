// BlazePose's landmark model: landmarks and heatmaps of one region.

import {sigmoid} from "./detector.js";
import {crop} from "./region.js";

export const CROP_SIDE = 256, GRID = 64, COUNT = 39;
const REACH = 3; // cells around a landmark, to either side

export class LandmarkModel {
  constructor(graph) {
    this.graph = graph;
  }

  /** {score, landmarks: 39 x [x, y] in crop pixels, heatmaps (64, 64, 39) in 0..1} of a crop (256, 256, 3). */
  async see(cropped) {
    const outputs = await this.graph.run([cropped]), rows = outputs.get(COUNT * 5);
    const landmarks = Float64Array.from({length: 2 * COUNT}, (_, i) => rows[5 * (i >> 1) + i % 2]);
    return {score: outputs.get(1)[0], landmarks, heatmaps: outputs.get(GRID * GRID * COUNT).map(sigmoid)};
  }
}

/** The region's pixels as this model takes them. */
export const cropFor = (picture, region) => crop(picture, region, CROP_SIDE, true, 1 / 255);

/** Landmarks moved to the centre of mass of their heatmap in 7 x 7 cells around, where that reaches 0.5. */
export function refineLandmarks(landmarks, heatmaps) {
  const refined = Float64Array.from(landmarks);
  for (let n = 0; n < COUNT; n++) {
    const column = Math.trunc(landmarks[2 * n] * GRID / CROP_SIDE), row = Math.trunc(landmarks[2 * n + 1] * GRID / CROP_SIDE);
    if (!(column >= 0 && column < GRID && row >= 0 && row < GRID)) continue;
    let top = 0, total = 0, x = 0, y = 0;
    for (let r = Math.max(row - REACH, 0); r <= Math.min(row + REACH, GRID - 1); r++) {
      for (let c = Math.max(column - REACH, 0); c <= Math.min(column + REACH, GRID - 1); c++) {
        const value = heatmaps[(r * GRID + c) * COUNT + n];
        top = Math.max(top, value);
        total += value;
        x += value * c;
        y += value * r;
      }
    }
    if (top >= 0.5) refined.set([x / total * CROP_SIDE / GRID, y / total * CROP_SIDE / GRID], 2 * n);
  }
  return refined;
}
