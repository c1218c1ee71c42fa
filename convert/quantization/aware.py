"""Runs of `train finetune --qat`, trained in 8 bits: read, put together, made into graphs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.pose.decode import both_decodes
from climb_edge.pose.render import SIZE
from climb_edge.pose.skeleton import K
from convert.graphs.build import Graph, build, to_tflite
from convert.quantization.mixed import mean_cells
from convert.quantization.quantizers import Quantization
from train.data.splits import Split
from train.data.windows import Frames
from train.fitting import tfmot, tfmot_toolkit
from train.fitting.run_folder import Run, load_weights
from train.layers.aware import aware as aware_layer
from train.layers.aware import float_form, quantization_aware
from train.layers.rounded import RANGELESS, Live

TFMOT = "tfmot"


@dataclass(frozen=True)
class Aware:
    """A run that was trained in 8 bits: its config and its training form, which computes so."""

    config: dict
    model: object


def open_aware(run: Run, definition, plain) -> Aware:
    """Read such a run. `plain`: the float training form that it began from.

    Raises ClimbEdgeError where what trained it is not installed.
    """
    config = run.config()
    if config["qat"]["scheme"] == TFMOT:
        model = tfmot.quantization_aware(definition, plain, config["qat"]["shrink"])
    else:
        own = definition.build(**config.get("switches", {}))
        own.set_weights(plain.get_weights())
        model = quantization_aware(definition, own)
    return Aware(config, run.load_weights(model))


def together(
    path: Path, qat_runs: Sequence[Path], definition, plain, parts: Split, source
) -> dict[str, Aware]:
    """By scheme, the run `path` where it was trained in 8 bits, and those of `qat_runs`.

    Raises ClimbEdgeError for a float run among them, two of one scheme, and one that began from
    other weights than `plain`'s or has other test windows.
    """
    found: dict[str, Aware] = {}
    for other in (path, *qat_runs):
        run = Run.open(other)
        config = run.config()
        if not config.get("qat"):
            if other != path:
                raise ClimbEdgeError(
                    f"--qat-run {other}: expected a run of `train finetune --qat`, found a float"
                    " one"
                )
            continue
        if (scheme := config["qat"]["scheme"]) in found:
            raise ClimbEdgeError(
                f"--qat-run {other}: a run of --qat {scheme} is there already; convert it by itself"
            )
        if other != path:
            _fits(run, config, definition, plain, parts, source)
        found[scheme] = open_aware(run, definition, plain)
    return found


def _fits(run: Run, config: dict, definition, plain, parts: Split, source) -> None:
    if config["model"] != definition.name:
        raise ClimbEdgeError(
            f"--qat-run {run.path}: holds {config['model']}, expected {definition.name}"
        )
    began = definition.build(**config.get("switches", {}))
    load_weights(began, run.teacher)
    if not all(map(np.array_equal, began.get_weights(), plain.get_weights())):
        raise ClimbEdgeError(
            f"--qat-run {run.path}: began from other float weights; train it with --init naming the"
            " same run"
        )
    if Split.load(run.split, source).sha256 != parts.sha256:
        raise ClimbEdgeError(
            f"--qat-run {run.path}: has other test windows; train it with the other run's --split"
        )


def quantization(
    aware: Aware, definition, plain: Graph, kind: str, emits: str
) -> Quantization | None:
    """What files of such a run are made of, or None where it has none of this form. `plain`: the
    float graph of the form.
    """
    switches = aware.config.get("switches", {})
    if aware.config["qat"]["scheme"] == TFMOT:
        if (kind, emits) != tfmot_toolkit.FORM:
            return None
        rounded, unrounded = tfmot.step_forms(aware.model)
        return Quantization(
            replace(plain, content=to_tflite(unrounded, plain.parameters), keras_form=rounded), []
        )
    own = build(definition, float_form(aware.model), kind, emits, switches)
    return Quantization(replace(own, keras_form=definition.form(aware.model, kind, emits)), [])


def error_table(model, windows: list[Frames]) -> list[dict]:
    """What each tensor's 8 bits cost, as rows of `Mixed.sensitivity`: cells from float with this
    one alone in float.

    `model`: a training form that computes in 8 bits. Of one whose activations are not rounded there
    are no rows, nor is there one of what changes nothing.
    """
    layer = aware_layer(model)
    if layer is None:
        return []
    maps = np.stack([w.maps for w in windows])

    def keypoints(outputs) -> np.ndarray:
        return both_decodes(np.asarray(outputs).reshape(-1, SIZE, SIZE, K))[0]

    exact = keypoints(layer.plain(maps))

    def cells(spared: str | None) -> float:
        parts = Live(layer.ranges, spared=spared)
        return mean_cells(keypoints(layer.definition.arithmetic(layer.plain, maps, parts)), exact)

    whole = cells(None)
    found = [{"layer": name, "cells": cells(name)} for name in (*layer.ranges.of, *RANGELESS)]
    found = sorted((row for row in found if row["cells"] != whole), key=lambda row: row["cells"])
    return [{"layer": "none", "cells": whole}, *found]
