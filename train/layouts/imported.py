"""What the readers of all layouts share: their result, one bad file among many, checks, clips
joined to a set.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.atomic import whole_file
from climb_edge.files.clips import ClipSet, save_clips
from climb_edge.files.truth import WORDS, Truth, weakest
from climb_edge.pose.skeleton import KEYPOINTS, K

MAX_SIDE = 16_384  # pixels of a frame
MAX_FRAMES = 500_000  # of a clip: a frame number read from a file name may claim anything
SHOWN_LINES = 20  # of what a summary lists one by one
FAR = 10  # frame sides: J-HMDB's own annotations lie up to 2.3 outside


@dataclass(frozen=True)
class Take:
    """One clip before it joins a set."""

    name: str
    keypoints: np.ndarray  # (T, 25, 2) image pixels, pixel centres at integers; NaN = no annotation
    visible: np.ndarray  # (T, 25), true where annotated as visible
    size: tuple[int, int]  # width, height of the frame
    fps: float = float("nan")
    group: str = ""
    split: str = "train"
    heatmaps: Path | None = None  # file with this clip's heatmaps, where an estimator ran already
    truth: Truth = Truth.HUMAN
    # by frame, where the data set lists any: a folder, and the picture's name inside or near it
    pictures: Mapping[int, tuple[Path, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Motion:
    """Motion capture takes, S of them, N frames in all; take i is rows offsets[i]:offsets[i
    + 1].
    """

    kp25_3d: np.ndarray  # (N, 25, 3) float32, metres, y up
    joints3d: np.ndarray  # (N, J, 3) float32, metres: the joints that kp25_3d follows from
    joint_names: tuple[str, ...]  # (J,)
    measured: np.ndarray  # (25,) uint8: 0 where a keypoint is a geometric stand-in
    offsets: np.ndarray  # (S + 1,) int32
    sequence: tuple[str, ...]  # (S,) name of each take
    description: tuple[str, ...]  # (S,) what happens in it, "" where nobody says
    fps: float

    def save(self, path: str | Path) -> None:
        """Write the form that train.synthesis.motion.load_motion reads, whole or not at all."""
        with whole_file(path) as temporary, open(temporary, "wb") as stream:
            np.savez_compressed(
                stream,
                joints3d=self.joints3d,
                joint_names=np.array(self.joint_names),
                kp25_3d=self.kp25_3d,
                kp25_names=np.array(KEYPOINTS),
                kp25_is_measured=self.measured,
                offsets=self.offsets,
                sequence=np.array(self.sequence),
                description=np.array(self.description),
                fps=np.float32(self.fps),
            )


@dataclass(frozen=True)
class Imported:
    """What a reader found: clips, or motion for virtual cameras; never both."""

    clips: ClipSet | None
    # one file per clip, in order, where the inputs are heatmaps already
    heatmaps: tuple[Path, ...] | None
    skipped: tuple[str, ...]  # a line for every file or part that was left out, and why
    warnings: tuple[str, ...]  # a line for everything that was kept and is odd
    motion: Motion | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)  # how many of what else, by its name
    # of each clip, see Take
    pictures: Mapping[str, Mapping[int, tuple[Path, str]]] = field(default_factory=dict)

    def save(self, path: str | Path) -> None:
        """Write the clip set, or the motion, whole or not at all."""
        if self.motion is not None:
            self.motion.save(path)
        else:
            save_clips(path, self.clips)

    def __str__(self) -> str:
        if self.motion is not None:
            return (
                f"{len(self.motion.sequence)} takes, {len(self.motion.kp25_3d)} frames at"
                f" {self.motion.fps:g} fps"
            )
        return f"{len(self.clips)} clips, {len(self.clips.keypoints)} frames"

    def summary(self) -> str:
        """A table: clips, frames, labelled keypoints by name, what was left out and why."""
        lines = [str(self)]
        if self.clips is not None:
            labelled = np.isfinite(self.clips.keypoints).all(-1)
            visible = labelled & (self.clips.visible > 0)
            sizes = sorted({f"{w} x {h}" for w, h in self.clips.frame_size.tolist()})
            lines[0] += (
                f", {labelled.any(1).sum()} labelled, pictures of {', '.join(sizes[:4])}"
                f"{', ...' if len(sizes) > 4 else ''}; {WORDS[self.clips.truth]}"
            )
            lines += [
                f"  {name:32}{frames:>9} frames{known:>9} labelled"
                for name, frames, known in self._by_clip(labelled.any(1))
            ]
            lines.append(f"  {'keypoint':32}{'labelled':>9}{'visible':>9}")
            lines += [
                f"  {name:32}{labelled[:, k].sum():>9}{visible[:, k].sum():>9}"
                for k, name in enumerate(KEYPOINTS)
            ]
        left = [f"  {count:>6} {what}" for what, count in self.left_out.items()]
        left += [f"         {line}" for line in self.skipped[:SHOWN_LINES]]
        if (more := len(self.skipped) - SHOWN_LINES) > 0:
            left.append(f"         and {more} more")
        return "\n".join([*lines, "left out:" if left else "left out: nothing", *left])

    def _by_clip(self, labelled: np.ndarray) -> Iterator[tuple[str, int, int]]:
        """Name, frames and labelled frames of the first clips."""
        assert self.clips is not None
        for i, name in enumerate(self.clips.clip.tolist()[:SHOWN_LINES]):
            rows = self.clips.rows(i)
            yield name, rows.stop - rows.start, int(labelled[rows].sum())
        if (more := len(self.clips) - SHOWN_LINES) > 0:
            rows = slice(int(self.clips.offsets[SHOWN_LINES]), len(labelled))
            yield f"({more} more clips)", rows.stop - rows.start, int(labelled[rows].sum())


class Log:
    """Lines about what was left out and what is odd. Strict: the first thing to leave out is an
    error instead.
    """

    def __init__(self, strict: bool):
        self.strict = strict
        self.skipped: list[str] = []
        self.warnings: list[str] = []
        self.left_out: Counter[str] = Counter()

    def unlike(self, where: Path, without: Sequence[str], unknown: Sequence[str]) -> None:
        """Names of keypoints that have no counterpart here, and those that no table knows.

        Raises ClimbEdgeError, if strict, for the latter.
        """
        if without:
            self.left_out[f"keypoints without a counterpart: {', '.join(without)[:200]}"] += len(
                without
            )
        if not unknown:
            return
        names = ", ".join(unknown)[:200]
        said = f"{where}: keypoints {names} have no counterpart that is known"
        if self.strict:
            raise ClimbEdgeError(f"{said}; say --map THEIRS=OURS, or THEIRS=none")
        self.warnings.append(f"{said}; they are left out, or say --map THEIRS=OURS")
        self.left_out[f"keypoints of unknown names: {names}"] += len(unknown)

    @contextmanager
    def part(self) -> Iterator[None]:
        """A file or part of one that is left out, with a line, when it raises ClimbEdgeError."""
        try:
            yield
        except ClimbEdgeError as error:
            if self.strict:
                raise
            self.skipped.append(str(error))


def annotated(points: np.ndarray) -> np.ndarray:
    """Split points (..., 25, 2 or 3) as x, y[, visibility] into keypoints (..., 25, 2), NaN if
    missing, and visible.

    Visibility 0 at (0, 0) is the common way to write that there is no annotation; without a third
    column a finite point is visible.
    """
    xy = np.array(points[..., :2], np.float64)
    seen = np.isfinite(xy).all(-1)
    if points.shape[-1] == 3:
        flag = np.nan_to_num(points[..., 2])
        seen &= ~((flag <= 0) & (xy == 0).all(-1))
        return np.where(seen[..., None], xy, np.nan), seen & (flag > 0)
    return np.where(seen[..., None], xy, np.nan), seen


def check(take: Take, where: Path) -> None:
    """Raise ClimbEdgeError unless a clip is one that training can read."""
    label = f"{where}: clip {take.name}"
    frames = len(take.keypoints)
    if not 0 < frames <= MAX_FRAMES:
        raise ClimbEdgeError(
            f"{label}: expected 1 to {MAX_FRAMES} frames, found {frames}; cut or correct it"
        )
    if not all(0 < side <= MAX_SIDE for side in take.size):
        raise ClimbEdgeError(
            f"{label}: frame of {take.size[0]} x {take.size[1]}, expected sides of 1 to {MAX_SIDE};"
            " correct it"
        )
    if take.fps == take.fps and not 0 < take.fps <= 1000:
        raise ClimbEdgeError(
            f"{label}: {take.fps} frames per second, expected a number between 0 and 1000;"
            " correct it"
        )
    known = np.isfinite(take.keypoints).all(-1)
    if np.isinf(take.keypoints).any():
        raise ClimbEdgeError(
            f"{label}: infinite coordinates; a keypoint without annotation is NaN; correct them"
        )
    if not known.any():
        raise ClimbEdgeError(f"{label}: no keypoint is annotated in any frame; leave the clip out")
    points, side = take.keypoints[known], max(take.size)
    far = np.abs(points).max()
    if far > FAR * side:
        raise ClimbEdgeError(
            f"{label}: a keypoint at {far:.6g} in a frame of {take.size[0]} x {take.size[1]},"
            " expected image pixels; correct it"
        )
    if far <= 1.5 and side > 32:
        raise ClimbEdgeError(
            f"{label}: coordinates of at most {far:.3g} look like fractions of the frame, expected"
            " image pixels; multiply them by its size"
        )


def join(takes: list[tuple[Path, Take]], source: str, log: Log, folder: str | Path) -> Imported:
    """Takes with the files that they come from as one checked clip set, worth the weakest of them.

    Raises ClimbEdgeError when none is left: the first reason is named.
    """
    kept: dict[str, Take] = {}
    for where, take in takes:
        with log.part():
            check(take, where)
            if take.name in kept:
                raise ClimbEdgeError(
                    f"{where}: a clip named {take.name} was read already; rename or remove one"
                )
            kept[take.name] = take
    if not kept:
        first = (
            f"; the first of {len(log.skipped)} reasons: {log.skipped[0]}" if log.skipped else ""
        )
        raise ClimbEdgeError(f"{folder}: no clip could be read{first}")
    clips, count = list(kept.values()), len(kept)
    heatmaps = tuple(t.heatmaps for t in clips if t.heatmaps is not None)
    return Imported(
        ClipSet(
            keypoints=np.concatenate([t.keypoints for t in clips], dtype=np.float32).reshape(
                -1, K, 2
            ),
            visible=np.concatenate([t.visible for t in clips]).astype(np.uint8),
            offsets=np.cumsum([0] + [len(t.keypoints) for t in clips]).astype(np.int64),
            frame_size=np.array([t.size for t in clips], np.int32).reshape(count, 2),
            fps=np.array([t.fps for t in clips], np.float32),
            clip=np.array([t.name for t in clips]),
            group=np.array([t.group for t in clips]),
            split=np.array([t.split for t in clips]),
            source=source,
            truth=weakest(t.truth for t in clips),
        ),
        heatmaps if len(heatmaps) == count else None,
        tuple(log.skipped),
        tuple(log.warnings),
        left_out=dict(log.left_out),
        pictures={t.name: t.pictures for t in clips},
    )
