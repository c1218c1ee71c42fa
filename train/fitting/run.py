"""One training run, from its options to its metrics: what `finetune` and `pretrain` do."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from climb_edge.errors import ClimbEdgeError
from train.backend import keras
from train.config import Augmentation, Hyperparameters, Training
from train.data.sources import Source, open_source
from train.data.splits import RULES, Split, digest, split
from train.fitting import initial_weights, tfmot, tfmot_toolkit
from train.fitting.callbacks import calibration
from train.fitting.loop import Trained, fit
from train.fitting.losses import FOR
from train.fitting.metrics import metrics_of, tell_inputs
from train.fitting.run_folder import Run
from train.layers.aware import check_aware, quantization_aware
from train.models.base import Model


def train(options: Training) -> dict:
    """Run, or resume, what the options say; returns the metrics. Raises ClimbEdgeError."""
    definition, switches = initial_weights.chosen(options)
    _check(options, definition)
    config = _config(options) | {"model": definition.name, "switches": switches}
    hyper = _hyperparameters(options, definition)
    source = open_source(config, options.strict)
    tell_inputs(config, source)
    # a float run's config does not know the word, and runs of before it do not change
    if options.qat:
        own = "shrink" if options.qat == "tfmot" else "distill_epochs"
        config["qat"] = {"scheme": options.qat, own: getattr(options, own)}
    _tell_of_short_clips(source)
    config |= {"recipe": asdict(hyper), "data_sha256": digest(source), "truth": source.clips.truth}
    run = Run.start(options.out, config)
    parts = _split(options, run, source)
    print(
        f"{len(source)} windows of {len(source.clips)} clips, split {parts.rule}:"
        f" {len(parts.train)} train, {len(parts.val)} validation, {len(parts.test)} test"
        + (f", {len(parts.held_out)} of a video held out" if len(parts.held_out) else "")
    )
    with _arithmetic(options):
        model = initial_weights.initial(definition, options.init, options.seed, switches)
        teacher, kind = None, Trained
        if options.qat:
            run.keep_teacher(model)
            teacher = definition.build(**switches)
            teacher.set_weights(model.get_weights())
        if options.qat == "int8":
            model = quantization_aware(definition, model)
        elif options.qat == "tfmot":
            model = tfmot.quantization_aware(definition, model, options.shrink)
            kind, maps = tfmot.TrainedStacked, calibration(source, parts.train, hyper)
            tfmot.stacked_of(model).calibrate(maps)
            teacher = tfmot.float_windows(model)
        fit(definition, model, source, parts, run, hyper, teacher, options.distill_epochs, kind)
    run.load_weights(model)
    metrics = metrics_of(config, definition, source, parts, run, hyper, model, teacher)
    run.write_metrics(metrics)
    return metrics


def _check(options: Training, definition: Model) -> None:
    """What only Keras and the models know of options that go together."""
    backend = keras.backend.backend()
    # elsewhere a compiled step would not see it end
    if options.distill_epochs and backend != "tensorflow":
        raise ClimbEdgeError(
            f"--distill-epochs {options.distill_epochs}: needs Keras on TensorFlow; found {backend}"
        )
    if options.qat == "int8":
        check_aware(definition)
    elif options.qat == "tfmot":
        tfmot_toolkit.check(definition, options)


def _config(options: Training) -> dict:
    """What defines a run: a run of another config in the same folder is refused."""
    kept = ("command", "model", "init", "estimator", "weights", "noise", "clips", "seed", "box")
    kept += ("split", "precision", "group")
    config: dict[str, Any] = {name: getattr(options, name) for name in kept}
    config["group"] = list(options.group)
    config["weights"] = options.weights and str(options.weights)
    config["data"] = [d if d == "generated" else str(Path(d).resolve()) for d in options.data]
    config["videos"] = options.videos and str(Path(options.videos).resolve())
    for name in ("noise", "split"):
        if Path(config[name]).is_file():
            config[name] = str(Path(config[name]).resolve())
    config["augmentation"] = asdict(options.part(Augmentation))
    if options.fit_labels != "no":  # runs of before the option do not change
        config["fit_labels"] = options.fit_labels
    return config


def _hyperparameters(options: Training, definition) -> Hyperparameters:
    fitting = FOR[definition.output]
    study = "mse" if definition.output == "heatmaps" else "coordinate_mse"
    usual = {None: getattr(definition, "loss", fitting[0]), "study": study}
    loss = usual.get(options.loss, options.loss)
    if loss not in fitting:
        raise ClimbEdgeError(
            f"--loss {loss}: {definition.name} gives {definition.output}; expected one of"
            f" {', '.join(fitting)}"
        )
    if options.displacement_penalty and definition.reads != "keypoints":
        raise ClimbEdgeError(
            f"--displacement-penalty {options.displacement_penalty}: {definition.name} reads"
            f" {definition.reads}; expected a model that reads keypoints"
        )
    return replace(options.part(Hyperparameters), loss=loss)


def _split(options: Training, run: Run, source: Source) -> Split:
    """The run's own split, else that of another run's file, else a new one; always written."""
    if run.split.is_file():
        return Split.load(run.split, source)
    if options.split != "auto" and options.split not in RULES and Path(options.split).exists():
        parts = Split.load(options.split, source)
    else:
        parts = split(source, options.split, options.seed)
    parts.save(run.split, source)
    return parts


@contextlib.contextmanager
def _arithmetic(options: Training):
    """The precision and the devices of a run; weights are always single precision."""
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
    without = np.setdiff1d(np.arange(len(source.clips)), source.clip)
    names = list(map(str, source.clips.clip[without]))
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        print(
            f"note: {len(names)} of {len(source.clips)} clips give no window, they have no"
            f" {source.span} frames in a row with somebody to see: {', '.join(names[:3])}{more}",
            file=sys.stderr,
        )
