"""Fit a noise model to what an estimator did against truth: measure, simulate on the same truth,
measure again, correct.

Taking out a clip's mean, the cut at CORE, short clips and runs that the clip's ends cut off all
bias a figure. So the model is not read off the measured figures but corrected until its own
simulation, measured the same way, shows them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.estimators.base import Observation
from climb_edge.evaluation.pck import torso
from climb_edge.files.atomic import write_text
from climb_edge.files.clips import ClipSet
from climb_edge.pose.boxes import box_affine, extent
from climb_edge.pose.render import MASS, SIZE, render, to_cells
from climb_edge.pose.skeleton import GROUPS
from train.noise.estimator_noise import LIMITS, SCHEMA, SHAPES, EstimatorNoise, as_tuple
from train.noise.measure import (
    GROUP_OF,
    HEIGHTS,
    LAGS,
    Figures,
    Recorded,
    measure,
    observe,
    sticky_boxes,
)
from train.noise.measure_maps import mean_heights, measure_maps

ROUNDS = 10  # of correction
DRAWN = 40_000  # frames to simulate in each
LEAST_POINTS = 100  # of a report group: with fewer it borrows
# A group without truth borrows from the nearest in these rows that has some.
_ROWS = (
    ("nose", "ear", "shoulder", "elbow", "wrist", "thumb", "index finger", "pinky"),
    ("shoulder", "hip", "knee", "ankle", "heel", "toes"),
)
# between the logarithms of a Weibull distribution's median and 90 % quantile
TO_90 = np.log(np.log(10) / np.log(2))
# What a model says of what never happened: the length, distance and height of an outlier, the blur
# of an empty map.
_UNKNOWN = dict(
    run=3.0, size=0.2, size_spread=1.0, outlier_peak=0.4, outlier_peak_run=0.1, blur=1.7
)
PARTS = {
    "sd": (", up", ", side"),
    "offset_sd": (", up", ", side"),
    "lags": tuple(f", {lag} later" for lag in LAGS),
    "outliers_by_height": tuple(f", {low:g} to {high:g}" for low, high in pairwise(HEIGHTS)),
}


class Simulated:
    """What a noise model makes of one clip's truth (T, 25, 2), in the shape of a recording."""

    def __init__(self, truth: np.ndarray, noise: EstimatorNoise, rng: np.random.Generator):
        size = torso(truth)[:, None, None]
        self.frame = np.flatnonzero(size[:, 0, 0] > 0)
        drawn = noise(truth / size, 1.0, rng)
        points = np.concatenate([drawn.cells * size, drawn.peak[..., None]], axis=-1)[self.frame]
        self.keypoints = np.where(np.isfinite(points).all(-1, keepdims=True), points, np.nan)
        self._sigma, self._background = drawn.sigma[self.frame], drawn.background[self.frame]
        self._boxes: dict[int, np.ndarray] | None = None

    def observation(self, row: int) -> Observation:
        """Its maps, rendered in the box that a stream would hold, as pretraining does."""
        self._boxes = self._boxes or dict(sticky_boxes(self))
        keypoints, box = self.keypoints[row], self._boxes[row]
        background = self._background[row] * np.isfinite(keypoints[:, 2]) / SIZE**2
        maps = render(to_cells(keypoints[:, :2], box).astype(np.float32), self._sigma[row])
        maps = maps / MASS * (1 - self._background[row]) + background
        return Observation(maps, box_affine(box), keypoints, extent(keypoints[:, :2]))


def simulate(truth: Sequence[np.ndarray], noise: EstimatorNoise, seed: int) -> list[Simulated]:
    """A simulated recording of each clip's truth (T, 25, 2), with a clip's lasting offsets."""
    noise = replace(noise, biased=True, offsets=True)
    return [Simulated(t, noise, np.random.default_rng((seed, i))) for i, t in enumerate(truth)]


