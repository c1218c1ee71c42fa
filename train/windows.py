"""Windows: 5 frames of heatmaps with their targets, rendered when they are asked for; splits; the tf.data wrapper.

Nothing here keeps heatmaps: a source knows its windows by number and makes one from coordinates or from a recording.
What is random is drawn from (seed, epoch, index), so that any window can be made again.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from climb_edge.boxes import STICKY, pose_box
from climb_edge.clips import ClipSet
from climb_edge.contract import WINDOW
from climb_edge.errors import DAMAGED, ClimbEdgeError, write_text
from climb_edge.heatmaps import MASS, SIZE, render, to_cells
from climb_edge.pck import torso
from climb_edge.recording import Recording
from climb_edge.skeleton import K
from climb_edge.stream import window_of
from train.noise import Noise


@dataclass(frozen=True)
class Window:
    """One training example, or a batch with a leading axis."""

    inputs: np.ndarray  # (5, 56, 56, 25) float32, each map of mass 255 or zero
    cells: np.ndarray  # (5, 25, 2) float32 true keypoints in cells of the window's box; NaN = none
    weight: np.ndarray  # (5, 25) float32 0..1: how far each target is to be trusted, 0 = none


def targets(cells, sigma: float = 1.0, ops=np):
    """Target heatmaps (..., 5, 56, 56, 25) of true cells (..., 5, 25, 2): a Gaussian at the exact place, mass 255."""
    return render(cells, sigma, subcell=True, ops=ops)


class RenderedWindows:
    """Windows over clips of keypoints, with inputs from a noise model: pretraining, and seeded parity clips."""

    def __init__(self, clips: ClipSet, noise: Noise, seed: int = 0):
        """Raises ClimbEdgeError when no clip is long enough."""
        self.clips, self.noise, self.seed = clips, noise, seed
        span = (WINDOW - 1) * noise.skip + 1
        starts = [
            np.arange(clips.offsets[i], max(clips.offsets[i + 1] - span + 1, clips.offsets[i]))
            for i in range(len(clips))
        ]
        self._start = np.concatenate(starts)
        self.clip = np.repeat(np.arange(len(clips)), [len(s) for s in starts])
        self.position = self._start - clips.offsets[self.clip]
        usable = [np.isfinite(clips.keypoints[s : s + span]).all(-1).any(-1).all() for s in self._start]
        self._keep(np.array(usable, bool))
        if not len(self):
            raise ClimbEdgeError(
                f"{clips.source}: no clip has {span} frames in a row with a keypoint; windows need {WINDOW}"
            )

    def _keep(self, mask: np.ndarray) -> None:
        self._start, self.clip, self.position = self._start[mask], self.clip[mask], self.position[mask]

    def __len__(self) -> int:
        return len(self._start)

    def window(self, index: int, epoch: int = 0) -> Window:
        rng = np.random.default_rng((self.seed, epoch, index))
        rows = self._start[index] + np.arange(WINDOW) * self.noise.skip
        points = self.clips.keypoints[rows]
        box = _jittered(pose_box(points), rng)
        cells = to_cells(points, box).astype(np.float32)
        sizes = torso(cells)
        noisy, sigma, background = self.noise(
            cells, float(np.nanmean(sizes)) if np.isfinite(sizes).any() else np.nan, rng
        )
        maps = render(noisy, sigma)
        flat = np.where(np.isfinite(noisy).all(-1), background * (MASS / SIZE**2), 0)[:, None, None]
        inputs = maps * (1 - background[:, None, None]) + flat
        weight = np.isfinite(cells).all(-1).astype(np.float32)
        if self.clips.weight is not None:
            weight = weight * self.clips.weight[rows]
        return Window(inputs.astype(np.float32), cells, weight)


def _jittered(box: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A box as a stream would hold it: not centred, and up to a fifth larger."""
    side = box[2:] - box[:2]
    grown = side * rng.uniform(1.0, 1.2)
    centre = (box[:2] + box[2:]) / 2 + rng.uniform(-0.5, 0.5, 2) * (grown - side + 0.1 * side)
    return np.concatenate([centre - grown / 2, centre + grown / 2])


class RecordedWindows:
    """Windows over what the frozen estimator really saw, exactly as a stream would build them."""

    def __init__(self, clips: ClipSet, recordings: list[Recording]):
        """Raises ClimbEdgeError when there is not one window."""
        self.clips, self.recordings = clips, recordings
        rows: list[tuple[int, int, int]] = []  # clip, first row of the recording, frame of that row
        boxes = []
        for c, recording in enumerate(recordings):
            length = int(clips.offsets[c + 1] - clips.offsets[c])
            for person in dict.fromkeys(recording.person.tolist()):
                own = np.flatnonzero((recording.person == person) & (recording.frame < length))
                for run in np.split(own, np.flatnonzero(np.diff(recording.frame[own]) != 1) + 1):
                    box = None
                    for i, row in enumerate(run):
                        box = STICKY.update(box, recording.keypoints[row, :, :2])
                        if i >= WINDOW - 1:
                            rows.append((c, i - WINDOW + 1, int(recording.frame[row]) - WINDOW + 1))
                            boxes.append((run[i - WINDOW + 1 : i + 1], box))
        if not rows:
            raise ClimbEdgeError(
                f"{clips.source}: no person was seen in {WINDOW} frames in a row; check the videos, or use a heavier --estimator"
            )
        self._rows, self._boxes = zip(*boxes, strict=True)
        self.clip, _, self.position = (np.array(column) for column in zip(*rows, strict=True))

    def __len__(self) -> int:
        return len(self.clip)

    def window(self, index: int, epoch: int = 0) -> Window:
        recording, box = self.recordings[self.clip[index]], self._boxes[index]
        seen = [recording.observation(int(row)) for row in self._rows[index]]
        frames = self.clips.offsets[self.clip[index]] + self.position[index] + np.arange(WINDOW)
        cells = to_cells(self.clips.keypoints[frames], box).astype(np.float32)
        weight = self.clips.weights(int(self.clip[index]))[self.position[index] + np.arange(WINDOW)]
        # Two people in a video: a target far from everything the estimator saw is somebody else's.
        apart = np.linalg.norm(cells - to_cells(np.stack([o.keypoints[:, :2] for o in seen]), box), axis=-1)
        other = (
            np.nanmedian(np.where(weight > 0, apart, np.nan), axis=1) > SIZE / 4
            if (weight > 0).any()
            else np.zeros(WINDOW, bool)
        )
        cells[other], weight[other] = np.nan, 0
        return Window(window_of(seen, box), cells, weight.astype(np.float32))


