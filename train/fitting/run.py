"""One training run, from its options to its metrics: what `finetune` and `pretrain` do."""

from __future__ import annotations

import argparse
import contextlib
import math
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np

from climb_edge.errors import ClimbEdgeError
from train.backend import keras
from train.data.augment import Augmentation
from train.data.sources import Source, open_source
from train.data.splits import RULES, Split, digest, split
from train.fitting import initial_weights, tfmot
from train.fitting.callbacks import calibration
from train.fitting.loop import Recipe, Trained, fit
from train.fitting.losses import FOR
from train.fitting.metrics import _metrics, tell_inputs
from train.fitting.run_folder import Run
from train.layers.aware import check_aware, quantization_aware
from train.models import registry

_AT_LEAST = {
    "epochs": 0,
    "batch": 1,
    "clips": 1,
    "steps": 1,
    "plateau": 1,
    "stop": 1,
    "validation": 1,
    "test": 1,
    "weight_decay": 0,
    "clip_norm": 0,
    "hold": 0,
    "distil": 0,
    "hasten": 1,
}


def train(options: argparse.Namespace) -> dict:
    """Run, or resume, what the options say; returns the metrics. Raises ClimbEdgeError for what
    cannot be run.
    """
    _check(options)
    described = registry.get(options.model)
    switches = registry.switched(described, options.switch)
    config = _config(options) | {"switches": switches}
    recipe = _recipe(options, described)
    source = open_source(config, options.strict)
    tell_inputs(config, source)
    # a float run's config does not know the word, and runs of before it do not change
    if options.qat:
        own = {"shrink": options.shrink} if options.qat == "tfmot" else {"distil": options.distil}
        config["qat"] = {"scheme": options.qat} | own
    _tell_of_short_clips(source)
    config |= {"recipe": asdict(recipe), "data_sha256": digest(source), "truth": source.clips.truth}
    run = Run.start(options.out, config)
    parts = _split(options, run, source)
    print(
        f"{len(source)} windows of {len(source.clips)} clips, split {parts.rule}:"
        f" {len(parts.train)} train, {len(parts.val)} validation, {len(parts.test)} test"
        + (f", {len(parts.held_out)} of a video held out" if len(parts.held_out) else "")
    )
    with _arithmetic(options):
        model, teacher, kind = (
            initial_weights.initial(described, options.init, options.seed, switches),
            None,
            Trained,
        )
        if options.qat:
            run.keep_teacher(model)
            teacher = described.build(**switches)
            teacher.set_weights(model.get_weights())
        if options.qat == "int8":
            model = quantization_aware(described, model)
        elif options.qat == "tfmot":
            model, kind = (
                tfmot.quantization_aware(described, model, options.shrink),
                tfmot.TrainedStacked,
            )
            tfmot.stacked_of(model).calibrate(
                calibration(source, parts.train, recipe.seed, recipe.batch)
            )
            teacher = tfmot.float_windows(model)
        fit(described, model, source, parts, run, recipe, teacher, options.distil, kind)
    run.load_weights(model)
    metrics = _metrics(config, described, source, parts, run, recipe, model, teacher)
    run.write_metrics(metrics)
    return metrics


