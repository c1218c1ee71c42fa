"""Windows over what the frozen estimator really saw."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.estimators.recording import Recording
from climb_edge.files.clips import ClipSet
from climb_edge.pose.boxes import STICKY, STUDY, box_affine, compose, invert, transform
from climb_edge.pose.layout import WINDOW
from climb_edge.pose.render import SIZE, to_cells, warp
from climb_edge.streaming.stream import GAP, RATE
from train.config import Augmentation
from train.data.augment import Change, change_of
from train.data.windows import Window

BREAK = 4  # frames' time without a frame that no window goes over, also of a slow source


@dataclass(eq=False)
class RecordedWindows:
    """Windows over what the frozen estimator really saw, exactly as a stream would build them.

    Raises ClimbEdgeError when there is not one window.
    """

    clips: ClipSet
    recordings: list[Recording]
    box: str = STICKY.name
    seed: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)
    span = WINDOW

    def __post_init__(self):
        found = [window for c in range(len(self.clips)) for window in self._of_clip(c)]
        if not found:
            raise ClimbEdgeError(
                f"{self.clips.source}: no person was seen in {WINDOW} frames in a row; check the"
                " videos, or use a heavier --estimator"
            )
        self.clip, self.position, self._rows, self._boxes = (
            np.array(a) for a in zip(*found, strict=True)
        )
        # (frames, 25, 3) of them all
        self._seen = np.concatenate([r.keypoints for r in self.recordings])
        # row of each recording's first
        self._first = np.cumsum([0, *(len(r.keypoints) for r in self.recordings)])

    def _of_clip(self, c: int):
        """Yield (clip, first frame, rows of the recording (5,), boxes (5, 4)) of every window of
        clip `c`.
        """
        recording, length = (
            self.recordings[c],
            int(self.clips.offsets[c + 1] - self.clips.offsets[c]),
        )
        boxes, pause = recording.boxes[self.box], max(GAP, BREAK / (recording.rate or RATE))
        for person in dict.fromkeys(recording.person.tolist()):
            own = np.flatnonzero((recording.person == person) & (recording.frame < length))
            frames = recording.frame[own]
            apart = (np.diff(frames) != 1) | (np.diff(recording.times[frames]) > pause)
            for run in np.split(own, np.flatnonzero(apart) + 1):
                for i in range(len(run) - WINDOW + 1):
                    rows = run[i : i + WINDOW]
                    held = (
                        boxes[rows]
                        if self.box == STUDY.name
                        else np.repeat(boxes[rows[-1:]], WINDOW, axis=0)
                    )
                    yield c, int(recording.frame[rows[0]]), rows, held

    @property
    def rate(self) -> float | None:
        """Frames a second within a window."""
        return self.clips.rate

    @property
    def inputs_from(self) -> str:
        """Where the inputs come from, as metrics and headings say it."""
        return f"recorded by {self.recordings[0].name}"

    def __len__(self) -> int:
        return len(self.clip)

    def window(self, index: int, epoch: int = 0, maps: bool = True) -> Window:
        """Window `index` as epoch `epoch` sees it; without maps only the decoded points are
        read.
        """
        one = self.windows(np.array([index]), epoch, maps)
        return Window({name: a[0] for name, a in one.given.items()}, one.cells[0], one.weight[0])

    def windows(self, indices: np.ndarray, epoch: int = 0, maps: bool = True) -> Window:
        """The windows `indices` (B,) stacked, computed as one: window by window a small model would
        wait for its points.
        """
        clip, rows, boxes = self.clip[indices], self._rows[indices], self._boxes[indices]
        frames = (self.clips.offsets[clip] + self.position[indices])[:, None] + np.arange(WINDOW)
        truth, seen = self.clips.keypoints[frames], self._seen[self._first[clip][:, None] + rows]
        cells = to_cells(truth, boxes[:, :, None]).astype(np.float32)
        points = np.concatenate(
            [to_cells(seen[..., :2], boxes[:, :, None]), seen[..., 2:]], axis=-1
        ).astype(np.float32)
        weight = self.clips.weights(frames).astype(np.float32)
        # Two people in a video: a target far from everything the estimator saw is somebody else's.
        apart = np.where(weight > 0, np.hypot(*np.moveaxis(cells - points[..., :2], -1, 0)), np.nan)
        other = _medians(apart) > SIZE / 4
        cells[other], weight[other] = np.nan, 0
        changes = [Change()] * len(indices)
        if self.augmentation:
            changes = [change_of(self.augmentation, self.seed, epoch, int(i)) for i in indices]
            cells, points, weight = _changed(changes, cells, points, weight)
        given = {"points": points}
        if maps:
            given["maps"] = np.stack(
                [self._maps(*one) for one in zip(clip, rows, boxes, changes, strict=True)]
            )
        return Window(given, cells, weight)

    def _maps(self, clip: int, rows: np.ndarray, boxes: np.ndarray, change: Change) -> np.ndarray:
        """One window's maps (5, 56, 56, 25): native ones sampled once, in the boxes' frame of
        reference after `change`.
        """
        seen = [(self.recordings[clip].observation(int(rows[t])), boxes[t]) for t in change.frames]
        warped = np.stack(
            [warp(o.native, o.affine, compose(box_affine(box), change.cells)) for o, box in seen]
        )
        warped = warped[..., change.order] if change.mirrored else warped
        return warped * ~change.hidden[:, None, None] if change.hidden.any() else warped


def _changed(changes: list[Change], cells: np.ndarray, points: np.ndarray, weight: np.ndarray):
    """Windows (B, 5, 25, ...) after a change each: in its frame of reference and order, and what it
    hides NaN.
    """
    back = invert(np.array([c.cells for c in changes]))[:, None]
    cells, points[..., :2] = (
        transform(back, cells).astype(np.float32),
        transform(back, points[..., :2]),
    )
    frames, order = np.array([c.frames for c in changes]), np.array([c.order for c in changes])
    place = np.arange(len(changes))[:, None, None], frames[..., None], order[:, None]
    cells, points, weight = cells[place], points[place], weight[place]
    points[np.array([c.hidden for c in changes])] = np.nan
    return cells, points, weight


def _medians(rows: np.ndarray) -> np.ndarray:
    """The median of what is no NaN in each row (..., M), NaN of nothing: np.nanmedian, which is
    slow on short rows.
    """
    ranked = np.sort(rows, axis=-1)  # NaN last
    known = np.isfinite(rows).sum(-1, keepdims=True)
    middle = [
        np.take_along_axis(ranked, at, -1)[..., 0]
        for at in (np.maximum(known - 1, 0) // 2, known // 2)
    ]
    return (middle[0] + middle[1]) / 2
