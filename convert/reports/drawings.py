"""The report's pictures, each a PNG as a data address, so that the page is one file."""

from __future__ import annotations

import base64
import io
from itertools import pairwise

import numpy as np

from climb_edge.evaluation.pck import ALPHAS
from climb_edge.pose.render import SIZE
from climb_edge.pose.skeleton import BONES, INDEX
from convert.reports.formatting import parity_row
from train.studies.plots import new_figure, plain_axes

# of the chart: the middle threshold on windows that every report has
ALPHA, CHART_SET = str(ALPHAS[1]), "generated"
COLOURS = {
    "float32": "#3b5b92",
    "float16": "#2a9d8f",
    "dynamic_int8": "#e07b27",
    "int8": "#c0395a",
    "int8_io": "#8d4bbb",
    "int8_mixed": "#7a8b1f",
    "int4_weights": "#8c5a3c",
    "qat_int8": "#111111",
    "tfmot_int8": "#777777",
}
LARGEST = 420.0  # square points: the area of the largest file
# from a file's place to its label
LINE = dict(arrowstyle="-", linewidth=0.5, alpha=0.6, relpos=(0, 0.5), shrinkB=0)
DRAWN = {  # of a worst window: label, colour, width, style, marker
    "truth": ("truth", "#9bd19b", 3.2, "-", ""),
    "float": ("float refiner", "#3b5b92", 1.3, "-", ""),
    "file": ("this file", "#d1495b", 1.0, (0, (3, 1.5)), ""),
    "input": ("peaks of the input", "#777777", 0.0, "", "+"),
}


def chart(report: dict) -> str:
    """PCK against milliseconds, area the file's size, labels in a column; "" without figures."""
    shown = []
    for file in report["files"]:
        row = parity_row(file, CHART_SET)
        if row and file["speed"] and row["pck"][ALPHA][0] is not None:
            shown.append((file["speed"][0]["median_ms"], 100 * row["pck"][ALPHA][0], file, row))
    if not shown:
        return ""
    shown.sort(key=lambda s: (s[1], -s[0]))
    figure = new_figure(9.6, max(3.9, 0.3 * len(shown) + 1.2))
    axes = figure.subplots()
    most = max(file["bytes"] for _, _, file, _ in shown)
    for ms, pck, file, row in shown:
        colour = COLOURS.get(file["recipe"], "#777777")
        fill, size = colour if file["verdict"] == "pass" else "none", LARGEST * file["bytes"] / most
        axes.scatter(ms, pck, s=size, alpha=0.7, facecolor=fill, edgecolor=colour)
        ends = [
            100 * row["float"][ALPHA][0] + v if v is not None else pck
            for v in row["drop"][ALPHA][1:]
        ]
        axes.plot([ms, ms], ends, color=colour, linewidth=1)
    levels = {f["emits"]: 100 * r["float"][ALPHA][0] for _, _, f, r in shown}
    for number, (emits, level) in enumerate(levels.items()):
        style, label = ("--", ":", "-.")[number % 3], f"Keras model, {emits}"
        axes.axhline(level, color="#999999", lw=0.8, linestyle=style, zorder=0, label=label)
    axes.margins(0.12, 0.15)
    axes.set_xlim(0, max(axes.get_xlim()[1], 1.15 * shown[-1][0]))
    bottom, top = axes.get_ylim()
    wanted = [(pck - bottom) / (top - bottom) for _, pck, _, _ in shown]
    for place, (ms, pck, file, _) in zip(spread(wanted), shown, strict=True):
        colour = COLOURS.get(file["recipe"], "#777777")
        axes.annotate(
            _literal(f"{_short(file)}: {ms:.2f} ms, {file['bytes'] / 1000:.0f} kB"),
            (ms, pck),
            (1.04, place),
            textcoords="axes fraction",
            va="center",
            fontsize=8,
            color=colour,
            annotation_clip=False,
            arrowprops=LINE | {"color": colour},
        )
    for size in sizes(most):
        axes.scatter([], [], s=LARGEST * size / most, color="#bbbbbb", label=f"{size / 1000:g} kB")
    axes.scatter([], [], s=60, facecolor="none", edgecolor="#555555", label="did not pass")
    axes.set_xlabel("milliseconds per emitted frame, 1 CPU thread", fontsize=9)
    axes.set_ylabel(f"PCK@{ALPHA}, %, {CHART_SET} set", fontsize=9)
    plain_axes(axes)
    figure.legend(loc="outside upper left", ncols=6, frameon=False, fontsize=8)
    return _address(figure)


