"""Quantization-aware training: a model computed as its int8 graph will compute it, with gradients
that go straight through.

A deploy form is made of few parts (`train.layers.float.Float`). Here the same parts round: weights
symmetrically, by output channel, as wide as the largest; constants as wide as they reach; every
tensor that the graph holds in 8 bits by a range of its own, which follows the data while it is
tracked and then stays. Those ranges go into the file with the weights.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from climb_edge.errors import ClimbEdgeError
from train.backend import keras
from train.layers.float import Constant, constant, convolution

MOMENTUM = 0.98  # of the moving averages that ranges are while they are tracked
LEAST = 1e-6  # no range is narrower: a channel without weights has none
_ops = keras.ops
_register = keras.saving.register_keras_serializable("climb_edge")


def rounded(x, low, high):
    """`x` on the grid of 256 values from `low` to `high`, moved so that 0 is one of them; the
    gradient is x's within.
    """
    return keras.quantizers.fake_quant_with_min_max_vars(x, low, high)


def rounded_kernel(kernel):
    """A kernel (..., N) on 255 values by output channel, about 0, as far as its largest weight."""
    axes = tuple(range(len(kernel.shape) - 1))
    reach = _ops.stop_gradient(_ops.maximum(_ops.max(_ops.abs(kernel), axis=axes), LEAST))
    return keras.quantizers.fake_quant_with_min_max_vars(
        kernel, -reach, reach, narrow_range=True, axis=-1
    )


def reach_of(value):
    """(low, high) of a constant, 0 among them."""
    return _ops.stop_gradient(
        _ops.stack([_ops.minimum(_ops.min(value), 0.0), _ops.maximum(_ops.max(value), LEAST)])
    )


# what is rounded without a range that data set
WEIGHTS, GATES = "weights and constants", "sigmoid and tanh"
RANGELESS = (WEIGHTS, GATES)
# what the runtime's int8 sigmoid and tanh are bound to
SIGMOID, TANH = (0.0, 255 / 256), (-1.0, 127 / 128)


class Ranges(keras.layers.Layer):
    """The least and largest value of every named tensor; while `tracked`, training moves them."""

    def __init__(self, names: tuple[str, ...]):
        super().__init__(name="ranges")
        self.of = {
            n: self.add_weight(shape=(2,), initializer="zeros", trainable=False, name=n)
            for n in names
        }
        self.tracked = self.add_weight(
            shape=(), initializer="ones", trainable=False, name="tracked"
        )

    def follow(self, name: str, x) -> None:
        """Move a range towards a batch's; the first batch sets it."""
        held = self.of[name]
        pace = _ops.where(held[1] > 0, 1 - MOMENTUM, 1.0) * self.tracked
        held.assign(held + pace * (reach_of(x) - held))

    def values(self) -> dict[str, tuple[float, float]]:
        """(low, high) by name. Raises ClimbEdgeError naming the ranges that never saw data."""
        found = {name: tuple(float(v) for v in np.asarray(held)) for name, held in self.of.items()}
        if empty := [name for name, (low, high) in found.items() if not high > low]:
            raise ClimbEdgeError(
                f"ranges of {', '.join(empty)}: expected what training data reach, found none;"
                " train at least one step with --qat"
            )
        return found


class Live:
    """The parts of a deploy form as functions of a training form's variables, rounded; `follow`:
    ranges move.

    `spared`: a tensor by the name of its range, or one of RANGELESS, that stays in float, to see
    what its rounding costs.
    """

    def __init__(self, ranges: Ranges, follow: bool = False, spared: str | None = None):
        self._ranges, self._follow, self._spared = ranges, follow, spared

    def value(self, weight):
        return _ops.convert_to_tensor(weight)

    def convolution(self, kernel, bias=None, activation: str | None = None):
        kernel = kernel if self._spared == WEIGHTS else rounded_kernel(kernel)
        act = keras.activations.get(activation)

        def convolve(x):
            x = _ops.conv(x, kernel, padding="same")
            return act(x if bias is None else x + bias)

        return convolve

    def constant(self, value, multiply: bool = False, of=None):
        if self._spared != WEIGHTS:
            value = rounded(value, *_ops.unstack(reach_of(value if of is None else of), 2))
        return lambda x: x * value if multiply else x + value

    def held(self, name: str, x):
        if name == self._spared:
            return x
        if self._follow:
            self._ranges.follow(name, x)
        low, high = _ops.unstack(self._ranges.of[name], 2)
        return rounded(x, low, high)

    def sigmoid(self, x):
        return _ops.sigmoid(x) if self._spared == GATES else rounded(_ops.sigmoid(x), *SIGMOID)

    def tanh(self, x):
        return _ops.tanh(x) if self._spared == GATES else rounded(_ops.tanh(x), *TANH)


@_register
class Rounded(keras.layers.Layer):
    """`rounded` with a range that stays."""

    def __init__(self, low: float, high: float, **kwargs):
        super().__init__(**kwargs)
        self.low, self.high = low, high

    def call(self, x):
        return rounded(x, self.low, self.high)


@_register
class RoundedConv2D(keras.layers.Conv2D):
    """A convolution with `rounded_kernel`."""

    def call(self, x):
        x = _ops.conv(x, rounded_kernel(self.kernel), padding="same")
        return self.activation(x + self.bias if self.use_bias else x)


@_register
class RoundedConstant(Constant):
    """A constant that is rounded, from `low` to `high`."""

    def __init__(self, shape: tuple[int, ...], multiply: bool, low: float, high: float, **kwargs):
        super().__init__(shape, multiply, **kwargs)
        self.low, self.high = low, high

    def call(self, x):
        value = rounded(self.value, self.low, self.high)
        return x * value if self.multiply else x + value


class Frozen:
    """The parts of a deploy form as layers that round by ranges that stay, for the converter."""

    def __init__(self, ranges: dict[str, tuple[float, float]]):
        self._ranges = ranges

    value = staticmethod(np.asarray)

    def convolution(
        self, kernel: np.ndarray, bias: np.ndarray | None = None, activation: str | None = None
    ):
        return convolution(kernel, bias, activation, RoundedConv2D)

    def constant(self, value: np.ndarray, multiply: bool = False, of: np.ndarray | None = None):
        low, high = np.asarray(reach_of(value if of is None else of)).tolist()
        return constant(value, multiply, kind=partial(RoundedConstant, low=low, high=high))

    def held(self, name: str, x):
        return Rounded(*self._ranges[name])(x)

    def sigmoid(self, x):
        return Rounded(*SIGMOID)(_ops.sigmoid(x))

    def tanh(self, x):
        return Rounded(*TANH)(_ops.tanh(x))
