"""DeciWatch: a transformer over coordinates that sees two of five frames, denoises them, and
recovers all (Zeng et al., ECCV 2022).

The study's smaller variant, 1,708,388 parameters: 2 sampled frames, 5 encoder and 5 decoder layers
of 128 features. It works on (row, column) in cells; that order is converted here, at the model's
door, and nowhere else.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from climb_edge.pose.boxes import SIZE
from climb_edge.pose.decode import decode
from climb_edge.pose.layout import WINDOW
from climb_edge.pose.render import PEAK
from climb_edge.pose.skeleton import K
from train.backend import keras
from train.data.inputs import Points
from train.layers.float import (
    EMITTED,
    constant,
    convolution,
    decoded,
    normalised,
    step_inputs,
    window_input,
)
from train.models.base import Model

FEATURES, HEADS, HIDDEN, LAYERS = 128, 4, 256, 5
SAMPLED = (0, WINDOW - 1)  # every 4th frame
DROPOUT = 0.1
LEAK = 0.01
_ops = keras.ops
_register = keras.saving.register_keras_serializable("climb_edge")


def positions(count: int) -> np.ndarray:
    """(count, 128) sine positions: p_t = 2 pi t / (count - 1 + 1e-6), sin and cos of p_t / 10000^(2
    j / 64) interleaved.
    """
    turns = 2 * np.pi * np.arange(count) / (count - 1 + 1e-6)
    angles = turns[:, None] / 10000 ** (2 * np.arange(FEATURES // 2) / 64)
    waves = np.stack([np.sin(angles), np.cos(angles)], axis=-1)
    return waves.reshape(count, FEATURES).astype(np.float32)


def interpolation(frames: tuple[int, ...]) -> np.ndarray:
    """(5, len(frames)) weights that fill a window in from some frames, linearly."""
    columns = [np.interp(np.arange(WINDOW), frames, row) for row in np.eye(len(frames))]
    return np.stack(columns, axis=1).astype(np.float32)


def _heads(tokens, order: tuple[int, ...] = (0, 2, 1, 3)):
    """Tokens (..., T, 128) -> (B, 4, T, 32), or another order of (B, T, 4, 32)."""
    shape = (tokens.shape[0] or -1, tokens.shape[-2], HEADS, FEATURES // HEADS)
    return _ops.transpose(_ops.reshape(tokens, shape), order)


@_register
class Attention(keras.layers.Layer):
    """Multi-head attention of (B, T, 128) to (B, S, 128); with `not_itself` no token sees the one
    of its own place.
    """

    def __init__(self, not_itself: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.not_itself = not_itself
        self.query, self.key, self.value, self.out = (
            keras.layers.Dense(FEATURES, name=name) for name in ("query", "key", "value", "out")
        )
        self.dropout = keras.layers.Dropout(DROPOUT)

    def build(self, x_shape, memory_shape=None):
        for dense in (self.query, self.key, self.value, self.out):
            dense.build(x_shape)

    def call(self, x, memory=None, training=None):
        memory = x if memory is None else memory
        key = _heads(self.key(memory), (0, 2, 3, 1))
        scores = _ops.matmul(_heads(self.query(x)), key) / (FEATURES // HEADS) ** 0.5
        if self.not_itself:
            scores = scores - 1e4 * _ops.eye(x.shape[1], dtype=scores.dtype)
        weights = self.dropout(_ops.softmax(scores), training=training)
        seen = _ops.transpose(_ops.matmul(weights, _heads(self.value(memory))), (0, 2, 1, 3))
        return self.out(_ops.reshape(seen, (-1, x.shape[1], FEATURES)))


@_register
class Block(keras.layers.Layer):
    """A post-norm transformer layer over (B, T, 128): attention to itself, to a memory where there
    is one, feed-forward.
    """

    def __init__(self, cross: bool = False, not_itself: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.cross = cross
        self.attention = Attention(not_itself, name="attention")
        self.across = Attention(name="across") if cross else None
        self.widen = keras.layers.Dense(HIDDEN, name="widen")
        self.narrow = keras.layers.Dense(FEATURES, name="narrow")
        self.norms = [
            keras.layers.LayerNormalization(epsilon=1e-5, name=f"norm{n}") for n in range(2 + cross)
        ]
        self.dropout = keras.layers.Dropout(DROPOUT)

    def build(self, x_shape, memory_shape=None):
        across = [self.across] if self.cross else []
        for layer in (self.attention, *across, self.widen, *self.norms):
            layer.build(x_shape)
        self.narrow.build((*x_shape[:-1], HIDDEN))

    def call(self, x, memory=None, training=None):
        def drop(y):
            return self.dropout(y, training=training)

        norms = iter(self.norms)
        x = next(norms)(x + drop(self.attention(x, training=training)))
        if self.cross:
            x = next(norms)(x + drop(self.across(x, memory, training=training)))
        return next(norms)(x + drop(self.narrow(drop(_ops.leaky_relu(self.widen(x), LEAK)))))


@_register
class Poses(keras.layers.Layer):
    """Heatmaps (B, 5, 56, 56, 25) -> (B, 5, 50): row and column of each map's maximum, in cells."""

    def __init__(self, subpixel: bool = True, **kwargs):
        # in half precision the place of a maximum is up to 0.4 cells off
        super().__init__(**kwargs, autocast=False)
        self.subpixel = subpixel

    def call(self, window):
        cells, _ = decode(_ops.cast(window, "float32"), self.subpixel, _ops)
        return _ops.reshape(cells[..., ::-1], (-1, WINDOW, 2 * K))


