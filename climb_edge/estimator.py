"""What an estimator says of one person in one frame, and what counts as an estimator."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from climb_edge.arrays import expect_shape, read_npz
from climb_edge.boxes import box_affine, extent, transform
from climb_edge.heatmaps import SIZE, decode
from climb_edge.skeleton import K
from climb_edge.video import Frame


@dataclass(frozen=True)
class Observation:
    """One person in one frame, before any refining."""

    native: np.ndarray  # (H, W, 25) float32: the estimator's own map, values 0..1
    affine: np.ndarray  # (2, 3): native cells -> image pixels
    keypoints: np.ndarray  # (25, 3): x, y in image pixels decoded from `native`, and its peak height 0..1
    bbox: np.ndarray  # (4,): extent of the keypoints, image pixels
    person: int = 0  # the same number for the same track
    score: float = 1.0  # the estimator's confidence that somebody is there
    landmarks: np.ndarray | None = None  # (25, 2) image pixels from a regression head, where the estimator has one
    box: np.ndarray | None = None  # (4,) image pixels: the person's box that the estimator itself works in, if any

    @property
    def peaks(self) -> np.ndarray:
        """(25,) height of each native map."""
        return self.keypoints[:, 2]

    @classmethod
    def of(cls, native: np.ndarray, affine: np.ndarray, **rest) -> Observation:
        """Decode a native map (H, W, 25) and keep everything that follows from it.

        A keypoint's map with a value that is no number shows nothing: it becomes zero, and no later frame sees it.
        """
        if not np.isfinite(native.sum((0, 1))).all():
            native = np.where(np.isfinite(native).all((0, 1)), native, np.float32(0))
        cells, peaks = decode(native)
        points = transform(affine, cells)
        keypoints = np.concatenate([points, np.clip(peaks, 0, 1)[:, None]], axis=1).astype(np.float32)
        return cls(native, affine, keypoints, extent(points), **rest)


class Estimator(Protocol):
    """Anything that turns frames, in order, into observations; `reset` before frames of another source."""

    name: str

    def __call__(self, frame: Frame) -> list[Observation]: ...

    def reset(self) -> None: ...


def load_estimator(
    spec: str, weights: str | Path | None = None, people: int = 1, threads: int | None = None
) -> Estimator:
    """BlazePose `lite`, `full` or `heavy`, with its weights from a folder where one is named; or heatmaps, a file.npz."""
    if spec.endswith(".npz"):
        return HeatmapFile(spec)
    from climb_edge.blazepose import BlazePose  # late: it needs this module

    return BlazePose(spec, weights, people, threads)


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


class HeatmapFile:
    """Somebody's own heatmaps as an estimator: an .npz with `bboxes` (N, 4) and `heatmaps` (N, 25, 56, 56).

    This is the layout of the study's inputs: box x0, y0, x1, y1 in image pixels; row = y; negatives allowed. A box of
    zero width or height, or a map that is not finite, is a frame without a person.
    """

    def __init__(self, path: str | Path):
        arrays = read_npz(path, {"bboxes": "fiu", "heatmaps": "f"}, "heatmaps of an estimator (.npz)")
        expect_shape(path, "heatmaps", arrays["heatmaps"], ("N", K, SIZE, SIZE))
        expect_shape(path, "bboxes", arrays["bboxes"], (len(arrays["heatmaps"]), 4))
        self.name = Path(path).name
        self._bboxes, self._heatmaps = arrays["bboxes"].astype(np.float64), arrays["heatmaps"]
        # Heights are a probability for BlazePose; other maps are brought to 0..1 by the file's own maximum.
        # Frame by frame: a file may fill half the memory.
        self._top = max((float(m.max(initial=0)) for m in self._heatmaps if np.isfinite(m).all()), default=0.0)

    def __call__(self, frame: Frame) -> list[Observation]:
        if frame.index >= len(self._heatmaps):
            return []
        box, maps = self._bboxes[frame.index], self._heatmaps[frame.index]
        if not (np.isfinite(box).all() and np.isfinite(maps).all() and (box[2:] > box[:2]).all()):
            return []
        native = np.maximum(np.moveaxis(maps, 0, -1), 0).astype(np.float32) / max(self._top, 1.0)
        return [Observation.of(np.ascontiguousarray(native), box_affine(box), box=box)]

    def reset(self) -> None:
        """Nothing to forget: frames are looked up by their number."""
