"""Paths of single points over time, with gaps: bridged, fitted, measured, and how smooth they are.

times (T,) are seconds and increase, at any rate; points (T, 2) are pixels, NaN where unknown.
"""

from __future__ import annotations

import math

import numpy as np

GAP = 0.5  # seconds: a longer gap ends a path
WINDOW = 0.14  # seconds on either side that a fitted line goes over
SHORTEST = 1.0  # seconds from which on smoothness means something


def bridge(times: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(T, 2) points with gaps of at most GAP seconds filled by straight lines."""
    known = np.flatnonzero(np.isfinite(points).all(1))
    if not len(known):
        return points
    after = np.minimum(np.searchsorted(known, np.arange(len(points))), len(known) - 1)
    before = np.where(known[after] == np.arange(len(points)), after, np.maximum(after - 1, 0))
    inside = (np.arange(len(points)) >= known[0]) & (np.arange(len(points)) <= known[-1])
    short = inside & (times[known[after]] - times[known[before]] <= GAP)
    filled = np.stack([np.interp(times, times[known], points[known, axis]) for axis in (0, 1)], 1)
    return np.where(short[:, None], filled, np.nan)


def fit(times: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Place (T, 2) and velocity (T, 2) a second of the straight line fitted to the known points
    within WINDOW.

    At least the neighbouring frames take part, if within GAP. Without two points the place is the
    point, velocity NaN.
    """
    count = len(times)
    step = np.median(np.diff(times)) if count > 1 else 1.0
    reach = max(1, math.ceil(WINDOW / step)) if step > 0 else 1
    offsets = np.arange(-reach, reach + 1)
    index = np.clip(np.arange(count)[:, None] + offsets, 0, max(count - 1, 0))
    inside = index == np.arange(count)[:, None] + offsets
    apart = times[index] - times[:, None]
    near = inside & (np.abs(apart) <= np.where(np.abs(offsets) <= 1, GAP, WINDOW + 1e-9))
    values = points[index]  # (T, offsets, 2)
    weight = (near & np.isfinite(values).all(-1)).astype(float)
    values = np.where(weight[..., None] > 0, values, 0)
    total = np.where(weight.sum(1) > 0, weight.sum(1), np.nan)
    centre, mean = (
        (weight * apart).sum(1) / total,
        (weight[..., None] * values).sum(1) / total[:, None],
    )
    deviation = weight * (apart - centre[:, None])
    spread = (deviation**2).sum(1)
    velocity = (deviation[..., None] * values).sum(1) / np.where(spread > 0, spread, np.nan)[
        :, None
    ]
    return np.where(np.isfinite(velocity), mean - velocity * centre[:, None], mean), velocity


def walked_length(times: np.ndarray, path: np.ndarray, stride: float) -> float:
    """Length of a path (T, 2) without NaN, in strides: a point counts once it is `stride` from the
    last that did.

    So a point that trembles by less does not move. What lies across a GAP does not count.
    """
    if not len(path):
        return 0.0
    total, last = 0.0, path[0]
    for point, passed in zip(path, np.diff(times, prepend=times[:1]), strict=True):
        step = math.dist(point, last)
        if passed > GAP:
            last = point
        elif step >= stride:
            total, last = total + step, point
    return total


def smoothness(times: np.ndarray, path: np.ndarray, rate: float = 30.0) -> float:
    """SPARC of the speed of path (T, 2) at `rate` Hz, over stretches without a GAP, weighted by
    their seconds.

    Speed is that of straight lines fitted within WINDOW. Stretches under SHORTEST are left out; NaN
    where none remains.
    """
    times, path = times[np.isfinite(path).all(1)], path[np.isfinite(path).all(1)]
    values, weights = [], []
    for part in np.split(np.arange(len(times)), np.flatnonzero(np.diff(times) > GAP) + 1):
        if len(part) > 2 and (lasting := times[part[-1]] - times[part[0]]) >= SHORTEST:
            even = np.arange(times[part[0]], times[part[-1]], 1 / rate)
            speed = np.linalg.norm(fit(times[part], path[part])[1], axis=1)
            values.append(sparc(np.interp(even, times[part], speed), rate))
            weights.append(lasting)
    return float(np.average(values, weights=weights)) if values else math.nan


def sparc(speed: np.ndarray, rate: float, highest: float = 10.0, threshold: float = 0.05) -> float:
    """Spectral arc length of a speed profile (N,) at `rate` Hz: dimensionless, below 0, nearer to 0
    is smoother.

    Balasubramanian, Melendez-Calderon, Roby-Brami and Burdet, "On the analysis of movement
    smoothness", Journal of NeuroEngineering and Rehabilitation 12:112, 2015, with their constants:
    the arc length of the amplitude spectrum (zero padded 16 times and more, divided by its value at
    0 Hz) from 0 Hz to the last frequency up to `highest` whose amplitude is at least `threshold`.
    One even reach gives about -1.4. It grows with the number of parts of a movement: compare climbs
    of about the same length. NaN where nothing moves.
    """
    size = 2 ** (math.ceil(math.log2(max(len(speed), 1))) + 4)
    amplitude = np.abs(np.fft.rfft(speed, size))
    frequency = np.fft.rfftfreq(size, 1 / rate)
    if not len(speed) or not amplitude[0] > 0:
        return math.nan
    amplitude = amplitude[frequency <= highest] / amplitude[0]
    last = np.flatnonzero(amplitude >= threshold)[-1]
    if last < 1:
        return math.nan
    return float(-np.hypot(1 / last, np.diff(amplitude[: last + 1])).sum())
