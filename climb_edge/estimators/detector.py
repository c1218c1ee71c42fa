"""BlazePose's detector: a whole frame in, the regions of the bodies in it out."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from climb_edge.estimators.region import DETECTOR_SIDE, Region
from climb_edge.pose.boxes import transform
from climb_edge.runtime.session import Session

MIN_SCORE = 0.5  # of a detection, and of a tracked person
NMS_OVERLAP = 0.3


def anchors() -> np.ndarray:
    """(2254, 2) centres of the detector's SSD anchors, in 0..1; all anchors have unit size."""
    rows = []
    # the three layers of stride 32 share their cells
    for stride, per_cell in ((8, 2), (16, 2), (32, 6)):
        n = DETECTOR_SIDE // stride
        y, x = np.mgrid[:n, :n]
        centres = (np.stack([x, y], axis=-1).reshape(-1, 2) + 0.5) / n
        rows.append(np.repeat(centres, per_cell, axis=0))
    return np.concatenate(rows)


class Detector:
    """Finds bodies in a whole frame."""

    def __init__(self, path: Path, threads: int | None = None):
        self._session = Session(path, threads)
        self._anchors = anchors()
        self._boxes = self._session.output((1, len(self._anchors), 12))
        self._logits = self._session.output((1, len(self._anchors), 1))

    def __call__(self, image: np.ndarray) -> list[Region]:
        """Regions of the bodies in an RGB image (H, W, 3), best first."""
        height, width = image.shape[:2]
        whole = Region(width / 2, height / 2, max(width, height))
        crop = whole.crop(image, DETECTOR_SIDE, cv2.BORDER_CONSTANT)
        outputs = self._session.run((crop[None].astype(np.float32) / 127.5) - 1)
        score = sigmoid(outputs[self._logits][0, :, 0])
        keep = np.flatnonzero(score >= MIN_SCORE)
        keep = keep[np.argsort(-score[keep], kind="stable")]
        raw = outputs[self._boxes][0, keep].astype(np.float64) / DETECTOR_SIDE
        raw = raw.reshape(-1, 6, 2)  # centre, size, four keypoints
        raw[:, [0, 2, 3, 4, 5]] += self._anchors[keep][:, None]
        merged = _weighted_suppression(raw, score[keep])
        affine = whole.affine(DETECTOR_SIDE)
        regions = (Region.around(*transform(affine, body[2:4] * DETECTOR_SIDE)) for body in merged)
        return [r for r in regions if r is not None]


def _weighted_suppression(bodies: np.ndarray, scores: np.ndarray) -> list[np.ndarray]:
    """Merge overlapping (n, 6, 2) bodies, best first: each group becomes its score-weighted
    mean.
    """
    low, high = bodies[:, 0] - bodies[:, 1] / 2, bodies[:, 0] + bodies[:, 1] / 2
    area = np.prod(np.maximum(high - low, 0), axis=1)
    left, merged = np.arange(len(bodies)), []
    while len(left):
        best = left[0]
        inner = np.prod(
            np.maximum(np.minimum(high[left], high[best]) - np.maximum(low[left], low[best]), 0),
            axis=1,
        )
        union = area[left] + area[best] - inner
        same = (inner > NMS_OVERLAP * union) | (left == best)
        merged.append(np.average(bodies[left[same]], axis=0, weights=scores[left[same]]))
        left = left[~same]
    return merged


def sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(logits, -60, 60)))
