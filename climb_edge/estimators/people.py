"""Who is who from frame to frame: by where each body was going, and by the estimator's own tracking
where that is close.

A body is forecast at the speed of its last frames. Poses are given to the nearest forecast, best
pair first, if both boxes overlap and the poses are near: so two who cross keep their numbers, and
who is hidden for a while gets his own again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from climb_edge.pose.boxes import extent, overlap

FORGET = 15  # frames after which who is gone is forgotten
# by how much nearer another forecast must be than that of the number which the estimator's tracking
# held
STAY = 0.15
# mean distance of two poses, in sides of the body's box, up to which they may be the same person
NEAR = 0.5
INERTIA = 0.5  # share of the older frames in a body's speed


@dataclass
class _Body:
    points: np.ndarray  # (25, 2) where it was last seen
    speed: np.ndarray  # (2,) pixels a frame, of the whole body
    gone: int = 0  # frames since

    def forecast(self) -> np.ndarray:
        return self.points + self.speed * (self.gone + 1)

    def see(self, points: np.ndarray) -> None:
        moved = (points - self.points).mean(0) / (self.gone + 1)
        self.points, self.speed, self.gone = points, INERTIA * self.speed + (1 - INERTIA) * moved, 0


class People:
    """Numbers for the bodies seen in each frame, from 0; a number is never given twice."""

    def __init__(self, forget: int = FORGET):
        self._forget, self._next = forget, 0
        self._known: dict[int, _Body] = {}

    def __call__(self, poses: list[np.ndarray], held: list[int | None]) -> list[int]:
        """Poses (25, 2) of one frame in image pixels -> the number of each.

        `held`: the number that each had by the estimator's own tracking, or None; it decides where
        forecasts are equally near, and where none is.
        """
        pairs = sorted(
            (distance + STAY * (number != held[i]), number, i)
            for number, body in self._known.items()
            for i, points in enumerate(poses)
            if (distance := _distance(body.forecast(), points)) <= NEAR
        )
        given: dict[int, int] = {}
        for _, number, i in pairs:
            if i not in given and number not in given.values():
                given[i] = number
        for i in (i for i in range(len(poses)) if i not in given):
            own = held[i]
            given[i] = own if own is not None and own not in given.values() else self._new()
        self._remember(given, poses)
        return [given[i] for i in range(len(poses))]

    def _new(self) -> int:
        self._next += 1
        return self._next - 1

    def _remember(self, given: dict[int, int], poses: list[np.ndarray]) -> None:
        seen = {number: poses[i] for i, number in given.items()}
        for number, body in self._known.items():
            body.gone += number not in seen
        for number, points in seen.items():
            if number in self._known:
                self._known[number].see(points)
            else:
                self._known[number] = _Body(points, np.zeros(2))
        self._known = {
            number: body for number, body in self._known.items() if body.gone <= self._forget
        }


def _distance(forecast: np.ndarray, points: np.ndarray) -> float:
    """Mean distance of two poses in sides of the box around the first; infinite where their boxes
    do not overlap.
    """
    box = extent(forecast)
    if not overlap(box, extent(points)):
        return np.inf
    return float(
        np.linalg.norm(forecast - points, axis=1).mean() / max((box[2:] - box[:2]).max(), 1.0)
    )
