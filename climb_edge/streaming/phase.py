"""One phase of a person: the frames that a refiner's window is made of, and the results that wait
for later ones.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

import numpy as np

from climb_edge.estimators.base import Observation
from climb_edge.pose.boxes import box_affine
from climb_edge.pose.layout import WINDOW
from climb_edge.pose.render import normalise, to_cells, to_pixels, warp
from climb_edge.refiners.base import RefinerState
from climb_edge.streaming.result import Result, warming_up


def window_of(observations: list[Observation], box: np.ndarray) -> np.ndarray:
    """The refiner's input (5, 56, 56, 25): native maps of 5 observations warped into one box and
    normalised.
    """
    frame = box_affine(box)
    return normalise(np.stack([warp(o.native, o.affine, frame) for o in observations]))


@dataclass
class Phase:
    """What a refiner has seen of a person."""

    box: np.ndarray | None = None
    seen: deque[Observation] = field(default_factory=lambda: deque(maxlen=WINDOW))
    state: RefinerState | None = None  # all of it in `box`
    # raw results that a delayed refiner has still to refine
    waiting: deque[Result] = field(default_factory=deque)
    # what the last window says of the frames still waiting, (T, 25, 3) pixels
    ahead: np.ndarray | None = None

    def end(self) -> list[Result]:
        """Results for the frames still waiting: from the last window where it tells of them, raw
        otherwise.
        """
        ahead = [] if self.ahead is None else list(self.ahead[1:])
        refined = [replace(r, refined=p) for r, p in zip(self.waiting, ahead, strict=False)]
        return refined + [warming_up(r) for r in list(self.waiting)[len(refined) :]]


def in_cells(keypoints: np.ndarray, box: np.ndarray) -> np.ndarray:
    return np.concatenate([to_cells(keypoints[..., :2], box), keypoints[..., 2:]], axis=-1)


def in_pixels(keypoints: np.ndarray, box: np.ndarray) -> np.ndarray:
    return np.concatenate([to_pixels(keypoints[..., :2], box), keypoints[..., 2:]], axis=-1).astype(
        np.float32
    )
