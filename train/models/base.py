"""What every model offers; a module of this folder lists its own in `REFINERS`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from train.backend import keras
from train.data.inputs import Maps


class Model(ABC):
    """A refiner: its training form, its deploy forms, and what can be asked of it."""

    name: str
    parameters: int  # of the training form, exact
    reads: str  # heatmaps, or keypoints: what its windows are read for
    output: str  # heatmaps (..., 56, 56, 25), or keypoints (..., 25, 2) = x and y in cells
    loss: str  # what trains it where nothing else is asked for
    peaks: bool = False  # whether it takes the heights of the native maps after the maps
    switches: ClassVar[dict[str, bool]] = {}  # what may be switched in `build`, with its default
    any_weights: tuple[str, ...] = ()  # switches that weights trained without are good for
    # Of these three, a model says one. Tensors that its int8 graph holds, by name, with
    # `arithmetic`; or `rounded_weights`; or what it has instead of int8.
    ranges: tuple[str, ...] = ()
    unaware: str = ""

    @abstractmethod
    def build(self, **switches: bool) -> keras.Model:
        """Training form: a Keras model (B, 5, 56, 56, 25) -> (B, 5, 56, 56, 25), or (B, 5, 25, 2 or
        3) keypoints.

        With `peaks` it takes [maps, peaks (B, 5, 25)].
        """

    @abstractmethod
    def form(self, model: keras.Model, form: str, emits: str) -> keras.Model:
        """Deploy form with the same weights: a Keras model of 4-D tensors with batch 1.

        `window`: (1, 56, 56, 125), frame-major -> (1, 56, 56, 25 T). `step`: (1, 56, 56, 25) and
        the state's tensors -> (1, 56, 56, 25) and the new state in the same order; a stream begins
        with zeros. Keypoints: (1, T, 25, 3). With `peaks` (1, 1, T, 25) come after the maps.
        `inputs` of the Keras model name the state.
        """

    @abstractmethod
    def form_parameters(self, form: str, emits: str, **switches: bool) -> int:
        """How many weights a deploy form must hold: those that reach its output."""

    def outputs(self, model: keras.Model, given: dict):
        """The training form's outputs for windows as tensors by name (`train.data.inputs`)."""
        return model(Maps()(given))

    @property
    def without_int8(self) -> str:
        """Why there is no graph of int8 arithmetic to train for; empty where there is one."""
        overridden = type(self).rounded_weights is not Model.rounded_weights
        if self.unaware or self.ranges or overridden:
            return self.unaware
        return "it says neither its ranges nor what to use instead"

    def rounded_weights(self, model: keras.Model, rounding: type) -> keras.Model | None:
        """The training form `model` with the layer `rounding` of what has weights; None where
        training knows of the activations too.
        """
        return None

    def arithmetic(self, model: keras.Model, window, parts):
        """What the training form gives for windows (B, 5, 56, 56, 25), computed as the deploy form
        does, of `parts`; `form` is built of the same parts (`train.layers.rounded`).

        Only where `ranges` are said; NotImplementedError else.
        """
        raise NotImplementedError(f"{self.name} has no int8 graph")

    def teach(self, model: keras.Model, known: np.ndarray) -> None:
        """Before training: which keypoints (25,) its data has truth for. Most do not mind."""
        return

    def pass_through(self, model: keras.Model) -> bool:
        """Set weights that give the input back; False where there are none such."""
        return False
