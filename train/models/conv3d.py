"""Conv3D: one 5 x 5 x 5 convolution over the window (the study's 3DConv), 78,150 parameters.

Over a window of 5 frames it equals a two-dimensional convolution on 125 stacked channels, which a phone's GPU runs
whole where it refuses CONV_3D.
"""

from __future__ import annotations

import numpy as np

from climb_edge.boxes import SIZE
from climb_edge.contract import WINDOW
from climb_edge.skeleton import K
from train.backend import keras

NAME = "conv3d"
KERNEL = 5
PARAMETERS = KERNEL**3 * K * K + K  # 78,150
_FRAMES = {"all": tuple(range(WINDOW)), "newest": (WINDOW - 1,), "centre": (WINDOW // 2,)}


def build() -> keras.Model:
    """Training form (B, 5, 56, 56, 25) -> the same shape: zero padding, bias, ReLU; Glorot uniform."""
    window = keras.Input((WINDOW, SIZE, SIZE, K), name="window")
    convolution = keras.layers.Conv3D(K, KERNEL, padding="same", activation="relu", name="conv3d")
    return keras.Model(window, convolution(window), name=NAME)


def pass_through(model: keras.Model) -> None:
    """Set weights that give every frame back as it came: a start from which training can only add."""
    kernel = np.zeros((KERNEL, KERNEL, KERNEL, K, K), np.float32)
    kernel[KERNEL // 2, KERNEL // 2, KERNEL // 2] = np.eye(K)
    model.get_layer("conv3d").set_weights([kernel, np.zeros(K, np.float32)])


def window_form(model: keras.Model, emits: str) -> keras.Model:
    """Deploy form (1, 56, 56, 125) -> (1, 56, 56, 25 T); only frames that reach the output are convolved."""
    kernel, bias = (np.asarray(w) for w in model.get_layer("conv3d").get_weights())
    outputs = _FRAMES[emits]
    first, last = _reach(outputs)
    stacked = np.zeros((KERNEL, KERNEL, (last - first) * K, len(outputs) * K), np.float32)
    for column, out in enumerate(outputs):
        for row, frame in enumerate(range(first, last)):
            tap = frame - out + KERNEL // 2
            if 0 <= tap < KERNEL:
                stacked[:, :, row * K : (row + 1) * K, column * K : (column + 1) * K] = kernel[tap]
    window = keras.Input(batch_shape=(1, SIZE, SIZE, WINDOW * K), name="window")
    used = window[..., first * K : last * K] if (first, last) != (0, WINDOW) else window
    convolution = keras.layers.Conv2D(len(outputs) * K, KERNEL, padding="same", activation="relu", name="stacked")
    form = keras.Model(window, convolution(used), name=f"{NAME}_window_{emits}")
    form.get_layer("stacked").set_weights([stacked, np.tile(bias, len(outputs))])
    return form


def deploy_parameters(emits: str) -> int:
    """Weights and biases of the window form: newest needs 3 frames of the kernel (46,900)."""
    outputs = _FRAMES[emits]
    first, last = _reach(outputs)
    return KERNEL**2 * (last - first) * K * len(outputs) * K + len(outputs) * K


def _reach(outputs: tuple[int, ...]) -> tuple[int, int]:
    """The input frames that the kernel reaches from `outputs`, as (first, last + 1)."""
    return max(min(outputs) - KERNEL // 2, 0), min(max(outputs) + KERNEL // 2, WINDOW - 1) + 1
