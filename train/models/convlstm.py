"""bi-ConvLSTM: one ConvLSTM forward and one backward in time, and convolutions that make a heatmap of their states.

The study's models S (the branches' heatmaps are summed: 1,875,666 parameters) and C (their features are concatenated:
1,872,313). The cell is Shi et al.'s (NeurIPS 2015, eq. 3) with position-wise biases. Its four gates are one convolution
here, and the input convolutions of all frames are one call.
"""

from __future__ import annotations

from functools import cached_property

from climb_edge.boxes import SIZE
from climb_edge.contract import WINDOW
from climb_edge.skeleton import K
from train.backend import keras
from train.fake_quant import parts_of
from train.feed import Maps
from train.graphs import EMITTED, frames_of, step_inputs, to_channels, to_frames, window_input

FEATURES = 128
GATES = 4 * K  # i, f, c, o
_ops = keras.ops
_BRANCHES = ("forward", "backward")
_HELD = (  # tensors of a cell that an integer graph keeps in 8 bits
    "input", "gates", "recurrent", "sum", "i_peephole", "i_sum", "f_peephole", "f_sum", "o_peephole", "o_sum", "kept", "new",
    "cell", "hidden",
)  # fmt: skip
_CELL = 2 * (9 * K * GATES + GATES) + SIZE * SIZE * (GATES + 3 * K)
_TRUNK = 9 * K * FEATURES + FEATURES + 2 * (9 * FEATURES * FEATURES + FEATURES)
_END = FEATURES * K + K
_SUM_END = FEATURES * FEATURES + FEATURES + _END
_CONCAT_END = 2 * FEATURES * FEATURES + FEATURES + _END
_GLOROT = keras.initializers.VarianceScaling(2.5, "fan_avg", "uniform")  # of each gate's kernel alone, not of the fused


@keras.saving.register_keras_serializable("climb_edge")
class ConvLSTM(keras.layers.Layer):
    """(B, 5, 56, 56, 25) -> hidden states of the same shape; `backward` starts at the newest frame.

    i = sigmoid(Wxi x + Whi h + Wci c + bi), f likewise, c' = f c + i tanh(Wxc x + Whc h + bc),
    o = sigmoid(Wxo x + Who h + Wco c' + bo), h' = o tanh(c'). States start at zero, so the first frame needs no
    convolution of h. Both convolutions have biases, b are position-wise besides.
    """

    def __init__(self, backward: bool = False, **options):
        super().__init__(**options)
        self.backward = backward

    def build(self, shape):
        _, _, rows, columns, channels = shape
        for name in ("input", "hidden"):
            kernel = self.add_weight(shape=(3, 3, channels, 4 * channels), initializer=_GLOROT, name=f"{name}_kernel")
            bias = self.add_weight(shape=(4 * channels,), initializer="zeros", name=f"{name}_bias")
            setattr(self, f"{name}_kernel", kernel)
            setattr(self, f"{name}_bias", bias)
        self.peephole = self.add_weight(shape=(rows, columns, 3 * channels), initializer="zeros", name="peephole")
        self.position_bias = self.add_weight(shape=(rows, columns, 4 * channels), initializer="zeros", name="position")

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
            all_gates = (
                gates[:, t] if hidden is None else gates[:, t] + _ops.conv(hidden, self.hidden_kernel, padding="same")
            )
            i, f, c, o = _ops.split(all_gates, 4, axis=-1)
            if hidden is None:
                cell = _ops.sigmoid(i) * _ops.tanh(c)
            else:
                cell = _ops.sigmoid(f + peep_f * cell) * cell + _ops.sigmoid(i + peep_i * cell) * _ops.tanh(c)
            hidden = states[t] = _ops.sigmoid(o + peep_o * cell) * _ops.tanh(cell)
        return _ops.stack([states[t] for t in range(frames)], axis=1)

    def get_config(self) -> dict:
        return {**super().get_config(), "backward": self.backward}


