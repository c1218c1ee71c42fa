"""The models by name. A new model costs one file in this folder."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

from climb_edge.errors import ClimbEdgeError, did_you_mean
from train import models

if TYPE_CHECKING:  # Keras comes with it; names and forms take none
    from train.models.base import Model

DEFAULT = "conv3d"  # where nobody names a model
FORMS = ("window-all", "window-newest", "window-centre", "step-newest", "step-centre")


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
        raise ClimbEdgeError(
            f"model {name!r}: expected one of {', '.join(names())}{did_you_mean(name, names())}"
        )
    return _models()[name]


def switched(
    model: Model, given: Sequence[str], before: Mapping[str, bool] | None = None
) -> dict[str, bool]:
    """All switches of a model as `before` has them, else as they are by default, with `given`
    (NAME=on or NAME=off) applied. Raises ClimbEdgeError.
    """
    chosen = {**model.switches, **(before or {})}
    for item in given:
        name, _, value = item.partition("=")
        if name not in chosen or value not in ("on", "off"):
            known = ", ".join(chosen) or "none"
            raise ClimbEdgeError(
                f"--switch {item}: expected NAME=on or NAME=off; switches of {model.name}:"
                f" {known}{'' if name in chosen else did_you_mean(name, chosen)}"
            )
        chosen[name] = value == "on"
    return chosen
