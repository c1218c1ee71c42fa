"""PCK: the share of keypoints within a x torso diameter of the truth; pooled and as the study
averaged it.

Torso diameter = mean of |left shoulder - left hip| and |right shoulder - right hip| of the truth. A
keypoint without truth, and a frame without all four torso points, does not count. A missing
prediction (NaN) counts as wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from climb_edge.pose.skeleton import (
    GROUPS,
    KEYPOINTS,
    LEFT_HIP,
    LEFT_SHOULDER,
    RIGHT_HIP,
    RIGHT_SHOULDER,
)

ALPHAS = (0.05, 0.1, 0.2)
Interval = tuple[float, float, float]  # value, low, high (95 %)


def torso(truth: np.ndarray) -> np.ndarray:
    """Torso diameter (...,) of (..., 25, 2) keypoints; NaN without all four torso points."""
    left = np.linalg.norm(truth[..., LEFT_SHOULDER, :] - truth[..., LEFT_HIP, :], axis=-1)
    right = np.linalg.norm(truth[..., RIGHT_SHOULDER, :] - truth[..., RIGHT_HIP, :], axis=-1)
    return (left + right) / 2


def correct(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(3, ..., 25) float: 1 correct, 0 wrong, NaN where it does not count, for each of ALPHAS.

    predicted, truth: (..., 25, 2) in the same space (image pixels or heatmap cells).
    """
    distance = np.linalg.norm(predicted - truth, axis=-1)
    size = torso(truth)[..., None]
    counts = np.isfinite(truth).all(-1) & (np.nan_to_num(size) > 0)
    within = np.stack([distance <= a * size for a in ALPHAS])  # a NaN prediction compares as False
    return np.where(counts, within, np.nan)


@dataclass(frozen=True)
class Score:
    """Correctness of one set of predictions, by clip: intervals are drawn over clips."""

    by_clip: tuple[np.ndarray, ...]  # each (3, T, 25) from `correct`
    threshold: float  # mean distance of PCK@1 over counted frames (mean torso diameter)

    @classmethod
    def of(cls, predicted: Sequence[np.ndarray], truth: Sequence[np.ndarray]) -> Score:
        """predicted, truth: one (T, 25, 2) array per clip."""
        sizes = np.concatenate([torso(t).reshape(-1) for t in truth]) if truth else np.empty(0)
        by_clip = tuple(correct(p, t) for p, t in zip(predicted, truth, strict=True))
        return cls(by_clip, float(np.nanmean(sizes)) if np.isfinite(sizes).any() else float("nan"))

    def pooled(self) -> dict[str, Interval]:
        """Share over all keypoints of all clips, with a 95 % bootstrap interval over clips."""
        right, count = _sums(self.by_clip)
        return _named(_bootstrap(right, count))

    def study(self, batch: int = 16) -> dict[str, Interval]:
        """The study's averaging: mean over batches of `batch` frames of each batch's share; no
        interval (repeated).
        """
        frames = np.concatenate(self.by_clip, axis=1)
        parts = [frames[:, i : i + batch] for i in range(0, frames.shape[1], batch)]
        shares = np.array(
            [np.nanmean(p, axis=(1, 2)) for p in parts if np.isfinite(p[0]).any()]
        ).reshape(-1, len(ALPHAS))
        means = shares.mean(0) if len(shares) else np.full(len(ALPHAS), np.nan)
        return _named([(m, m, m) for m in means])

    def groups(self) -> dict[str, Score]:
        """A score for each report group of keypoints; what never counts is left out."""
        found = {}
        for name, members in GROUPS.items():
            parts = tuple(c[..., list(members)] for c in self.by_clip)
            if any(np.isfinite(c).any() for c in parts):
                found[name] = replace(self, by_clip=parts)
        return found

    def keypoints(self) -> dict[str, dict[str, float]]:
        """Pooled share per keypoint and per report group; what never counts is left out."""
        frames = np.concatenate(self.by_clip, axis=1)
        counted = np.isfinite(frames[0]).any(0)
        share = np.full((len(ALPHAS), len(KEYPOINTS)), np.nan)
        share[:, counted] = np.nanmean(frames[:, :, counted], axis=1)
        rows = {name: share[:, i] for i, name in enumerate(KEYPOINTS)}
        rows |= {
            f"group {name}": share[:, list(members)].mean(1) for name, members in GROUPS.items()
        }
        return {
            name: dict(zip(map(str, ALPHAS), map(float, row), strict=True))
            for name, row in rows.items()
            if np.isfinite(row).all()
        }


def drop(score: Score, reference: Score) -> dict[str, Interval]:
    """Paired change in percentage points, score - reference on the same clips, with its bootstrap
    interval over clips.
    """
    right, count = _sums(score.by_clip)
    right_reference, _ = _sums(reference.by_clip)
    change = _bootstrap(right - right_reference, count)
    return _named([tuple(100 * v for v in row) for row in change])


def worst_keypoint(score: Score, reference: Score) -> dict[str, tuple[str, float, float]]:
    """For each alpha the keypoint that changed most for the worse: name, change in points, upper
    end of its interval.

    The worst of 25 noisy changes looks bad by luck: its interval is widened for 25 looks
    (Bonferroni), so that an upper end under a bar means that the keypoint surely fell.
    """
    result, level = {}, 1 - 0.05 / len(KEYPOINTS)
    for a, alpha in enumerate(ALPHAS):
        rows = []
        for k, name in enumerate(KEYPOINTS):
            right, count = _sums([c[:, :, k : k + 1] for c in score.by_clip])
            if count.sum():
                base, _ = _sums([c[:, :, k : k + 1] for c in reference.by_clip])
                value, _, high = _bootstrap(right - base, count, level)[a]
                rows.append((100 * value, 100 * high, name))
        value, high, name = min(rows)
        result[str(alpha)] = (name, value, high)
    return result


def _sums(by_clip: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Correct (3, C) and counted (C,) keypoints of each clip."""
    right = np.stack([np.nansum(c, axis=(1, 2)) for c in by_clip], axis=1)
    return right, np.array([np.isfinite(c[0]).sum() for c in by_clip])


def _bootstrap(
    right: np.ndarray, count: np.ndarray, level: float = 0.95, draws: int = 2000
) -> list[Interval]:
    """(value, low, high) of sum(right) / sum(count) by row of right (3, C), clips resampled."""
    total = count.sum()
    if not total:
        return [(float("nan"),) * 3] * len(right)
    value = right.sum(1) / total
    if len(count) < 2:  # one clip says nothing about clips
        return [(float(v), float("nan"), float("nan")) for v in value]
    picks = _picks(len(count), draws)
    shares = picks @ right.T / np.maximum(picks @ count, 1)[:, None]
    low, high = np.quantile(shares, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return [(float(v), float(lo), float(hi)) for v, lo, hi in zip(value, low, high, strict=True)]


@cache
def _picks(count: int, draws: int) -> np.ndarray:
    """(draws, count) how often each clip is drawn: once for every row, keypoint and file."""
    return np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=draws)


def _named(rows: Iterable[Sequence[float]]) -> dict[str, Interval]:
    return {
        str(a): (float(value), float(low), float(high))
        for a, (value, low, high) in zip(ALPHAS, rows, strict=True)
    }
