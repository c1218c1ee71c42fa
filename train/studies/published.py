"""The study's published figures as data, and the tables that show ours beside them: PCK, changes,
cost.

A. O. Andersen, University of Copenhagen, 2023: its mission and its final version. Theirs were
measured on other data (BRACE with Penn Action, and the private ClimbAlong), decoded by argmax,
against truth in whole cells, as a mean over batches. They are shown beside ours and are never a row
of ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from climb_edge.files.truth import Truth
from train.studies.page import ALPHAS, OURS, VARIANTS, Mark, Table, bold, number, percent

SETUPS = ("1.1", "1.2", "1.3", "2.1", "2.2", "2.3")
MARK = "published, other data"
PARAMETERS = {
    "conv3d": 78_150,
    "deciwatch": 1_708_388,
    "convlstm_sum": 1_875_666,
    "convlstm_concat": 1_872_313,
}
# GTX 1070, batch 1
MILLISECONDS = {"conv3d": 0.39, "deciwatch": 14.2, "convlstm_sum": 10.6, "convlstm_concat": 20.1}

# By (phase, part) of ours: the name of their data of the same kind, and their mean thresholds in
# cells.
KINDS = {
    ("pretrain", "test"): ("BRACE + Penn Action, pretraining test", (1.11, 2.23, 4.46)),
    ("finetune", "test"): ("ClimbAlong, test", (0.80, 1.60, 3.21)),
    ("finetune", "held_out"): ("ClimbAlong, held-out video", (0.87, 1.77, 3.55)),
}


@dataclass(frozen=True)
class Published:
    """One published row: PCK in % by threshold and setup."""

    model: str
    version: str  # mission or final
    pck: dict[str, dict[str, float]]

    @property
    def label(self) -> str:
        return f"{self.model} ({MARK}; {self.version})"


def _row(model: str, version: str, *by_alpha: str) -> Published:
    """From "1.1 1.2 1.3 / 2.1 2.2 2.3" for each threshold; fewer figures stand for all setups, or
    all of a scalar.
    """
    pck = {}
    for alpha, text in zip(ALPHAS, by_alpha, strict=True):
        halves = [[float(v) for v in half.split()] for half in text.split("/")] * (
            2 if "/" not in text else 1
        )
        six = [v for half in halves for v in (half if len(half) == 3 else half * 3)]
        pck[alpha] = dict(zip(SETUPS, six, strict=True))
    return Published(model, version, pck)


ROWS = {
    ("pretrain", "test"): (
        _row("identity", "mission", "6.95 / 1.84", "25.7 / 7.75", "67.4 / 29.3"),
        _row(
            "conv3d",
            "final",
            "1.84 20.5 0.67 / 0.80 2.40 0.11",
            "30.6 58.5 23.8 / 21.6 27.6 16.8",
            "96.6 98.0 96.3 / 94.2 91.8 95.5",
        ),
        _row(
            "deciwatch",
            "mission",
            "51.4 51.4 44.5 / 51.2 51.2 10.3",
            "64.6 64.6 51.5 / 64.4 64.4 24.4",
            "80.2 80.2 64.2 / 80.2 80.2 50.3",
        ),
        _row(
            "convlstm_sum",
            "mission",
            "27.8 31.1 33.8 / 10.5 11.6 10.1",
            "68.4 71.0 72.5 / 31.1 33.4 29.5",
            "95.7 95.8 96.7 / 68.5 67.8 69.6",
        ),
        _row(
            "convlstm_concat",
            "mission",
            "29.5 31.7 31.8 / 12.5 12.0 9.63",
            "69.5 71.3 71.8 / 36.4 32.5 29.8",
            "96.1 96.1 96.9 / 74.6 65.5 70.0",
        ),
    ),
    ("finetune", "test"): (
        _row("identity", "mission", "19.4", "66.1", "85.2"),
        _row(
            "conv3d",
            "final",
            "49.7 52.3 53.1 / 46.5 51.6 47.3",
            "95.7 95.7 95.8 / 95.5 95.5 95.8",
            "99.2 99.3 99.3 / 99.2 99.3 99.2",
        ),
        _row(
            "deciwatch",
            "mission",
            "76.7 76.7 68.1 / 39.4 63.3 28.5",
            "94.4 94.4 87.3 / 68.2 91.0 69.2",
            "99.2 99.2 96.3 / 93.1 99.1 93.7",
        ),
        _row(
            "deciwatch",
            "final",
            "76.6 76.7 68.1 / 76.0 75.9 36.8",
            "94.4 94.3 87.3 / 94.2 94.2 74.9",
            "99.2 99.2 96.1 / 99.2 99.2 92.8",
        ),
        _row(
            "convlstm_sum",
            "mission",
            "37.8 34.9 39.0 / 38.8 37.4 35.9",
            "91.8 92.1 92.2 / 92.7 92.1 91.2",
            "99.4 99.7 99.2 / 99.4 99.5 99.3",
        ),
        _row(
            "convlstm_concat",
            "mission",
            "35.9 39.0 38.5 / 39.2 39.5 37.1",
            "93.1 93.6 92.6 / 92.5 92.9 92.6",
            "99.8 99.7 99.7 / 99.6 99.3 99.6",
        ),
    ),
}

# Of the held-out video only the best setup of each model is published.
HELD_OUT = {
    "identity": (21.2, 65.5, 84.7),
    "conv3d": (61.7, 99.0, 99.8),
    "deciwatch": (82.6, 96.2, 99.1),
    "convlstm_sum": (47.6, 97.3, 99.6),
    "convlstm_concat": (48.5, 98.1, 99.6),
}


def beside(phase: str, part: str, truth: str | None) -> tuple[Published, ...]:
    """The published rows of the same kind of data: simulated input, or a real estimator's; none for
    finetuning on generated.
    """
    return () if phase == "finetune" and truth == Truth.GENERATED else ROWS.get((phase, part), ())


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
    order = sorted(rows, key=lambda r: r.version != version)

    def points(model: str, setup: str, alpha: str) -> float:
        return next(
            (r.pck[alpha].get(setup, math.nan) for r in order if r.model == model), math.nan
        )

    return points


def change(points: Points, model: str, pair: tuple[str, str], alpha: str) -> float:
    """Percentage points from the second setup of a pair to its first."""
    return points(model, pair[0], alpha) - points(model, pair[1], alpha)


def sentences(points: Points) -> Iterator[tuple[str, str, str]]:
    """(observation, verdict, the numbers) for each of the study's observations, by RULE."""
    for factor, pairs in (("the shifting-scalar", SCALAR), ("frame skipping", SKIPPING)):
        observation = f"deciwatch reacts strongly to {factor}, the bi-ConvLSTMs hardly"
        there = {
            m: [p for p in pairs if math.isfinite(_largest(points, m, [p])[0])]
            for m in (_PRECISE, *_CALM)
        }
        both = [p for p in pairs if all(p in of for of in there.values())]
        used = both or [p for p in there[_PRECISE] if any(p in there[m] for m in _CALM)]
        calm, other, model = max(
            ((*_largest(points, m, [p]), m) for m in _CALM for p in used if p in there[m]),
            default=(0.0, "", ""),
        )
        most, where = _largest(points, _PRECISE, used) if used else (math.nan, "")
        if both or calm >= most:
            verdict = (
                "confirmed"
                if most >= 2 * calm and most > 0
                else "partly"
                if most > calm
                else "not confirmed"
            )
            left = (
                f"; only {len(both)} of {len(pairs)} pairs have all three models"
                if len(both) < len(pairs)
                else ""
            )
            if not both:
                left = (
                    f"; no pair has all three models, and what is missing cannot make {calm:.2f}"
                    " less"
                )
            yield (
                observation,
                verdict,
                (
                    f"deciwatch moved by {most:.2f} points at most ({where}), the bi-ConvLSTMs by"
                    f" {calm:.2f} ({model}, {other}){left}"
                ),
            )
            continue
        lacking = {
            m: [
                s
                for s in SETUPS
                if s in {x for p in pairs for x in p}
                and not all(math.isfinite(points(m, s, a)) for a in ALPHAS)
            ]
            for m in there
        }
        told = "; ".join(f"{m} {', '.join(s)}" for m, s in lacking.items() if s)
        yield observation, "not shown", f"missing: {told}"


def _largest(points: Points, model: str, pairs) -> tuple[float, str]:
    """The largest |change| of a model over pairs and thresholds, and where it is; NaN where a
    figure is missing.
    """
    found = [
        (abs(change(points, model, p, a)), f"{p[0]} - {p[1]} @{a}") for p in pairs for a in ALPHAS
    ]
    return max(found) if all(math.isfinite(v) for v, _ in found) else (math.nan, "")


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