class DeciWatch(Model):
    """DeciWatch over a window of 5."""

    name, reads, output, parameters = "deciwatch", "keypoints", "keypoints", 1_708_388
    loss = "coordinate_mse"
    # the study: on, off, off
    switches: ClassVar = {"identity_mask": True, "every_frame": False, "subpixel": True}

    def build(
        self, identity_mask: bool = True, every_frame: bool = False, subpixel: bool = True
    ) -> keras.Model:
        """Training form (B, 5, 56, 56, 25) -> keypoints (B, 5, 25, 2) = x, y in cells.

        Its layer `coordinates` is the model itself, (B, 5, 50) -> (B, 5, 50), rows and columns
        interleaved.
        """
        core = _core(identity_mask, tuple(range(WINDOW)) if every_frame else SAMPLED)
        window = keras.Input((WINDOW, SIZE, SIZE, K), name="window")
        refined = _points(core(Poses(subpixel, name="decode")(window)))
        return keras.Model(window, refined, name=self.name)

    def outputs(self, model: keras.Model, given: dict):
        """From keypoints as they are decoded, without maps."""
        points = Points(model.get_layer("decode").subpixel)(given)
        poses = _ops.reshape(points[..., ::-1], (-1, WINDOW, 2 * K))
        return _points(model.get_layer("coordinates")(poses))

    def rounded_weights(self, model: keras.Model, rounding) -> keras.Model:
        """Weights alone, in the layer `coordinates`: the runtime aborts on int8 activations."""
        window = keras.Input((WINDOW, SIZE, SIZE, K), name="window")
        core = rounding(model.get_layer("coordinates"))
        return keras.Model(window, _points(core(model.get_layer("decode")(window))), name=self.name)

    def form(self, model: keras.Model, form: str, emits: str) -> keras.Model:
        subpixel, name = model.get_layer("decode").subpixel, f"{self.name}_{form}_{emits}"
        if form == "window":
            window = window_input()
            place = [_ops.reshape(v, (1, 1, WINDOW, K)) for v in decoded(window, subpixel)]
            return keras.Model([window], _refined(model, place, EMITTED[emits]), name=name)
        frame, past = step_inputs({"past": (1, WINDOW - 1, 3 * K)})
        # (1, 1, 5, 75)
        kept = _ops.concatenate([past, _ops.concatenate(decoded(frame, subpixel), axis=-1)], axis=2)
        place = [kept[..., n * K : (n + 1) * K] for n in range(3)]
        refined = _refined(model, place, EMITTED[emits])
        return keras.Model([frame, past], [refined, kept[:, :, 1:]], name=name)

    def form_parameters(self, form: str, emits: str, **switches: bool) -> int:
        """All, and the positions; two frames that see only each other need no queries and keys."""
        switches = self.switches | switches
        tokens = WINDOW if switches["every_frame"] else len(SAMPLED)
        unasked = LAYERS * 2 * (FEATURES * FEATURES + FEATURES)
        constants = (tokens + WINDOW + tokens) * FEATURES
        return self.parameters + constants - unasked * (switches["identity_mask"] and tokens == 2)


def _points(poses):
    """Rows and columns (B, 5, 50) -> x, y in cells (B, 5, 25, 2)."""
    return _ops.reshape(poses, (-1, WINDOW, K, 2))[..., ::-1]


def _core(identity_mask: bool, sampled: tuple[int, ...]) -> keras.Model:
    poses = keras.Input((WINDOW, 2 * K), name="poses")
    tokens = len(sampled)
    chosen = poses if tokens == WINDOW else poses[:, :: sampled[1] - sampled[0]]
    x = keras.layers.Dense(FEATURES, name="embed")(chosen) + positions(tokens)
    for n in range(LAYERS):
        x = Block(not_itself=identity_mask, name=f"encoder{n}")(x)
    x = keras.layers.LayerNormalization(epsilon=1e-5, name="encoder_norm")(x)
    clean = keras.layers.Dense(2 * K, name="denoise")(x) + chosen
    whole = _ops.matmul(interpolation(sampled), clean)
    y = keras.layers.Conv1D(FEATURES, 5, padding="same", name="recover")(whole) + positions(WINDOW)
    memory = x + positions(tokens)
    for n in range(LAYERS):
        y = Block(cross=True, name=f"decoder{n}")(y, memory)
    y = keras.layers.LayerNormalization(epsilon=1e-5, name="decoder_norm")(y)
    refined = keras.layers.Dense(2 * K, name="refine")(y) + whole
    return keras.Model(poses, refined, name="coordinates")


