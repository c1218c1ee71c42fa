"""Climb Edge at the edge: estimator, heatmap windows, refiner, stream. NumPy, OpenCV, PyAV and one
TFLite runtime.

Names are imported when they are first used, so that `import climb_edge` costs nothing.
"""

from __future__ import annotations

import importlib

__version__ = "0.1.0"

_NAMES = {
    "BlazePose": "estimators.blazepose",
    "HeatmapFile": "estimators.heatmap_file",
    "Observation": "estimators.base",
    "Estimator": "estimators.base",
    "Recording": "estimators.recording",
    "ClimbEdgeError": "errors",
    "ClipSet": "files.clips",
    "load_clips": "files.clips",
    "save_clips": "files.clips",
    "as_rows": "tracking.exports",
    "as_supervision": "tracking.exports",
    "Stream": "streaming.stream",
    "Result": "streaming.result",
    "load_refiner": "refiners.load",
    "read_video": "media.video",
    "read_camera": "media.video",
    "Frame": "media.frame",
    "Newest": "media.live",
    "KEYPOINTS": "pose.skeleton",
    "decode": "pose.decode",
    "Score": "evaluation.pck",
}
__all__ = [*sorted(_NAMES), "__version__"]


def __getattr__(name: str):
    if name not in _NAMES:
        raise AttributeError(f"module 'climb_edge' has no attribute {name!r}")
    return getattr(importlib.import_module(f"climb_edge.{_NAMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
