"""Where the joints of a track were over time, with how much they tremble and how late they are."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.pose.motion import acceleration, lag_ms
from climb_edge.pose.skeleton import INDEX
from climb_edge.streaming.result import Result

MAX_FRAMES = 1_000_000  # 9 hours at 30 frames a second: at most 400 MB of coordinates


@dataclass(frozen=True)
class Curve:
    """One person of one track, raw or refined. T = frames of the track from first to last."""

    track: str  # name of the file's folder, or of the file, and the person
    kind: str  # raw or refined
    times: np.ndarray  # (T,) seconds
    points: np.ndarray  # (T, joints, 2) image pixels, NaN where not seen
    states: tuple[str, ...]  # (T,)
    jitter: float  # mean acceleration of these joints, pixels per frame squared; NaN where unknown
    # ms behind the raw points of the same track, positive is late; 0 for raw, NaN where unknown
    lag: float


def curves_of(
    results: list[Result], joints: Sequence[int], person: int | None, label: str, source: str
) -> tuple[Curve, Curve]:
    """The raw and the refined curve of one person's `joints` (indices). Raises ClimbEdgeError where
    nobody is seen.
    """
    numbers, counts = np.unique(
        [r.person for r in results if r.person is not None], return_counts=True
    )
    if not len(numbers) or (person is not None and person not in numbers):
        there = ", ".join(str(n) for n in numbers.tolist()) or "nobody"
        raise ClimbEdgeError(
            f"{source}: expected person {'' if person is None else person}, found {there}; name"
            " another"
        )
    person = int(numbers[counts.argmax()]) if person is None else person
    frames, own = (
        {r.frame: r.time for r in results},
        {r.frame: r for r in results if r.person == person},
    )
    first, count = min(frames), max(frames) - min(frames) + 1
    if count > MAX_FRAMES:
        raise ClimbEdgeError(
            f"{source}: expected at most {MAX_FRAMES} frames, found frames {first} to"
            f" {max(frames)}; cut the track"
        )
    times = np.interp(np.arange(count) + first, list(frames), list(frames.values()))
    arrays = np.full((2, count, len(joints), 2), np.nan)
    for frame, result in own.items():
        for array, keypoints in zip(arrays, (result.raw, result.refined), strict=True):
            if keypoints is not None:
                array[frame - first] = np.asarray(keypoints)[list(joints), :2]
    raw, refined = arrays
    states = tuple(own[first + i].state if first + i in own else "lost" for i in range(count))
    step = float(np.median(np.diff(times))) if count > 1 else 0.0
    lag = lag_ms([refined], [raw], 1 / step) if step > 0 else math.nan
    several = f"{label}, person {person}" if len(numbers) > 1 else label
    return (
        Curve(several, "raw", times, raw, states, acceleration([raw]), 0.0),
        Curve(several, "refined", times, refined, states, acceleration([refined]), lag),
    )


def joint_number(name: str) -> int:
    if name not in INDEX:
        nearest = difflib.get_close_matches(str(name), INDEX, n=1, cutoff=0)[0]
        raise ClimbEdgeError(
            f"expected a joint, one of {', '.join(INDEX)}; found {name!r}; nearest: {nearest}"
        )
    return INDEX[name]
