"""How predicted trajectories move: how late they are, and how much they accelerate.

How much a standing point trembles (the jitter of the error) is in `climb_edge.evaluation.evaluate`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# a motion of which the velocity's change holds less than this share of its energy counts as even
EVEN = 1e-6


def lag_ms(
    predicted: Sequence[np.ndarray],
    truth: Sequence[np.ndarray],
    fps: float,
    reach: int | None = None,
) -> float:
    """How late the prediction is, in milliseconds; positive is late.

    predicted, truth: one (T, 25, 2) array per clip or window, in one unit; NaN where unknown.
    reach: the largest lag sought, in frames; unless given, half a second, or half of the longest
    clip where that is less (2 for 5 frames).

    The lag is where the truth's velocity, shifted in time, fits the prediction's best: the
    cross-correlation of the velocities in its least-squares form, |vp(t) - vt(t - lag)|^2 against
    |vp(t) - vt(t)|^2 at the same frames t, pooled over all pairs of all clips. Correlation alone
    sinks with every lag in short windows, for want of pairs, and so pulls towards 0; the difference
    at the same frames does not, and noise of the prediction falls out of it on average. A parabola
    through the best lag and its two neighbours (at the end of the reach: the last three lags) gives
    the part of a frame; a lag just beyond the reach comes out as the reach; of one far beyond
    nothing is known.

    NaN where nothing can be told: no pairs for a lag of 1, a prediction or a truth that stands
    still or moves evenly.
    """
    velocities = [
        (np.diff(p, axis=0), np.diff(t, axis=0)) for p, t in zip(predicted, truth, strict=True)
    ]
    longest = max((len(v) for _, v in velocities), default=0)
    reach = min(round(fps / 2), longest // 2) if reach is None else reach
    misfit = np.array([_misfit(velocities, lag) for lag in range(-reach, reach + 1)])
    if reach < 1 or not np.isfinite(misfit[reach - 1 : reach + 2]).all() or not _moves(velocities):
        return float("nan")
    lag = best = int(np.nanargmin(misfit))
    middle = min(max(best, 1), 2 * reach - 1)
    before, at, after = misfit[middle - 1 : middle + 2]
    # neither bent the other way, nor next to a lag without pairs
    if (bend := before - 2 * at + after) > 0:
        lag = min(max(middle + 0.5 * (before - after) / bend, 0), 2 * reach)
    return float(1000 * (lag - reach) / fps)


def _misfit(velocities: Sequence[tuple[np.ndarray, np.ndarray]], lag: int) -> float:
    """Mean over all pairs of |vp(t) - vt(t - lag)|^2 - |vp(t) - vt(t)|^2; NaN without a pair."""
    total, count = 0.0, 0
    for predicted, truth in velocities:
        shifted = np.full(truth.shape, np.nan)
        if abs(lag) < len(truth):
            shifted[max(lag, 0) : len(truth) + min(lag, 0)] = truth[
                max(-lag, 0) : len(truth) - max(lag, 0)
            ]
        change = ((predicted - shifted) ** 2 - (predicted - truth) ** 2).sum(-1)
        total, count = total + np.nansum(change), count + np.isfinite(change).sum()
    return total / count if count else float("nan")


def _moves(velocities: Sequence[tuple[np.ndarray, np.ndarray]]) -> bool:
    """Whether both the prediction and the truth change their velocity: only that tells when
    something happened.
    """
    for which in (0, 1):
        energy = sum(np.nansum(pair[which] ** 2) for pair in velocities)
        change = sum(np.nansum(np.diff(pair[which], axis=0) ** 2) for pair in velocities)
        if change <= EVEN * energy:
            return False
    return True


def acceleration(points: Sequence[np.ndarray], fps: float | None = None) -> float:
    """Mean length of the second difference of (T, 25, 2) points over time: unit per frame squared,
    or per second squared where fps is given. Over all known points of all clips; NaN without three
    known frames in a row.
    """
    every = [np.linalg.norm(np.diff(p, n=2, axis=0), axis=-1).ravel() for p in points]
    known = np.concatenate([*every, np.empty(0)])
    known = known[np.isfinite(known)]
    return float(known.mean() * (1 if fps is None else fps**2)) if len(known) else float("nan")