class BiConvLSTM:
    """The registry's entry for one of the two; see `train.models.Model`."""

    reads, output = "heatmaps", "heatmaps"

    def __init__(self, merge: str):
        self.merge, self.name = merge, f"convlstm_{merge}"
        self.switches = {} if merge == "sum" else {"last_relu": False}  # the study's text: on; its code: off
        self.parameters = 2 * (_CELL + _TRUNK) + (2 * _SUM_END if merge == "sum" else _CONCAT_END)

    def build(self, last_relu: bool = True) -> keras.Model:
        """Training form (B, 5, 56, 56, 25) -> the same shape; Glorot uniform, peepholes and biases zero."""
        window = keras.Input((WINDOW, SIZE, SIZE, K), name="window")
        last = "relu" if last_relu else None

        def layer(filters: int, size: int, name: str, activation: str | None = "relu"):
            return keras.layers.Conv2D(filters, size, padding="same", activation=activation, name=name)

        branches = []
        for branch in _BRANCHES:
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

    def outputs(self, model: keras.Model, given: dict):
        return model(Maps()(given))

    def pass_through(self, model: keras.Model) -> bool:
        return False

    def form(self, model: keras.Model, form: str, emits: str) -> keras.Model:
        model, parts = parts_of(model)
        name = f"{self.name}_{form}_{emits}"
        if form == "window":
            window = window_input()
            return keras.Model([window], _window(model, window, EMITTED[emits], parts), name=name)
        cells = (_Cell(model, branch, parts) for branch in _BRANCHES)
        inputs, pair, state = (_newest_step if emits == "newest" else _centre_step)(*cells)
        return keras.Model(inputs, [_heads(model, parts)(*pair), *state], name=name)

    @property
    def ranges(self) -> tuple[str, ...]:
        ends = _BRANCHES if self.merge == "sum" else ()
        heads = [*(f"{branch}_conv{n}" for branch in _BRANCHES for n in range(3 if ends else 2))]
        heads += [f"{branch}_{name}" for branch in ends for name in ("combine", "out")] or ["features", "combine"]
        return ("maps", *(f"{branch}_{name}" for branch in _BRANCHES for name in _HELD), *heads, "refined")

    def arithmetic(self, model: keras.Model, window, parts):
        """All five frames of windows (B, 5, 56, 56, 25), as the window form computes them, of `parts`."""
        return to_frames(_window(model, to_channels(window), EMITTED["all"], parts))

    def form_parameters(self, form: str, emits: str, **switches: bool) -> int:
        """A cell's biases are one; backward in time the newest frame needs i, c and o of the input alone."""
        positions = SIZE * SIZE
        whole = 2 * 9 * K * GATES + positions * (GATES + 3 * K)
        first = 9 * K * 3 * K + positions * (3 * K + K)
        ends = 2 * _SUM_END if self.merge == "sum" else _CONCAT_END
        return 2 * _TRUNK + ends + whole + (first if emits == "newest" else whole)


def _window(model: keras.Model, window, emitted: tuple[int, ...], parts):
    """Heatmaps (B, 56, 56, 25 T) of the emitted frames of windows (B, 56, 56, 125)."""
    cells, heads = (_Cell(model, branch, parts) for branch in _BRANCHES), _heads(model, parts)
    maps = [heads(*pair) for pair in _window_states(parts.held("maps", window), emitted, *cells)]
    return maps[0] if len(maps) == 1 else _ops.concatenate(maps, axis=-1)