def fit(
    clips: ClipSet,
    recordings: Sequence[Recorded],
    name: str,
    seed: int = 0,
    step: Callable[[], object] = lambda: None,
) -> EstimatorNoise:
    """The noise model whose simulation on the clips' truth measures as `recordings` do; `step`
    after each of ROUNDS.

    Raises ClimbEdgeError where there is too little truth to fit anything.
    """
    seen = observe(truths(clips), recordings, clips.source)
    wanted = measure(seen)
    lender = lenders(wanted, clips.source)
    # A map and its height need no truth: what a group borrows is how the height changes with the
    # error.
    heights = mean_heights(recordings)
    shift = heights - heights[lender]
    maps = measure_maps(recordings, wanted["peak"][lender] + shift)
    figures = _start(wanted)
    truth = repeated(seen.truth)
    for _ in range(ROUNDS):
        figures = {n: _within(n, v[lender] if np.ndim(v) else v) for n, v in figures.items()}
        got = measure(observe(truth, simulate(truth, _noise(name, figures | maps), seed), name))
        figures = _corrected(figures, wanted, got)
        step()
    figures = {n: _within(n, v[lender] if np.ndim(v) else v) for n, v in figures.items()}
    figures |= {n: _within(n, figures[n] + shift) for n in ("peak", "outlier_peak")}
    own = lender == np.arange(len(lender))
    figures["bias"] = np.where(own, figures["bias"], 0.0)  # where a place is meant is not borrowed
    return _noise(name, figures | {n: _within(n, v) for n, v in maps.items()})


