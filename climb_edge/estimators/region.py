"""The rotated square in which BlazePose looks for a person, and the filter that steadies it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from climb_edge.pose.one_euro import one_euro

DETECTOR_SIDE, CROP_SIDE, GRID = 224, 256, 64
GROW_REGION = 1.25
# of the filter that steadies a tracked region: min_cutoff, beta, d_cutoff
CUTOFFS = 0.01, 10.0, 1.0


@dataclass(frozen=True)
class Region:
    """A rotated square of the image: centre (x, y) and side in pixels, angle in radians (clockwise
    on the screen).
    """

    x: float
    y: float
    side: float
    angle: float = 0.0

    def affine(self, size: int) -> np.ndarray:
        """(2, 3): pixel of a `size` x `size` crop -> image pixel."""
        scale = self.side / size
        c, s = np.cos(self.angle) * scale, np.sin(self.angle) * scale
        half = size / 2
        return np.array(
            [[c, -s, self.x - c * half + s * half], [s, c, self.y - s * half - c * half]]
        )

    def crop(self, image: np.ndarray, size: int, border: int) -> np.ndarray:
        """The region as (size, size, 3) uint8."""
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(
            image, self.affine(size), (size, size), flags=flags, borderMode=border
        )

    @classmethod
    def around(cls, centre: np.ndarray, rim: np.ndarray) -> Region | None:
        """The region of a body from its hip centre and a point on the circle around it (each (2,),
        image pixels).
        """
        dx, dy = rim - centre
        radius = float(np.hypot(dx, dy))
        if not np.isfinite(radius) or radius < 1:
            return None
        angle = np.pi / 2 - np.arctan2(-dy, dx)
        return cls(
            float(centre[0]),
            float(centre[1]),
            2 * radius * GROW_REGION,
            float((angle + np.pi) % (2 * np.pi) - np.pi),
        )


class Steady:
    """One-Euro filter of the points that a region follows; speeds in
    region sides a second.

    MediaPipe runs it also with `smooth_landmarks` off: only the region moves smoothly, what is seen
    in it is as it is.
    """

    def __init__(self) -> None:
        self._time: float | None = None
        self._raw = self._smooth = self._speed = np.zeros((2, 2))

    def __call__(self, points: np.ndarray, time: float) -> np.ndarray:
        """Hip centre and rim (2, 2) in image pixels at `time` (seconds, increasing) -> the same,
        steadied.
        """
        if self._time is None:
            self._smooth, self._speed = points, np.zeros_like(points)
        else:
            period = max(time - self._time, 1e-3)
            side = max(2 * float(np.linalg.norm(points[1] - points[0])), 1.0)
            change = (points - self._raw) / period / side
            self._smooth, self._speed = one_euro(
                points, self._smooth, change, self._speed, period, *CUTOFFS
            )
        self._time, self._raw = time, points
        return self._smooth
