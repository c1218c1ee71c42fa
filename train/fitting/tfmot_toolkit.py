"""Whom tensorflow-model-optimization is for, and the libraries that it needs."""

from __future__ import annotations

import importlib

from climb_edge.errors import ClimbEdgeError
from train.backend import keras

MODEL, FORM = "conv3d", ("step", "newest")

# Options that go with Keras 3's own training loop alone.
UNCHANGED = dict(schedule="plateau", ema=0.0, clip_norm=0.0, weight_decay=0.0, distill_epochs=0)


def shrinking(text: str | None) -> tuple[str, float]:
    """What is done to the kernel before training in 8 bits, and kept by it: ("prune", part of it
    that is zero), ("cluster", number of its values), or ("", 0), of "prune:0.5", "cluster:16" or
    None. Raises ClimbEdgeError for anything else.
    """
    if text is None:
        return "", 0
    way, _, number = text.partition(":")
    try:
        if way == "prune" and 0 < float(number) < 1:
            return way, float(number)
        if way == "cluster" and 2 <= int(number) <= 128:
            return way, float(number)
    except ValueError:
        pass
    raise ClimbEdgeError(
        f"--shrink {text}: expected prune:PART with a part between 0 and 1, as prune:0.5, or"
        " cluster:VALUES, 2 to 128, as cluster:16"
    )


def check(definition, options) -> None:
    """Raises ClimbEdgeError for a model, options or a machine that it is not for."""
    if definition.name != MODEL:
        raise ClimbEdgeError(
            f"--qat tfmot: {definition.name} is not made of the plain layers of tf_keras that"
            f" tensorflow-model-optimization takes (of ours only {MODEL} is); use --qat int8"
        )
    for given, needed in UNCHANGED.items():
        if getattr(options, given) != needed:
            raise ClimbEdgeError(
                f"--{given.replace('_', '-')} {getattr(options, given)}: --qat tfmot expected"
                f" {needed}; leave it out, or use --qat int8"
            )
    if keras.backend.backend() != "tensorflow":
        raise ClimbEdgeError(
            f"--qat tfmot: needs Keras on TensorFlow; found {keras.backend.backend()}"
        )
    shrinking(options.shrink)
    toolkit()


def toolkit():
    """(tensorflow_model_optimization, tf_keras). Raises ClimbEdgeError with what installs them."""
    names = ("tensorflow_model_optimization", "tf_keras")
    try:
        return tuple(map(importlib.import_module, names))
    except ImportError as error:
        raise ClimbEdgeError(
            f"--qat tfmot: needs tensorflow-model-optimization ({error}), in an environment of its"
            " own: run `make tfmot`, then .venv-tfmot/bin/python -m train ... and"
            " .venv-tfmot/bin/python -m convert ...; or use --qat int8, which needs nothing more"
        ) from error
