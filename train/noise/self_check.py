"""Does a fitted noise repeat what was measured? Which figures are beyond tolerance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from climb_edge.files.clips import ClipSet
from climb_edge.pose.skeleton import GROUPS
from train.noise.estimator_noise import EstimatorNoise
from train.noise.fit import PARTS, repeated, simulate, truths
from train.noise.measure import Figures, Recorded, measure, observe
from train.noise.measure_maps import measure_maps

# How far a simulated figure may lie from the measured one: share of it, and absolutely.
TOLERANCE = {
    "bias": (0, 0.01),
    "offset_sd": (0.15, 0.005),
    "sd": (0.05, 0.002),
    "lags": (0, 0.05),
    "kurtosis": (0.25, 0),
    "body_spread": (0.15, 0.03),
    "joint_spread": (0.15, 0.03),
    "outlier": (0.1, 0.005),
    "run": (0.3, 0),
    "size": (0.25, 0.01),
    "size_far": (0.25, 0),
    "exchange": (0.2, 0.005),
    "body_exchange": (0.3, 0.003),
    "outliers_by_height": (0.3, 0.02),
    "peak": (0, 0.02),
    "peak_slope": (0.25, 0.02),
    "peak_clip": (0.15, 0.01),
    "peak_frame": (0.1, 0.01),
    "peak_memory": (0, 0.05),
    "outlier_peak": (0, 0.03),
    "outlier_peak_run": (0.2, 0.01),
    "blur": (0.1, 0),
    "background": (0, 0.04),
}
UNITS = "lengths in torso diameters, blur in cells, shares and heights 0 to 1"


def check(
    clips: ClipSet, recordings: Sequence[Recorded], noise: EstimatorNoise, seed: int = 1
) -> tuple[Figures, Figures]:
    """What `recordings` measure, and a simulation of `noise` on the same truth; maps included."""
    seen = observe(truths(clips), recordings, clips.source)
    truth = repeated(seen.truth)
    simulated = simulate(truth, noise, seed)
    measured = measure(seen)
    again = measure(observe(truth, simulated, noise.name))
    maps = (measure_maps(of, measured["peak"]) for of in (recordings, simulated))
    return measured | next(maps), again | next(maps)


def beyond(measured: Figures, simulated: Figures) -> list[str]:
    """The figures, with their report group, that the simulation misses by more than TOLERANCE."""
    result = []
    for name, (share, least) in TOLERANCE.items():
        a, b = np.atleast_1d(measured[name]), np.atleast_1d(simulated[name])
        off = np.isfinite(a) & ~(np.abs(a - b) <= np.maximum(share * np.abs(a), least))
        of = [f" {group}" for group in GROUPS] if len(a) == len(GROUPS) else [""] * len(a)
        missed = off.reshape(len(a), -1).any(1)
        result += [name + group for group, far in zip(of, missed, strict=True) if far]
    return result


def report(measured: Figures, simulated: Figures) -> str:
    """Markdown: figures as measured / simulated, by report group, and what is beyond TOLERANCE."""
    names = list(GROUPS)
    known = np.isfinite(measured["sd"]).all(1)
    grouped = [["figure", "tolerance", *np.array(names)[known]]]
    whole = [["figure", "tolerance", "all"]]
    for name, (share, least) in TOLERANCE.items():
        allowed = " or ".join([f"{share:.0%}"] * bool(share) + [f"{least:g}"] * bool(least))
        values, table = [np.atleast_1d(f[name]) for f in (measured, simulated)], whole
        if len(values[0]) == len(names):
            values, table = [v[known].reshape(known.sum(), -1).T for v in values], grouped
        else:
            values = [v[:, None] for v in values]
        for label, *pair in zip(PARTS.get(name, ("",)), *values, strict=True):
            texts = (f"{_text(x)} / {_text(y)}" for x, y in zip(*pair, strict=True))
            table.append([name + label, allowed, *texts])
    lines = [f"Measured / simulated; {UNITS}."]
    for head, *rows in (grouped, whole):
        lines += ["", *(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))]
    missed = beyond(measured, simulated)
    last = f"Beyond tolerance: {', '.join(missed)}." if missed else "All within tolerance."
    return "\n".join([*lines, "", last]) + "\n"


def _text(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}"
