"""From heatmaps to keypoints: the maximum, refined below a cell.

What takes `ops` is the same code on NumPy (the default) and on keras.ops.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np

from climb_edge.pose.boxes import SIZE
from climb_edge.pose.render import CENTRE, MASS, Array, cast, profile_of

FLOOR = 1e-10  # values are at least this under the logarithm
LEAST_DETERMINANT = 1e-12  # of the second derivatives: what is flatter is no peak
CLAMP = 1.0  # cells; the longest second-order step along an axis


def decode(heatmaps: Array, subpixel: bool = True, ops: ModuleType = np) -> tuple[Array, Array]:
    """Place and height of each map's maximum: (..., R, C, K) -> cells (..., K, 2) = (x, y), peaks
    (..., K).

    Maximum = mean over ties; an empty map gives the middle of the box and height 0. With
    `subpixel`, one second-order step on the log of the map (Zhang et al., DARK, CVPR 2020, eq. 7,
    without the blur), clamped to one cell; border cells and ties are not refined. Without, it is
    the study's decode: the first maximum, whole cells.
    """
    shape = ops.shape(heatmaps)
    rows, columns = shape[-3], shape[-2]
    maps = ops.reshape(ops.moveaxis(heatmaps, -1, -3), (*shape[:-3], shape[-1], rows * columns))
    peaks = ops.max(maps, axis=-1)
    x, y, ties = _place(maps, peaks, columns, subpixel, ops)
    if subpixel:
        step_x, step_y = _second_order_step(maps, x, y, ties, rows, columns, ops)
        x, y = x + step_x, y + step_y
    empty = peaks <= 0
    return ops.stack(
        [ops.where(empty, CENTRE, x), ops.where(empty, CENTRE, y)], axis=-1
    ), ops.maximum(peaks, 0.0)


def _place(
    maps: Array, peaks: Array, columns: int, every: bool, ops: ModuleType
) -> tuple[Array, Array, Array]:
    """Of the cells in which each map (..., K, R C) reaches its peak, `every` one or the first: mean
    x, mean y, number.
    """
    # few cells do; NumPy visits only those: the same numbers in half to a fifth of the time
    if ops is np:
        which, cell = np.divmod(np.flatnonzero(maps >= peaks[..., None]), maps.shape[-1])
        if not every:
            which, first = np.unique(which, return_index=True)
            cell = cell[first]
        ties, x, y = (
            np.bincount(which, weights, peaks.size).reshape(peaks.shape).astype(np.float32)
            for weights in (None, cell % columns, cell // columns)
        )
        return x / ties, y / ties, ties
    mask = _reached(maps, peaks[..., None], every, ops)
    ties, place = ops.sum(mask, axis=-1), np.arange(maps.shape[-1])
    x = ops.sum(mask * (place % columns).astype("float32"), axis=-1) / ties
    y = ops.sum(mask * (place // columns).astype("float32"), axis=-1) / ties
    return x, y, ties


def _reached(values: Array, peaks: Array, every: bool, ops: ModuleType) -> Array:
    """1 where values (..., N) reach their peaks (..., 1), in `every` such cell or the first alone;
    0 elsewhere.
    """
    mask = cast(values >= peaks, "float32", ops)
    return mask if every else mask * cast(ops.cumsum(mask, axis=-1) == 1, "float32", ops)


def decode_rendered(
    cells: Array,
    sigma: float | Array,
    background: float | Array,
    subpixel: bool = True,
    ops: ModuleType = np,
) -> Array:
    """What `decode` finds in maps rendered at whole cells over a background, without rendering
    them: (..., K, 2).

    cells (..., K, 2), NaN = none; sigma and background (share of the mass spread over the map)
    broadcastable to (..., K). A rendered map is the product of two profiles, so that its maximum is
    where theirs are.
    """
    present = ops.all(ops.isfinite(cells), axis=-1)
    whole = ops.floor(ops.clip(ops.where(ops.isfinite(cells), cells, 0.0), 0.0, SIZE - 1.0) + 0.5)
    sigma = ops.ones_like(whole[..., 0]) * sigma
    profiles = [profile_of(whole[..., axis], sigma, ops) for axis in (0, 1)]
    places, alone = [], True
    for profile in profiles:
        mask = _reached(profile, ops.max(profile, axis=-1, keepdims=True), subpixel, ops)
        ties = ops.sum(mask, axis=-1)
        places.append(ops.sum(mask * np.arange(SIZE, dtype=np.float32), axis=-1) / ties)
        alone = (ties == 1) & alone
    x, y = places
    if subpixel:
        inside = alone & (x >= 1) & (x <= SIZE - 2) & (y >= 1) & (y <= SIZE - 2)
        columns, rows = (
            ops.take_along_axis(
                p,
                cast(ops.where(inside, place, 1.0), "int32", ops)[..., None] + np.array([-1, 0, 1]),
                -1,
            )
            for p, place in ((profiles[0], x), (profiles[1], y))
        )
        background = (ops.ones_like(x) * background)[..., None, None]
        near = rows[..., :, None] * columns[..., None, :] * (1 - background) + background / SIZE**2
        step_x, step_y = _step(ops.reshape(MASS * near, (*ops.shape(x), 9)), inside, ops)
        x, y = x + step_x, y + step_y
    return ops.where(present[..., None], ops.stack([x, y], axis=-1), CENTRE)


def _second_order_step(
    maps: Array, x: Array, y: Array, ties: Array, rows: int, columns: int, ops: ModuleType
) -> tuple[Array, Array]:
    """The step at the maximum of each map (..., K, R C); 0 at borders and ties."""
    inside = (ties == 1) & (x >= 1) & (x <= columns - 2) & (y >= 1) & (y <= rows - 2)
    cell = ops.where(inside, y * columns + x, columns + 1.0)
    around = np.array([[-1, 0, 1]], np.int32) + columns * np.array([[-1], [0], [1]], np.int32)
    index = cast(cell, "int32", ops)[..., None] + around.reshape(9)
    return _step(ops.take_along_axis(maps, index, axis=-1), inside, ops)


def _step(near: Array, inside: Array, ops: ModuleType) -> tuple[Array, Array]:
    """-H^-1 g of the log of the nine values (..., 9) around a maximum, row by row; 0 where H is not
    a peak's.
    """
    near = ops.log(ops.maximum(near, FLOOR))
    nw, n, ne, w, c, e, sw, s, se = (near[..., i] for i in range(9))
    gx, gy = (e - w) / 2, (s - n) / 2
    hxx, hyy, hxy = e - 2 * c + w, s - 2 * c + n, (se - sw - ne + nw) / 4
    determinant = hxx * hyy - hxy * hxy
    peaked = inside & (hxx < 0) & (determinant > LEAST_DETERMINANT)
    safe = ops.where(peaked, determinant, 1.0)
    step_x = ops.where(peaked, (hxy * gy - hyy * gx) / safe, 0.0)
    step_y = ops.where(peaked, (hxy * gx - hxx * gy) / safe, 0.0)
    return ops.clip(step_x, -CLAMP, CLAMP), ops.clip(step_y, -CLAMP, CLAMP)


def both_decodes(emitted: np.ndarray) -> np.ndarray:
    """Heatmaps (T, 56, 56, 25) -> (2, T, 25, 2): DARK, and the study's argmax. Keypoints (T, 25, 2
    or 3) are both.
    """
    if emitted.ndim == 3:
        return np.stack([emitted[..., :2]] * 2)
    return np.stack([decode(emitted)[0], decode(emitted, subpixel=False)[0]])
