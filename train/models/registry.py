"""The models by name, and what each must offer. A new model costs one file in this folder."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from functools import cache
from typing import Protocol

from climb_edge.errors import ClimbEdgeError
from train import models

FORMS = ("window-all", "window-newest", "window-centre", "step-newest", "step-centre")


class Model(Protocol):
    """What the objects in the `REFINERS` of a module in this folder offer."""

    name: str
    parameters: int  # of the training form, exact
    reads: str  # heatmaps, or keypoints: what its windows are read for
    output: str  # heatmaps (..., 56, 56, 25), or keypoints (..., 25, 2) = x and y in cells
    # what trains it where nothing else is asked for; where this is not said, the first of its
    # output's
    loss: str
    # whether it takes the heights of the native maps after the maps; where this is not said, no
    peaks: bool
    switches: dict[str, bool]  # what may be switched in `build`, with its default
    # those of them that weights trained without are good for; where not said, none
    any_weights: tuple[str, ...]

    def build(self, **switches: bool):
        """Training form: a Keras model (B, 5, 56, 56, 25) -> (B, 5, 56, 56, 25), or (B, 5, 25, 2 or
        3) keypoints.

        With `peaks` it takes [maps, peaks (B, 5, 25)].
        """

    def outputs(self, model, given: dict):
        """What the training form gives for what windows are given (tensors by name, see
        `train.data.inputs`).
        """

    def form(self, model, form: str, emits: str):
        """Deploy form with the same weights: a Keras model of 4-D tensors with batch 1.

        `window`: (1, 56, 56, 125), frame-major -> (1, 56, 56, 25 T). `step`: (1, 56, 56, 25) and
        the state's tensors -> (1, 56, 56, 25) and the new state in the same order; a stream begins
        with zeros. Keypoints: (1, T, 25, 3). With `peaks` (1, 1, T, 25) come after the maps.
        Model.inputs name the state.
        """

    def form_parameters(self, form: str, emits: str, **switches: bool) -> int:
        """How many weights a deploy form must hold: those that reach its output."""

    ranges: tuple[
        str,
        ...,
        # tensors that its int8 graph holds, by name; where this is not said, `unaware` says what
        # there is
    ]
    unaware: str

    def rounded_weights(self, model, rounding):
        """The training form `model` with the layer `rounding` of what has weights; only where
        weights alone are trained.
        """

    def arithmetic(self, model, window, parts):
        """What the training form gives for windows (B, 5, 56, 56, 25), computed as the deploy form
        does, of `parts`.

        Only where `ranges` are said; `form` is built of the same parts (`train.layers.rounded`).
        """

    def teach(self, model, known) -> None:
        """Told, before training, which keypoints (25,) its data has truth for; only of models that
        ask for it.
        """

    def pass_through(self, model) -> bool:
        """Set weights with which the training form gives its input back; False where there are none
        such.
        """


@cache
def _models() -> dict[str, Model]:
    """Every model of every module in this folder, by name."""
    modules = sorted(info.name for info in pkgutil.iter_modules(models.__path__))
    found = (importlib.import_module(f"{models.__name__}.{name}") for name in modules)
    return {model.name: model for module in found for model in getattr(module, "REFINERS", ())}


def names() -> tuple[str, ...]:
    """Names of all models, the smallest first."""
    return tuple(sorted(_models(), key=lambda name: _models()[name].parameters))


def get(name: str) -> Model:
    """A model by name. Raises ClimbEdgeError with the nearest name."""
    if name not in _models():
        near = difflib.get_close_matches(name, names(), n=1, cutoff=0.0)[0]
        raise ClimbEdgeError(
            f"model {name!r}: expected one of {', '.join(names())}; did you mean {near}?"
        )
    return _models()[name]


def switched(model: Model, given: list[str]) -> dict[str, bool]:
    """All switches of a model, with `given` (NAME=on or NAME=off) applied. Raises ClimbEdgeError
    for an unknown one.
    """
    chosen = dict(model.switches)
    for item in given:
        name, _, value = item.partition("=")
        if name not in chosen or value not in ("on", "off"):
            known = ", ".join(chosen) or "none"
            raise ClimbEdgeError(
                f"--switch {item}: expected NAME=on or NAME=off; switches of {model.name}: {known}"
            )
        chosen[name] = value == "on"
    return chosen
