"""BlazePose's landmark model: one region in, landmarks and heatmaps out."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from climb_edge.estimators.detector import sigmoid
from climb_edge.estimators.region import CROP_SIDE, GRID, Region
from climb_edge.runtime.session import Session
from climb_edge.runtime.trim import trimmed


class LandmarkModel:
    """Landmarks and heatmaps of one region."""

    def __init__(self, path: Path, threads: int | None = None):
        # not the mask of the body, which takes a third of the time
        shapes = (1, 195), (1, 1), (1, GRID, GRID, 39)
        self._session = Session(trimmed(path.read_bytes(), shapes), threads, path)
        self._landmarks, self._score, self._maps = map(self._session.output, shapes)

    def __call__(self, image: np.ndarray, region: Region) -> tuple[float, np.ndarray, np.ndarray]:
        """(score, landmarks (39, 2) in crop pixels, heatmaps (64, 64, 39) in 0..1) of an RGB image
        (H, W, 3).
        """
        crop = region.crop(image, CROP_SIDE, cv2.BORDER_REPLICATE)
        outputs = self._session.run(crop[None].astype(np.float32) / 255)
        landmarks = outputs[self._landmarks].reshape(39, 5)[:, :2].astype(np.float64)
        return float(outputs[self._score].item()), landmarks, sigmoid(outputs[self._maps][0])


def refine_landmarks(landmarks: np.ndarray, heatmaps: np.ndarray) -> np.ndarray:
    """Landmarks (N, 2) in crop pixels moved to the centre of mass of their heatmap (64, 64, N) in 7
    x 7 cells around.

    As MediaPipe does before it projects landmarks: only where the neighbourhood reaches 0.5.
    """
    column, row = (landmarks * (GRID / CROP_SIDE)).astype(int).T
    near = np.arange(-3, 4)
    columns, rows = column[:, None] + near, row[:, None] + near
    inside = [(places >= 0) & (places < GRID) for places in (columns, rows)]
    columns, rows = (np.clip(places, 0, GRID - 1) for places in (columns, rows))
    patch = heatmaps[rows[:, :, None], columns[:, None], np.arange(len(landmarks))[:, None, None]]
    patch = np.where(inside[1][:, :, None] & inside[0][:, None], patch, 0)  # (N, 7, 7)
    sure = inside[0][:, 3] & inside[1][:, 3] & (patch.max((1, 2)) >= 0.5)
    total = np.where(sure, patch.sum((1, 2)), 1)
    centre = (
        np.stack([(patch.sum(1) * columns).sum(1), (patch.sum(2) * rows).sum(1)], axis=-1)
        / total[:, None]
    )
    return np.where(sure[:, None], centre * (CROP_SIDE / GRID), landmarks)
