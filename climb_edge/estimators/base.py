"""What an estimator says of one person in one frame, and what counts as an estimator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from climb_edge.media.frame import Frame
from climb_edge.pose.boxes import extent, transform
from climb_edge.pose.decode import decode


@dataclass(frozen=True)
class Observation:
    """One person in one frame, before any refining."""

    native: np.ndarray  # (H, W, 25) float32: the estimator's own map, values 0..1
    affine: np.ndarray  # (2, 3): native cells -> image pixels
    # (25, 3): x, y in image pixels decoded from `native`, and its peak height 0..1
    keypoints: np.ndarray
    bbox: np.ndarray  # (4,): extent of the keypoints, image pixels
    person: int = 0  # the same number for the same track
    score: float = 1.0  # the estimator's confidence that somebody is there
    # (25, 2) image pixels from a regression head, where the estimator has one
    landmarks: np.ndarray | None = None
    # (4,) image pixels: the person's box that the estimator itself works in, if any
    box: np.ndarray | None = None

    @property
    def peaks(self) -> np.ndarray:
        """(25,) height of each native map."""
        return self.keypoints[:, 2]

    @classmethod
    def of(cls, native: np.ndarray, affine: np.ndarray, **rest: Any) -> Observation:
        """Decode a native map (H, W, 25) and keep everything that follows from it.

        A keypoint's map with a value that is no number shows nothing: it becomes zero, and no later
        frame sees it.
        """
        if not np.isfinite(native.sum((0, 1))).all():
            native = np.where(np.isfinite(native).all((0, 1)), native, np.float32(0))
        cells, peaks = decode(native)
        points = transform(affine, cells)
        keypoints = np.concatenate([points, np.clip(peaks, 0, 1)[:, None]], axis=1).astype(
            np.float32
        )
        return cls(native, affine, keypoints, extent(points), **rest)


class Estimator(Protocol):
    """Anything that turns frames, in order, into observations; `reset` before frames of another
    source.
    """

    name: str

    def __call__(self, frame: Frame) -> list[Observation]: ...

    def reset(self) -> None: ...


class Shared:
    """One estimator for several streams: what it said of a frame is kept until the next one."""

    def __init__(self, estimator: Estimator):
        self.name, self._estimator = estimator.name, estimator
        self._frame: Frame | None = None

    def __call__(self, frame: Frame) -> list[Observation]:
        if frame is not self._frame:
            self._said, self._frame = self._estimator(frame), frame
        return self._said

    def reset(self) -> None:
        self._estimator.reset()
        self._frame = None
