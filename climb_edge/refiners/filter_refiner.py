"""Classical filters under the refiner's interface, so that each can stand where a graph stands."""

from __future__ import annotations

from collections import deque

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.pose.boxes import SIZE, transform
from climb_edge.pose.layout import WINDOW
from climb_edge.refiners.base import MAPS, RefinerState, expect_maps, to_keypoints
from climb_edge.refiners.filters import State, get

DELAYS = {"newest": 0, "centre": WINDOW // 2}


class Smoother:
    """A filter of the decoded points of the last 5 frames, as "gaussian:sigma=2" or
    "median:reach=1,emits=newest".

    `emits` tells which of them comes out: "centre" (2 frames late), as filters that look both ways
    are meant to be used, or "newest". One-Euro looks back only: it gives the newest one and
    remembers everything since it began. Raises ClimbEdgeError for a filter, parameter or
    value that there is not.
    """

    contract, runtime, backend, reason, rate = None, "none", "cpu", "a filter needs no graph", 30.0

    def __init__(self, spec: str):
        name, _, rest = spec.partition(":")
        parts = [part.strip() for part in rest.split(",") if part.strip()]
        emits = [part.partition("=")[2].strip() for part in parts if part.startswith("emits=")]
        self.filter = get(
            name + ":" + ",".join(part for part in parts if not part.startswith("emits="))
        )
        only = self.filter.name == "one_euro"
        self.emits = emits[0] if emits else "newest" if only else "centre"
        if len(emits) > 1 or self.emits not in (DELAYS if not only else ("newest",)):
            expected = (
                "newest, which is all that One-Euro can give" if only else "newest or centre, once"
            )
            raise ClimbEdgeError(
                f"filter {spec!r}: expected emits={expected}; found {', '.join(emits)}"
            )
        self.delay, self.name = DELAYS[self.emits], f"{self.filter.spec},emits={self.emits}"

    def start(self) -> RefinerState:
        return _OneEuroState(self) if self.filter.name == "one_euro" else _FilterState(self)


class _FilterState(RefinerState):
    """The points of the last 5 frames, in the box of the newest."""

    def __init__(self, smoother: Smoother):
        self._smoother = smoother
        self._window: deque[np.ndarray] = deque(maxlen=WINDOW)

    def push(self, heatmaps: np.ndarray, seen: np.ndarray | None = None) -> np.ndarray | None:
        self._window.append(_points(self._smoother.name, heatmaps, seen))
        if len(self._window) < WINDOW:
            return None
        window = np.stack(self._window)
        filtered = self._smoother.filter(_known(window))
        return _filled(filtered, window)[WINDOW - 1 - self._smoother.delay :]

    def moved(self, affine: np.ndarray) -> bool:
        for keypoints in self._window:
            keypoints[:, :2] = transform(affine, keypoints[:, :2])
        return True


class _OneEuroState(RefinerState):
    """One-Euro's memory, in shares of the box's side."""

    def __init__(self, smoother: Smoother):
        self._smoother, self._count = smoother, 0
        self._state: State | None = None

    def push(self, heatmaps: np.ndarray, seen: np.ndarray | None = None) -> np.ndarray | None:
        keypoints = _points(self._smoother.name, heatmaps, seen)
        self._state, points = self._smoother.filter.step(
            self._state, _known(keypoints) / SIZE, self._smoother.rate
        )
        self._count += 1
        return _filled(points * SIZE, keypoints)[None] if self._count >= WINDOW else None

    def moved(self, affine: np.ndarray) -> bool:
        if self._state is not None:
            points, speed, since = self._state
            self._state = transform(affine, points * SIZE) / SIZE, speed @ affine[:, :2].T, since
        return True


def _points(name: str, heatmaps: np.ndarray, seen: np.ndarray | None) -> np.ndarray:
    """(25, 3) of a frame, its own to keep: what was seen, or else what the heatmaps say."""
    expect_maps(name, heatmaps, MAPS)
    return to_keypoints(heatmaps) if seen is None else np.array(seen, np.float64)


def _known(keypoints: np.ndarray) -> np.ndarray:
    """x, y (..., 25, 2); NaN where the map is empty, and decodes to the middle of the box for want
    of anything else.
    """
    return np.where(keypoints[..., 2:] > 0, keypoints[..., :2], np.nan)


def _filled(points: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """Filtered points with the decoded scores; what is not known stays as it was decoded."""
    points = np.where(np.isnan(points), keypoints[..., :2], points)
    return np.concatenate([points, keypoints[..., 2:]], axis=-1).astype(np.float32)
