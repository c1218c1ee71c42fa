"""Heatmaps in a file as an estimator: what somebody else's model said of a video."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from climb_edge.estimators.base import Observation
from climb_edge.files.npz import MAX_MAPS, expect_shape, read_npz
from climb_edge.media.frame import Frame
from climb_edge.pose.boxes import box_affine
from climb_edge.pose.render import SIZE
from climb_edge.pose.skeleton import K


class HeatmapFile:
    """Somebody's own heatmaps as an estimator: an .npz with `bboxes` (N, 4) and `heatmaps` (N, 25,
    56, 56).

    This is the layout of the study's inputs: box x0, y0, x1, y1 in image pixels; row = y; negatives
    allowed. A box of zero width or height, or a map that is not finite, is a frame without a
    person.
    """

    def __init__(self, path: str | Path):
        arrays = read_npz(
            path, {"bboxes": "fiu", "heatmaps": "f"}, "heatmaps of an estimator (.npz)", MAX_MAPS
        )
        expect_shape(path, "heatmaps", arrays["heatmaps"], ("N", K, SIZE, SIZE))
        expect_shape(path, "bboxes", arrays["bboxes"], (len(arrays["heatmaps"]), 4))
        self.name = Path(path).name
        self._bboxes, self._heatmaps = arrays["bboxes"].astype(np.float64), arrays["heatmaps"]
        # Heights are a probability for BlazePose; other maps are brought to 0..1 by the file's own
        # maximum. Frame by frame: a file may fill half the memory.
        self._top = max(
            (float(m.max(initial=0)) for m in self._heatmaps if np.isfinite(m).all()), default=0.0
        )

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
