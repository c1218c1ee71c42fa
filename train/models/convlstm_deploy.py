"""Deploy forms of the bi-ConvLSTMs: an unrolled cell of 4-D tensors, the heads, and the two step
forms with their states.

Of the parts that it is given (`train.layers.float.Float` or those of `train.layers.rounded`); the
training form stands in `convlstm`.
"""

from __future__ import annotations

from functools import cached_property

from climb_edge.pose.layout import WINDOW
from climb_edge.pose.render import SIZE
from climb_edge.pose.skeleton import K
from train.backend import keras
from train.layers.float import frames_of, step_inputs

GATES = 4 * K  # i, f, c, o
BRANCHES = ("forward", "backward")
HELD = (  # tensors of a cell that an integer graph keeps in 8 bits
    *("input", "gates", "recurrent", "sum"),
    *(f"{gate}_{part}" for gate in "ifo" for part in ("peephole", "sum")),
    *("kept", "new", "cell", "hidden"),
)
_ops = keras.ops


def window_maps(model: keras.Model, window, emitted: tuple[int, ...], parts):
    """Heatmaps (B, 56, 56, 25 T) of the emitted frames of windows (B, 56, 56, 125)."""
    cells, heads = (Unrolled(model, branch, parts) for branch in BRANCHES), heads_of(model, parts)
    maps = [heads(*pair) for pair in _window_states(parts.held("maps", window), emitted, *cells)]
    return maps[0] if len(maps) == 1 else _ops.concatenate(maps, axis=-1)


def heads_of(model: keras.Model, parts):
    """A function of a frame's two hidden states to its heatmaps (B, 56, 56, 25), for all frames."""

    def deployed(name: str, held: str | None = None):
        layer = model.get_layer(name)
        weights = map(parts.value, (layer.kernel, layer.bias))
        convolve = parts.convolution(*weights, layer.activation.__name__)
        return lambda x: parts.held(held or name, convolve(x))

    summed = model.name == "convlstm_sum"
    branch_names = ("conv0", "conv1", "conv2", *(("combine", "out") if summed else ()))
    shared = {} if summed else {"conv2": "features"}  # what is concatenated has one range
    branches = [
        [deployed(f"{branch}_{name}", shared.get(name)) for name in branch_names]
        for branch in BRANCHES
    ]
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


class Unrolled:
    """A ConvLSTM as 4-D graph parts: gates of a frame, the first step from the zero state, and
    every later one.

    The first step is a graph of its own: a convolution of zeros, or zeros concatenated, is work for
    nothing, and was seen to give wrong numbers on one GPU build.
    """

    def __init__(self, model: keras.Model, branch: str, parts):
        value = {v.name: parts.value(v) for v in model.get_layer(f"{branch}_lstm").weights}
        self.parts, self._branch = parts, branch
        self._input_kernel, self._hidden_kernel = value["input_kernel"], value["hidden_kernel"]
        self._bias = (value["position"] + value["input_bias"] + value["hidden_bias"])[None]
        self._peep_i, self._peep_f, self._peep_o = (
            value["peephole"][None, ..., n * K : (n + 1) * K] for n in range(3)
        )

    def held(self, name: str, x):
        """A tensor kept in 8 bits; each name of `HELD` has one range, whatever the step."""
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
            kept = _ops.concatenate([weights[..., :K], weights[..., 2 * K :]], axis=-1)
            return self.parts.value(kept)

        return self._biased(used(self._input_kernel), used(self._bias))

    @cached_property
    def _later(self):
        peepholes = (self.parts.constant(peep, True) for peep in (self._peep_i, self._peep_f))
        return self.parts.convolution(self._hidden_kernel), *peepholes

    @cached_property
    def _peephole_o(self):
        return self.parts.constant(self._peep_o, True)

    def _opened(self, gate: str, x, peephole, cell):
        """A gate that sees the cell through its peephole."""
        seen = x + self.held(f"{gate}_peephole", peephole(cell))
        return self.parts.sigmoid(self.held(f"{gate}_sum", seen))

    def _hidden(self, o, cell):
        opened = self._opened("o", o, self._peephole_o, cell)
        return self.held("hidden", opened * self.parts.tanh(cell))

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


def _window_states(
    window, emitted: tuple[int, ...], forward: Unrolled, backward: Unrolled
) -> list[tuple]:
    """(forward, backward) hidden states of the emitted frames, of the frames that reach them."""
    frames = [frames_of(window, t, t + 1) for t in range(WINDOW)]
    past = _chain(forward, frames[: emitted[-1] + 1])
    future = _chain(backward, frames[: emitted[0] - 1 if emitted[0] else None : -1])[::-1]
    return [(past[t], future[t - emitted[0]]) for t in emitted]


def _chain(cell: Unrolled, frames: list) -> list:
    """Hidden states after each of `frames`, from the zero state."""
    if len(frames) == 1:
        return [cell.first(cell.first_gates(frames[0]))[0]]
    hidden, memory = cell.first(cell.gates(frames[0]))
    states = [hidden]
    for frame in frames[1:]:
        hidden, memory = cell.later(cell.gates(frame), hidden, memory)
        states.append(hidden)
    return states


def newest_step(forward: Unrolled, backward: Unrolled) -> tuple[list, tuple, list]:
    """(inputs, hidden states of the newest frame, new state).

    A window is 5 frames from the zero state, so 4 windows are always under way. The state holds
    where each of them stands, hidden_n and cell_n after its n-th frame; a frame moves all of them
    on, ends one and begins one.
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


def centre_step(forward: Unrolled, backward: Unrolled) -> tuple[list, tuple, list]:
    """(inputs, hidden states of the frame two before the newest, new state).

    Forward, a window's centre is its third frame: two windows are under way, and what they end in
    waits two frames for its backward half. Backward, three frames are walked anew; the input
    convolutions of the older two are kept.
    """
    shapes = dict.fromkeys(["hidden_1", "cell_1", "hidden_2", "cell_2"], (SIZE, SIZE, K))
    # of the last frame, of the one before
    shapes |= {"waiting": (SIZE, SIZE, 2 * K), "gates": (SIZE, SIZE, 2 * GATES)}
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
    # A tensor that only moved on would be an input and an output at once, which one runtime answers
    # with garbage.
    moved = [
        *forward.first(ahead),
        *forward.later(ahead, hidden_1, cell_1),
        _ops.concatenate([third, waiting[..., :K]], axis=-1),
        _ops.concatenate([newest, gates[..., :GATES]], axis=-1),
    ]
    return inputs, (waiting[..., K:], walked[0]), moved
