"""bi-ConvLSTM: one ConvLSTM forward and one backward in time, and convolutions that make a heatmap
of their states.

The study's models S (the branches' heatmaps are summed: 1,875,666 parameters) and C (their features
are concatenated: 1,872,313). The cell is Shi et al.'s (NeurIPS 2015, eq. 3) with position-wise
biases. Its four gates are one convolution here, and the input convolutions of all frames are one
call.
"""

from __future__ import annotations

from climb_edge.pose.boxes import SIZE
from climb_edge.pose.layout import WINDOW
from climb_edge.pose.skeleton import K
from train.backend import keras
from train.layers.aware import parts_of
from train.layers.float import EMITTED, to_channels, to_frames, window_input
from train.models.base import Model
from train.models.convlstm_deploy import (
    BRANCHES,
    GATES,
    HELD,
    Unrolled,
    centre_step,
    heads_of,
    newest_step,
    window_maps,
)

FEATURES = 128
_ops = keras.ops
_CELL = 2 * (9 * K * GATES + GATES) + SIZE * SIZE * (GATES + 3 * K)
_TRUNK = 9 * K * FEATURES + FEATURES + 2 * (9 * FEATURES * FEATURES + FEATURES)
_END = FEATURES * K + K
_SUM_END = FEATURES * FEATURES + FEATURES + _END
_CONCAT_END = 2 * FEATURES * FEATURES + FEATURES + _END


