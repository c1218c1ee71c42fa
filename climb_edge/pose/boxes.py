"""Boxes: the frame of reference in which heatmaps live, and the affine maps between grids and
pixels.

A box is (x0, y0, x1, y1) in image pixels. Cell u of a heatmap of `SIZE` cells lies at x0 + u (x1 -
x0) / SIZE. An affine is a (2, 3) matrix A with pixel = A @ (x, y, 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SIZE = 56  # cells per side of a heatmap
GROW = 0.25  # how much longer than the pose's extent the box's side is
OUTER = 0.08  # a keypoint in this outer share of the box moves the box
SHRUNK = 0.5  # a pose smaller than this share of the box's side moves the box
LEAST = 4.0  # pixels a side, so that a pose seen edge-on still spans a grid


def extent(points: np.ndarray) -> np.ndarray:
    """Smallest box (4,) float64 around the finite ones of (..., 2) points; NaN where there
    is none.
    """
    points = np.asarray(points, np.float64).reshape(-1, 2)
    points = points[np.isfinite(points).all(1)]
    if not len(points):
        return np.full(4, np.nan)
    return np.concatenate([points.min(0), points.max(0)])


def pose_box(points: np.ndarray, grow: float = GROW, square: bool = True) -> np.ndarray:
    """Box (4,) around (..., 2) points in pixels: their extent, squared, each side longer by `grow`.

    At least LEAST pixels a side, before it grows.
    """
    x0, y0, x1, y1 = extent(points)
    width, height = max(x1 - x0, LEAST), max(y1 - y0, LEAST)
    if square:
        width = height = max(width, height)
    half = np.array([width, height]) * (1 + grow) / 2
    centre = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
    return np.concatenate([centre - half, centre + half])


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes (4,), 0..1."""
    inner = np.prod(np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0))
    union = np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - inner
    return float(inner / union) if union > 0 else 0.0


@dataclass(frozen=True)
class BoxRule:
    """How a stream chooses its box. `sticky` is the product's rule; `frame` is the study's: per
    frame, unsquared.
    """

    name: str = "sticky"
    grow: float = GROW
    outer: float = OUTER
    shrunk: float = SHRUNK

    @property
    def square(self) -> bool:
        return self.name != "frame"

    def update(self, box: np.ndarray | None, points: np.ndarray) -> np.ndarray:
        """The box (4,) to use for a pose of (25, 2) points, given the box held so far (or None)."""
        if self.name == "frame" or box is None or self._must_move(box, points):
            return pose_box(points, self.grow, self.square)
        return box

    def _must_move(self, box: np.ndarray, points: np.ndarray) -> bool:
        side = box[2:] - box[:2]
        pose = extent(points)
        if not np.isfinite(pose).all():
            return False
        low, high = box[:2] + self.outer * side, box[2:] - self.outer * side
        return bool(
            (pose[:2] < low).any()
            or (pose[2:] > high).any()
            or (pose[2:] - pose[:2]).max() < self.shrunk * side.max()
        )


STICKY = BoxRule()
STUDY = BoxRule("frame", grow=0.10)
RULES = {rule.name: rule for rule in (STICKY, STUDY)}


def box_affine(box: np.ndarray, size: int = SIZE) -> np.ndarray:
    """Affine (2, 3) from cells of a `size` x `size` grid over `box` to image pixels."""
    x0, y0, x1, y1 = np.asarray(box, np.float64)
    return np.array([[(x1 - x0) / size, 0, x0], [0, (y1 - y0) / size, y0]])


def compose(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """The affine (2, 3) that applies `inner` first and `outer` after it."""
    return outer @ np.vstack([inner, [0, 0, 1]])


def invert(affine: np.ndarray) -> np.ndarray:
    """The inverse of affines (..., 2, 3)."""
    linear = np.linalg.inv(affine[..., :2])
    return np.concatenate([linear, -linear @ affine[..., 2:]], axis=-1)


def transform(affine: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map (..., 2) points by an affine (2, 3), or (..., N, 2) by (..., 2, 3); the same shape,
    float64.
    """
    moved = affine[:, 2] if affine.ndim == 2 else affine[..., None, :, 2]
    return np.asarray(points, np.float64) @ np.swapaxes(affine[..., :2], -1, -2) + moved