def spread(wanted: list[float]) -> list[float]:
    """Places between 0 and 1 near those `wanted` (ascending), far enough apart for a label each."""
    gap, places = min(0.085, 1 / max(len(wanted) - 1, 1)), []
    for place in wanted:
        places.append(max(place, places[-1] + gap) if places else max(place, 0.0))
    ceiling = 1.0
    for i in reversed(range(len(places))):
        places[i] = min(places[i], ceiling)
        ceiling = places[i] - gap
    return places


def sizes(most: int) -> list[int]:
    """Three round sizes for the legend, the largest not over `most` bytes."""
    steps = [m * 10**n for n in range(12) for m in (1, 2, 5)]
    return [s for s in steps if s <= most][-3:]


def histogram(file: dict, edges: list[float]) -> str:
    """Share of keypoints by cells between file and Keras model; the axis is logarithmic."""
    figure = new_figure(5.2, 2.5)
    axes, sets = figure.subplots(), file["histogram"]
    for number, (name, counts) in enumerate(sets.items()):
        shares, width = 100 * np.array(counts) / max(sum(counts), 1), 0.8 / len(sets)
        places = np.arange(len(counts)) + width * (number - (len(sets) - 1) / 2)
        colour, label = ("#3b5b92", "#e07b27")[number % 2], f"{_literal(name)}, {sum(counts):,}"
        axes.bar(places, np.maximum(shares, 1e-9), width, color=colour, label=label)
        style = {"ha": "center", "va": "bottom", "fontsize": 6, "color": colour}
        for place, share, count in zip(places, shares, counts, strict=True):
            if count:
                text = f"{share:.2g}" if share < 99.5 else "100"
                axes.annotate(text, (place, share), **style)
    axes.set_yscale("log")
    axes.set_ylim(1e-3, 400)
    names = [f"{low:g} to\n{high:g}" for low, high in pairwise(edges)]
    axes.set_xticks(range(len(edges)), [*names, f"{edges[-1]:g}\nand over"], fontsize=6.5)
    axes.set_xlabel("cells between the file's keypoint and the Keras model's", fontsize=8)
    axes.set_ylabel("% of keypoints", fontsize=8)
    axes.legend(
        title="set, keypoints", frameon=False, fontsize=7, title_fontsize=7, loc="upper right"
    )
    plain_axes(axes)
    return _address(figure)


def windows(file: dict) -> str:
    """The worst windows: input, float result, file's and truth; the worst keypoint circled."""
    found = file["worst_windows"]
    rows = -(-len(found) // 5)
    figure = new_figure(12.5, 0.4 + 2.75 * rows)
    panels = figure.subplots(rows, 5, squeeze=False).ravel()
    for axes in panels[len(found) :]:
        axes.set_axis_off()
    for axes, window in zip(panels, found, strict=False):
        for key, (label, colour, width, line, marker) in DRAWN.items():
            points = np.array(window[key], float)  # null becomes NaN: not drawn
            style = {"color": colour, "label": label}
            if marker:
                axes.plot(*points.T, marker, markersize=4, markeredgewidth=0.8, **style)
            else:
                axes.plot(*_bones(points), linestyle=line, linewidth=width, **style)
        k = INDEX[window["keypoint"]]
        ends = np.array([window["float"][k], window["file"][k]], float)
        axes.plot(*ends.T, color="#111111", linewidth=0.8)
        axes.plot(*ends[1:].T, "o", ms=11, mfc="none", mec="#111111", mew=1.3)
        clip = window["clip"] if len(window["clip"]) <= 34 else f"…{window['clip'][-33:]}"
        axes.set_title(
            f"{_literal(clip)}, frame {window['frame']}\n{window['keypoint']}:"
            f" {window['cells']:.2g} cells ({_literal(window['set'])})",
            fontsize=7.5,
        )
        ticks = [0, SIZE // 2, SIZE]
        axes.set(xlim=(0, SIZE), ylim=(SIZE, 0), xticks=ticks, yticks=ticks, aspect="equal")
        axes.tick_params(labelsize=6, length=2)
    handles = panels[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=4, frameon=False, fontsize=9)
    return _address(figure)


def _bones(points: np.ndarray) -> np.ndarray:
    """x and y of all bones in one line, gaps between them."""
    gap = np.full(2, np.nan)
    return np.array([p for a, b in BONES for p in (points[a], points[b], gap)]).T


def _short(file: dict) -> str:
    return file["file"].removeprefix(f"{file['model']}.").removesuffix(".tflite")


def _literal(text: str) -> str:
    """Text that matplotlib shows as it stands: a dollar would begin a formula."""
    return " ".join(str(text).split()).replace("$", r"\$")


def _address(figure) -> str:
    picture = io.BytesIO()
    figure.savefig(picture, dpi=120, format="png", metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(picture.getvalue()).decode()
