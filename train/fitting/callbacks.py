"""What happens between epochs: ranges that settle, a teacher that leaves."""

from __future__ import annotations

import numpy as np

from train.backend import keras
from train.config import Hyperparameters
from train.data.sources import Source, batch
from train.layers.rounded import Ranges

CALIBRATION = 60  # training windows that ranges are taken from before any training


def calibration(source: Source, training: np.ndarray, hyper: Hyperparameters):
    """Yield maps (B, 5, 56, 56, 25) of windows that ranges are taken from before any training."""
    chosen = np.random.default_rng(hyper.seed).permutation(training)[:CALIBRATION]
    for i in range(0, len(chosen), hyper.batch):
        yield batch(source, chosen[i : i + hyper.batch]).inputs


class Settle(keras.callbacks.Callback):
    """Ranges move in the first half of the epochs, then stay for the weights to adapt to."""

    def __init__(self, ranges: Ranges, epochs: int):
        super().__init__()
        self._ranges, self._from = ranges, epochs // 2

    def on_epoch_begin(self, epoch, logs=None):
        if epoch >= self._from:
            self._ranges.tracked.assign(0.0)


class Lesson(keras.callbacks.Callback):
    """A teacher whose outputs count as much as the truth, in the first epochs."""

    def __init__(self, teacher: keras.Model, epochs: int):
        super().__init__()
        self._teacher, self._epochs = teacher, epochs
        self._counts = keras.Variable(1.0, trainable=False, name="counts")

    def teach(self, given: dict):
        return keras.ops.stop_gradient(self._teacher(given, training=False)), self._counts

    def on_epoch_begin(self, epoch, logs=None):
        self._counts.assign(float(epoch < self._epochs))
