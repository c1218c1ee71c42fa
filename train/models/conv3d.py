"""Conv3D: one 5 x 5 x 5 convolution over the window (the study's 3DConv), 78,150 parameters.

Over a window of 5 frames it equals a two-dimensional convolution on 125 stacked channels, which a
phone's GPU runs whole where it refuses CONV_3D. One emitted frame needs only the frames that its
kernel reaches.
"""

from __future__ import annotations

import numpy as np

from climb_edge.pose.boxes import SIZE
from climb_edge.pose.layout import WINDOW
from climb_edge.pose.skeleton import K
from train.backend import keras
from train.layers.aware import parts_of
from train.layers.float import EMITTED, frames_of, step_inputs, to_channels, to_frames, window_input
from train.models.base import Model

KERNEL = 5
_ops = keras.ops


class Conv3D(Model):
    """The study's 3DConv."""

    name, reads, output, loss = "conv3d", "heatmaps", "heatmaps", "cross_entropy"
    parameters = KERNEL**3 * K * K + K
    ranges = ("maps", "convolved", "kept", "refined")

    def build(self) -> keras.Model:
        """Training form (B, 5, 56, 56, 25) -> the same: zero padding, bias, ReLU; Glorot."""
        window = keras.Input((WINDOW, SIZE, SIZE, K), name="window")
        layer = keras.layers.Conv3D(K, KERNEL, padding="same", activation="relu", name="conv3d")
        return keras.Model(window, layer(window), name=self.name)

    def pass_through(self, model: keras.Model) -> bool:
        kernel = np.zeros((KERNEL, KERNEL, KERNEL, K, K), np.float32)
        kernel[KERNEL // 2, KERNEL // 2, KERNEL // 2] = np.eye(K)
        model.get_layer("conv3d").set_weights([kernel, np.zeros(K, np.float32)])
        return True

    def form(self, model: keras.Model, form: str, emits: str) -> keras.Model:
        model, parts = parts_of(model)
        emitted = EMITTED[emits]
        first, last = _reach(emitted)
        refine = _kept(parts, model.get_layer("conv3d"), emitted)
        name = f"{self.name}_{form}_{emits}"
        if form == "window":
            window = window_input()
            maps = parts.held("maps", window)
            kept = frames_of(maps, emitted[0], emitted[-1] + 1)
            return keras.Model([window], refine(frames_of(maps, first, last), kept), name=name)
        frame, past = step_inputs({"past": (SIZE, SIZE, (last - first - 1) * K)})
        newest = parts.held("maps", frame)
        reached = _ops.concatenate([parts.held("maps", past), newest], axis=-1)
        centre = emitted[0] - first
        kept = newest if emits == "newest" else frames_of(reached, centre, centre + 1)
        return keras.Model([frame, past], [refine(reached, kept), reached[..., K:]], name=name)

    def arithmetic(self, model: keras.Model, window, parts):
        """All frames of windows (B, 5, 56, 56, 25), as the window form computes them."""
        maps = parts.held("maps", to_channels(window))
        return to_frames(_kept(parts, model.get_layer("conv3d"), EMITTED["all"])(maps, maps))

    def form_parameters(self, form: str, emits: str) -> int:
        """Newest needs 3 frames of the kernel, 46,900; a cell's weight for itself stands beside it,
        25 more a frame.
        """
        emitted = EMITTED[emits]
        first, last = _reach(emitted)
        return KERNEL**2 * (last - first) * K * len(emitted) * K + 2 * len(emitted) * K


def _stacked(kernel, emitted: tuple[int, ...]):
    """(what each cell gives to itself, the kernel without it on stacked channels): (1, 1, 1, 25 T),
    (5, 5, 25 F, 25 T).

    T frames are emitted, F are reached. A refiner that was trained from the pass-through kernel
    keeps most of a map as it is. Taken out of the convolution, that part is not quantized with it,
    and what is left has weights a tenth as large: its int8 loses a tenth as much.
    """
    centre = KERNEL // 2
    own = _ops.diagonal(kernel[centre, centre, centre])
    itself = np.zeros((KERNEL, KERNEL, KERNEL, K, K), np.float32)
    itself[centre, centre, centre] = np.eye(K)
    taps = _ops.unstack(kernel * (1 - itself), KERNEL)
    none = _ops.zeros_like(taps[0])
    columns = []
    for out in emitted:
        reached = (frame - out + centre for frame in range(*_reach(emitted)))
        kernels = [taps[t] if 0 <= t < KERNEL else none for t in reached]
        columns.append(_ops.concatenate(kernels, axis=2))
    own = _ops.reshape(_ops.tile(own, [len(emitted)]), (1, 1, 1, -1))
    return own, _ops.concatenate(columns, axis=3)


def _kept(parts, layer: keras.layers.Conv3D, emitted: tuple[int, ...]):
    """A function of the frames reached and of those kept: ReLU of the convolution plus what each
    cell gives to itself.
    """
    own, stacked = map(parts.value, _stacked(_ops.convert_to_tensor(layer.kernel), emitted))
    bias = parts.value(_ops.tile(layer.bias, [len(emitted)]))
    convolve, gain = parts.convolution(stacked, bias), parts.constant(own, multiply=True)

    def refine(reached, kept):
        convolved = parts.held("convolved", convolve(reached))
        return parts.held("refined", _ops.relu(convolved + parts.held("kept", gain(kept))))

    return refine


def _reach(emitted: tuple[int, ...]) -> tuple[int, int]:
    """The input frames that the kernel reaches from `emitted`, as (first, last + 1)."""
    return max(min(emitted) - KERNEL // 2, 0), min(max(emitted) + KERNEL // 2, WINDOW - 1) + 1


REFINERS = (Conv3D(),)
