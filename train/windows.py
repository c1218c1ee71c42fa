"""Windows: 5 frames of what an estimator says, with the truth, made when they are asked for.

Nothing here keeps heatmaps: a source knows its windows by number and makes one from coordinates or from a recording.
What is random is drawn from (seed, epoch, index), so that any window can be made again, anywhere, on any backend.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from climb_edge.boxes import STICKY, STUDY, box_affine, compose, invert, pose_box, transform
from climb_edge.clips import ClipSet
from climb_edge.contract import WINDOW
from climb_edge.errors import ClimbEdgeError
from climb_edge.heatmaps import MASS, SIZE, normalise, render, to_cells, warp
from climb_edge.pck import torso
from climb_edge.recording import Recording
from train.augment import Augmentation, Change
from train.noise import Noise


@dataclass(frozen=True)
class Frames:
    """T frames of one person in one box, as a graph takes them; len, slices and `joined` as of a list."""

    maps: np.ndarray  # (T, 56, 56, 25) float32, each of mass 255 or zero
    peaks: np.ndarray  # (T, 25) float32 0..1: heights of the estimator's native maps

    def __len__(self) -> int:
        return len(self.maps)

    def __getitem__(self, part: slice) -> Frames:
        return Frames(self.maps[part], self.peaks[part])

    @classmethod
    def joined(cls, parts: list[Frames]) -> Frames:
        return cls(np.concatenate([p.maps for p in parts]), np.concatenate([p.peaks for p in parts]))


@dataclass(frozen=True)
class Window:
    """One training example, or a batch with a leading axis."""

    given: dict[str, np.ndarray]  # what `heatmaps` makes the input of; "points" (5, 25, 3) = x, y in cells, peak height
    cells: np.ndarray  # (5, 25, 2) float32 true keypoints in cells of the window's box; NaN = none
    weight: np.ndarray  # (5, 25) float32 0..1: how far each target is to be trusted, 0 = none

    @cached_property
    def inputs(self) -> np.ndarray:
        """(5, 56, 56, 25) float32, each map of mass 255 or zero."""
        return heatmaps(self.given).astype(np.float32, copy=False)

    @property
    def peaks(self) -> np.ndarray:
        """(5, 25) float32 0..1: heights of the estimator's native maps; 0 where it saw nothing."""
        points = self.given["points"]
        return np.where(np.isfinite(points).all(-1), points[..., 2], 0).astype(np.float32)

    @property
    def frames(self) -> Frames:
        return Frames(self.inputs, self.peaks)


def heatmaps(given: dict, ops=np):
    """The input maps (..., 5, 56, 56, 25) of windows: recorded ones normalised, simulated ones rendered."""
    if "maps" in given:
        return normalise(given["maps"], ops)
    points, background = given["points"], given["background"]
    present = ops.isfinite(points[..., 0])
    flat = ops.where(present, background * (MASS / SIZE**2), 0.0)
    share = 1 - background[..., None, None, :]
    return render(points[..., :2], given["sigma"], ops=ops) * share + flat[..., None, None, :]


def targets(cells, sigma: float = 1.0, ops=np):
    """Target heatmaps (..., 5, 56, 56, 25) of true cells (..., 5, 25, 2): a Gaussian at the exact place, mass 255."""
    return render(cells, sigma, subcell=True, ops=ops)


@dataclass(eq=False)
class RenderedWindows:
    """Windows over clips of keypoints, with inputs from a noise model: pretraining, and seeded parity clips.

    `box` says what a window is seen in. `sticky`: one square box for the window, as a stream would hold it. `frame`: the
    study's, the extent of each frame's visible keypoints grown by 10 %, its rounded sides stretched to 55 cells.
    Raises ClimbEdgeError when no clip is long enough.
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
        if self.box == STUDY.name:  # what is hidden does not count, neither for the box nor as truth
            self._points = np.where(clips.visible[..., None] > 0, clips.keypoints, np.nan)
        self._in_frame = _study_cells(self._points) if self.box == STUDY.name else None
        seen = np.concatenate([[0], np.cumsum(np.isfinite(clips.keypoints).all(-1).any(-1))])
        start = clips.offsets[self.clip] + self.position
        usable = seen[start + self.span] - seen[start] == self.span
        self.clip, self.position = self.clip[usable], self.position[usable]
        if not len(self):
            raise ClimbEdgeError(
                f"{clips.source}: no clip has {self.span} frames in a row with a keypoint; windows need {WINDOW}"
            )

    @property
    def rate(self) -> float | None:
        """Frames a second within a window: a noise that takes every other frame halves its clips'."""
        return self.clips.rate and self.clips.rate / self.noise.skip

    def __len__(self) -> int:
        return len(self.clip)

    def window(self, index: int, epoch: int = 0, maps: bool = True) -> Window:
        """Window `index` as epoch `epoch` sees it. `maps` changes nothing: they are rendered later."""
        rng = np.random.default_rng((self.seed, epoch, index))
        change = _change(self.augmentation, self.seed, epoch, index) if self.augmentation else Change()
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
    """Keypoints (T, 25, 2) in cells of each frame's own box, as the study's pretraining has it; float32."""
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