def repeated(truth: list[np.ndarray]) -> list[np.ndarray]:
    """Truth as often as it takes for DRAWN frames: a draw for a clip needs many to be measured."""
    return truth * int(np.clip(DRAWN // sum(map(len, truth)), 1, 10))


def truths(clips: ClipSet) -> list[np.ndarray]:
    return [clips.visible_truth(i) for i in range(len(clips))]


def lenders(figures: Figures, source: str) -> np.ndarray:
    """(13,) whose errors each report group takes: its own if truth is enough, or the nearest's."""
    names = list(GROUPS)
    enough = (figures["points"] >= LEAST_POINTS) & np.isfinite(figures["sd"]).all(1)
    measured = [n for n, known in zip(names, enough, strict=True) if known]

    def distance(a: str, b: str) -> int:
        steps = [abs(row.index(a) - row.index(b)) for row in _ROWS if a in row and b in row]
        return min(steps, default=len(names))

    if not measured:
        raise ClimbEdgeError(
            f"{source}: no report group has {LEAST_POINTS} keypoints with truth in clips long"
            " enough; take more clips"
        )
    return np.array([names.index(min(measured, key=lambda m: distance(n, m))) for n in names])


def _noise(name: str, figures: Figures) -> EstimatorNoise:
    """The model of figures by report group (13, ...); four decimals say more than is known."""
    each = {n: figures[n][GROUP_OF] if shape else figures[n] for n, shape in SHAPES.items()}
    return EstimatorNoise(name, **{n: as_tuple(np.round(v, 4)) for n, v in each.items()})


def _within(name: str, values: np.ndarray) -> np.ndarray:
    """Values within a figure's limits; what nothing is known of takes the value of `_UNKNOWN`."""
    return np.clip(np.nan_to_num(values, nan=_UNKNOWN.get(name, 0.0)), *LIMITS[name])


def _start(wanted: Figures) -> Figures:
    figures = {n: wanted[n] for n in SHAPES if n in wanted}
    spread = np.log(wanted["size_far"] / wanted["size"]) / TO_90
    share = wanted["exchange"] / wanted["outlier"]
    groups = np.ones(len(GROUPS))
    figures |= {"size_spread": spread, "exchange": share}
    return figures | {"memory": 0.8 * groups, "white": 0.2 * groups}


def _corrected(figures: Figures, wanted: Figures, got: Figures) -> Figures:
    """Figures of the model moved by what its simulation measures too much or too little."""
    new = dict(figures)
    with np.errstate(invalid="ignore", divide="ignore"):
        for n in ("bias", "peak", "peak_slope", "peak_memory", "outlier_peak"):
            new[n] = figures[n] + wanted[n] - got[n]
        spreads = ("offset_sd", "body_spread", "joint_spread", "peak_clip", "peak_frame")
        for n in (*spreads, "outlier_peak_run"):
            new[n] = np.sqrt(np.maximum(figures[n] ** 2 + wanted[n] ** 2 - got[n] ** 2, 0))
        for n in ("sd", "outlier", "run", "size", "body_exchange", "body_run"):
            new[n] = figures[n] * _ratio(wanted[n], got[n])
        tails = (np.log(f["size_far"] / f["size"]) for f in (wanted, got))
        new["size_spread"] = figures["size_spread"] * _ratio(*tails)
        lacking = (wanted["exchange"] - got["exchange"]) / wanted["outlier"]
        new["exchange"] = figures["exchange"] + lacking
    lags = (1 - figures["white"][:, None]) * figures["memory"][:, None] ** np.array(LAGS)
    new["memory"], new["white"] = _decay(lags + wanted["lags"] - got["lags"])
    return new


def _ratio(wanted: np.ndarray, got: np.ndarray) -> np.ndarray:
    return np.clip(np.nan_to_num(wanted / got, nan=1.0), 0.5, 2)


def _decay(lags: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Memory and white share (13,) whose correlations at LAGS come closest to `lags` (13, 3)."""
    memory = np.linspace(0, 0.99, 100)[:, None]
    power = memory ** np.array(LAGS)
    square = np.maximum((power**2).sum(1, keepdims=True), 1e-9)
    slow = np.clip((power @ np.nan_to_num(lags).T) / square, 0, 1)
    best = ((slow[..., None] * power[:, None] - lags) ** 2).sum(-1).argmin(0)
    return memory[best, 0], 1 - slow[best, np.arange(len(lags))]


def provenance(clips: ClipSet, recordings: Sequence[Recorded]) -> dict:
    """What a model was fitted to, and which report groups borrow the errors of which."""
    figures = measure(seen := observe(truths(clips), recordings, clips.source))
    names, lender = list(GROUPS), lenders(figures, clips.source)
    digest = hashlib.sha256(clips.keypoints.tobytes())
    digest.update("\n".join(map(str, clips.clip)).encode())
    return {
        "data": clips.source,
        "sha256": digest.hexdigest(),
        "truth": clips.truth,
        "clips": len(clips),
        "fps": None if np.isnan(clips.fps).all() else round(float(np.nanmedian(clips.fps)), 3),
        "frames": int(sum(np.isfinite(t).all(-1).any(-1).sum() for t in seen.truth)),
        "estimator": str(getattr(recordings[0], "name", "unknown")),
        "borrowed": {n: names[i] for n, i in zip(names, lender, strict=True) if names[i] != n},
        "notes": (
            "A keypoint under `borrowed` has too little truth: its errors are those of the keypoint"
            " named; height, blur and background of its maps are its own, and it has no mean"
            " offset."
        ),
    }


def save(path: str | Path, noise: EstimatorNoise, provenance: dict) -> None:
    """Write a noise model for `estimator_noise.load`, one figure a line, whole or not at all."""
    about = {"schema": SCHEMA, "name": noise.name, "provenance": provenance}
    lines = [f" {json.dumps(n)}: {json.dumps(v, allow_nan=False)}," for n, v in about.items()]
    values = {n: json.dumps(getattr(noise, n), allow_nan=False) for n in SHAPES}
    figures = ",\n".join(f"  {json.dumps(n)}: {value}" for n, value in values.items())
    write_text(path, "{\n" + "\n".join(lines) + '\n "figures": {\n' + figures + "\n }\n}\n")
