"""Simulated windows: true keypoints through a noise model, rendered as heatmaps."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.evaluation.pck import torso
from climb_edge.files.clips import ClipSet
from climb_edge.pose.boxes import STICKY, STUDY, pose_box
from climb_edge.pose.layout import WINDOW
from climb_edge.pose.render import SIZE, to_cells
from train.config import Augmentation
from train.data.augment import Change, change_of
from train.data.windows import Window
from train.noise.simulators import Noise


@dataclass(eq=False)
class RenderedWindows:
    """Windows over clips of keypoints, with inputs from a noise model: pretraining, and seeded
    parity clips.

    `box` says what a window is seen in. `sticky`: one square box for the window, as a stream would
    hold it. `frame`: the study's, the extent of each frame's visible keypoints grown by 10 %, its
    rounded sides stretched to 55 cells. Raises ClimbEdgeError when no clip is long enough.
    """

    clips: ClipSet
    noise: Noise
    seed: int = 0
    box: str = STICKY.name
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self):
        clips, self.span = self.clips, (WINDOW - 1) * self.noise.skip + 1
        lengths = np.maximum(np.diff(clips.offsets) - self.span + 1, 0)
        self.clip = np.repeat(np.arange(len(clips)), lengths)
        self.position = np.concatenate([np.arange(n) for n in lengths])
        self._points = clips.keypoints
        # what is hidden does not count, neither for the box nor as truth
        if self.box == STUDY.name:
            self._points = np.where(clips.visible[..., None] > 0, clips.keypoints, np.nan)
        self._in_frame = _study_cells(self._points) if self.box == STUDY.name else None
        seen = np.concatenate([[0], np.cumsum(np.isfinite(clips.keypoints).all(-1).any(-1))])
        start = clips.offsets[self.clip] + self.position
        usable = seen[start + self.span] - seen[start] == self.span
        self.clip, self.position = self.clip[usable], self.position[usable]
        if not len(self):
            raise ClimbEdgeError(
                f"{clips.source}: no clip has {self.span} frames in a row with a keypoint; windows"
                f" need {WINDOW}"
            )

    @property
    def rate(self) -> float | None:
        """Frames a second within a window: a noise that takes every other frame halves its
        clips'.
        """
        return self.clips.rate and self.clips.rate / self.noise.skip

    @property
    def inputs_from(self) -> str:
        """Where the inputs come from, as metrics and headings say it."""
        return f"simulated by {self.noise.name}"

    def __len__(self) -> int:
        return len(self.clip)

    def window(self, index: int, epoch: int = 0, maps: bool = True) -> Window:
        """Window `index` as epoch `epoch` sees it. `maps` changes nothing: they are
        rendered later.
        """
        rng = np.random.default_rng((self.seed, epoch, index))
        change = (
            change_of(self.augmentation, self.seed, epoch, index) if self.augmentation else Change()
        )
        first, end = (
            self.clips.offsets[self.clip[index]] + self.position[index],
            self.clips.offsets[self.clip[index] + 1],
        )
        fastest = (end - 1 - first) // (self.span - 1)  # what the clip has frames for
        rows = first + np.arange(WINDOW) * self.noise.skip * min(change.faster, fastest)
        rows = rows[change.frames]
        cells = self._cells(rows, change, rng)[:, change.order]
        sizes = torso(cells)
        size = float(np.nanmean(sizes)) if np.isfinite(sizes).any() else np.nan
        cells = cells + (change.displaced * np.nan_to_num(size)).astype(np.float32)
        drawn = self.noise(cells, size, rng)
        points = np.concatenate([drawn.cells, drawn.peak[..., None]], axis=-1)
        points[change.hidden] = np.nan
        given = {"points": points, "sigma": drawn.sigma, "background": drawn.background}
        weight = np.isfinite(cells).all(-1).astype(np.float32)
        if self.clips.weight is not None:
            weight = weight * self.clips.weight[rows][:, change.order]
        return Window(given, cells, weight)

    def _cells(self, rows: np.ndarray, change: Change, rng: np.random.Generator) -> np.ndarray:
        """True keypoints (5, 25, 2) float32 in the window's frame of reference."""
        if self._in_frame is not None and change == Change():
            return self._in_frame[rows]
        points = self._points[rows]
        if change != Change():
            middle = np.nanmean(points, axis=(0, 1))
            points = (points - middle) @ change.turn.T + middle
        if self.box == STUDY.name:
            return _study_cells(points)
        box = _jittered(pose_box(points), rng)
        middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2 * change.scale
        middle = middle + 2 * half * change.shift
        return to_cells(points, np.concatenate([middle - half, middle + half])).astype(np.float32)


def _study_cells(points: np.ndarray) -> np.ndarray:
    """Keypoints (T, 25, 2) in cells of each frame's own box, as the study's pretraining has it;
    float32.
    """
    low, high = np.fmin.reduce(points, axis=1), np.fmax.reduce(points, axis=1)
    grow = (high - low) * STUDY.grow / 2
    side = np.maximum(np.round(high - low + 2 * grow), 1)
    return ((points - (low - grow)[:, None]) * ((SIZE - 1) / side)[:, None]).astype(np.float32)


def _jittered(box: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A box as a stream would hold it: not centred, and up to a fifth larger."""
    side = box[2:] - box[:2]
    grown = side * rng.uniform(1.0, 1.2)
    centre = (box[:2] + box[2:]) / 2 + rng.uniform(-0.5, 0.5, 2) * (grown - side + 0.1 * side)
    return np.concatenate([centre - grown / 2, centre + grown / 2])
