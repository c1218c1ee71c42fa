"""Tables that show ours beside the published figures: PCK, changes between setups, cost."""

from __future__ import annotations

import math
from collections.abc import Iterator

from train.studies.observations import PAIRS, Points, change, points_of
from train.studies.page import ALPHAS, OURS, VARIANTS, Mark, Table, bold, number, percent
from train.studies.published import HELD_OUT, MARK, MILLISECONDS, PARAMETERS, Published


def pck_table(
    rows: list, setups: tuple[str, ...], variant: tuple[str, str], published: tuple[Published, ...]
) -> Table:
    """Tables 1 and 2: PCK in %, the setups side by side under each threshold; identity, models,
    filters, then theirs.
    """
    places, groups = [(a, s) for a in ALPHAS for s in setups], [("", 1)]
    for alpha in ALPHAS:
        sizes = [
            e.figures[variant[0]]["threshold"]
            for s in setups
            for e in rows[0].entries.get(s, ())
            if e.figures
        ]
        cells = sorted(float(alpha) * v for v in sizes if math.isfinite(v)) or [math.nan]
        low, high = number(cells[0]), number(cells[-1])
        groups.append(
            (f"@{alpha}: {low if low == high else f'{low} to {high}'} cells", len(setups))
        )
    means = [[row.mean(s, variant, a) for a, s in places] for row in rows]
    texts = [[_told(row, s, variant, a) for a, s in places] for row in rows]
    lines = [(Mark(r.label), *marks) for r, marks in zip(rows, bold(means, texts), strict=True)]
    for p in published:
        shown = (percent(p.pck[a][s] / 100) if s in p.pck[a] else "–" for a, s in places)
        lines.append(tuple(Mark(t, theirs=True) for t in (p.label, *shown)))
    return Table(("", *(s for _, s in places)), tuple(lines), tuple(groups))


def _told(row, setup: str, variant: tuple[str, str], alpha: str) -> str:
    values, seeds = row.values(setup, variant, alpha), len(row.entries.get(setup, ()))
    missing = f" ({len(values)} of {seeds} seeds)" if len(values) < seeds else ""
    return percent(sum(values) / len(values)) + missing if values else row.state(setup)


def pck_lines(
    rows: list, setups: tuple[str, ...], published: tuple[Published, ...]
) -> Iterator[dict]:
    """Tables 1 and 2 as lines of a CSV, in %: every seed, the mean over seeds, the published; every
    variant.
    """
    for row, setup, variant, alpha in (
        (r, s, v, a) for r in rows for s in setups for v in VARIANTS for a in ALPHAS
    ):
        (reading, averaging), values = variant, row.values(setup, variant, alpha)
        about = {
            "row": row.label,
            "kind": row.kind,
            "source": "ours",
            "setup": setup,
            "reading": reading,
            "averaging": averaging,
            "alpha": alpha,
        }
        for e in row.entries.get(setup, ()):
            value, low, high = (
                e.figures[reading][averaging][alpha] if e.figures else (math.nan,) * 3
            )
            bounds = {"low": 100 * low, "high": 100 * high} if averaging == "pooled" else {}
            size = float(alpha) * e.figures[reading]["threshold"] if e.figures else math.nan
            state = e.state if e.figures or e.state != "done" else "no figure"
            yield about | {
                "seed": e.seed,
                "pck": 100 * value,
                **bounds,
                "threshold_cells": size,
                "state": state,
            }
        if len(values) > 1:
            mean, low, high = 100 * sum(values) / len(values), 100 * min(values), 100 * max(values)
            yield about | {
                "seed": "mean",
                "pck": mean,
                "min": low,
                "max": high,
                "seeds": len(values),
                "state": "done",
            }
        if not row.entries.get(setup):
            yield about | {"state": "not run"}
    for p, setup, alpha in (
        (p, s, a) for p in published for s in setups for a in ALPHAS if s in p.pck[a]
    ):
        yield {
            "row": p.label,
            "kind": MARK,
            "source": p.version,
            "setup": setup,
            "reading": "study",
            "averaging": "study",
            "alpha": alpha,
            "pck": p.pck[alpha][setup],
            "state": "done",
        }


def points_of_rows(rows: list) -> Points:
    """Our figures in %, the mean over seeds, ours and pooled."""
    by_name = {row.label: row for row in rows}
    return lambda m, s, a: 100 * by_name[m].mean(s, OURS, a) if m in by_name else math.nan