def _check(options: argparse.Namespace) -> None:
    for name, least in _AT_LEAST.items():
        value = getattr(options, name)
        if value is not None and not (value >= least and math.isfinite(value)):
            raise ClimbEdgeError(f"--{name.replace('_', '-')} {value}: expected at least {least}")
    for name, low, high in (
        ("target_sigma", 0.5, 5),
        ("seed", 0, 2**32 - 1),
        ("rotate", 0, 180),
        ("scale", 0, 1),
        ("shift", 0, 0.5),
        ("drop", 0, 0.9),
        ("deform", 0, 2),
        ("average", 0, 0.9999),
        ("learning_rate", 1e-12, 10),
    ):
        if not low <= getattr(options, name) <= high:
            raise ClimbEdgeError(
                f"--{name.replace('_', '-')} {getattr(options, name)}: expected {low} to {high}"
            )
    if options.distil and not options.qat:
        raise ClimbEdgeError(
            f"--distil {options.distil}: the float weights teach a quantization-aware run; add"
            " --qat int8"
        )
    # elsewhere a compiled step would not see it end
    if options.distil and keras.backend.backend() != "tensorflow":
        raise ClimbEdgeError(
            f"--distil {options.distil}: needs Keras on TensorFlow; found {keras.backend.backend()}"
        )
    if options.shrink and options.qat != "tfmot":
        raise ClimbEdgeError(
            f"--shrink {options.shrink}: tensorflow-model-optimization does it; add --qat tfmot, or"
            " leave it out"
        )
    if options.qat:
        described = registry.get(options.model)
        check_aware(described) if options.qat == "int8" else tfmot.check(described, options)
        if options.init in ("none", "identity"):
            raise ClimbEdgeError(
                f"--init {options.init}: --qat {options.qat} goes on from a trained float model;"
                " name its run, or shipped"
            )
        for given, needed in (("precision", "float32"), ("freeze", False), ("distribute", "none")):
            if getattr(options, given) != needed:
                raise ClimbEdgeError(
                    f"--{given} {getattr(options, given)}: --qat {options.qat} expected {needed};"
                    f" leave --{given} out"
                )


def _config(options: argparse.Namespace) -> dict:
    """What defines a run: a run of another config in the same folder is refused."""
    kept = (
        "command",
        "model",
        "init",
        "estimator",
        "weights",
        "noise",
        "clips",
        "seed",
        "box",
        "split",
        "precision",
        "group",
    )
    config = {name: getattr(options, name) for name in kept}
    config["data"] = [d if d == "generated" else str(Path(d).resolve()) for d in options.data]
    config["videos"] = options.videos and str(Path(options.videos).resolve())
    for name in ("noise", "split"):
        if Path(config[name]).is_file():
            config[name] = str(Path(config[name]).resolve())
    config["augmentation"] = asdict(Augmentation.of(vars(options)))
    return config


def _recipe(options: argparse.Namespace, described) -> Recipe:
    fitting = FOR[described.output]
    loss = {
        None: getattr(described, "loss", fitting[0]),
        "study": "mse" if described.output == "heatmaps" else "coordinate_mse",
    }.get(options.loss, options.loss)
    if loss not in fitting:
        raise ClimbEdgeError(
            f"--loss {loss}: {described.name} gives {described.output}; expected one of"
            f" {', '.join(fitting)}"
        )
    if options.hold and described.reads != "keypoints":
        raise ClimbEdgeError(
            f"--hold {options.hold}: {described.name} reads {described.reads}; expected a model"
            " that reads keypoints"
        )
    names = [name for name in Recipe.__dataclass_fields__ if name != "loss"]
    return Recipe(loss=loss, **{name: getattr(options, name) for name in names})


def _split(options: argparse.Namespace, run: Run, source: Source) -> Split:
    """The run's own split where there is one, else that of another run's file, else a new one;
    always written.
    """
    if run.split.is_file():
        return Split.load(run.split, source)
    named = options.split == "auto" or options.split in RULES or not Path(options.split).exists()
    parts = (
        split(source, options.split, options.seed) if named else Split.load(options.split, source)
    )
    parts.save(run.split, source)
    return parts


@contextlib.contextmanager
def _arithmetic(options: argparse.Namespace):
    """The precision and the devices of a run; weights are single precision whatever the arithmetic
    is.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(options.precision)
    try:
        if options.distribute == "none":
            yield
        elif keras.backend.backend() != "tensorflow":
            raise ClimbEdgeError(
                f"--distribute {options.distribute}: needs Keras on TensorFlow; found"
                f" {keras.backend.backend()}"
            )
        else:
            import tensorflow as tf

            with tf.distribute.MirroredStrategy().scope():
                yield
    finally:
        keras.config.set_dtype_policy(before)


def _tell_of_short_clips(source: Source) -> None:
    """Name the clips that no window was cut from."""
    names = [
        str(source.clips.clip[c]) for c in np.setdiff1d(np.arange(len(source.clips)), source.clip)
    ]
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        print(
            f"note: {len(names)} of {len(source.clips)} clips give no window, they have no"
            f" {source.span} frames in a row with somebody to see: {', '.join(names[:3])}{more}",
            file=sys.stderr,
        )
