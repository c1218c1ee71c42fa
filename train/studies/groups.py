"""Tables 3 and 4 of a study, PCK by group of keypoints; and every seed in detail."""

from __future__ import annotations

import math
from collections.abc import Iterator

from climb_edge.pose.skeleton import GROUPS
from train.studies.page import (
    ALPHAS,
    OURS,
    VARIANTS,
    Table,
    bold,
    number,
    percent,
    spread,
    with_bounds,
)

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
    """By setup and row: best epoch, PCK@0.2 by group and in total; of seeds their spread."""
    lines = []
    for setup in setups:
        means, texts = [], []
        for row in rows:
            shown = row.shown(setup)
            of = [[shares(e.figures, variant, g, "0.2")[0] for e in shown] for g in GROUPS]
            of = [[v for v in vs if math.isfinite(v)] for vs in of]
            of.append(row.values(setup, variant, "0.2"))
            means.append([sum(v) / len(v) if v else math.nan for v in of])
            texts.append([_text(v) for v in of])
            texts[-1][-1] = texts[-1][-1] if shown else row.state(setup)
        for row, marks in zip(rows, bold(means, texts), strict=True):
            epochs = [str(e.epoch) for e in row.entries.get(setup, ()) if e.epoch is not None]
            lines.append([setup, row.label, ", ".join(epochs) or "–", *marks])
    return Table(("setup", "row", "best epoch", *GROUPS, "total"), lines)


def _text(seeds: list[float]) -> str:
    if len(seeds) > 1:
        return with_bounds(*spread(seeds), "..")
    return percent(seeds[0]) if seeds else "–"


def group_lines(rows: list, setups: tuple[str, ...]) -> Iterator[dict]:
    """Lines of a CSV: every seed, reading, averaging and threshold, in %, with intervals over clips
    where it is pooled.
    """
    heads = ("setup", "row", "seed", "best_epoch", "reading", "averaging", "alpha")
    for row, setup in ((r, s) for r in rows for s in setups):
        for e, variant, alpha in (
            (e, v, a) for e in row.shown(setup) for v in VARIANTS for a in ALPHAS
        ):
            place = (setup, row.label, e.seed, e.epoch, *variant, alpha)
            yield dict(zip(heads, place, strict=True)) | _columns(e.figures, variant, alpha)


def _columns(figures: dict, variant: tuple[str, str], alpha: str) -> dict:
    reading, averaging = variant
    every = {g: shares(figures, variant, g, alpha) for g in GROUPS}
    every["total"] = figures[reading][averaging][alpha]
    columns = {name: 100 * v for name, (v, _, _) in every.items()}
    if averaging == "pooled":
        for name, (_, low, high) in every.items():
            columns |= {f"{name} low": 100 * low, f"{name} high": 100 * high}
    return columns


def detail_lines(rows: list, setups: tuple[str, ...]) -> Iterator[dict]:
    """Every seed of every row: PCK in % with intervals over clips (ours, pooled), jitter, lag."""
    for row, setup in ((r, s) for s in setups for r in rows):
        for e in row.shown(setup):
            line = {"setup": setup, "row": row.label, "seed": e.seed}
            for a in ALPHAS:
                three = (100 * v for v in e.figures["ours"]["pooled"][a])
                line |= dict(zip((f"@{a}", f"@{a} low", f"@{a} high"), three, strict=True))
            yield line | {k: e.figures[k] for k in ("jitter", "truth_jitter", "lag_ms")}


def detail_table(rows: list, setups: tuple[str, ...]) -> Table:
    """The lines of `detail_lines`; after several seeds their spread."""
    lines, forms = [], {"jitter": ".3f", "truth_jitter": ".3f", "lag_ms": "+.1f"}
    at = [f"@{a}" for a in ALPHAS]
    for row, setup in ((r, s) for s in setups for r in rows):
        for line in detail_lines([row], (setup,)):
            pck = (with_bounds(line[a], line[f"{a} low"], line[f"{a} high"], "to") for a in at)
            moves = (number(line[k], form) for k, form in forms.items())
            lines.append([setup, row.label, str(line["seed"]), *pck, *moves])
        seeds = [row.values(setup, OURS, a) for a in ALPHAS]
        if len(seeds[0]) > 1:
            pck = (with_bounds(*spread(values), "..") for values in seeds)
            lines.append(
                [setup, row.label, f"mean of {len(seeds[0])} (min .. max)", *pck, "", "", ""]
            )
    return Table(("setup", "row", "seed", *at, "jitter", "truth's jitter", "lag, ms"), lines)
