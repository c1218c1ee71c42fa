"""From keypoints to heatmaps: normalise, render, warp into a box.

Layout is (..., rows, columns, keypoints); row = y, column = x. What takes `ops` is the same code on
NumPy (the default) and on keras.ops, so that training, files and streams cannot drift apart.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import cv2
import numpy as np

from climb_edge.pose.boxes import SIZE, compose, invert

Array = Any  # NumPy's, or a tensor of the backend that keras.ops runs on
MASS = 255.0  # every heatmap of an input or a target sums to this, or is all zero
# 40.6: height of a target's peak, a Gaussian of sigma 1 that sums to MASS
PEAK = MASS / (2 * np.pi)
CENTRE = SIZE / 2  # where an empty map decodes to: the middle of the box


def normalise(heatmaps: Array, ops: ModuleType = np) -> Array:
    """Negatives to 0, then every map of (..., R, C, K) scaled to sum to 255; an all-zero map stays
    zero.
    """
    heatmaps = ops.maximum(heatmaps, 0.0)
    total = ops.sum(heatmaps, axis=(-3, -2), keepdims=True)
    return heatmaps * ops.where(total > 0, MASS / ops.where(total > 0, total, 1.0), 0.0)


def to_cells(points: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Image pixels (..., 2) to heatmap cells over `box` (..., 4): u = (X - x0) 56 / (x1 - x0), not
    rounded.
    """
    box = np.asarray(box, np.float64)
    return (np.asarray(points, np.float64) - box[..., :2]) * SIZE / (box[..., 2:] - box[..., :2])


def to_pixels(cells: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The inverse of `to_cells`."""
    box = np.asarray(box, np.float64)
    return box[..., :2] + np.asarray(cells, np.float64) * (box[..., 2:] - box[..., :2]) / SIZE


def render(
    cells: Array, sigma: float | Array = 1.0, subcell: bool = False, ops: ModuleType = np
) -> Array:
    """Heatmaps (..., 56, 56, K) of mass 255 around cells (..., K, 2) = (x, y); a NaN keypoint gives
    an all-zero map.

    A unit impulse in one cell after a Gaussian filter that is cut at 4 sigma and reflects at the
    borders: it is separable, so each map is the outer product of two profiles. A keypoint outside
    the box goes to the closest border cell. The study rounds to whole cells; `subcell` keeps the
    exact place. `sigma`: a number or broadcastable to (..., K).
    """
    present = ops.all(ops.isfinite(cells), axis=-1)
    cells = ops.clip(ops.where(ops.isfinite(cells), cells, 0.0), 0.0, SIZE - 1.0)
    if not subcell:
        cells = ops.floor(cells + 0.5)
    sigma = ops.ones_like(cells[..., 0]) * sigma
    mass = MASS * cast(present, "float32", ops)
    rows = profile_of(cells[..., 1], sigma, ops) * mass[..., None]
    columns = profile_of(cells[..., 0], sigma, ops)
    return (
        ops.swapaxes(rows, -1, -2)[..., :, None, :] * ops.swapaxes(columns, -1, -2)[..., None, :, :]
    )


def profile_of(centre: Array, sigma: Array, ops: ModuleType) -> Array:
    """Filtered impulse along one axis: (..., K) centres -> (..., K, 56), summing to 1; its mirror
    images are added.
    """
    grid = np.arange(SIZE, dtype=np.float32)
    centre, sigma = centre[..., None], sigma[..., None]
    radius = ops.floor(4 * sigma + 0.5)

    def kernel(distance: Array) -> Array:
        return ops.where(ops.abs(distance) <= radius, ops.exp(-0.5 * (distance / sigma) ** 2), 0.0)

    profile = (
        kernel(grid - centre) + kernel(grid + 1 + centre) + kernel(grid - (2 * SIZE - 1 - centre))
    )
    return profile / ops.sum(profile, axis=-1, keepdims=True)


def warp(native: np.ndarray, affine: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """Sample a native map (H, W, K) on the 56 x 56 grid of `frame`, bilinear, zero outside;
    float32.

    `affine` (2, 3) maps native cells to image pixels, `frame` (2, 3) the grid's cells to image
    pixels: `box_affine` of a box. The map is sampled once, whatever crop rotation, crop scale and
    box there are.
    """
    cells = compose(invert(affine), frame)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(native.astype(np.float32, copy=False), cells, (SIZE, SIZE), flags=flags)


def cast(values: Array, dtype: str, ops: ModuleType = np) -> Array:
    """`values` as `dtype`: the one call that NumPy and keras.ops spell differently."""
    return values.astype(dtype) if ops is np else ops.cast(values, dtype)
