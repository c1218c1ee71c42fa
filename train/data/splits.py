"""Splits: which windows train, validate and test. A split is made once, written with its hash, and
reused.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from climb_edge.errors import DAMAGED, ClimbEdgeError, did_you_mean
from climb_edge.files.atomic import write_text
from climb_edge.files.json_file import read_json
from climb_edge.files.naming import nearest_path
from climb_edge.pose.layout import WINDOW
from train.data.sources import Source

_TAKE = re.compile(r"((?:\d+/)?mocap/.+)/\d+")  # one performance through several cameras
_CUT = re.compile(r"(.+?)(_\d+)?(\.\w{1,4})?")  # name_0.avi, name_1.avi: cut from one video


@dataclass(frozen=True)
class Split:
    """Window numbers of each part, and how they were cut."""

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray
    held_out: np.ndarray  # windows of a video that is kept out whole; empty in most splits
    rule: str

    def save(self, path: Path, source: Source) -> None:
        write_text(path, json.dumps({**self._about(source), **self._parts()}))

    @property
    def sha256(self) -> str:
        return hashlib.sha256(json.dumps(self._parts(), sort_keys=True).encode()).hexdigest()

    @classmethod
    def load(cls, path: str | Path, source: Source) -> Split:
        """Read a split back. Raises ClimbEdgeError when it is damaged or was made for other
        data.
        """
        try:
            data = read_json(path, "a split", "delete it and a new one is made")
            parts = cls(*(np.array(data[n], np.int64) for n in _PARTS), str(data["rule"]))
            there, claimed = (
                {k: data[k] for k in ("windows", "clips", "data_sha256")},
                data["sha256"],
            )
        except DAMAGED as error:
            raise ClimbEdgeError(
                f"{path}: expected a split, found a damaged file ({error}); delete it and a new one"
                " is made"
            ) from error
        here = parts._about(source)
        if any(there[k] != here[k] for k in there):
            raise ClimbEdgeError(
                f"{path}: made for {there['windows']} windows of {there['clips']} clips, keypoints"
                f" {str(there['data_sha256'])[:12]}; the data has {here['windows']} of"
                f" {here['clips']}, {here['data_sha256'][:12]}; restore that data, or make a new"
                " split"
            )
        if parts.sha256 != claimed:
            raise ClimbEdgeError(
                f"{path}: its windows were changed by hand (hash differs); make a new split"
            )
        return parts

    def some(self, part: str, most: int | None) -> np.ndarray:
        """Windows of a part, evenly thinned to `most`; None: all of them."""
        windows = getattr(self, part)
        return windows[:: max(-(-len(windows) // most), 1)] if most else windows

    def _parts(self) -> dict[str, list[int]]:
        return {n: getattr(self, n).tolist() for n in _PARTS}

    def _about(self, source: Source) -> dict:
        return {
            "rule": self.rule,
            "windows": len(source),
            "clips": len(source.clips),
            "data_sha256": digest(source),
            "sha256": self.sha256,
        }


_PARTS = tuple(f.name for f in fields(Split))[:-1]


def digest(source: Source) -> str:
    """SHA-256 of the keypoints and clip names that a source's windows are cut from."""
    h = hashlib.sha256(source.clips.keypoints.tobytes())
    h.update("\n".join(map(str, source.clips.clip)).encode())
    return h.hexdigest()


def video_of(clip: str) -> str:
    """What a clip was cut from: its name without the number that tells cuts, or cameras of one
    take, apart.
    """
    take = _TAKE.fullmatch(clip)
    return take[1] if take else _CUT.fullmatch(clip)[1]


def split(source: Source, rule: str = "auto", seed: int = 0) -> Split:
    """Cut a source by one of RULES. Raises ClimbEdgeError for an unknown rule, or where the data is
    too little for it.
    """
    if rule == "auto":
        rule = "by-video" if len({video_of(str(c)) for c in source.clips.clip}) >= 10 else "by-time"
    if rule not in RULES:
        raise ClimbEdgeError(
            f"split {rule!r}: expected one of auto, {', '.join(RULES)}, or a split's"
            f" file{did_you_mean(rule, RULES) or nearest_path(rule)}"
        )
    parts = RULES[rule](source, seed)
    held = parts[3] if len(parts) > 3 else np.empty(0, np.int64)
    made = Split(*(np.asarray(p, np.int64) for p in parts[:3]), held, rule)
    if not (len(made.train) and len(made.val) and len(made.test)):
        sizes = (
            f"{len(made.train)} training, {len(made.val)} validation and {len(made.test)} test"
            " windows"
        )
        raise ClimbEdgeError(
            f"{source.clips.source}: split {rule} leaves {sizes}; add clips, or choose another"
            " --split"
        )
    return made


