"""Runs that were trained in 8 bits, `train finetune --qat`: read, found to go together, made into graphs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from climb_edge.errors import ClimbEdgeError
from convert.graph import Graph, build, to_tflite
from convert.quantize import Quantization
from train import tfmot
from train.fake_quant import float_form, quantization_aware
from train.runs import Run, load_weights
from train.splits import Split

TFMOT = "tfmot"


@dataclass(frozen=True)
class Aware:
    """A run that was trained in 8 bits: its config and its training form, which computes so."""

    config: dict
    model: object


def open_aware(run: Run, described, plain) -> Aware:
    """Read such a run. `plain`: the float training form that it began from.

    Raises ClimbEdgeError where what trained it is not installed.
    """
    config = run.config()
    if config["qat"]["scheme"] == TFMOT:
        model = tfmot.quantization_aware(described, plain, config["qat"]["shrink"])
    else:
        own = described.build(**config.get("switches", {}))
        own.set_weights(plain.get_weights())
        model = quantization_aware(described, own)
    return Aware(config, run.load_weights(model))


def together(path: Path, beside: Sequence[Path], described, plain, parts: Split, source) -> dict[str, Aware]:
    """By scheme, the run `path` where it was trained in 8 bits, and those `beside` it.

    Raises ClimbEdgeError for a float run beside it, two of one scheme, and one that began from other weights than
    `plain`'s or has other test windows.
    """
    found: dict[str, Aware] = {}
    for other in (path, *beside):
        run = Run.open(other)
        config = run.config()
        if not config.get("qat"):
            if other != path:
                raise ClimbEdgeError(f"--beside {other}: expected a run of `train finetune --qat`, found a float one")
            continue
        if (scheme := config["qat"]["scheme"]) in found:
            raise ClimbEdgeError(f"--beside {other}: a run of --qat {scheme} is there already; convert it by itself")
        if other != path:
            _fits(run, config, described, plain, parts, source)
        found[scheme] = open_aware(run, described, plain)
    return found


def _fits(run: Run, config: dict, described, plain, parts: Split, source) -> None:
    if config["model"] != described.name:
        raise ClimbEdgeError(f"--beside {run.path}: holds {config['model']}, expected {described.name}")
    began = described.build(**config.get("switches", {}))
    load_weights(began, run.teacher)
    if not all(map(np.array_equal, began.get_weights(), plain.get_weights())):
        raise ClimbEdgeError(
            f"--beside {run.path}: began from other float weights; train it with --init naming the same run"
        )
    if Split.load(run.split, source).sha256 != parts.sha256:
        raise ClimbEdgeError(f"--beside {run.path}: has other test windows; train it with the other run's --split")


def quantization(aware: Aware, described, plain: Graph, kind: str, emits: str) -> Quantization | None:
    """What files of such a run are made of, or None where it has none of this form. `plain`: the float graph of the form."""
    switches = aware.config.get("switches", {})
    if aware.config["qat"]["scheme"] == TFMOT:
        if (kind, emits) != tfmot.FORM:
            return None
        rounded, unrounded = tfmot.step_forms(aware.model)
        return Quantization(replace(plain, content=to_tflite(unrounded, plain.parameters), keras_form=rounded), [])
    own = build(described, float_form(aware.model), kind, emits, switches)
    return Quantization(replace(own, keras_form=described.form(aware.model, kind, emits)), [])
