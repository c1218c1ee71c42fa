"""From what a user names to an estimator."""

from __future__ import annotations

from pathlib import Path

from climb_edge.estimators.base import Estimator
from climb_edge.estimators.heatmap_file import HeatmapFile


def load_estimator(
    spec: str, weights: str | Path | None = None, people: int = 1, threads: int | None = None
) -> Estimator:
    """BlazePose `lite`, `full` or `heavy`, with its weights from a folder where one is named; or
    heatmaps, a file.npz.
    """
    if spec.endswith(".npz"):
        return HeatmapFile(spec)
    from climb_edge.estimators.blazepose import BlazePose  # late: OpenCV and a runtime

    return BlazePose(spec, weights, people, threads)