def _heads(model: keras.Model, parts):
    """A function of a frame's two hidden states that gives its heatmaps (B, 56, 56, 25); its layers are shared."""

    def deployed(name: str, held: str | None = None):
        layer = model.get_layer(name)
        convolve = parts.convolution(*map(parts.value, (layer.kernel, layer.bias)), layer.activation.__name__)
        return lambda x: parts.held(held or name, convolve(x))

    summed = model.name == "convlstm_sum"
    branch_names = ("conv0", "conv1", "conv2", *(("combine", "out") if summed else ()))
    shared = {} if summed else {"conv2": "features"}  # what is concatenated has one range
    branches = [[deployed(f"{branch}_{name}", shared.get(name)) for name in branch_names] for branch in _BRANCHES]
    ends = [] if summed else [deployed("combine"), deployed("out", "refined")]

    def heads(*states):
        features = []
        for layers, x in zip(branches, states, strict=True):
            for layer in layers:
                x = layer(x)
            features.append(x)
        if summed:
            return parts.held("refined", features[0] + features[1])
        x = _ops.concatenate(features, axis=-1)
        for layer in ends:
            x = layer(x)
        return x

    return heads


class _Cell:
    """A ConvLSTM as 4-D graph parts: gates of a frame, the first step from the zero state, and every later one.

    The first step is a graph of its own: a convolution of zeros, or zeros concatenated, is work for nothing, and was
    seen to give wrong numbers on one GPU build.
    """

    def __init__(self, model: keras.Model, branch: str, parts):
        value = {v.name: parts.value(v) for v in model.get_layer(f"{branch}_lstm").weights}
        self.parts, self._branch = parts, branch
        self._input_kernel, self._hidden_kernel = value["input_kernel"], value["hidden_kernel"]
        self._bias = (value["position"] + value["input_bias"] + value["hidden_bias"])[None]
        self._peep_i, self._peep_f, self._peep_o = (value["peephole"][None, ..., n * K : (n + 1) * K] for n in range(3))

    def held(self, name: str, x):
        """A tensor that an integer graph keeps in 8 bits; each name of `_HELD` has one range, whatever the step."""
        return self.parts.held(f"{self._branch}_{name}", x)

    def _biased(self, kernel, bias):
        convolve, add = self.parts.convolution(kernel), self.parts.constant(bias, of=self._bias)
        return lambda frame: self.held("gates", add(self.held("input", convolve(frame))))

    @cached_property
    def gates(self):
        """Frame (1, 56, 56, 25) -> what it and the biases give to i, f, c, o: (1, 56, 56, 100)."""
        return self._biased(self._input_kernel, self._bias)

    @cached_property
    def first_gates(self):
        """The same without f, which the first step has no use for: (1, 56, 56, 75) = i, c, o."""

        def used(weights):
            return self.parts.value(_ops.concatenate([weights[..., :K], weights[..., 2 * K :]], axis=-1))

        return self._biased(used(self._input_kernel), used(self._bias))

    @cached_property
    def _later(self):
        constant = self.parts.constant
        return self.parts.convolution(self._hidden_kernel), constant(self._peep_i, True), constant(self._peep_f, True)

    @cached_property
    def _peephole_o(self):
        return self.parts.constant(self._peep_o, True)

    def _opened(self, gate: str, x, peephole, cell):
        """A gate that sees the cell through its peephole."""
        return self.parts.sigmoid(self.held(f"{gate}_sum", x + self.held(f"{gate}_peephole", peephole(cell))))

    def _hidden(self, o, cell):
        return self.held("hidden", self._opened("o", o, self._peephole_o, cell) * self.parts.tanh(cell))

    def first(self, gates):
        """(hidden, cell) after the first frame, from its gates with or without f."""
        i, c, o = gates[..., :K], gates[..., -2 * K : -K], gates[..., -K:]
        cell = self.held("cell", self.parts.sigmoid(i) * self.parts.tanh(c))
        return self._hidden(o, cell), cell

    def later(self, gates, hidden, cell):
        """(hidden, cell) after a later frame."""
        convolve, peephole_i, peephole_f = self._later
        gates = self.held("sum", gates + self.held("recurrent", convolve(hidden)))
        i, f, c, o = (gates[..., n * K : (n + 1) * K] for n in range(4))
        kept = self.held("kept", self._opened("f", f, peephole_f, cell) * cell)
        new = self.held("new", self._opened("i", i, peephole_i, cell) * self.parts.tanh(c))
        cell = self.held("cell", kept + new)
        return self._hidden(o, cell), cell


