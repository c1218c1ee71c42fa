"""Clip sets: keypoint truth for many clips in one .npz file, the project's interchange format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.atomic import whole_file
from climb_edge.files.npz import expect_shape, read_npz
from climb_edge.files.truth import Truth, as_truth, weakest
from climb_edge.pose.skeleton import KEYPOINTS, K

_KINDS = {
    "keypoints": "f",
    "visible": "iub",
    "offsets": "iu",
    "frame_size": "iu",
    "fps": "f",
    "clip": "U",
    "group": "U",
    "split": "U",
    "keypoint_names": "U",
    "source": "U",
    "truth?": "U",  # written since it is a field
    "weight?": "f",
}


@dataclass(frozen=True)
class ClipSet:
    """C clips, N frames in all; clip i is rows offsets[i]:offsets[i + 1]."""

    # (N, 25, 2) float32, image pixels, pixel centres at integers; NaN = no annotation
    keypoints: np.ndarray
    visible: np.ndarray  # (N, 25) uint8
    offsets: np.ndarray  # (C + 1,) int64
    frame_size: np.ndarray  # (C, 2) int32, width and height
    fps: np.ndarray  # (C,) float32, NaN where unknown
    clip: np.ndarray  # (C,) str, unique: a video's path where there are videos
    group: np.ndarray  # (C,) str
    split: np.ndarray  # (C,) str
    source: str  # provenance, in words
    truth: Truth  # what a figure against these keypoints is worth
    # (N, 25) float32 in 0..1: how far a target is to be trusted; None = all 1
    weight: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.clip)

    @property
    def rate(self) -> float | None:
        """Frames a second: the median over clips; None where no clip knows."""
        known = self.fps[np.isfinite(self.fps)]
        return float(np.median(known)) if len(known) else None

    def rows(self, i: int) -> slice:
        """The rows of clip i."""
        return slice(int(self.offsets[i]), int(self.offsets[i + 1]))

    def first(self, count: int | None) -> ClipSet:
        """The first `count` clips; all of them where it is None or more than there are."""
        if count is None or count >= len(self):
            return self
        end = int(self.offsets[count])
        return replace(
            self,
            offsets=self.offsets[: count + 1],
            weight=None if self.weight is None else self.weight[:end],
            **{k: getattr(self, k)[:end] for k in ("keypoints", "visible")},
            **{
                k: getattr(self, k)[:count] for k in ("frame_size", "fps", "clip", "group", "split")
            },
        )

    def visible_truth(self, i: int) -> np.ndarray:
        """Keypoints (T, 25, 2) float64 of clip i with NaN where a keypoint is not annotated as
        visible.
        """
        rows = self.rows(i)
        return np.where(self.visible[rows, :, None] > 0, self.keypoints[rows], np.nan).astype(
            np.float64
        )

    def __iter__(self) -> Iterator[tuple[str, np.ndarray]]:
        """Each clip's name and keypoints (T, 25, 2)."""
        return ((str(name), self.keypoints[self.rows(i)]) for i, name in enumerate(self.clip))

    def weights(self, rows: slice | np.ndarray) -> np.ndarray:
        """Weight (..., 25) of every target of these rows: 0 where there is no annotation."""
        present = np.isfinite(self.keypoints[rows]).all(-1).astype(np.float32)
        return present if self.weight is None else present * self.weight[rows]


def save_clips(path: str | Path, clips: ClipSet) -> None:
    """Write a clip set whole or not at all. Raises ClimbEdgeError for a truth that is none of the
    four.
    """
    arrays = {
        f.name: getattr(clips, f.name) for f in fields(clips) if getattr(clips, f.name) is not None
    }
    as_truth(clips.truth, path)
    with whole_file(path) as temporary, open(temporary, "wb") as stream:
        np.savez_compressed(stream, keypoint_names=np.array(KEYPOINTS), **arrays)


