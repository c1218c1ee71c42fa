"""Filters as rows of a study: tuned on a run's validation windows, measured on its test windows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from climb_edge.refiners.filters import GRIDS, Filter
from climb_edge.streaming.stream import RATE
from train.config import Hyperparameters
from train.data.sources import open_source
from train.data.splits import Split
from train.fitting.metrics import figures, filtered, heading
from train.fitting.run_folder import Run
from train.fitting.scoring import Judge, Measured

TUNED_BY = "0.1"  # validation PCK, ours, pooled


def filter_run(path: Path) -> dict:
    """Metrics of every filter on the windows of the run `path`. Raises ClimbEdgeError."""
    run = Run(path)
    config = run.config()
    source = open_source(config)
    parts, hyper = Split.load(run.split, source), Hyperparameters(**config["recipe"])
    judge, fps = Judge(source, hyper), source.rate or RATE
    windows = {
        name: parts.some(name, None if name == "val" else hyper.test_windows)
        for name in ("val", "test", "held_out")
    }
    measured = {name: judge(indices) for name, indices in windows.items() if len(indices)}
    val = measured.pop("val")
    chosen = {name: tuned(val, grid, fps) for name, grid in GRIDS.items()}
    shown: dict = {part: {"identity": figures(m, fps)} for part, m in measured.items()}
    for part, rows in shown.items():
        for name, f in chosen.items():
            rows[name] = figures(filtered(measured[part], partial(f, fps=fps)), fps)
    return heading(config, source, parts) | {
        "model": "filters",
        "filters": {name: f.spec for name, f in chosen.items()},
        "parts": shown,
    }


def tuned(val: Measured, grid: Sequence[Filter], fps: float) -> Filter:
    """The filter of a grid that does best on validation windows."""
    return max(grid, key=partial(_worth, val, fps))


def _worth(measured: Measured, fps: float, smooth: Filter) -> float:
    return filtered(measured, partial(smooth, fps=fps)).pck[TUNED_BY]
