"""What deploy graphs are made of: 4-D tensors of batch 1, ops that a phone's GPU delegate runs."""

from __future__ import annotations

import numpy as np

from climb_edge.pose.decode import CLAMP, FLOOR, LEAST_DETERMINANT
from climb_edge.pose.layout import WINDOW
from climb_edge.pose.render import CENTRE, SIZE
from climb_edge.pose.skeleton import K
from train.backend import keras

ops = keras.ops
# frames of the window
EMITTED = {"all": tuple(range(WINDOW)), "newest": (WINDOW - 1,), "centre": (WINDOW // 2,)}


def window_input():
    """The window form's input (1, 56, 56, 125), frame-major channels."""
    return keras.Input(batch_shape=(1, SIZE, SIZE, WINDOW * K), name="window")


def step_inputs(state: dict[str, tuple[int, int, int]]) -> list:
    """The step form's inputs: frame (1, 56, 56, 25), then the state's, shapes without batch."""
    shapes = {"frame": (SIZE, SIZE, K), **state}
    return [keras.Input(batch_shape=(1, *shape), name=name) for name, shape in shapes.items()]


def frames_of(window, first: int, last: int):
    """Frames `first` to `last` - 1 of a window (1, 56, 56, 125): (1, 56, 56, 25 (last - first))."""
    return window if (first, last) == (0, WINDOW) else window[..., first * K : last * K]


def to_channels(window):
    """A window (B, 5, 56, 56, 25) as a deploy form takes it: (B, 56, 56, 125), frame-major."""
    return ops.reshape(ops.transpose(window, (0, 2, 3, 1, 4)), (-1, SIZE, SIZE, WINDOW * K))


def to_frames(maps):
    """The reverse: (B, 56, 56, 125) -> (B, 5, 56, 56, 25)."""
    return ops.transpose(ops.reshape(maps, (-1, SIZE, SIZE, WINDOW, K)), (0, 3, 1, 2, 4))


def convolution(
    kernel: np.ndarray,
    bias: np.ndarray | None = None,
    activation: str | None = None,
    kind=keras.layers.Conv2D,
):
    """A layer that convolves (1, R, C, N) with a kernel (h, w, N, M), zeros around it."""
    layer = kind(
        kernel.shape[-1],
        kernel.shape[:2],
        padding="same",
        use_bias=bias is not None,
        activation=activation,
    )
    layer.build((1, None, None, kernel.shape[-2]))
    layer.set_weights([kernel] if bias is None else [kernel, bias])
    return layer


@keras.saving.register_keras_serializable("climb_edge")
class Constant(keras.layers.Layer):
    """Add to (1, R, C, N), or multiply by, a constant that broadcasts to it: peepholes,
    position-wise biases, gains.
    """

    def __init__(self, shape: tuple[int, ...], multiply: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.shape, self.multiply = tuple(shape), multiply
        self.value = self.add_weight(shape=self.shape, initializer="zeros", name="value")

    def call(self, x):
        return x * self.value if self.multiply else x + self.value


def constant(value: np.ndarray, multiply: bool = False, of=None, kind=Constant):
    """A layer that adds `value`, or multiplies by it."""
    layer = kind(value.shape, multiply)
    layer.set_weights([value])
    return layer


class Float:
    """The parts of a deploy form, in float. `train.layers.rounded` has the same in 8 bits, where a
    constant that is a piece of another, `of`, is rounded as that is.

    `held(name, x)` marks a tensor that an integer graph keeps in 8 bits, with the name of its
    range.
    """

    value = staticmethod(np.asarray)  # of a weight: a deploy form has it as a constant
    convolution, constant = staticmethod(convolution), staticmethod(constant)
    sigmoid, tanh = staticmethod(ops.sigmoid), staticmethod(ops.tanh)

    @staticmethod
    def held(name: str, x):
        return x


def normalised(x, gain: np.ndarray, bias: np.ndarray, epsilon: float = 1e-5):
    """Layer normalisation over the last axis, of parts: delegates do not know the whole."""
    scaled = constant(gain.reshape(1, 1, 1, -1), multiply=True)(standardised(x, epsilon))
    return constant(bias.reshape(1, 1, 1, -1))(scaled)


def standardised(x, epsilon: float = 1e-5):
    """Mean 0 and variance 1 over the last axis: layer normalisation without gain and bias."""
    centred = x - ops.mean(x, axis=-1, keepdims=True)
    spread = ops.mean(ops.square(centred), axis=-1, keepdims=True)
    return centred * ops.rsqrt(spread + epsilon)


def decoded(maps, subpixel: bool = True):
    """`climb_edge.pose.decode.decode` of (1, 56, 56, N) in ops that every GPU delegate has: x, y,
    peak, each (1, 1, 1, N).

    ARG_MAX and gathers are refused by the classic delegate. So the maximum is masked, its place is
    the mask's mean, and its eight neighbours are summed out of the map with one-hot rows and
    columns. Without `subpixel` ties are their mean too, where the study takes the first.
    """
    grid = np.arange(SIZE, dtype=np.float32)
    columns, rows = grid.reshape(1, 1, SIZE, 1), grid.reshape(1, SIZE, 1, 1)
    peak = ops.max(maps, axis=(1, 2), keepdims=True)
    mask = ops.cast(ops.greater_equal(maps, peak), "float32")
    by_column, by_row = ops.sum(mask, axis=1, keepdims=True), ops.sum(mask, axis=2, keepdims=True)
    ties = ops.sum(by_column, axis=2, keepdims=True)
    x = ops.sum(by_column * columns, axis=2, keepdims=True) / ties
    y = ops.sum(by_row * rows, axis=1, keepdims=True) / ties
    if subpixel:
        step_x, step_y = _second_order_step(maps, x, y, ties, columns, rows)
        x, y = x + step_x, y + step_y
    seen = ops.cast(ops.greater(peak, 0.0), "float32")
    return x * seen + CENTRE * (1 - seen), y * seen + CENTRE * (1 - seen), ops.maximum(peak, 0.0)


def _second_order_step(maps, x, y, ties, columns, rows):
    """DARK's step at whole cells x, y; 0 at borders, ties and where the Hessian is not a peak's."""

    def one_hot(grid, place):
        return ops.relu(1 - ops.abs(place - grid))

    near = {}
    for dy in (-1, 0, 1):
        row = _log(ops.sum(maps * one_hot(rows, y + dy), axis=1, keepdims=True))
        for dx in (-1, 0, 1):
            near[dx, dy] = ops.sum(row * one_hot(columns, x + dx), axis=2, keepdims=True)
    gx, gy = (near[1, 0] - near[-1, 0]) * 0.5, (near[0, 1] - near[0, -1]) * 0.5
    hxx, hyy = near[1, 0] - 2 * near[0, 0] + near[-1, 0], near[0, 1] - 2 * near[0, 0] + near[0, -1]
    hxy = (near[1, 1] - near[-1, 1] - near[1, -1] + near[-1, -1]) * 0.25
    determinant = hxx * hyy - hxy * hxy
    peaked = ops.cast(ops.greater(determinant, LEAST_DETERMINANT), "float32") * ops.cast(
        ops.less(hxx, 0.0), "float32"
    )
    inside = (
        ops.clip(x, 0, 1)
        * ops.clip(SIZE - 1 - x, 0, 1)
        * ops.clip(y, 0, 1)
        * ops.clip(SIZE - 1 - y, 0, 1)
    )
    counts = peaked * inside * ops.relu(2 - ties) / (determinant * peaked + (1 - peaked))
    step_x, step_y = (hxy * gy - hyy * gx) * counts, (hxy * gx - hxx * gy) * counts
    return ops.clip(step_x, -CLAMP, CLAMP), ops.clip(step_y, -CLAMP, CLAMP)


def _log(x):
    """Logarithm of what is at least FLOOR. In half precision that is 0, and its logarithm no
    number; its root is not 0.
    """
    return 2 * ops.log(ops.maximum(ops.sqrt(ops.relu(x)), FLOOR**0.5))
