"""Conv3D: one 5 x 5 x 5 convolution over the window (the study's 3DConv), 78,150 parameters.

Over a window of 5 frames it equals a two-dimensional convolution on 125 stacked channels, which a phone's GPU runs
whole where it refuses CONV_3D. One emitted frame needs only the frames that its kernel reaches.
"""

from __future__ import annotations

import numpy as np

from climb_edge.boxes import SIZE
from climb_edge.contract import WINDOW
from climb_edge.skeleton import K
from train.backend import keras
from train.feed import Maps
from train.graphs import EMITTED, constant, convolution, frames_of, step_inputs, window_input

KERNEL = 5
_ops = keras.ops


class Conv3D:
    """The registry's entry; see `train.models.Model`."""

    name, reads, output, switches = "conv3d", "heatmaps", "heatmaps", {}
    parameters = KERNEL**3 * K * K + K

    def build(self) -> keras.Model:
        """Training form (B, 5, 56, 56, 25) -> the same shape: zero padding, bias, ReLU; Glorot uniform."""
        window = keras.Input((WINDOW, SIZE, SIZE, K), name="window")
        convolved = keras.layers.Conv3D(K, KERNEL, padding="same", activation="relu", name="conv3d")(window)
        return keras.Model(window, convolved, name=self.name)

    def outputs(self, model: keras.Model, given: dict):
        return model(Maps()(given))

    def pass_through(self, model: keras.Model) -> bool:
        kernel = np.zeros((KERNEL, KERNEL, KERNEL, K, K), np.float32)
        kernel[KERNEL // 2, KERNEL // 2, KERNEL // 2] = np.eye(K)
        model.get_layer("conv3d").set_weights([kernel, np.zeros(K, np.float32)])
        return True

    def form(self, model: keras.Model, form: str, emits: str) -> keras.Model:
        kernel, bias = model.get_layer("conv3d").get_weights()
        emitted = EMITTED[emits]
        first, last = _reach(emitted)
        centre, pairs = KERNEL // 2, np.arange(K)
        own = kernel[centre, centre, centre, pairs, pairs]  # what each cell gives to itself, (25,)
        kernel[centre, centre, centre, pairs, pairs] = 0
        stacked = np.zeros((KERNEL, KERNEL, (last - first) * K, len(emitted) * K), np.float32)
        for column, out in enumerate(emitted):
            for row, frame in enumerate(range(first, last)):
                tap = frame - out + KERNEL // 2
                if 0 <= tap < KERNEL:
                    stacked[:, :, row * K : (row + 1) * K, column * K : (column + 1) * K] = kernel[tap]
        name = f"{self.name}_{form}_{emits}"
        if form == "window":
            window = window_input()
            refine = _kept(own, stacked, bias, len(emitted))
            kept = frames_of(window, emitted[0], emitted[-1] + 1)
            return keras.Model([window], refine(frames_of(window, first, last), kept), name=name)
        frame, past = step_inputs({"past": (SIZE, SIZE, (last - first - 1) * K)})
        reached = _ops.concatenate([past, frame], axis=-1)
        kept = frame if emits == "newest" else frames_of(reached, emitted[0] - first, emitted[0] - first + 1)
        refine = _kept(own, stacked, bias, 1)
        return keras.Model([frame, past], [refine(reached, kept), reached[..., K:]], name=name)

    def form_parameters(self, form: str, emits: str) -> int:
        """Newest needs 3 frames of the kernel, 46,900; a cell's weight for itself stands beside it, 25 more a frame."""
        emitted = EMITTED[emits]
        first, last = _reach(emitted)
        return KERNEL**2 * (last - first) * K * len(emitted) * K + 2 * len(emitted) * K


def _kept(own: np.ndarray, stacked: np.ndarray, bias: np.ndarray, frames: int):
    """A function of the frames reached and of those kept: ReLU of the convolution plus what each cell gives to itself.

    A refiner that was trained from the pass-through kernel keeps most of a map as it is. Taken out of the convolution,
    that part is not quantized with it, and what is left has weights a tenth as large: its int8 loses a tenth as much.
    """
    convolve = convolution(stacked, np.tile(bias, frames))
    gain = constant(np.tile(own, frames).reshape(1, 1, 1, -1), multiply=True)
    return lambda reached, kept: _ops.relu(convolve(reached) + gain(kept))


def _reach(emitted: tuple[int, ...]) -> tuple[int, int]:
    """The input frames that the kernel reaches from `emitted`, as (first, last + 1)."""
    return max(min(emitted) - KERNEL // 2, 0), min(max(emitted) + KERNEL // 2, WINDOW - 1) + 1


REFINERS = (Conv3D(),)
