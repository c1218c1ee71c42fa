"""Is a keypoint's score the chance that it claims to be? In tenths against what came true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from climb_edge.evaluation.pck import ALPHAS, correct
from train.fitting.losses import SURE
from train.fitting.scoring import Measured
from train.studies.plots import new_figure, plain_axes, save_png

EDGES = np.linspace(0, 1, 11)


@dataclass(frozen=True)
class Tenth:
    """The keypoints whose score lies from `low` to `high`."""

    low: float
    high: float
    keypoints: int
    score: float  # their mean
    right: float  # the share of them within SURE torso diameters of the truth


def tenths(measured: Measured) -> list[Tenth]:
    """Keypoints with truth of all frames, by their score; tenths without any are left out."""
    both = zip(measured.points["ours"], measured.truth, strict=True)
    right = np.concatenate([correct(p, t)[ALPHAS.index(SURE)].ravel() for p, t in both])
    sure = np.concatenate([s.ravel() for s in measured.sure])
    sure, right = sure[np.isfinite(right)], right[np.isfinite(right)]
    part = np.clip(np.digitize(sure, EDGES) - 1, 0, len(EDGES) - 2)
    rows = []
    for i in np.unique(part):
        scores, came = sure[part == i], right[part == i]
        means = float(scores.mean()), float(came.mean())
        rows.append(Tenth(EDGES[i], EDGES[i + 1], len(scores), *means))
    return rows


def calibration_error(rows: Sequence[Tenth]) -> float:
    """Mean distance between score and share, over keypoints: the expected calibration error (Guo et
    al., ICML 2017, eq. 3).
    """
    return sum(r.keypoints * abs(r.score - r.right) for r in rows) / sum(r.keypoints for r in rows)


def table(rows: Sequence[Tenth]) -> str:
    """Markdown."""
    lines = [
        f"| score | keypoints | mean score | within {SURE} torso diameters |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| {r.low:.1f} to {r.high:.1f} | {r.keypoints} | {r.score:.2f} | {r.right:.2f} |"
        for r in rows
    ]
    lines += ["", f"Expected calibration error: {100 * calibration_error(rows):.1f} points."]
    return "\n".join(lines)


def plot(path: Path, rows: Sequence[Tenth], title: str) -> Path:
    """A PNG: the share that came true over the score, with the diagonal of a true one, and how many
    keypoints there are.
    """
    figure = new_figure(4.2, 4.6)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.plot([0, 1], [0, 1], color="#999", linestyle=":", label="a score that is the chance")
    label = f"calibration error {100 * calibration_error(rows):.1f} points"
    scores, right = [r.score for r in rows], [r.right for r in rows]
    upper.plot(scores, right, color="C0", marker="o", markersize=4, label=label)
    upper.set_ylabel(f"share within {SURE} torso diameters", fontsize=8)
    upper.set_title(title, fontsize=9)
    upper.legend(frameon=False, fontsize=7)
    middles, counts = [(r.low + r.high) / 2 for r in rows], [r.keypoints for r in rows]
    lower.bar(middles, counts, width=0.09, color="#bbb")
    lower.set_ylabel("keypoints", fontsize=8)
    lower.set_xlabel("score", fontsize=8)
    lower.set_xlim(0, 1)
    for axes in (upper, lower):
        plain_axes(axes)
    return save_png(figure, path)