def _change(augmentation: Augmentation, seed: int, epoch: int, index: int) -> Change:
    """Drawn apart from the noise, so that the same window has the same noise with and without augmentation."""
    key = np.array([seed, epoch, index, 1], np.uint32)  # as (seed, epoch, index, 1), in half the time
    return augmentation.draw(np.random.default_rng(key))


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
                f"{self.clips.source}: no person was seen in {WINDOW} frames in a row; check the videos, or use a heavier --estimator"
            )
        self.clip, self.position, self._rows, self._boxes = (np.array(a) for a in zip(*found, strict=True))
        self._seen = np.concatenate([r.keypoints for r in self.recordings])  # (frames, 25, 3) of them all
        self._first = np.cumsum([0, *(len(r.keypoints) for r in self.recordings)])  # row of each recording's first

    def _of_clip(self, c: int):
        """Yield (clip, first frame, rows of the recording (5,), boxes (5, 4)) of every window of clip `c`."""
        recording, length = self.recordings[c], int(self.clips.offsets[c + 1] - self.clips.offsets[c])
        boxes = recording.boxes[self.box]
        for person in dict.fromkeys(recording.person.tolist()):
            own = np.flatnonzero((recording.person == person) & (recording.frame < length))
            for run in np.split(own, np.flatnonzero(np.diff(recording.frame[own]) != 1) + 1):
                for i in range(len(run) - WINDOW + 1):
                    rows = run[i : i + WINDOW]
                    held = boxes[rows] if self.box == STUDY.name else np.repeat(boxes[rows[-1:]], WINDOW, axis=0)
                    yield c, int(recording.frame[rows[0]]), rows, held

    @property
    def rate(self) -> float | None:
        """Frames a second within a window."""
        return self.clips.rate

    def __len__(self) -> int:
        return len(self.clip)

    def window(self, index: int, epoch: int = 0, maps: bool = True) -> Window:
        """Window `index` as epoch `epoch` sees it; without maps only the decoded points are read."""
        one = self.windows(np.array([index]), epoch, maps)
        return Window({name: a[0] for name, a in one.given.items()}, one.cells[0], one.weight[0])

    def windows(self, indices: np.ndarray, epoch: int = 0, maps: bool = True) -> Window:
        """The windows `indices` (B,) stacked, computed as one: window by window a small model would wait for its points."""
        clip, rows, boxes = self.clip[indices], self._rows[indices], self._boxes[indices]
        frames = (self.clips.offsets[clip] + self.position[indices])[:, None] + np.arange(WINDOW)
        truth, seen = self.clips.keypoints[frames], self._seen[self._first[clip][:, None] + rows]
        cells = to_cells(truth, boxes[:, :, None]).astype(np.float32)
        points = np.concatenate([to_cells(seen[..., :2], boxes[:, :, None]), seen[..., 2:]], axis=-1).astype(np.float32)
        weight = self.clips.weights(frames).astype(np.float32)
        # Two people in a video: a target far from everything the estimator saw is somebody else's.
        apart = np.where(weight > 0, np.hypot(*np.moveaxis(cells - points[..., :2], -1, 0)), np.nan)
        other = _medians(apart) > SIZE / 4
        cells[other], weight[other] = np.nan, 0
        changes = [Change()] * len(indices)
        if self.augmentation:
            changes = [_change(self.augmentation, self.seed, epoch, int(i)) for i in indices]
            cells, points, weight = _changed(changes, cells, points, weight)
        given = {"points": points}
        if maps:
            given["maps"] = np.stack([self._maps(*one) for one in zip(clip, rows, boxes, changes, strict=True)])
        return Window(given, cells, weight)

    def _maps(self, clip: int, rows: np.ndarray, boxes: np.ndarray, change: Change) -> np.ndarray:
        """One window's maps (5, 56, 56, 25): native ones sampled once, in the boxes' frame of reference after `change`."""
        seen = [(self.recordings[clip].observation(int(rows[t])), boxes[t]) for t in change.frames]
        warped = np.stack([warp(o.native, o.affine, compose(box_affine(box), change.cells)) for o, box in seen])
        warped = warped[..., change.order] if change.mirrored else warped
        return warped * ~change.hidden[:, None, None] if change.hidden.any() else warped


def _changed(changes: list[Change], cells: np.ndarray, points: np.ndarray, weight: np.ndarray):
    """Windows (B, 5, 25, ...) after a change each: in its frame of reference and order, and what it hides NaN."""
    back = invert(np.array([c.cells for c in changes]))[:, None]
    cells, points[..., :2] = transform(back, cells).astype(np.float32), transform(back, points[..., :2])
    frames, order = np.array([c.frames for c in changes]), np.array([c.order for c in changes])
    place = np.arange(len(changes))[:, None, None], frames[..., None], order[:, None]
    cells, points, weight = cells[place], points[place], weight[place]
    points[np.array([c.hidden for c in changes])] = np.nan
    return cells, points, weight


def _medians(rows: np.ndarray) -> np.ndarray:
    """The median of what is no NaN in each row (..., M), NaN of nothing: np.nanmedian, which is slow on short rows."""
    ranked = np.sort(rows, axis=-1)  # NaN last
    known = np.isfinite(rows).sum(-1, keepdims=True)
    middle = [np.take_along_axis(ranked, at, -1)[..., 0] for at in (np.maximum(known - 1, 0) // 2, known // 2)]
    return (middle[0] + middle[1]) / 2


Source = RenderedWindows | RecordedWindows


def unchanged(source: Source) -> Source:
    """The same windows without augmentation: what a model is judged by."""
    return replace(source, augmentation=Augmentation()) if source.augmentation else source


def batch(source: Source, indices: np.ndarray, epoch: int = 0, maps: bool = True) -> Window:
    """The windows `indices` stacked: (B, ...) arrays."""
    if isinstance(source, RecordedWindows):
        return source.windows(np.asarray(indices), epoch, maps)
    made = [source.window(int(i), epoch, maps) for i in indices]
    given = {name: np.stack([w.given[name] for w in made]) for name in made[0].given}
    return Window(given, np.stack([w.cells for w in made]), np.stack([w.weight for w in made]))
