"""Augmentation: turning, scaling and mirroring a window, and playing it backwards.

What is drawn is a change of the frame of reference, so that points are moved and maps are sampled anew: nothing is ever
resampled twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import numpy as np

from climb_edge.boxes import SIZE
from climb_edge.contract import WINDOW
from climb_edge.skeleton import MIRROR, K


@dataclass(frozen=True)
class Augmentation:
    """How far windows are changed; nothing by default. The study tried a rotation of 45 degrees for DeciWatch."""

    rotate: float = 0.0  # degrees, uniform on either side
    scale: float = 0.0  # box side times exp(uniform on either side)
    mirror: bool = False  # in every second window, left and right exchanged
    reverse: bool = False  # in every second window, last frame first
    shift: float = 0.0  # box moved by a normal share of its side, right and down
    drop: float = 0.0  # chance that a keypoint is hidden for the whole window, and again that it is for a frame
    deform: float = (
        0.0  # simulated: keypoints, true ones too, displaced for the window by up to a normal share of the torso
    )
    hasten: int = 1  # simulated: up to so many times as fast

    def __bool__(self) -> bool:
        return self != Augmentation()

    def draw(self, rng: np.random.Generator) -> Change:
        """The change of one window."""
        angle = np.deg2rad(rng.uniform(-self.rotate, self.rotate))
        scale = np.exp(rng.uniform(-self.scale, self.scale))
        mirrored, reversed_ = rng.random(2) < 0.5
        right, down = rng.normal(0, self.shift, 2).tolist()
        hidden = (rng.random((1, K)) < self.drop) | (rng.random((WINDOW, K)) < self.drop)
        displaced = rng.normal(0, 1, (K, 2)) * rng.uniform(0, self.deform)
        faster = int(rng.integers(1, self.hasten + 1))
        mirrored, reversed_ = bool(self.mirror and mirrored), bool(self.reverse and reversed_)
        return Change(angle, scale, mirrored, reversed_, (right, down), faster, hidden, displaced)


@dataclass(frozen=True)
class Change:
    """What happens to one window. What is hidden or displaced is no part of the frame of reference, and is not compared."""

    angle: float = 0.0  # radians
    scale: float = 1.0
    mirrored: bool = False
    reversed: bool = False
    shift: tuple[float, float] = (0.0, 0.0)  # of the box, as a share of its side
    faster: int = 1  # frames from one of the window to the next
    hidden: np.ndarray = field(default_factory=partial(np.zeros, (WINDOW, K), bool), compare=False)  # (5, 25) not seen
    displaced: np.ndarray = field(default_factory=partial(np.zeros, (K, 2)), compare=False)  # (25, 2) torso diameters

    @property
    def order(self) -> np.ndarray:
        """(25,) the keypoint that stands in each place: a mirror exchanges left and right."""
        return MIRROR if self.mirrored else np.arange(K)

    @property
    def frames(self) -> np.ndarray:
        """(5,) the frame that stands in each place."""
        return np.arange(WINDOW)[::-1] if self.reversed else np.arange(WINDOW)

    @property
    def turn(self) -> np.ndarray:
        """(2, 2) what turns and mirrors a vector in the image; no scale."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        return np.array([[cos, -sin], [sin, cos]]) @ np.diag([-1.0 if self.mirrored else 1.0, 1.0])

    @property
    def cells(self) -> np.ndarray:
        """Affine (2, 3) from cells of the changed box to cells of the box as it was; both have the same middle, but for `shift`."""
        back = self.turn.T * self.scale  # it turns and mirrors: its inverse is its transpose
        middle = np.full(2, SIZE / 2)
        return np.hstack([back, (middle + SIZE * np.array(self.shift) - back @ middle)[:, None]])
