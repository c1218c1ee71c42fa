"""From a source to a model: batches in the order of (seed, epoch), and the front that renders them
on the device.

What travels is small: keypoints and the shape of their maps for simulated windows, recorded maps,
or, for a model that reads coordinates, coordinates alone. Maps are rendered by keras.ops inside the
trained graph, on whichever backend.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from train.backend import keras
from train.data.inputs import SHAPES
from train.data.sources import Source, batch


def order(indices: np.ndarray, batch_size: int, seed: int, first_epoch: int, steps: int):
    """Endless (window numbers (batch_size,), epoch): each epoch a shuffle of its own, drawn from
    (seed, epoch).
    """
    epoch = first_epoch
    while True:
        shuffled = np.random.default_rng((seed, epoch)).permutation(indices)
        for chunk in np.resize(shuffled, steps * batch_size).reshape(steps, batch_size):
            yield chunk, epoch
        epoch += 1


def made(
    source: Source, names: tuple[str, ...], chunk: np.ndarray, epoch: int = 0
) -> tuple[np.ndarray, ...]:
    """One batch: what `names` says, then true cells (B, 5, 25, 2), then weight (B, 5, 25); all
    float32.
    """
    windows = batch(source, chunk, int(epoch), maps="maps" in names)
    arrays = (*(windows.given[name] for name in names), windows.cells, windows.weight)
    return tuple(np.asarray(a, np.float32) for a in arrays)


def dataset(
    source: Source,
    names: tuple[str, ...],
    indices,
    batch_size: int,
    seed: int,
    first_epoch: int,
    steps: int,
):
    """Endless batches (given by name, cells, weight) from `first_epoch` on, `steps` batches an
    epoch.

    On TensorFlow a tf.data pipeline that makes the next batches while the model trains; elsewhere a
    generator. Both give the same windows in the same order.
    """
    begin = partial(order, np.asarray(indices), batch_size, seed, first_epoch, steps)
    if keras.backend.backend() != "tensorflow":
        return (_named(names, made(source, names, *chunk)) for chunk in begin())
    import tensorflow as tf

    def make(chunk, epoch):
        arrays = tf.numpy_function(
            lambda c, e: made(source, names, c, e), (chunk, epoch), (tf.float32,) * (len(names) + 2)
        )
        shapes = (SHAPES[name] for name in (*names, "cells", "weight"))
        return _named(
            names, [tf.ensure_shape(a, (None, *s)) for a, s in zip(arrays, shapes, strict=True)]
        )

    signature = (tf.TensorSpec((batch_size,), tf.int64), tf.TensorSpec((), tf.int64))
    stream = tf.data.Dataset.from_generator(begin, output_signature=signature)
    # points are made under Python's lock: a second thread would only wait for it
    calls = 2 if "maps" in names else 1
    return stream.map(make, num_parallel_calls=calls, deterministic=True).prefetch(2)


def _named(names: tuple[str, ...], arrays):
    return dict(zip(names, arrays, strict=False)), arrays[-2], arrays[-1]
