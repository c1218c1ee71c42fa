"""Charts of a study."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from climb_edge.files.atomic import whole_file
from train.studies.page import ALPHAS

_COLOURS = {
    "identity": "#777777",
    "conv3d": "#d98032",
    "deciwatch": "#4c6a92",
    "convlstm_sum": "#3a9188",
    "convlstm_concat": "#b5485d",
}
_OTHERS = ("#7a5195", "#8c6d31", "#2f4b7c", "#a05195", "#665191")
_FILTER_MARKS = ("v", "^", "s", "D", "x")


def colour(name: str, number: int) -> str:
    return _COLOURS.get(name, _OTHERS[number % len(_OTHERS)])


def new_figure(width: float, height: float):
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def plain_axes(axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=7)


def save_png(figure, path: Path) -> Path:
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=120, format="png")
    return path


def curves(path: Path, model: str, cells: dict[str, list]) -> Path:
    """Loss above, validation PCK below, one column per setup, a line style per seed; a dotted line
    at each best epoch.

    cells: by setup, cells with `history`, `metrics`, `seed`, `state`.
    """
    figure = new_figure(max(2.6 * len(cells), 4), 4.8)
    rows = figure.subplots(2, len(cells), squeeze=False)
    for column, (setup, members) in enumerate(cells.items()):
        upper, lower = rows[:, column]
        drawn = [c for c in members if c.history]
        chosen = ", ".join(dict.fromkeys(str(c.metrics["best_epoch"]) for c in drawn))
        lines = [(upper, "loss", "training", 1), (upper, "val_loss", "validation", 1)]
        lines += [(lower, f"val_pck_{a}", f"@{a}", 100) for a in ALPHAS]
        for number, cell in enumerate(drawn):
            epochs, style = [r["epoch"] for r in cell.history], ("-", "--", "-.")[number % 3]
            for place, (axes, key, label, scale) in enumerate(lines):
                axes.plot(
                    epochs,
                    [scale * r[key] for r in cell.history],
                    color=f"C{place if axes is upper else place - 2}",
                    label=None if number else label,
                    linestyle=style,
                    linewidth=1.1,
                    marker="o",
                    markersize=2.5,
                )
            best, label = cell.metrics["best_epoch"], None if number else f"best epoch: {chosen}"
            for axes in (upper, lower):
                axes.axvline(best, color="#555", linestyle=":", label=label)
        losses = [r[k] for c in drawn for r in c.history for k in ("loss", "val_loss")]
        known = [v for v in losses if math.isfinite(v)]
        if known and min(known) > 0 and max(known) > 10 * min(known):
            upper.set_yscale("log")
        upper.set_title(f"{model}, {setup}", fontsize=9)
        lower.set_xlabel("epoch", fontsize=8)
        state = members[0].state if members else "not run"
        missing = "no history" if state == "done" else state
        for axes in (upper, lower):
            plain_axes(axes)
            axes.xaxis.get_major_locator().set_params(integer=True)
            if losses:
                axes.legend(frameon=False, fontsize=6)
            else:
                axes.text(0.5, 0.5, missing, ha="center", transform=axes.transAxes)
    rows[0][0].set_ylabel("loss", fontsize=8)
    rows[1][0].set_ylabel("validation PCK, %", fontsize=8)
    return save_png(figure, path)


def points(path: Path, setups: tuple[str, ...], rows: list) -> Path:
    """PCK of every row and setup by threshold, with intervals over clips, a point for each seed."""
    figure = new_figure(max(1.5 * len(setups) + 2, 9), 4.2)
    panels, step = figure.subplots(1, 3), 0.8 / max(len(rows), 1)
    filters = [row.label for row in rows if row.kind == "filter"]
    for axes, alpha in zip(panels, ALPHAS, strict=True):
        for number, row in enumerate(rows):
            found = [
                (place - 0.4 + step * (number + 0.5), *(100 * v for v in three))
                for place, setup in enumerate(setups)
                for three in (e.figures["ours"]["pooled"][alpha] for e in row.shown(setup))
                if math.isfinite(three[0])
            ]
            xs, values, low, high = np.array(found).reshape(-1, 4).T
            ends = np.nan_to_num(np.maximum([values - low, high - values], 0))
            mark, tone, size = "o", colour(row.label, number), 5
            if row.kind == "filter":
                mark = _FILTER_MARKS[filters.index(row.label) % len(_FILTER_MARKS)]
                tone, size = "#999999", 3
            axes.errorbar(xs, values, ends, fmt=mark, color=tone, ms=size, lw=1, label=row.label)
        turn = 30 if max(map(len, setups), default=0) > 5 else 0
        axes.set_xticks(range(len(setups)), setups, rotation=turn)
        axes.set_xlim(-0.5, len(setups) - 0.5)
        axes.set_title(f"PCK@{alpha}, %", fontsize=9)
        axes.grid(axis="y", color="#eee")
        plain_axes(axes)
    handles = panels[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=5, frameon=False, fontsize=7)
    return save_png(figure, path)
