"""The figures of an estimator's errors and maps against truth, from which `fit_noise` makes a noise
model.

Lengths are torso diameters of the truth (`climb_edge.evaluation.pck.torso`), along and across the
torso; keypoints are taken together by report group, left and right as one. The core is what lies
within CORE; the rest are outliers.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.estimators.base import Observation
from climb_edge.evaluation.pck import torso
from climb_edge.pose.boxes import GROW, STICKY
from climb_edge.pose.skeleton import GROUPS, MIRROR, K
from train.noise.simulators import CORE
from train.synthesis.geometry import torso_up

LEAST_FRAMES, LEAST_CLIPS = 200, 2  # less tells nothing
LEAST_CORE = 8  # frames of a keypoint in a clip, to have a mean and a deviation
# keypoints of a frame that lie apart from their partners, to tell whether all are exchanged
LEAST_PAIRS = 4
NEAR = 12  # cells: what is farther from a map's peak is background
LAGS = (1, 2, 5)
HEIGHTS = (0, 0.3, 0.5, 0.65, 0.8, 1)
GROUP_OF = np.array([next(i for i, ks in enumerate(GROUPS.values()) if k in ks) for k in range(K)])
# each (13,) or (13, n) of the report groups, or () or (n,) of all; NaN = too little
Figures = dict[str, np.ndarray]


class Recorded(Protocol):
    """What is read of a `climb_edge.estimators.recording.Recording`."""

    frame: np.ndarray  # (N,)
    keypoints: np.ndarray  # (N, 25, 3) image pixels, height

    def observation(self, row: int) -> Observation: ...


@dataclass(frozen=True)
class Seen:
    """An estimator against truth: C clips, filled up with NaN to T frames."""

    truth: list[np.ndarray]  # each (frames, 25, 2) image pixels; NaN = not compared
    error: np.ndarray  # (C, T, 25, 2) along (towards the head) and across the torso
    partner: np.ndarray  # (C, T, 25) distance to the truth of the other side's keypoint
    separation: np.ndarray  # (C, T, 25) distance between the truths of the two
    peak: np.ndarray  # (C, T, 25) height of the native map


def observe(truths: Sequence[np.ndarray], recordings: Sequence[Recorded], source: str) -> Seen:
    """Compare recordings with each clip's truth (T, 25, 2) in image pixels, NaN = none, of
    `source`.

    Raises ClimbEdgeError where there is too little to tell anything.

    A frame whose person stands far from the truth is somebody else's and left out, as in training.
    """
    compared = []
    for truth, recording in zip(truths, recordings, strict=True):
        predicted = np.full((len(truth), K, 3), np.nan)
        for row in first_rows(recording):
            if recording.frame[row] < len(truth):
                predicted[recording.frame[row]] = recording.keypoints[row]
        points = predicted[..., :2]
        error = np.linalg.norm(points - truth, axis=-1)
        extent = np.fmax.reduce(points, axis=1) - np.fmin.reduce(points, axis=1)
        near = (1 + GROW) * extent.max(-1) / 4
        own = np.ma.median(np.ma.masked_invalid(error), axis=1).filled(np.inf) <= near
        own &= torso(truth) > 0
        used = (own[:, None] & np.isfinite(error))[..., None]
        compared.append(_compare(np.where(used, truth, np.nan), predicted))
    frames = [int(np.isfinite(c[0]).all(-1).any(-1).sum()) for c in compared]
    used = sum(count > 0 for count in frames)
    if sum(frames) < LEAST_FRAMES or used < LEAST_CLIPS:
        raise ClimbEdgeError(
            f"{source}: expected {LEAST_FRAMES} frames or more in {LEAST_CLIPS} clips or more where"
            f" the estimator saw a person whose torso is annotated, found {sum(frames)} in {used};"
            " take more clips, or a built-in noise"
        )
    truth, *rest = zip(*compared, strict=True)
    return Seen(list(truth), *(_stacked(arrays) for arrays in rest))


def first_rows(recording: Recorded) -> np.ndarray:
    """The row of the first person of every frame that has one, as the product streams it."""
    return np.unique(np.asarray(recording.frame), return_index=True)[1]


def _stacked(arrays: Sequence[np.ndarray]) -> np.ndarray:
    result = np.full((len(arrays), max(map(len, arrays)), *arrays[0].shape[1:]), np.nan)
    for to, values in zip(result, arrays, strict=True):
        to[: len(values)] = values
    return result


def _compare(truth: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, ...]:
    """Truth (T, 25, 2), prediction (T, 25, 3) -> truth and what Seen holds of this clip."""
    size, up = torso(truth)[:, None], torso_up(truth)
    delta = (predicted[..., :2] - truth) / size[..., None]
    side = np.stack([-up[..., 1], up[..., 0]], -1)
    error = np.stack([(delta * up).sum(-1), (delta * side).sum(-1)], axis=-1)
    partner, separation = (
        np.linalg.norm(p - truth[:, MIRROR], axis=-1) / size for p in (predicted[..., :2], truth)
    )
    peak = np.where(np.isfinite(error[..., 0]), predicted[..., 2], np.nan)
    return truth, error, partner, separation, peak


def measure(seen: Seen) -> Figures:
    """Every figure of the errors and heights; those of EstimatorNoise have its names."""
    # a group without truth has means of nothing: NaN, as it should be
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        size = np.linalg.norm(seen.error, axis=-1)
        known, far = np.isfinite(size), size >= CORE
        swapped = seen.partner < size / 2
        # an exchange of what lies together is no error of place
        core = (size < CORE) & ~(swapped & (seen.separation > CORE / 3))
        core &= (core.sum(1) >= LEAST_CORE)[:, None]
        centre = np.nanmean(np.where(core[..., None], seen.error, np.nan), axis=1)
        left = np.where(core[..., None], seen.error - centre[:, None], np.nan)
        # (C, 25): a keypoint's in a clip
        scale = np.log(np.sqrt(np.nanmean((left**2).sum(-1), axis=1)))
        scale = np.where(np.isfinite(scale), scale - group(scale, np.nanmean)[GROUP_OF], np.nan)
        return {
            "points": group(known, np.sum),
            "bias": group(centre[..., 0], np.nanmean),
            "offset_sd": _axes(centre, np.nanstd),
            "sd": _axes(left, np.nanstd),
            **_shape(left, scale),
            **_outliers(
                np.where(known & (seen.separation >= CORE), swapped, np.nan), known, far, size
            ),
            **_heights(seen, known, far, core, scale),
        }


def group(values: np.ndarray, of: Callable) -> np.ndarray:
    """`of` everything of each report group of (..., 25) -> (13,)."""
    return np.array([of(values[..., list(keypoints)]) for keypoints in GROUPS.values()], float)


def _axes(values: np.ndarray, of: Callable) -> np.ndarray:
    return np.stack([group(values[..., axis], of) for axis in (0, 1)], axis=-1)


def _begin(inside: np.ndarray) -> np.ndarray:
    """Where a run along axis 1 begins."""
    begin = inside.copy()
    begin[:, 1:] &= ~inside[:, :-1]
    return begin


def _shape(left: np.ndarray, scale: np.ndarray) -> Figures:
    """Memory and tails of core errors, and how their scale (C, 25) varies over clips."""
    square = group((left**2).sum(-1), np.nanmean)
    lags = [group((left[:, lag:] * left[:, :-lag]).sum(-1), np.nanmean) / square for lag in LAGS]
    found, valid = np.nan_to_num(scale), np.isfinite(scale)
    pairs = (valid.sum(1) ** 2 - valid.sum(1)).sum()
    together = (found.sum(1) ** 2 - (found**2).sum(1)).sum() / max(pairs, 1)
    fourth, second = (_axes(left**n, np.nanmean) for n in (4, 2))
    return {
        "lags": np.stack(lags, axis=-1),
        "kurtosis": fourth.mean(-1) / (second**2).mean(-1),
        "body_spread": np.sqrt(np.maximum(together, 0)),
        "joint_spread": np.sqrt(np.maximum(np.nanvar(scale) - together, 0)),
    }


def _outliers(
    exchanged: np.ndarray, known: np.ndarray, far: np.ndarray, size: np.ndarray
) -> Figures:
    """`exchanged`: 1 where a keypoint sits on its partner's place, 0 where not, NaN where the two
    are too close to tell.
    """
    beyond = np.where(far & (np.nan_to_num(exchanged) == 0), size - CORE, np.nan)
    pairs = np.isfinite(exchanged).sum(-1)
    body = (pairs >= LEAST_PAIRS) & (np.nansum(exchanged, -1) > pairs / 2)
    return {
        "outlier": group(np.where(known, far, np.nan), np.nanmean),
        "run": group(far, np.sum) / group(_begin(far), np.sum),
        "size": group(beyond, np.nanmedian),
        "size_far": group(beyond, lambda values: np.nanquantile(values, 0.9)),
        "exchange": group(exchanged, np.nanmean),
        "body_exchange": body.sum() / max((pairs >= LEAST_PAIRS).sum(), 1),
        "body_run": body.sum() / max(_begin(body).sum(), 1),
    }


def _heights(
    seen: Seen, known: np.ndarray, far: np.ndarray, core: np.ndarray, scale: np.ndarray
) -> Figures:
    near, low = np.where(core, seen.peak, np.nan), np.where(far, seen.peak, np.nan)
    mean = np.nanmean(near, axis=1)
    waver = near - mean[:, None]
    falls = -np.array([slope(scale[:, list(ks)], mean[:, list(ks)]) for ks in GROUPS.values()])
    place = np.where(known, np.digitize(seen.peak, HEIGHTS[1:-1]), -1)
    places = range(len(HEIGHTS) - 1)
    return {
        "peak": group(near, np.nanmean),
        "peak_slope": falls,
        "peak_clip": group(mean + falls[GROUP_OF] * scale, np.nanstd),
        "peak_frame": group(waver, np.nanstd),
        "peak_memory": np.nanmean(waver[:, 1:] * waver[:, :-1]) / np.nanmean(waver**2),
        "outlier_peak": group(low, np.nanmean),
        "outlier_peak_run": group(low, np.nanstd),
        "outliers_by_height": np.array([np.nanmean(far[place == i]) for i in places]),
        "points_by_height": np.array([(place == i).sum() for i in places], float),
    }


def slope(x: np.ndarray, y: np.ndarray) -> float:
    """Slope of the line through what is finite of both; NaN where there is none."""
    use = np.isfinite(x) & np.isfinite(y)
    x, y = x[use] - x[use].mean(), y[use] - y[use].mean()
    return float((x * y).sum() / (x**2).sum()) if (x**2).sum() > 0 else np.nan


def sticky_boxes(recording: Recorded) -> list[tuple[int, np.ndarray]]:
    """The first person's rows, each with the box (4,) that a stream holds there."""
    box, result = None, []
    for row in first_rows(recording):
        box = STICKY.update(box, recording.keypoints[row, :, :2])
        result.append((int(row), box))
    return result
