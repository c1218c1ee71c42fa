"""Where training starts from: shipped weights, another run, the identity, or chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from climb_edge.errors import ClimbEdgeError
from train.models.registry import get

if TYPE_CHECKING:
    from train.models.base import Model


def initial(model: Model, init: str, seed: int = 0, switches: dict[str, bool] | None = None):
    """The training form with weights from `init`: shipped, identity, none (Glorot from `seed`), or
    a run folder.

    Raises ClimbEdgeError when there are no such weights, or they are another model's or another
    configuration's.
    """
    from train.backend import keras
    from train.fitting.run_folder import Run, load_weights

    keras.utils.set_random_seed(seed)
    switches = model.switches | (switches or {})
    form = model.build(**switches)
    if init == "shipped":
        if not shipped_weights(model.name).is_file():
            raise ClimbEdgeError(
                f"--init shipped: the project ships no weights of {model.name}; use --init none, or"
                " pretrain it and name that run"
            )
        load_weights(form, shipped_weights(model.name))
    elif init == "identity":
        if not model.pass_through(form):
            raise ClimbEdgeError(
                f"--init identity: {model.name} has no weights that give its input back; use --init"
                " none"
            )
    elif init != "none":
        run = Run.open(init)
        config = run.config()
        if config.get("qat"):
            raise ClimbEdgeError(
                f"{init}: expected a float run, found a quantization-aware one; name the run it"
                f" began from, {config['init']}"
            )
        # older ones say fewer
        there = (config["model"], get(config["model"]).switches | config.get("switches", {}))
        same = {name: switches[name] for name in model.any_weights}
        if (there[0], there[1] | same) != (model.name, switches):
            raise ClimbEdgeError(
                f"{init}: holds {_in_words(*there)}, asked for {_in_words(model.name, switches)};"
                " choose the same --model and --switch"
            )
        run.load_weights(form)
    return form


def _in_words(name: str, switches: dict[str, bool]) -> str:
    return " ".join([name, *(f"{k}={'on' if v else 'off'}" for k, v in switches.items())])


def shipped_weights(name: str):
    """Where the weights stand that the project ships for a model."""
    from importlib.resources import files

    return files("train") / "weights" / f"{name}.weights.h5"