def _refined(model: keras.Model, place: list, emitted: tuple[int, ...]):
    """Keypoints (1, T, 25, 3) = x, y, score from x, y and peak of the window, each (1, 1, 5, 25).

    Tokens are (1, 1, T, 128). Rows and columns are not interleaved here: the weights that read or
    write them are permuted instead.
    """
    layer = model.get_layer("coordinates").get_layer
    by_axis = np.r_[0 : 2 * K : 2, 1 : 2 * K : 2]  # rows first, then columns
    x, y, peak = place
    poses = _ops.concatenate([y, x], axis=-1)  # (1, 1, 5, 50)
    count = layer("embed").output.shape[1]
    seen = poses if count == WINDOW else poses[:, :, :: SAMPLED[1]]
    tokens = constant(positions(count)[None, None])(_linear(seen, layer("embed"), rows=by_axis))
    for n in range(LAYERS):
        tokens = _block(layer(f"encoder{n}"), tokens)
    tokens = normalised(tokens, *layer("encoder_norm").get_weights())
    clean = _linear(tokens, layer("denoise"), columns=by_axis) + seen
    whole = clean
    if count < WINDOW:
        parts = interpolation(SAMPLED).T.reshape(count, 1, 1, WINDOW, 1)
        whole = sum(clean[:, :, n : n + 1] * part for n, part in enumerate(parts))
    kernel, bias = layer("recover").get_weights()
    recovered = convolution(kernel[:, by_axis][None], bias)(whole)
    recovered = constant(positions(WINDOW)[None, None])(recovered)
    memory = constant(positions(count)[None, None])(tokens)
    kept = slice(emitted[0], emitted[-1] + 1)
    for n in range(LAYERS):
        only = kept if n == LAYERS - 1 else slice(None)
        recovered = _block(layer(f"decoder{n}"), recovered, memory, only)
    recovered = normalised(recovered, *layer("decoder_norm").get_weights())
    refined = _linear(recovered, layer("refine"), columns=by_axis) + whole[:, :, kept]
    score = _ops.clip(peak[:, :, kept] / PEAK, 0.0, 1.0)
    parts = (refined[..., K:], refined[..., :K], score)
    shape = (1, len(emitted), K, 1)
    return _ops.concatenate([_ops.reshape(part, shape) for part in parts], axis=-1)


def _linear(tokens, dense, rows=slice(None), columns=slice(None), scale: float = 1.0):
    """A Dense layer on (1, 1, T, N) as a 1 x 1 convolution, its inputs and outputs permuted."""
    kernel, bias = dense.get_weights()
    return convolution(scale * kernel[rows][:, columns][None, None], scale * bias[columns])(tokens)


def _block(block: Block, tokens, memory=None, kept: slice = slice(None)):
    """A Block over (1, 1, T, 128), for the tokens `kept` alone."""
    norms = (layer.get_weights() for layer in block.norms)
    x = tokens[:, :, kept]
    x = normalised(x + _attend(block.attention, x, tokens), *next(norms))
    if block.cross:
        x = normalised(x + _attend(block.across, x, memory), *next(norms))
    wide = _ops.leaky_relu(_linear(x, block.widen), LEAK)
    return normalised(x + _linear(wide, block.narrow), *next(norms))


def _attend(attention: Attention, x, memory):
    """Attention of x (1, 1, T, 128) to memory (1, 1, S, 128)."""
    count, seen = x.shape[2], memory.shape[2]
    value = _linear(memory, attention.value)
    if attention.not_itself and seen == 2:  # each sees the other, whatever it asks
        return _linear(_ops.concatenate([value[:, :, 1:], value[:, :, :1]], axis=2), attention.out)
    query = _heads(_linear(x, attention.query, scale=(FEATURES // HEADS) ** -0.5))
    scores = _ops.matmul(query, _heads(_linear(memory, attention.key), (0, 2, 3, 1)))
    if attention.not_itself:
        scores = scores - (1e4 * np.eye(seen, dtype=np.float32))[None, None]
    found = _ops.transpose(_ops.matmul(_ops.softmax(scores), _heads(value)), (0, 2, 1, 3))
    return _linear(_ops.reshape(found, (1, 1, count, FEATURES)), attention.out)


REFINERS = (DeciWatch(),)
