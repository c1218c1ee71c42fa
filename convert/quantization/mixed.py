"""int8_mixed: which layers to leave in float, found by asking each what it costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.pose.decode import both_decodes
from climb_edge.runtime.isolated import run_on_cpu
from climb_edge.runtime.session import Session
from convert.graphs.lint import read_ops
from convert.quantization.quantizers import Quantization
from convert.quantization.recipes import EDGE, MAX_WEIGHT_RATIO, Recipe
from train.data.windows import Frames

MOST = 6  # layers left in float at most
FAR = 5.0  # cells: a keypoint that jumped counts as this far
CLOSE = 0.5  # the search ends where the int8 graph is this share as far from float as plain int8 is


@dataclass(frozen=True)
class Mixed:
    """Layers left in float, in the order they were chosen, and what was found on the way."""

    floats: tuple[str, ...]
    content: bytes
    # layer, cells: mean distance from float with this layer alone left in float
    sensitivity: list[dict]


def mean_cells(found: np.ndarray, points: np.ndarray) -> float:
    """Mean cells between keypoints (..., 25, 2), jumps cut at 5."""
    cells = np.nan_to_num(np.linalg.norm(found - points, axis=-1), nan=FAR)
    return float(np.minimum(cells, FAR).mean())


def distance(
    graph, content: bytes, windows: list[Frames], expected: list[np.ndarray] | None = None
) -> float:
    """Cells that a graph's `content` decodes away from the float graph, mean over windows."""
    session, expected = Session(content), expected or decoded(graph, windows)
    found = [both_decodes(graph.emitted(session, window))[0] for window in windows]
    return float(np.mean([mean_cells(*pair) for pair in zip(found, expected, strict=True)]))


def decoded(graph, windows: list[Frames]) -> list[np.ndarray]:
    """Keypoints in cells that the float graph gives for each window."""
    session = Session(graph.content)
    return [both_decodes(graph.emitted(session, window))[0] for window in windows]


def search(
    quantization: Quantization,
    recipe: Recipe,
    windows: list[Frames],
    tell: Callable[[str], object] = lambda what: None,
) -> Mixed:
    """Leave in float the layer that costs most, then the next, until the graph is half as far from
    float as plain int8.

    Every layer is tried alone first (its sensitivity); `windows` are training windows other than
    the calibration's. A layer whose weights would make the file too large is passed over. Where
    plain int8 does not run at all, it begins with every op without weights in float. `tell` hears
    what is tried.

    Raises ClimbEdgeError where nothing can be made.
    """
    plain = quantization.plain
    expected = decoded(plain, windows)
    ops = read_ops(plain.content)[0]
    weights = {str(op): op.weight_bytes for op in ops if op.weights}
    # int8 weights alone are a quarter
    allowed = (MAX_WEIGHT_RATIO - 0.25) / 0.75 * sum(weights.values())

    def far(floats: tuple[str, ...]) -> tuple[float, bytes]:
        content = quantization.under(recipe, EDGE, floats)
        # some load, and fail in their first run
        if run_on_cpu(content, *plain.fed(windows[:1])).status != "ran":
            return FAR, content
        return distance(plain, content, windows, expected), content

    whole, _ = far(())
    floats, best, content = (), FAR, b""
    if whole == FAR:
        floats = tuple(layer for layer in quantization.layers if layer not in weights)
        best, content = far(floats)
        whole = best
    begun, left = floats, [layer for layer in quantization.layers if layer not in floats]
    found = []
    for number, layer in enumerate(left, 1):
        tell(f"{layer} in float, {number} of {len(left)}")
        if weights.get(layer, 0) <= allowed:
            try:
                found.append({"layer": layer, "cells": far((*begun, layer))[0]})
            except ClimbEdgeError:  # the quantizer cannot leave this one alone
                continue
    found.sort(key=lambda row: row["cells"])
    for row in found[:MOST]:
        more = (*floats, row["layer"])
        if sum(weights.get(layer, 0) for layer in more) > allowed:
            continue
        tell(f"{len(more)} layers in float")
        cells, file = far(more)
        if cells < best:
            floats, best, content = more, cells, file
        if best <= CLOSE * whole:
            break
    if best >= FAR:
        raise ClimbEdgeError(
            f"{recipe.name}: whatever layer of {plain.model} is left in float, the file does"
            " not run"
        )
    first = {"layer": "all without weights" if begun else "none", "cells": whole}
    last = {"layer": "all of those chosen", "cells": best}
    return Mixed(floats, content, [first, *found, last])
