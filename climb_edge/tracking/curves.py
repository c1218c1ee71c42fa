"""Where the joints of a track were over time, with how much they tremble and how late they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from climb_edge.errors import ClimbEdgeError, did_you_mean
from climb_edge.pose.motion import acceleration
from climb_edge.pose.skeleton import INDEX
from climb_edge.streaming.result import Result

MAX_FRAMES = 1_000_000  # 9 hours at 30 frames a second: at most 400 MB of coordinates
SMOOTH = 0.1  # seconds: sigma below which movement counts as tremble, which has no lag
FARTHEST = 0.5  # seconds: the largest lag sought, and the shortest track that tells one
FINEST = 0.1  # frames: a smaller lag is none that a track of frames can show


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
    lag = lag_behind(raw, refined, step) if step > 0 else math.nan
    several = f"{label}, person {person}" if len(numbers) > 1 else label
    return (
        Curve(several, "raw", times, raw, states, acceleration([raw]), 0.0),
        Curve(several, "refined", times, refined, states, acceleration([refined]), lag),
    )


def lag_behind(raw: np.ndarray, refined: np.ndarray, step: float) -> float:
    """How many milliseconds refined points (T, joints, 2) come after the raw ones, `step` seconds a
    frame; NaN where nothing moves, or for too short a time.

    Where the correlation of the two velocities is highest. The raw points tremble, and what a
    filter makes of that is no movement that comes late: both are smoothed first. They fade in and
    out and the correlation is divided by that of the fading, so that what a track begins and ends
    with does not shift the lag of a filter that looks both ways away from 0.
    """
    if len(raw) * step < FARTHEST:
        return math.nan
    early, late = (np.diff(_smoothed(points, SMOOTH / step), axis=0) for points in (raw, refined))
    known = np.isfinite(early) & np.isfinite(late)
    fade = np.hanning(len(known) + 2)[1:-1, None] * known
    early, late = (np.where(known, speed, 0) * fade for speed in (early, late))
    if not (early.any() and late.any()):
        return math.nan
    reach = min(round(FARTHEST / step), len(known) // 2)

    def together(after: np.ndarray, before: np.ndarray, lag: int) -> float:
        first, end = max(lag, 0), len(after) + min(lag, 0)
        return float((after[first:end] * before[first - lag : end - lag]).sum())

    lags = range(-reach, reach + 1)
    fits = [together(late, early, i) / max(together(fade, fade, i), 1e-9) for i in lags]
    middle = min(max(int(np.argmax(fits)), 1), 2 * reach - 1)
    left, at, right = fits[middle - 1 : middle + 2]
    bend = 2 * at - left - right
    lag = (middle + 0.5 * (right - left) / bend if bend > 0 else np.argmax(fits)) - reach
    lag = min(max(float(lag), -reach), reach)
    return 1000 * lag * step if abs(lag) >= FINEST else 0.0


def _smoothed(points: np.ndarray, sigma: float) -> np.ndarray:
    """(T, joints, 2) through a Gaussian of `sigma` frames over what is known, as (T, 2 joints)."""
    flat = points.reshape(len(points), -1).astype(float)
    known = np.isfinite(flat)
    size = (1, 2 * math.ceil(3 * sigma) + 1)
    total, weight = (
        cv2.GaussianBlur(values, size, sigmaX=1, sigmaY=sigma, borderType=cv2.BORDER_CONSTANT)
        for values in (np.where(known, flat, 0), known.astype(float))
    )
    return np.where(known, total / np.maximum(weight, 1e-9), np.nan)


def joint_number(name: str) -> int:
    if name not in INDEX:
        raise ClimbEdgeError(
            f"expected a joint, one of {', '.join(INDEX)}; found"
            f" {name!r}{did_you_mean(name, INDEX)}"
        )
    return INDEX[name]
