"""Where training starts from: shipped weights, another run, the identity, or chance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from climb_edge.errors import ClimbEdgeError, did_you_mean
from train.config import Training
from train.models.registry import DEFAULT, get, switched

if TYPE_CHECKING:
    from train.models.base import Model

WORDS = ("shipped", "identity", "none")  # of --init; everything else is a run


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
        _check_same(init, model, switches)
        Run.open(init).load_weights(form)
    return form


def chosen(options: Training) -> tuple[Model, dict[str, bool]]:
    """The model and its switches as the options name them, else as the run in --init has them,
    which is said. Raises ClimbEdgeError where they contradict that run, or there is no such run.
    """
    if options.init in WORDS:
        model = get(options.model or DEFAULT)
        return model, switched(model, options.switch)
    name, before = _held(options.init)
    model = get(options.model or name)
    switches = switched(model, options.switch, before if model.name == name else None)
    _check_same(options.init, model, switches)
    if not options.model or (switches != model.switches and not options.switch):
        print(f"model {_in_words(name, switches)}, as in {options.init}")
    return model, switches


def _held(init: str) -> tuple[str, dict[str, bool]]:
    """Name and switches of the model in a run. Raises ClimbEdgeError for no run, and for one that
    has no float weights.
    """
    from train.fitting.run_folder import Run

    if (near := did_you_mean(init, WORDS)) and not Path(init).exists():
        raise ClimbEdgeError(f"--init {init}: expected a run folder or {', '.join(WORDS)}{near}")
    config = Run.open(init).config()
    if config.get("qat"):
        raise ClimbEdgeError(
            f"{init}: expected a float run, found a quantization-aware one; name the run it"
            f" began from, {config['init']}"
        )
    # older ones say fewer
    return config["model"], get(config["model"]).switches | config.get("switches", {})


def _check_same(init: str, model: Model, switches: dict[str, bool]) -> None:
    name, there = _held(init)
    same = {switch: switches[switch] for switch in model.any_weights}
    if (name, there | same) != (model.name, switches):
        raise ClimbEdgeError(
            f"{init}: holds {_in_words(name, there)}, asked for {_in_words(model.name, switches)};"
            " choose the same --model and --switch, or leave them out"
        )


def _in_words(name: str, switches: dict[str, bool]) -> str:
    return " ".join([name, *(f"{k}={'on' if v else 'off'}" for k, v in switches.items())])


def shipped_weights(name: str):
    """Where the weights stand that the project ships for a model."""
    from importlib.resources import files

    return files("train") / "weights" / f"{name}.weights.h5"
