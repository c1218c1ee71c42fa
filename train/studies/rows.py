"""The rows of a study's tables: what every model and filter reached, seed by seed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from climb_edge.refiners.filters import DEFAULTS as FILTERS
from train.studies.cells import CellRun, Section


@dataclass(frozen=True)
class Entry:
    """One seed of one row at one setup."""

    seed: int
    figures: dict | None
    state: str
    epoch: int | None  # the best one, of a model


@dataclass(frozen=True)
class Row:
    """A row of the tables: the input as it is, a model, or a filter."""

    label: str
    kind: str  # identity, model, filter
    model: str
    entries: Mapping[str, tuple[Entry, ...]]  # by setup

    def shown(self, setup: str) -> list[Entry]:
        """The seeds that have figures."""
        return [e for e in self.entries.get(setup, ()) if e.figures]

    def values(self, setup: str, variant: tuple[str, str], alpha: str) -> list[float]:
        """PCK of every seed that has one; variant is (reading, averaging)."""
        reading, averaging = variant
        shares = [e.figures[reading][averaging][alpha][0] for e in self.shown(setup)]
        return [v for v in shares if math.isfinite(v)]

    def mean(self, setup: str, variant: tuple[str, str], alpha: str) -> float:
        """The mean over seeds; NaN where there is none."""
        values = self.values(setup, variant, alpha)
        return sum(values) / len(values) if values else math.nan

    def state(self, setup: str) -> str:
        """What stands where there is no figure."""
        states = [e.state for e in self.entries.get(setup, ())]
        return "failed" if "failed" in states else "no figure" if "done" in states else "not run"


def rows_of(section: Section, part: str) -> list[Row]:
    """Identity, the models, the filters."""
    models = [c for c in section.cells if c.model != "filters"]
    filters = [c for c in section.cells if c.model == "filters"]
    given = _entries([*models, *filters], part, "identity", first=True)
    found = [Row("identity", "identity", "identity", given)]
    for label in section.models:
        own = [c for c in models if c.label == label]
        found.append(Row(label, "model", own[0].model, _entries(own, part, "refined")))
    names = dict.fromkeys(FILTERS if filters else ())
    names |= dict.fromkeys(
        n for c in filters if c.metrics for n in c.metrics["parts"].get(part, ())
    )
    names.pop("identity", None)
    return found + [
        Row(f"{n} filter", "filter", n, _entries(filters, part, n, first=True)) for n in names
    ]


def _entries(
    cells: Iterable[CellRun], part: str, name: str, first: bool = False
) -> dict[str, tuple[Entry, ...]]:
    """By setup, one entry per cell; with `first`, one per seed: the first cell that has figures."""
    by_setup: dict[str, dict] = {}
    for cell in cells:
        there = by_setup.setdefault(cell.setup, {})
        epoch = cell.metrics["best_epoch"] if cell.metrics and not first else None
        entry = Entry(cell.seed, cell.figures(part, name), cell.state, epoch)
        key = cell.seed if first else cell.path
        if key not in there or there[key].figures is None:
            there[key] = entry
    return {s: tuple(sorted(e.values(), key=lambda e: e.seed)) for s, e in by_setup.items()}