def load_clips(path: str | Path) -> ClipSet:
    """Read and check a clip set. Raises ClimbEdgeError naming the array that is wrong."""
    a = read_npz(path, _KINDS, "a clip set (.npz)")
    n, c = len(np.atleast_1d(a["keypoints"])), a["clip"].size
    for name, shape in {
        "keypoints": ("N", K, 2),
        "visible": (n, K),
        "offsets": (c + 1,),
        "frame_size": (c, 2),
        "fps": (c,),
        "clip": ("C",),
        "group": (c,),
        "split": (c,),
        "keypoint_names": (K,),
        "source": (),
        **({"truth": ()} if "truth" in a else {}),
        **({"weight": (n, K)} if "weight" in a else {}),
    }.items():
        expect_shape(path, name, a[name], shape)
    if tuple(a.pop("keypoint_names")) != KEYPOINTS:
        raise ClimbEdgeError(
            f"{path}: keypoint_names differ from the 25 of this project; map them"
            " (climb_edge.pose.skeleton.to_25)"
        )
    offsets = a["offsets"].astype(np.int64)
    if not c or offsets[0] != 0 or offsets[-1] != n or (np.diff(offsets) < 0).any():
        raise ClimbEdgeError(
            f"{path}: offsets must rise from 0 to {n} (the number of frames) over at least one clip"
        )
    names, times = np.unique(a["clip"], return_counts=True)
    if len(names) != c:
        raise ClimbEdgeError(
            f"{path}: two clips have the same name, {names[times > 1][0]}; give each its own"
        )
    if not np.isfinite(a["keypoints"]).all(-1).any():
        raise ClimbEdgeError(
            f"{path}: no keypoint is annotated (all are NaN); nothing can be learned or measured"
            " from it"
        )
    if np.isinf(a["keypoints"]).any() or np.nanmax(np.abs(a["keypoints"])) > 1e6:
        raise ClimbEdgeError(
            f"{path}: keypoints must be image pixels, found infinite ones or ones beyond a million;"
            " missing is NaN"
        )
    weight = a.get("weight")
    if weight is not None and not ((weight >= 0) & (weight <= 1)).all():
        raise ClimbEdgeError(f"{path}: weight must lie in 0..1")
    return ClipSet(
        keypoints=a["keypoints"].astype(np.float32),
        visible=a["visible"].astype(np.uint8),
        offsets=offsets,
        frame_size=a["frame_size"].astype(np.int32),
        fps=a["fps"].astype(np.float32),
        clip=a["clip"],
        group=a["group"],
        split=a["split"],
        source=str(a["source"]),
        truth=as_truth(str(a["truth"]), path) if "truth" in a else _said_in(str(a["source"])),
        weight=weight,
    )


def _said_in(source: str) -> Truth:
    """The truth of a clip set without the field: the first words of each joined source said it."""
    said = {"pseudo ground truth": Truth.PSEUDO, "generated": Truth.GENERATED}
    parts = (part.split(":")[0].strip().lower() for part in source.split(";"))
    return weakest(said.get(part, Truth.HUMAN) for part in parts)


def select_clips(clips: ClipSet, chosen: np.ndarray) -> ClipSet:
    """The clips where `chosen` (C,) is true. Raises ClimbEdgeError where there is none."""
    chosen = np.asarray(chosen, bool)
    if not chosen.any():
        groups = ", ".join(sorted(set(map(str, clips.group)))[:20])
        raise ClimbEdgeError(f"{clips.source}: no clip is chosen; its groups are {groups}")
    lengths = np.diff(clips.offsets)
    rows = np.repeat(chosen, lengths)
    by_row = {n: getattr(clips, n)[rows] for n in ("keypoints", "visible")}
    by_clip = {
        n: getattr(clips, n)[chosen] for n in ("frame_size", "fps", "clip", "group", "split")
    }
    weight = None if clips.weight is None else clips.weight[rows]
    offsets = np.concatenate([[0], np.cumsum(lengths[chosen])]).astype(np.int64)
    return replace(clips, **by_row, **by_clip, offsets=offsets, weight=weight)


def join_clips(sets: list[ClipSet]) -> ClipSet:
    """Several clip sets as one, worth the weakest truth among them; a name that comes twice gets
    its set's number in front.
    """
    if len(sets) == 1:
        return sets[0]
    names = [str(n) for s in sets for n in s.clip]
    if len(set(names)) != len(names):
        names = [f"{i}/{n}" for i, s in enumerate(sets) for n in s.clip]
    starts = np.cumsum([0] + [len(s.keypoints) for s in sets])
    weighted = any(s.weight is not None for s in sets)

    def joined(name: str) -> np.ndarray:
        return np.concatenate([getattr(s, name) for s in sets])

    return ClipSet(
        **{n: joined(n) for n in ("keypoints", "visible", "frame_size", "fps", "group", "split")},
        offsets=np.concatenate(
            [[0]] + [s.offsets[1:] + start for s, start in zip(sets, starts, strict=False)]
        ),
        clip=np.array(names),
        source="; ".join(dict.fromkeys(s.source for s in sets)),
        truth=weakest(s.truth for s in sets),
        weight=(
            np.concatenate(
                [
                    np.ones(s.visible.shape, np.float32) if s.weight is None else s.weight
                    for s in sets
                ]
            )
            if weighted
            else None
        ),
    )
