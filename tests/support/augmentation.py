"""Augmentations, the changes they draw, and simulated windows to change."""

import numpy as np
import pytest

from train.config import Augmentation
from train.data.augment import Change, draw
from train.data.rendered import RenderedWindows
from train.noise.simulators import StudyNoise
from train.synthesis.motion import generated_clips

EXACT = StudyNoise("exact", 0.0, (1.0,))  # an estimator that is never wrong


ROTATE, SCALE = Augmentation(rotate=45), Augmentation(scale=0.3)


MIRRORED, REVERSED = Augmentation(mirror=True), Augmentation(reverse=True)


ALL = Augmentation(45, 0.3, True, True)


every_augmentation = pytest.mark.parametrize(
    "augmentation",
    [ROTATE, SCALE, MIRRORED, REVERSED, ALL],
    ids=["rotate", "scale", "mirror", "reverse", "all"],
)


every_box = pytest.mark.parametrize("box", ["sticky", "frame"])


def drawn(augmentation: Augmentation, epoch: int, index: int, seed: int = 0) -> Change:
    """The change of a window, as its source draws it."""
    return draw(augmentation, np.random.default_rng((seed, epoch, index, 1)))


def some(source) -> list[int]:
    return [int(i) for i in np.linspace(0, len(source) - 1, 12)]


def rendered(augmentation=None, box="sticky", noise=EXACT, clips=None) -> RenderedWindows:
    changed = {} if augmentation is None else {"augmentation": augmentation}
    return RenderedWindows(clips or generated_clips(3, 5, frames=40), noise, box=box, **changed)
