"""Augmentation: turning, scaling and mirroring a window, and playing it backwards.

What is drawn is a change of the frame of reference, so that points are moved and maps are sampled
anew: nothing is ever resampled twice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from climb_edge.pose.boxes import SIZE
from climb_edge.pose.layout import WINDOW
from climb_edge.pose.skeleton import MIRROR, K
from train.config import Augmentation

_STRAIGHT, _FORWARD = np.arange(K), np.arange(WINDOW)


@dataclass(frozen=True)
class Change:
    """What happens to one window. What is hidden or displaced is no part of the frame of reference,
    and is not compared.
    """

    angle: float = 0.0  # radians
    scale: float = 1.0
    mirrored: bool = False
    reversed: bool = False
    shift: tuple[float, float] = (0.0, 0.0)  # of the box, as a share of its side
    faster: int = 1  # frames from one of the window to the next
    # (5, 25) not seen
    hidden: np.ndarray = field(default_factory=partial(np.zeros, (WINDOW, K), bool), compare=False)
    # (25, 2) torso diameters
    displaced: np.ndarray = field(default_factory=partial(np.zeros, (K, 2)), compare=False)

    @property
    def order(self) -> np.ndarray:
        """(25,) the keypoint that stands in each place: a mirror exchanges left and right."""
        return MIRROR if self.mirrored else _STRAIGHT

    @property
    def frames(self) -> np.ndarray:
        """(5,) the frame that stands in each place."""
        return _FORWARD[::-1] if self.reversed else _FORWARD

    @property
    def turn(self) -> np.ndarray:
        """(2, 2) what turns and mirrors a vector in the image; no scale."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        return np.array([[cos, -sin], [sin, cos]]) @ np.diag([-1.0 if self.mirrored else 1.0, 1.0])

    @property
    def cells(self) -> np.ndarray:
        """Affine (2, 3) from cells of the changed box to cells of the box as it was; both have the
        same middle, but for `shift`.
        """
        cos, sin = self.scale * math.cos(self.angle), self.scale * math.sin(self.angle)
        across = -cos if self.mirrored else cos, -sin if self.mirrored else sin
        down = -sin, cos  # the turn transposed, which is its inverse: it turns and mirrors
        rows = zip((across, down), self.shift, strict=True)
        return np.array([[x, y, SIZE / 2 * (1 - x - y) + SIZE * moved] for (x, y), moved in rows])


def draw(augmentation: Augmentation, rng: np.random.Generator) -> Change:
    """The change of one window."""
    # few calls: a small model waits for them
    angle, scale, mirrored, reversed_ = rng.random(4).tolist()
    right, down = (augmentation.shift * rng.standard_normal(2)).tolist()
    unseen = rng.random((1 + WINDOW, K)) < augmentation.keypoint_dropout
    faster, displaced = 1, np.zeros((K, 2))
    if augmentation.deform or augmentation.speed_up > 1:
        displaced = rng.standard_normal((K, 2)) * rng.uniform(0, augmentation.deform)
        faster = int(rng.integers(1, augmentation.speed_up + 1))
    return Change(
        math.radians(augmentation.rotate) * (2 * angle - 1),
        math.exp(augmentation.scale * (2 * scale - 1)),
        augmentation.mirror and mirrored < 0.5,
        augmentation.reverse and reversed_ < 0.5,
        (right, down),
        faster,
        unseen[:1] | unseen[1:],
        displaced,
    )


def change_of(augmentation: Augmentation, seed: int, epoch: int, index: int) -> Change:
    """Drawn apart from the noise, so that the same window has the same noise with and without
    augmentation.
    """
    # as (seed, epoch, index, 1), in half the time
    key = np.array([seed, epoch, index, 1], np.uint32)
    return draw(augmentation, np.random.default_rng(key))