@keras.saving.register_keras_serializable("climb_edge")
class ConvLSTM(keras.layers.Layer):
    """(B, 5, 56, 56, 25) -> hidden states of the same shape; `backward` starts at the newest frame.

    i = sigmoid(Wxi x + Whi h + Wci c + bi), f likewise, c' = f c + i tanh(Wxc x + Whc h + bc), o =
    sigmoid(Wxo x + Who h + Wco c' + bo), h' = o tanh(c'). States start at zero, so the first frame
    needs no convolution of h. Both convolutions have biases, b are position-wise besides.
    """

    def __init__(self, backward: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.backward = backward

    def build(self, shape):
        _, _, rows, columns, channels = shape
        for name in ("input", "hidden"):
            # Glorot's of each gate's kernel alone, not of the fused; an initializer that is used
            # twice gives the same twice
            glorot = keras.initializers.VarianceScaling(2.5, "fan_avg", "uniform")
            kernel = self.add_weight(
                shape=(3, 3, channels, 4 * channels), initializer=glorot, name=f"{name}_kernel"
            )
            bias = self.add_weight(shape=(4 * channels,), initializer="zeros", name=f"{name}_bias")
            setattr(self, f"{name}_kernel", kernel)
            setattr(self, f"{name}_bias", bias)
        self.peephole = self.add_weight(
            shape=(rows, columns, 3 * channels), initializer="zeros", name="peephole"
        )
        self.position_bias = self.add_weight(
            shape=(rows, columns, 4 * channels), initializer="zeros", name="position"
        )

    def call(self, window):
        _, frames, rows, columns, channels = window.shape
        flat = _ops.reshape(window, (-1, rows, columns, channels))
        gates = _ops.conv(flat, self.input_kernel, padding="same") + (
            self.input_bias + self.hidden_bias + self.position_bias
        )
        gates = _ops.reshape(gates, (-1, frames, rows, columns, 4 * channels))
        peep_i, peep_f, peep_o = _ops.split(self.peephole, 3, axis=-1)
        hidden, states = None, {}
        for t in reversed(range(frames)) if self.backward else range(frames):
            if hidden is None:
                i, _, c, o = _ops.split(gates[:, t], 4, axis=-1)
                cell = _ops.sigmoid(i) * _ops.tanh(c)
            else:
                later = gates[:, t] + _ops.conv(hidden, self.hidden_kernel, padding="same")
                i, f, c, o = _ops.split(later, 4, axis=-1)
                kept = _ops.sigmoid(f + peep_f * cell) * cell
                cell = kept + _ops.sigmoid(i + peep_i * cell) * _ops.tanh(c)
            hidden = states[t] = _ops.sigmoid(o + peep_o * cell) * _ops.tanh(cell)
        return _ops.stack([states[t] for t in range(frames)], axis=1)


class BiConvLSTM(Model):
    """The study's bidirectional ConvLSTM; `merge`: how its directions meet, by sum or concat."""

    reads, output, loss = "heatmaps", "heatmaps", "cross_entropy"

    def __init__(self, merge: str):
        self.merge, self.name = merge, f"convlstm_{merge}"
        # the study's text: on; its code: off
        self.switches = {} if merge == "sum" else {"last_relu": False}
        self.parameters = 2 * (_CELL + _TRUNK) + (2 * _SUM_END if merge == "sum" else _CONCAT_END)

    def build(self, last_relu: bool = True) -> keras.Model:
        """Training form (B, 5, 56, 56, 25) -> the same; Glorot, peepholes and biases zero."""
        window = keras.Input((WINDOW, SIZE, SIZE, K), name="window")
        last = "relu" if last_relu else None

        def layer(filters: int, size: int, name: str, activation: str | None = "relu"):
            return keras.layers.Conv2D(
                filters, size, padding="same", activation=activation, name=name
            )

        branches = []
        for branch in BRANCHES:
            states = ConvLSTM(branch == "backward", name=f"{branch}_lstm")(window)
            x = _ops.reshape(states, (-1, SIZE, SIZE, K))
            for n in range(3):
                x = layer(FEATURES, 3, f"{branch}_conv{n}")(x)
            if self.merge == "sum":
                x = layer(K, 1, f"{branch}_out")(layer(FEATURES, 1, f"{branch}_combine")(x))
            branches.append(x)
        if self.merge == "sum":
            x = keras.layers.Add()(branches)
        else:
            x = layer(FEATURES, 1, "combine", last)(keras.layers.Concatenate()(branches))
            x = layer(K, 1, "out", last)(x)
        return keras.Model(window, _ops.reshape(x, (-1, WINDOW, SIZE, SIZE, K)), name=self.name)

    def form(self, model: keras.Model, form: str, emits: str) -> keras.Model:
        model, parts = parts_of(model)
        name = f"{self.name}_{form}_{emits}"
        if form == "window":
            window = window_input()
            maps = window_maps(model, window, EMITTED[emits], parts)
            return keras.Model([window], maps, name=name)
        cells = (Unrolled(model, branch, parts) for branch in BRANCHES)
        inputs, pair, state = (newest_step if emits == "newest" else centre_step)(*cells)
        return keras.Model(inputs, [heads_of(model, parts)(*pair), *state], name=name)

    @property
    def ranges(self) -> tuple[str, ...]:
        summed = self.merge == "sum"
        held = [f"{branch}_{name}" for branch in BRANCHES for name in HELD]
        held += [f"{branch}_conv{n}" for branch in BRANCHES for n in range(3 if summed else 2)]
        ends = [f"{branch}_{name}" for branch in BRANCHES for name in ("combine", "out")]
        return ("maps", *held, *(ends if summed else ("features", "combine")), "refined")

    def arithmetic(self, model: keras.Model, window, parts):
        """All frames of windows (B, 5, 56, 56, 25), as the window form computes them."""
        return to_frames(window_maps(model, to_channels(window), EMITTED["all"], parts))

    def form_parameters(self, form: str, emits: str, **switches: bool) -> int:
        """Biases are one; backward, the newest frame needs i, c and o of the input alone."""
        positions = SIZE * SIZE
        whole = 2 * 9 * K * GATES + positions * (GATES + 3 * K)
        first = 9 * K * 3 * K + positions * (3 * K + K)
        ends = 2 * _SUM_END if self.merge == "sum" else _CONCAT_END
        return 2 * _TRUNK + ends + whole + (first if emits == "newest" else whole)


REFINERS = (BiConvLSTM("sum"), BiConvLSTM("concat"))
