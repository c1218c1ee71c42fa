"""How maps of several frames enter and leave a graph: window length, channels, shapes."""

from __future__ import annotations

import numpy as np

from climb_edge.pose.render import SIZE
from climb_edge.pose.skeleton import K

WINDOW = 5  # frames
EMITS = {"all": WINDOW, "newest": 1, "centre": 1}  # how many frames one run gives


def input_shapes(form: str, peaks: bool) -> list[list[int]]:
    """Shapes of what enters a graph before its state: maps of T frames, and their peaks where it
    asks for them.
    """
    frames = WINDOW if form == "window" else 1
    return [[1, SIZE, SIZE, frames * K], *([[1, 1, frames, K]] if peaks else [])]


def asks_for_peaks(shapes: list[list[int]]) -> bool:
    """Whether a graph whose inputs have these shapes takes peaks after its maps."""
    return len(shapes) > 1 and list(shapes[1]) == [1, 1, shapes[0][-1] // K, K]


def to_inputs(maps: np.ndarray, peaks: np.ndarray | None = None) -> list[np.ndarray]:
    """What enters a graph before its state: maps (56, 56, 25) of a frame or (5, 56, 56, 25) of a
    window; peaks (25,) or (5, 25), heights of the estimator's native maps in 0..1, where it asks
    for them.
    """
    entering = maps[None] if maps.ndim == 3 else to_channels(maps)
    return (
        [entering]
        if peaks is None
        else [entering, np.asarray(peaks, np.float32).reshape(1, 1, -1, K)]
    )


def output_shape(output: str, frames: int) -> list[int]:
    """Shape of what a graph emits: heatmaps (1, 56, 56, 25 T), or keypoints (1, T, 25, 3) = x, y in
    cells, score 0..1.
    """
    return [1, SIZE, SIZE, frames * K] if output == "heatmaps" else [1, frames, K, 3]


def to_channels(window: np.ndarray) -> np.ndarray:
    """(5, 56, 56, 25) -> (1, 56, 56, 125), frame-major channels: the layout in which a window
    enters a graph.
    """
    frames, rows, columns, keypoints = window.shape
    return np.ascontiguousarray(window.transpose(1, 2, 0, 3)).reshape(
        1, rows, columns, frames * keypoints
    )


def to_frames(channels: np.ndarray) -> np.ndarray:
    """(1, 56, 56, T 25) -> (T, 56, 56, 25): the inverse of `to_channels`."""
    _, rows, columns, depth = channels.shape
    return channels.reshape(rows, columns, depth // K, K).transpose(2, 0, 1, 3)
