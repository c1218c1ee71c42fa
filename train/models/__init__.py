"""The models by name, and what each must offer. A new model costs one file and one line here."""

from __future__ import annotations

import difflib
import importlib
from typing import Protocol

from climb_edge.errors import ClimbEdgeError

MODELS = ("conv3d",)


class Model(Protocol):
    """What a module in this folder offers."""

    NAME: str
    PARAMETERS: int  # of the training form, exact

    def build(self):
        """Training form: a Keras model (B, 5, 56, 56, 25) -> (B, 5, 56, 56, 25)."""

    def pass_through(self, model) -> None:
        """Set weights with which the model gives its input back."""

    def window_form(self, model, emits: str):
        """Deploy form with the same weights: a Keras model (1, 56, 56, 125) -> (1, 56, 56, 25 T), frame-major channels."""

    def deploy_parameters(self, emits: str) -> int:
        """How many parameters the window form must hold."""


def get(name: str):
    """The module of a model. Raises ClimbEdgeError with the nearest name."""
    if name not in MODELS:
        near = difflib.get_close_matches(name, MODELS, n=1, cutoff=0.0)[0]
        raise ClimbEdgeError(f"model {name!r}: expected one of {', '.join(MODELS)}; did you mean {near}?")
    return importlib.import_module(f"train.models.{name}")


def initial(module, init: str, seed: int = 0):
    """The training form with weights from `init`: shipped, identity, none (Glorot from `seed`), or a run folder."""
    from train.backend import keras
    from train.runs import Run, load_weights

    keras.utils.set_random_seed(seed)
    model = module.build()
    if init == "shipped":
        load_weights(model, shipped_weights(module.NAME))
    elif init == "identity":
        module.pass_through(model)
    elif init != "none":
        run = Run.open(init)
        if run.config()["model"] != module.NAME:
            raise ClimbEdgeError(
                f"{init}: holds a {run.config()['model']}, asked for {module.NAME}; choose --model {run.config()['model']}"
            )
        run.load_weights(model)
    return model


def shipped_weights(name: str):
    """The weights that the project ships for a model."""
    from importlib.resources import files

    return files("train") / "weights" / f"{name}.weights.h5"
