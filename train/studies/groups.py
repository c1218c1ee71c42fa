"""Tables 3 and 4 of a study: PCK by group of keypoints."""

from __future__ import annotations

import math
from collections.abc import Iterator

from climb_edge.pose.skeleton import GROUPS
from train.studies.page import ALPHAS, OURS, VARIANTS, Mark, Table, bold, percent, with_bounds

_NONE = (math.nan,) * 3


def shares(
    figures: dict, variant: tuple[str, str], group: str, alpha: str
) -> tuple[float, float, float]:
    """(share, low, high) of a group; `variant` is (reading, averaging). NaN where there is none,
    bounds where one has none.

    Runs of an older version have the mean over a group's keypoints, pooled, alone.
    """
    reading, averaging = variant
    there = figures[reading]["groups"].get(group)
    if there is not None:
        return there[averaging][alpha]
    known = figures[reading]["keypoints"].get(f"group {group}") if averaging == "pooled" else None
    return (known[alpha], *_NONE[1:]) if known else _NONE


def group_table(rows: list, setups: tuple[str, ...], variant: tuple[str, str]) -> Table:
    """By setup and row the best epoch, PCK@0.2 of each group, and in total; of several seeds mean,
    least and most.
    """
    lines = []
    for setup in setups:
        means, texts = [], []
        for row in rows:
            shown = [e for e in row.entries.get(setup, ()) if e.figures]
            of = [[shares(e.figures, variant, g, "0.2")[0] for e in shown] for g in GROUPS]
            of = [
                *([v for v in vs if math.isfinite(v)] for vs in of),
                row.values(setup, variant, "0.2"),
            ]
            means.append([sum(v) / len(v) if v else math.nan for v in of])
            texts.append([_told(m, v) for m, v in zip(means[-1], of, strict=True)])
            texts[-1][-1] = texts[-1][-1] if shown else row.state(setup)
        for row, marks in zip(rows, bold(means, texts), strict=True):
            epochs = [str(e.epoch) for e in row.entries.get(setup, ()) if e.epoch is not None]
            lines.append((Mark(setup), Mark(row.label), Mark(", ".join(epochs) or "–"), *marks))
    return Table(("setup", "row", "best epoch", *GROUPS, "total"), tuple(lines))


def _told(mean: float, seeds: list[float]) -> str:
    if len(seeds) > 1:
        return with_bounds(100 * mean, 100 * min(seeds), 100 * max(seeds), "..")
    return percent(mean) if math.isfinite(mean) else "–"


def group_lines(rows: list, setups: tuple[str, ...]) -> Iterator[dict]:
    """Lines of a CSV: every seed, reading, averaging and threshold, in %, with intervals over clips
    where it is pooled.
    """
    for row, setup in ((r, s) for r in rows for s in setups):
        for e in (e for e in row.entries.get(setup, ()) if e.figures):
            for variant in (OURS, *(v for v in VARIANTS if v != OURS)):
                for alpha in ALPHAS:
                    yield {
                        "setup": setup,
                        "row": row.label,
                        "seed": e.seed,
                        "best_epoch": e.epoch,
                        "reading": variant[0],
                        "averaging": variant[1],
                        "alpha": alpha,
                        **_columns(e.figures, variant, alpha),
                    }


def _columns(figures: dict, variant: tuple[str, str], alpha: str) -> dict:
    reading, averaging = variant
    all_of = {g: shares(figures, variant, g, alpha) for g in GROUPS} | {
        "total": figures[reading][averaging][alpha]
    }
    columns = {name: 100 * v for name, (v, _, _) in all_of.items()}
    if averaging == "pooled":
        columns |= {
            f"{n} {end}": 100 * v
            for n, (_, *ends) in all_of.items()
            for end, v in zip(("low", "high"), ends, strict=True)
        }
    return columns