def change_lines(rows: list, published: tuple[Published, ...]) -> Iterator[dict]:
    """What each setup changed, in points: for every model and pair ours, and theirs by version."""
    ours, versions = points_of_rows(rows), sorted({p.version for p in published}, reverse=True)
    for row, pair in ((r, p) for r in rows if r.kind == "model" for p in PAIRS):
        line = {"model": row.label, "change": f"{pair[0]} - {pair[1]}"}
        line |= {f"ours @{a}": change(ours, row.label, pair, a) for a in ALPHAS}
        for version in versions:
            theirs = points_of(tuple(p for p in published if p.version == version), version)
            line |= {
                f"published {version} @{a}": change(theirs, row.model, pair, a) for a in ALPHAS
            }
        yield line


def change_table(lines: list[dict]) -> Table:
    """The lines of `change_lines`, theirs marked."""
    heads = tuple(lines[0])
    groups = [("", 2), ("ours, points", 3), *((f"{MARK}; {h.split()[1]}", 3) for h in heads[5::3])]
    rows = (
        (
            Mark(line["model"]),
            Mark(line["change"]),
            *(Mark(number(line[h], "+.2f"), theirs=h.startswith("pub")) for h in heads[2:]),
        )
        for line in lines
    )
    return Table((*heads[:2], *(h.split()[-1] for h in heads[2:])), tuple(rows), tuple(groups))


def best_table(rows: list, setups: tuple[str, ...]) -> Table:
    """Of a held-out video: the best setup of every model at each threshold, ours and theirs."""
    lines = []
    for row in (r for r in rows if r.kind != "filter"):
        tops = [
            max(((m, s) for s in setups if math.isfinite(m := row.mean(s, OURS, a))), default=None)
            for a in ALPHAS
        ]
        theirs = HELD_OUT.get(row.model, (math.nan,) * 3)
        ours = (f"{percent(t[0])} ({t[1]})" if t else "not run" for t in tops)
        lines.append(
            (
                Mark(row.label),
                *map(Mark, ours),
                *(Mark(number(t, ".1f"), theirs=True) for t in theirs),
            )
        )
    shown = tuple(f"@{a}" for a in ALPHAS)
    return Table(
        ("", *shown, *shown),
        tuple(lines),
        (("", 1), ("ours (setup)", 3), (f"{MARK}; best setup", 3)),
    )


def cost_lines(cells) -> Iterator[dict]:
    """Every trained cell: size, speed, and what its training took."""
    for c in (c for c in cells if c.metrics and c.model != "filters"):
        named = {"model": c.label, "setup": c.setup, "seed": c.seed}
        kept = ("parameters", "ms_per_window", "epochs", "best_epoch", "minutes")
        yield (
            named
            | {k: c.metrics[k] for k in kept}
            | {"training_windows": c.metrics["windows"]["train"]}
        )


def cost_table(cells) -> Table:
    """By model, least to most over its cells; theirs beside."""
    lines, every = [], list(cost_lines(cells))
    for label, model in dict.fromkeys((c.label, c.model) for c in cells if c.model != "filters"):
        own = [line for line in every if line["model"] == label]
        known = (
            _between([line[k] for line in own], form)
            for k, form in (
                ("parameters", ",.0f"),
                ("ms_per_window", ".2f"),
                ("epochs", ".0f"),
                ("minutes", ".1f"),
                ("training_windows", ",.0f"),
            )
        )
        theirs = (
            number(PARAMETERS.get(model, math.nan), ",.0f"),
            number(MILLISECONDS.get(model, math.nan)),
        )
        lines.append(
            (
                Mark(label),
                *map(Mark, known),
                Mark(str(len(own))),
                *(Mark(t, theirs=True) for t in theirs),
            )
        )
    heads = (
        "",
        "parameters",
        "ms per window",
        "epochs",
        "minutes a cell",
        "training windows",
        "cells done",
    )
    return Table(
        (*heads, "published parameters", "published ms, GTX 1070, other machine"), tuple(lines)
    )


def _between(values: list[float], form: str) -> str:
    known = sorted(v for v in values if math.isfinite(v)) or [math.nan]
    low, high = number(known[0], form), number(known[-1], form)
    return low if low == high else f"{low} to {high}"