Source = RenderedWindows | RecordedWindows


def batch(source: Source, indices: np.ndarray, epoch: int = 0) -> Window:
    """The windows `indices` stacked: (B, ...) arrays."""
    made = [source.window(int(i), epoch) for i in indices]
    return Window(*(np.stack([getattr(w, name) for w in made]) for name in ("inputs", "cells", "weight")))


def dataset(
    source: Source, indices: np.ndarray, batch_size: int, seed: int, first_epoch: int, steps: int, target
):  # fmt: skip
    """Endless tf.data of (inputs, target(cells), weight) batches from `first_epoch` on, `steps` batches an epoch.

    Each epoch is a fresh shuffle drawn from (seed, epoch); the next batches are made while the model trains.
    """
    import tensorflow as tf

    def order():
        epoch = first_epoch
        while True:
            shuffled = np.random.default_rng((seed, epoch)).permutation(indices)
            needed = steps * batch_size
            for chunk in np.resize(shuffled, needed).reshape(steps, batch_size):
                yield chunk, epoch
            epoch += 1

    def make(chunk, epoch):
        made = batch(source, chunk, int(epoch))
        return made.inputs, made.cells, made.weight

    def to_tensors(chunk, epoch):
        inputs, cells, weight = tf.numpy_function(make, (chunk, epoch), (tf.float32,) * 3)
        cells = tf.ensure_shape(cells, (None, WINDOW, K, 2))
        inputs, weight = (
            tf.ensure_shape(inputs, (None, WINDOW, SIZE, SIZE, K)),
            tf.ensure_shape(weight, (None, WINDOW, K)),
        )
        return inputs, target(cells), weight

    signature = (tf.TensorSpec((batch_size,), tf.int64), tf.TensorSpec((), tf.int64))
    stream = tf.data.Dataset.from_generator(order, output_signature=signature)
    return stream.map(to_tensors, num_parallel_calls=2, deterministic=True).prefetch(2)


@dataclass(frozen=True)
class Split:
    """Window numbers of each part, and how they were cut. No frame stands in two parts, nor twice in val or test."""

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray
    rule: str

    def save(self, path: Path, source: Source) -> None:
        parts = {n: getattr(self, n).tolist() for n in ("train", "val", "test")}
        text = json.dumps(parts, sort_keys=True)
        about = {
            "rule": self.rule,
            "windows": len(source),
            "clips": len(source.clips),
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
        }
        write_text(path, json.dumps({**about, **parts}))

    @classmethod
    def load(cls, path: Path, source: Source) -> Split:
        """Read a split back. Raises ClimbEdgeError when it was made for other data."""
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
            parts = [np.array(data[n], np.int64) for n in ("train", "val", "test")]
            windows, clips, rule = data["windows"], data["clips"], data["rule"]
        except DAMAGED as error:
            raise ClimbEdgeError(
                f"{path}: expected a split, found a damaged file ({error}); delete the run and train again"
            ) from error
        if (windows, clips) != (len(source), len(source.clips)):
            raise ClimbEdgeError(
                f"{path}: split of {windows} windows and {clips} clips, the data has {len(source)} and {len(source.clips)}; it changed since: train again"
            )
        return cls(*parts, rule)


def split(source: Source, seed: int = 0) -> Split:
    """60/20/20: by clip where there are ten or more, else by time inside every clip, its end held back for test.

    By time, windows that reach over a border are dropped. Validation and test take every fifth window, so that no two
    share a frame.
    """
    span = (WINDOW - 1) * (source.noise.skip if isinstance(source, RenderedWindows) else 1) + 1
    clips = np.unique(source.clip)
    part = np.full(len(source), -1)
    if len(clips) >= 10:
        rule = "by clip"
        shuffled = np.random.default_rng((seed, 0x5917)).permutation(clips)
        for number, group in enumerate(np.split(shuffled, [round(0.6 * len(clips)), round(0.8 * len(clips))])):
            part[np.isin(source.clip, group)] = number
    else:
        rule = "by time"
        for c in clips:
            length = int(source.clips.offsets[c + 1] - source.clips.offsets[c])
            first, last = source.position, source.position + span - 1
            for number, (low, high) in enumerate(((0, 0.6), (0.6, 0.8), (0.8, 1.0))):
                inside = (first >= round(low * length)) & (last < round(high * length))
                part[(source.clip == c) & inside] = number
    sparse = [_disjoint(source, np.flatnonzero(part == number), span) for number in (1, 2)]
    return Split(np.flatnonzero(part == 0), *sparse, rule)


def _disjoint(source: Source, indices: np.ndarray, span: int) -> np.ndarray:
    """Windows of `indices` that share no frame: greedily from the start of each clip."""
    kept, free = [], {}
    for i in indices:
        clip, position = int(source.clip[i]), int(source.position[i])
        if position >= free.get(clip, 0):
            kept.append(i)
            free[clip] = position + span
    return np.array(kept, np.int64)
