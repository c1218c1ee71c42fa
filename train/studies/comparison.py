"""Tables that show ours beside the published figures: PCK, changes between setups, cost."""

from __future__ import annotations

import math
from collections.abc import Iterator

from train.studies.observations import PAIRS, Points, change, points_of
from train.studies.page import (
    ALPHAS,
    OURS,
    VARIANTS,
    Mark,
    Table,
    between,
    bold,
    number,
    percent,
    spread,
)
from train.studies.published import HELD_OUT, MARK, MILLISECONDS, PARAMETERS, Published


def _theirs(*texts: str) -> list[Mark]:
    return [Mark(text, theirs=True) for text in texts]


def pck_table(
    rows: list, setups: tuple[str, ...], variant: tuple[str, str], published: tuple[Published, ...]
) -> Table:
    """Tables 1 and 2: PCK in %, setups beside each other by threshold; ours, then theirs."""
    places, groups = [(a, s) for a in ALPHAS for s in setups], [("", 1)]
    sizes = [e.figures[variant[0]]["threshold"] for s in setups for e in rows[0].shown(s)]
    for a in ALPHAS:
        groups.append((f"@{a}: {between([float(a) * v for v in sizes])} cells", len(setups)))
    means = [[row.mean(s, variant, a) for a, s in places] for row in rows]
    texts = [[_text(row, s, variant, a) for a, s in places] for row in rows]
    lines = [[r.label, *marks] for r, marks in zip(rows, bold(means, texts), strict=True)]
    for p in published:
        shown = (percent(p.pck[a][s] / 100) if s in p.pck[a] else "–" for a, s in places)
        lines.append(_theirs(p.label, *shown))
    return Table(("", *(s for _, s in places)), lines, groups)


def _text(row, setup: str, variant: tuple[str, str], alpha: str) -> str:
    values, seeds = row.values(setup, variant, alpha), len(row.entries.get(setup, ()))
    missing = f" ({len(values)} of {seeds} seeds)" if len(values) < seeds else ""
    return percent(sum(values) / len(values)) + missing if values else row.state(setup)


def pck_lines(
    rows: list, setups: tuple[str, ...], published: tuple[Published, ...]
) -> Iterator[dict]:
    """Tables 1 and 2 as lines of a CSV, in %: seeds, their mean, the published; every variant."""
    heads = ("row", "kind", "source", "setup", "reading", "averaging", "alpha")
    for row, setup, (reading, averaging), alpha in (
        (r, s, v, a) for r in rows for s in setups for v in VARIANTS for a in ALPHAS
    ):
        place = (row.label, row.kind, "ours", setup, reading, averaging, alpha)
        about = dict(zip(heads, place, strict=True))
        values = row.values(setup, (reading, averaging), alpha)
        for e in row.entries.get(setup, ()):
            if e.figures:
                value, low, high = (100 * v for v in e.figures[reading][averaging][alpha])
                size = float(alpha) * e.figures[reading]["threshold"]
            else:
                value = low = high = size = math.nan
            line = about | {"seed": e.seed, "pck": value}
            line |= {"low": low, "high": high} if averaging == "pooled" else {}
            state = "no figure" if e.state == "done" and not e.figures else e.state
            yield line | {"threshold_cells": size, "state": state}
        if len(values) > 1:
            mean = dict(zip(("pck", "min", "max"), spread(values), strict=True))
            yield about | {"seed": "mean", **mean, "seeds": len(values), "state": "done"}
        if not row.entries.get(setup):
            yield about | {"state": "not run"}
    for p, setup, alpha in ((p, s, a) for p in published for s in setups for a in ALPHAS):
        if setup in p.pck[alpha]:
            place = (p.label, MARK, p.version, setup, "study", "study", alpha)
            line = dict(zip(heads, place, strict=True))
            yield line | {"pck": p.pck[alpha][setup], "state": "done"}


