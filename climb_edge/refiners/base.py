"""Refiners: heatmaps of one person in, frame after frame; keypoints of that frame, or of the one
two frames ago, out.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Protocol

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.npz import expect_shape
from climb_edge.pose.decode import decode
from climb_edge.pose.layout import WINDOW
from climb_edge.pose.render import PEAK, SIZE
from climb_edge.pose.skeleton import K
from climb_edge.runtime.contract import Contract


class RefinerState(ABC):
    """One person's frames so far, in one box. A refiner starts as many as there are persons."""

    @abstractmethod
    def push(self, heatmaps: np.ndarray, seen: np.ndarray | None = None) -> np.ndarray | None:
        """Heatmaps (56, 56, 25) of the next frame -> keypoints (T, 25, 3) = x and y in cells, score
        0..1.

        `seen` (25, 3): the keypoints as decoded from the estimator's own maps, x and y in cells of
        the box and the height of the peak, 0..1, which normalised heatmaps no longer tell. None
        before the fifth frame. The frame `delay` frames ago comes first, then the later ones as far
        as this refiner can tell them: only the first is used in a running stream, the rest when it
        ends.
        """

    def moved(self, affine: np.ndarray) -> bool:
        """The box has moved; `affine` (2, 3) maps cells of the old one to cells of the new one.

        False: this state cannot follow; a new one has to see the last frames again, in the new box.
        """
        return False


class Refiner(Protocol):
    """`delay` = frames between the newest frame and the one whose keypoints come out.

    `rate` = frames a second that it was made for, None where nobody knows. `runtime` and `backend`
    name what computes, `reason` says why that.
    """

    name: str  # in tables, tracks and pictures

    @property
    def delay(self) -> int: ...

    @property
    def rate(self) -> float | None: ...

    @property
    def contract(self) -> Contract | None: ...

    @property
    def runtime(self) -> str: ...

    @property
    def backend(self) -> str: ...

    @property
    def reason(self) -> str: ...

    def start(self) -> RefinerState: ...


def to_keypoints(heatmaps: np.ndarray, full: float = PEAK) -> np.ndarray:
    """Refined heatmaps (..., 56, 56, 25) -> (..., 25, 3): x, y in cells and a score, 1 for a peak
    as high as `full`.
    """
    cells, peaks = decode(heatmaps)
    return np.concatenate([cells, np.clip(peaks / full, 0, 1)[..., None]], axis=-1)


MAPS = (SIZE, SIZE, K)


def expect_maps(name: str, heatmaps: np.ndarray, shape: tuple[int, ...]) -> None:
    """Raise ClimbEdgeError unless `heatmaps` are float32 of `shape`: a runtime would take them
    wrongly, or die.
    """
    expect_shape(name, "heatmaps", heatmaps, shape)
    if heatmaps.dtype != np.float32:
        raise ClimbEdgeError(
            f"{name}: heatmaps expected as float32, found {heatmaps.dtype}; use normalise() on them"
        )


def peaks_of(seen: np.ndarray | None) -> np.ndarray | None:
    """Heights (25,) of decoded keypoints (25, 3), 0 where they are no numbers."""
    return None if seen is None else np.nan_to_num(seen[:, 2]).astype(np.float32)


class WindowState(RefinerState):
    """The last 5 frames, for a refiner that sees them whole: window (5, 56, 56, 25) -> keypoints
    (T, 25, 3).
    """

    def __init__(self, refine: Callable[[np.ndarray], np.ndarray]):
        self._refine = refine
        self._frames: deque[np.ndarray] = deque(maxlen=WINDOW)

    def push(self, heatmaps: np.ndarray, seen: np.ndarray | None = None) -> np.ndarray | None:
        expect_maps("refiner", heatmaps, MAPS)
        self._frames.append(heatmaps)
        return self._refine(np.stack(self._frames)) if len(self._frames) == WINDOW else None


class Identity:
    """The refiner that changes nothing: the newest input map, decoded."""

    name, delay, rate, contract = "identity", 0, None, None
    runtime, backend, reason = "none", "cpu", "there is no graph to run"

    def start(self) -> WindowState:
        return WindowState(lambda window: to_keypoints(window[-1:]))