def _window_states(window, emitted: tuple[int, ...], forward: _Cell, backward: _Cell) -> list[tuple]:
    """(forward, backward) hidden states of the emitted frames; only frames that reach them are computed."""
    frames = [frames_of(window, t, t + 1) for t in range(WINDOW)]
    past = _chain(forward, frames[: emitted[-1] + 1])
    future = _chain(backward, frames[: emitted[0] - 1 if emitted[0] else None : -1])[::-1]
    return [(past[t], future[t - emitted[0]]) for t in emitted]


def _chain(cell: _Cell, frames: list) -> list:
    """Hidden states after each of `frames`, from the zero state."""
    if len(frames) == 1:
        return [cell.first(cell.first_gates(frames[0]))[0]]
    hidden, memory = cell.first(cell.gates(frames[0]))
    states = [hidden]
    for frame in frames[1:]:
        hidden, memory = cell.later(cell.gates(frame), hidden, memory)
        states.append(hidden)
    return states


def _newest_step(forward: _Cell, backward: _Cell) -> tuple[list, tuple, list]:
    """(inputs, hidden states of the newest frame, new state).

    A window is 5 frames from the zero state, so 4 windows are always under way. The state holds where each of them
    stands, hidden_n and cell_n after its n-th frame; a frame moves all of them on, ends one and begins one.
    """
    names = [f"{part}_{n}" for n in range(1, WINDOW) for part in ("hidden", "cell")]
    entering, *past = inputs = step_inputs(dict.fromkeys(names, (SIZE, SIZE, K)))
    frame = forward.parts.held("maps", entering)
    state = [forward.held(name.split("_")[0], x) for name, x in zip(names, past, strict=True)]
    gates = forward.gates(frame)
    moved = [*forward.first(gates)]
    for n in range(0, len(state), 2):
        moved += forward.later(gates, *state[n : n + 2])
    (newest,) = _chain(backward, [frame])
    return inputs, (moved[-2], newest), moved[:-2]


def _centre_step(forward: _Cell, backward: _Cell) -> tuple[list, tuple, list]:
    """(inputs, hidden states of the frame two before the newest, new state).

    Forward, a window's centre is its third frame: two windows are under way, and what they end in waits two frames
    for its backward half. Backward, three frames are walked anew; the input convolutions of the older two are kept.
    """
    shapes = dict.fromkeys(["hidden_1", "cell_1", "hidden_2", "cell_2"], (SIZE, SIZE, K))
    shapes |= {"waiting": (SIZE, SIZE, 2 * K), "gates": (SIZE, SIZE, 2 * GATES)}  # of the last frame, of the one before
    inputs = step_inputs(shapes)
    holders = (forward.parts.held, *([forward.held] * 5), backward.held)
    held = ("maps", "hidden", "cell", "hidden", "cell", "hidden", "gates")
    frame, hidden_1, cell_1, hidden_2, cell_2, waiting, gates = (
        hold(name, x) for hold, name, x in zip(holders, held, inputs, strict=True)
    )
    ahead, newest = forward.gates(frame), backward.gates(frame)
    third, _ = forward.later(ahead, hidden_2, cell_2)
    walked = backward.first(newest)
    for n in range(2):
        walked = backward.later(gates[..., n * GATES : (n + 1) * GATES], *walked)
    # A tensor that only moved on would be an input and an output at once, which one runtime answers with garbage.
    moved = [
        *forward.first(ahead),
        *forward.later(ahead, hidden_1, cell_1),
        _ops.concatenate([third, waiting[..., :K]], axis=-1),
        _ops.concatenate([newest, gates[..., :GATES]], axis=-1),
    ]
    return inputs, (waiting[..., K:], walked[0]), moved


REFINERS = (BiConvLSTM("sum"), BiConvLSTM("concat"))
