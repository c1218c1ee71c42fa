"""Climb Edge at the edge: estimator, heatmap windows, refiner, stream. NumPy, OpenCV, PyAV and one TFLite runtime.

Names are imported when they are first used, so that `import climb_edge` costs nothing.
"""

from __future__ import annotations

import importlib

__version__ = "0.1.0"

_NAMES = {
    "BlazePose": "blazepose", "HeatmapFile": "estimator", "Observation": "estimator", "Estimator": "estimator",
    "ClimbEdgeError": "errors", "ClipSet": "clips", "load_clips": "clips", "save_clips": "clips",
    "as_rows": "results", "as_supervision": "results", "Stream": "stream", "Result": "stream", "load_refiner": "refiner", "read_video": "video", "read_camera": "video",
    "Frame": "video", "Newest": "live", "KEYPOINTS": "skeleton", "Recording": "recording", "decode": "heatmaps", "Score": "pck",
}  # fmt: skip
__all__ = [*sorted(_NAMES), "__version__"]


def __getattr__(name: str):
    if name not in _NAMES:
        raise AttributeError(f"module 'climb_edge' has no attribute {name!r}")
    return getattr(importlib.import_module(f"climb_edge.{_NAMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
