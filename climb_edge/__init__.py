"""Climb Edge at the edge: estimator, heatmap windows, refiner, stream. NumPy, OpenCV, PyAV and one
TFLite runtime.

    import climb_edge
    climb_edge.track(source="climb.mp4", out="track")

Names are imported when they are first used, so that `import climb_edge` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from climb_edge.api import evaluate, track
    from climb_edge.config import Evaluate, Track
    from climb_edge.errors import ClimbEdgeError
    from climb_edge.estimators.base import Estimator, Observation
    from climb_edge.estimators.blazepose import BlazePose
    from climb_edge.estimators.heatmap_file import HeatmapFile
    from climb_edge.estimators.recording import Recording
    from climb_edge.evaluation.pck import Score
    from climb_edge.files.clips import ClipSet, load_clips, save_clips
    from climb_edge.files.truth import Truth
    from climb_edge.media.frame import Frame
    from climb_edge.media.live import Newest
    from climb_edge.media.video import read_camera, read_video
    from climb_edge.pose.decode import decode
    from climb_edge.pose.skeleton import KEYPOINTS
    from climb_edge.refiners.load import load_refiner
    from climb_edge.streaming.result import Result
    from climb_edge.streaming.stream import Stream
    from climb_edge.tracking.exports import as_rows, as_supervision

__version__ = "0.2.0"

_NAMES = {
    "api": ("evaluate", "track"),
    "config": ("Evaluate", "Track"),
    "errors": ("ClimbEdgeError",),
    "estimators.base": ("Estimator", "Observation"),
    "estimators.blazepose": ("BlazePose",),
    "estimators.heatmap_file": ("HeatmapFile",),
    "estimators.recording": ("Recording",),
    "evaluation.pck": ("Score",),
    "files.clips": ("ClipSet", "load_clips", "save_clips"),
    "files.truth": ("Truth",),
    "media.frame": ("Frame",),
    "media.live": ("Newest",),
    "media.video": ("read_camera", "read_video"),
    "pose.decode": ("decode",),
    "pose.skeleton": ("KEYPOINTS",),
    "refiners.load": ("load_refiner",),
    "streaming.result": ("Result",),
    "streaming.stream": ("Stream",),
    "tracking.exports": ("as_rows", "as_supervision"),
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names}
__all__ = [
    "BlazePose",
    "ClimbEdgeError",
    "ClipSet",
    "Estimator",
    "Evaluate",
    "Frame",
    "HeatmapFile",
    "KEYPOINTS",
    "Newest",
    "Observation",
    "Recording",
    "Result",
    "Score",
    "Stream",
    "Track",
    "Truth",
    "as_rows",
    "as_supervision",
    "decode",
    "evaluate",
    "load_clips",
    "load_refiner",
    "read_camera",
    "read_video",
    "save_clips",
    "track",
    "__version__",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'climb_edge' has no attribute {name!r}")
    return getattr(importlib.import_module(f"climb_edge.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