def by_video(source: Source, seed: int):
    """60/20/20 of the videos, whole. What was cut from one video stays together."""
    videos = _videos(source)
    order = np.random.default_rng((seed, 0x5917)).permutation(np.unique(videos))
    groups = np.split(order, [round(0.6 * len(order)), round(0.8 * len(order))])
    train, val, test = (np.flatnonzero(np.isin(videos, g)) for g in groups)
    return train, _disjoint(source, val), _disjoint(source, test)


def by_time(source: Source, seed: int):
    """60/20/20 of every clip's time, its end for test; windows that reach over a border are
    dropped.
    """
    length = np.diff(source.clips.offsets)[source.clip]
    first, last = source.position, source.position + source.span - 1

    def between(low: float, high: float) -> np.ndarray:
        return np.flatnonzero((first >= np.round(low * length)) & (last < np.round(high * length)))

    return (
        between(0, 0.6),
        _disjoint(source, between(0.6, 0.8)),
        _disjoint(source, between(0.8, 1.0)),
    )


def by_window(source: Source, seed: int):
    """60/20/20 of all windows, shuffled: the study's for pretraining. Neighbours in time stand in
    different parts.
    """
    order = np.random.default_rng((seed, 0x5917)).permutation(len(source))
    return tuple(
        np.sort(p) for p in np.split(order, [round(0.6 * len(order)), round(0.8 * len(order))])
    )


def mission(source: Source, seed: int):
    """60/20/20 of all windows by the phase of their start: no frame twice in validation, nor in
    test.

    With a fifth of all windows in each there is no other way; every test frame also stands in
    training windows, so that a figure on this split says how well a refiner knows its training
    video.
    """
    skip = (source.span - 1) // (WINDOW - 1)
    phase = source.position // skip % WINDOW
    return tuple(np.flatnonzero(np.isin(phase, p)) for p in ((0, 1, 2), (3,), (4,)))


def final(source: Source, seed: int):
    """The longest video held out whole; of the rest the first 60 % of windows train, and what
    shares a frame with them.

    What is left is thinned to windows that share no frame, then dealt in turn to validation and
    test.
    """
    videos = _videos(source)
    names, windows = np.unique(videos, return_counts=True)
    held = videos == names[windows.argmax()]
    rest = np.flatnonzero(~held)
    if not len(rest):
        raise ClimbEdgeError(
            f"{source.clips.source}: split final holds the longest of at least two videos out,"
            " found one"
        )
    train, later = np.split(rest, [round(0.6 * len(rest))])
    moved = _touching(source, later, train)
    train, later = np.concatenate([train, later[moved]]), later[~moved]
    # What was moved reaches further: windows that share a frame with it are left out, else
    # everything would be moved.
    apart = _disjoint(source, later[~_touching(source, later, train)])
    return train, apart[::2], apart[1::2], np.flatnonzero(held)


def _videos(source: Source) -> np.ndarray:
    """(windows,) the video that each window's clip was cut from."""
    return np.array([video_of(str(c)) for c in source.clips.clip])[source.clip]


def _touching(source: Source, indices: np.ndarray, train: np.ndarray) -> np.ndarray:
    """(len(indices),) whether a window shares a frame with those of its clip in `train`, which all
    begin before it.
    """
    last = {
        c: source.position[train[source.clip[train] == c]].max()
        for c in np.unique(source.clip[train])
    }
    return np.array(
        [
            source.position[i] < last.get(source.clip[i], -source.span) + source.span
            for i in indices
        ],
        bool,
    )


RULES = {
    "by-video": by_video,
    "by-time": by_time,
    "by-window": by_window,
    "mission": mission,
    "final": final,
}


def _disjoint(source: Source, indices: np.ndarray) -> np.ndarray:
    """Windows of `indices` that share no frame: greedily from the start of each clip."""
    kept, free = [], {}
    for i in indices:
        clip, position = int(source.clip[i]), int(source.position[i])
        if position >= free.get(clip, 0):
            kept.append(i)
            free[clip] = position + source.span
    return np.array(kept, np.int64)
