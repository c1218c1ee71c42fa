"""The study's observations, confirmed or not by a rule that is printed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from train.studies.page import ALPHAS
from train.studies.published import SETUPS, Published

# What each setup changed: (setup, the setup it is compared with).
# x.2 - x.1: one width of the simulated heatmaps instead of five
SMEAR = (("1.2", "1.1"), ("2.2", "2.1"))
SKIPPING = (("1.3", "1.1"), ("2.3", "2.1"))  # x.3 - x.1: every second frame
# 2.y - 1.y: keypoints shifted twice as far
SCALAR = (("2.1", "1.1"), ("2.2", "1.2"), ("2.3", "1.3"))
PAIRS = (*SMEAR, *SKIPPING, *SCALAR)
_PRECISE, _CALM = "deciwatch", ("convlstm_sum", "convlstm_concat")
RULE = (
    "Rule: confirmed where the largest |change| of deciwatch, in points, is at least twice the"
    " largest of the two bi-ConvLSTMs over the same pairs of setups and all three thresholds;"
    " partly where it is larger, but less than twice; not confirmed where it is not larger; not"
    " shown where no pair of setups has all three models and those there are do not decide."
)

# (model, setup, threshold) -> PCK in %, NaN where there is none
Points = Callable[[str, str, str], float]


def points_of(rows: tuple[Published, ...], version: str) -> Points:
    """Published figures of one version; a model that this version lacks is taken from the other."""
    first = {r.model: r.pck for r in sorted(rows, key=lambda r: r.version == version)}
    return lambda model, setup, alpha: first.get(model, {alpha: {}})[alpha].get(setup, math.nan)


def change(points: Points, model: str, pair: tuple[str, str], alpha: str) -> float:
    """Percentage points from the second setup of a pair to its first."""
    return points(model, pair[0], alpha) - points(model, pair[1], alpha)


def sentences(points: Points) -> Iterator[tuple[str, str, str]]:
    """(observation, verdict, the numbers) for each of the study's observations, by RULE."""
    for factor, pairs in (("the shifting-scalar", SCALAR), ("frame skipping", SKIPPING)):
        observation = f"deciwatch reacts strongly to {factor}, the bi-ConvLSTMs hardly"
        yield observation, *_judged(points, pairs)


def _judged(points: Points, pairs: Sequence[tuple[str, str]]) -> tuple[str, str]:
    there = {
        m: [p for p in pairs if math.isfinite(_largest(points, m, [p])[0])]
        for m in (_PRECISE, *_CALM)
    }
    both = [p for p in pairs if all(p in of for of in there.values())]
    used = both or [p for p in there[_PRECISE] if any(p in there[m] for m in _CALM)]
    moves = [(*_largest(points, m, [p]), m) for m in _CALM for p in used if p in there[m]]
    calm, other, model = max(moves, default=(0.0, "", ""))
    most, where = _largest(points, _PRECISE, used) if used else (math.nan, "")
    if not both and not calm >= most:
        setups = [s for s in SETUPS if any(s in p for p in pairs)]
        lacking = {
            m: [s for s in setups if not all(math.isfinite(points(m, s, a)) for a in ALPHAS)]
            for m in there
        }
        missing = "; ".join(f"{m} {', '.join(s)}" for m, s in lacking.items() if s)
        return "not shown", f"missing: {missing}"
    verdict = "partly" if most > calm else "not confirmed"
    if most >= 2 * calm and most > 0:
        verdict = "confirmed"
    left = ""
    if not both:
        left = f"; no pair has all three models, and what is missing cannot make {calm:.2f} less"
    elif len(both) < len(pairs):
        left = f"; only {len(both)} of {len(pairs)} pairs have all three models"
    return verdict, (
        f"deciwatch moved by {most:.2f} points at most ({where}), the bi-ConvLSTMs by"
        f" {calm:.2f} ({model}, {other}){left}"
    )


def _largest(points: Points, model: str, pairs) -> tuple[float, str]:
    """The largest |change| of a model and where it is; NaN where a figure is missing."""
    found = [
        (abs(change(points, model, p, a)), f"{p[0]} - {p[1]} @{a}") for p in pairs for a in ALPHAS
    ]
    return max(found) if all(math.isfinite(v) for v, _ in found) else (math.nan, "")
