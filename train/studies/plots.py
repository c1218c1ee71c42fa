"""How a study is shown: a page of tables and pictures as Markdown and HTML, tables of keypoint
groups and of details, charts.
"""

from __future__ import annotations

import math
from pathlib import Path

from climb_edge.files.atomic import whole_file

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
        upper, lower = rows[0][column], rows[1][column]
        drawn = [c for c in members if c.history]
        chosen = ", ".join(dict.fromkeys(str(c.metrics["best_epoch"]) for c in drawn))
        for number, cell in enumerate(drawn):
            epochs = [r["epoch"] for r in cell.history]
            named, style = (
                not number,
                {
                    "marker": "o",
                    "markersize": 2.5,
                    "linewidth": 1.1,
                    "linestyle": ("-", "--", "-.")[number % 3],
                },
            )
            for key, label, tone in (("loss", "training", "C0"), ("val_loss", "validation", "C1")):
                upper.plot(
                    epochs,
                    [r[key] for r in cell.history],
                    color=tone,
                    label=label if named else None,
                    **style,
                )
            for a, tone in (("0.05", "C0"), ("0.1", "C1"), ("0.2", "C2")):
                pck = [100 * r[f"val_pck_{a}"] for r in cell.history]
                lower.plot(epochs, pck, color=tone, label=f"@{a}" if named else None, **style)
            best = cell.metrics["best_epoch"]
            for axes in (upper, lower):
                axes.axvline(
                    best,
                    color="#555",
                    linestyle=":",
                    label=f"best epoch: {chosen}" if named else None,
                )
        shown = [r[k] for c in members for r in c.history for k in ("loss", "val_loss")]
        known = [v for v in shown if math.isfinite(v)]
        if known and min(known) > 0 and max(known) > 10 * min(known):
            upper.set_yscale("log")
        upper.set_title(f"{model}, {setup}", fontsize=9)
        lower.set_xlabel("epoch", fontsize=8)
        for axes in (upper, lower):
            plain_axes(axes)
            axes.xaxis.get_major_locator().set_params(integer=True)
            if shown:
                axes.legend(frameon=False, fontsize=6)
            else:
                state = members[0].state if members else "not run"
                axes.text(
                    0.5,
                    0.5,
                    "no history" if state == "done" else state,
                    ha="center",
                    transform=axes.transAxes,
                )
    rows[0][0].set_ylabel("loss", fontsize=8)
    rows[1][0].set_ylabel("validation PCK, %", fontsize=8)
    return save_png(figure, path)


def points(path: Path, setups: tuple[str, ...], rows: list) -> Path:
    """PCK of every row and setup at each threshold, with its interval over clips; every seed is a
    point of its own.
    """
    figure = new_figure(max(1.5 * len(setups) + 2, 9), 4.2)
    panels, step = figure.subplots(1, 3), 0.8 / max(len(rows), 1)
    filters = [row.label for row in rows if row.kind == "filter"]
    for axes, alpha in zip(panels, ("0.05", "0.1", "0.2"), strict=True):
        for number, row in enumerate(rows):
            xs, values, below, above = [], [], [], []
            for place, setup in enumerate(setups):
                for entry in (e for e in row.entries.get(setup, ()) if e.figures):
                    value, low, high = (100 * v for v in entry.figures["ours"]["pooled"][alpha])
                    if math.isfinite(value):
                        xs.append(place - 0.4 + step * (number + 0.5))
                        values.append(value)
                        below.append(max(value - low, 0) if math.isfinite(low) else 0)
                        above.append(max(high - value, 0) if math.isfinite(high) else 0)
            small = row.kind == "filter"
            mark = _FILTER_MARKS[filters.index(row.label) % len(_FILTER_MARKS)] if small else "o"
            tone = "#999999" if small else colour(row.label, number)
            axes.errorbar(
                xs,
                values,
                [below, above],
                fmt=mark,
                color=tone,
                markersize=3 if small else 5,
                linewidth=1,
                label=row.label,
            )
        axes.set_xticks(
            range(len(setups)), setups, rotation=30 if max(map(len, setups), default=0) > 5 else 0
        )
        axes.set_xlim(-0.5, len(setups) - 0.5)
        axes.set_title(f"PCK@{alpha}, %", fontsize=9)
        axes.grid(axis="y", color="#eee")
        plain_axes(axes)
    figure.legend(
        *panels[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=5,
        frameon=False,
        fontsize=7,
    )
    return save_png(figure, path)