def points_of_rows(rows: list) -> Points:
    """Our figures in %, the mean over seeds, ours and pooled."""
    by_name = {row.label: row for row in rows}
    return lambda m, s, a: 100 * by_name[m].mean(s, OURS, a) if m in by_name else math.nan


def change_lines(rows: list, published: tuple[Published, ...]) -> Iterator[dict]:
    """What each setup changed, in points: for every model and pair ours, and theirs by version."""
    ours, versions = points_of_rows(rows), sorted({p.version for p in published}, reverse=True)
    theirs = {v: points_of(tuple(p for p in published if p.version == v), v) for v in versions}
    for row, pair in ((r, p) for r in rows if r.kind == "model" for p in PAIRS):
        line = {"model": row.label, "change": f"{pair[0]} - {pair[1]}"}
        line |= {f"ours @{a}": change(ours, row.label, pair, a) for a in ALPHAS}
        for version, points in theirs.items():
            line |= {
                f"published {version} @{a}": change(points, row.model, pair, a) for a in ALPHAS
            }
        yield line


def change_table(lines: list[dict]) -> Table:
    """The lines of `change_lines`, theirs marked."""
    heads = tuple(lines[0])
    groups = [("", 2), ("ours, points", 3), *((f"{MARK}; {h.split()[1]}", 3) for h in heads[5::3])]
    rows = []
    for line in lines:
        shown = [number(line[h], "+.2f") for h in heads[2:]]
        rows.append([line["model"], line["change"], *shown[:3], *_theirs(*shown[3:])])
    return Table((*heads[:2], *(h.split()[-1] for h in heads[2:])), rows, groups)


def best_table(rows: list, setups: tuple[str, ...]) -> Table:
    """Of a held-out video: the best setup of every model at each threshold, ours and theirs."""
    lines = []
    for row in (r for r in rows if r.kind != "filter"):
        ours = []
        for alpha in ALPHAS:
            means = [(row.mean(s, OURS, alpha), s) for s in setups]
            top, setup = max((m for m in means if math.isfinite(m[0])), default=(math.nan, ""))
            ours.append(f"{percent(top)} ({setup})" if setup else "not run")
        theirs = (number(t, ".1f") for t in HELD_OUT.get(row.model, (math.nan,) * 3))
        lines.append([row.label, *ours, *_theirs(*theirs)])
    shown = tuple(f"@{a}" for a in ALPHAS)
    groups = (("", 1), ("ours (setup)", 3), (f"{MARK}; best setup", 3))
    return Table(("", *shown, *shown), lines, groups)


def cost_lines(cells) -> Iterator[dict]:
    """Every trained cell: size, speed, and what its training took."""
    kept = ("parameters", "ms_per_window", "epochs", "best_epoch", "minutes")
    for c in (c for c in cells if c.metrics and c.model != "filters"):
        figures = {k: c.metrics[k] for k in kept}
        named = {"model": c.label, "setup": c.setup, "seed": c.seed}
        yield named | figures | {"training_windows": c.metrics["windows"]["train"]}


def cost_table(cells) -> Table:
    """By model, least to most over its cells; theirs beside."""
    shown = {
        "parameters": ("parameters", ",.0f"),
        "ms per window": ("ms_per_window", ".2f"),
        "epochs": ("epochs", ".0f"),
        "minutes a cell": ("minutes", ".1f"),
        "training windows": ("training_windows", ",.0f"),
    }
    lines, every = [], list(cost_lines(cells))
    for label, model in dict.fromkeys((c.label, c.model) for c in cells if c.model != "filters"):
        own = [line for line in every if line["model"] == label]
        figures = (between([line[k] for line in own], form) for k, form in shown.values())
        theirs = _theirs(
            number(PARAMETERS.get(model, math.nan), ",.0f"),
            number(MILLISECONDS.get(model, math.nan)),
        )
        lines.append([label, *figures, str(len(own)), *theirs])
    theirs = ("published parameters", "published ms, GTX 1070, other machine")
    return Table(("", *shown, "cells done", *theirs), lines)
