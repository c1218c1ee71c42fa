"""Fitting: masked loss, validation PCK, plateau, early stop, best epoch, and a state that resumes
to the same result.
"""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec

import numpy as np
from tqdm import tqdm

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.clips import ClipSet
from train.backend import keras
from train.config import Hyperparameters
from train.data.inputs import Points, given_to, inputs_named
from train.data.pipeline import dataset
from train.data.sources import Source, batch
from train.data.splits import Split
from train.fitting.callbacks import Lesson, Settle, calibration
from train.fitting.losses import LOSSES, displaced, masked, target_of, taught
from train.fitting.progress import Bar, Progress, Stops
from train.fitting.run_folder import Run
from train.fitting.scoring import Judge
from train.layers.aware import aware


class Trained(keras.Model):
    """A model under training: from what windows are given to its outputs, with the masked loss."""

    hyper, devices = Hyperparameters(), 1
    teach = None  # what windows are given -> (a teacher's outputs, how much they count)

    def begin(self, plain: keras.Model, hyper: Hyperparameters, steps: int) -> None:
        """Make ready for epochs of `steps` batches; `plain`: the training form in this model."""
        self.compile(optimizer=optimizer(hyper, steps))
        self.stepper = self.optimizer
        self.stepper.build(self.trainable_variables)

    @property
    def state(self) -> list:
        """Every variable that resuming needs."""
        return [*self.variables, *self.stepper.variables]

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        target = target_of(self.hyper.loss, y, self.hyper.target_sigma, self.hyper.whole_cells)
        predicted = keras.ops.cast(y_pred, "float32")
        loss = masked(LOSSES[self.hyper.loss], target, predicted, sample_weight)
        if self.hyper.displacement_penalty:
            seen = keras.ops.cast(keras.ops.isfinite(x["points"][..., 0]), "float32")
            moved = masked(partial(displaced, Points()(x)), y, predicted, sample_weight * seen)
            loss = loss + self.hyper.displacement_penalty * moved
        if self.teach is not None:
            given, counts = self.teach(x)
            # a teacher speaks of keypoints without truth as well
            every, target = keras.ops.ones_like(sample_weight), taught(self.hyper.loss, given)
            loss = loss + counts * masked(LOSSES[self.hyper.loss], target, predicted, every)
        return loss / self.devices  # Keras adds up the gradients of all devices


def predict(model, source: Source, indices: np.ndarray, batch_size: int = 16):
    """Yield (window batch, heatmaps (B, 5, 56, 56, 25) or keypoints (B, 5, 25, 2)) over `indices`;
    memory does not grow.
    """
    for i in range(0, len(indices), batch_size):
        windows = batch(source, indices[i : i + batch_size])
        inputs = [windows.inputs, windows.peaks]
        yield windows, model.predict_on_batch(inputs if len(model.inputs) == 2 else inputs[0])


def fit(
    definition,
    model: keras.Model,
    source: Source,
    split: Split,
    run: Run,
    hyper: Hyperparameters,
    teacher=None,
    distil: int = 0,
    kind: type[Trained] = Trained,
) -> None:
    """Train until the last epoch, writing the run after every epoch. A run that was interrupted
    goes on.

    The state before any training counts as a candidate for the best epoch; of a quantization-aware
    model that is what quantization after training gives. `teacher`: a training form whose output is
    a target too, for `distil` epochs. Raises ClimbEdgeError when the loss is no longer a number.
    """
    keras.utils.set_random_seed(hyper.seed)
    if not definition.parameters:
        raise ClimbEdgeError(f"--model {model.name}: has nothing to train; choose another model")
    if hyper.freeze:
        freeze(model)
    definition.teach(model, with_truth(source.clips))
    names = given_to(definition.reads, source)
    inputs = inputs_named(names)
    trained = kind(inputs, definition.outputs(model, inputs), name=model.name)
    trained.hyper, trained.devices = hyper, _devices()
    more = callbacks(run)
    if (layer := aware(model)) is not None:
        for maps in calibration(source, split.train, hyper):
            model(maps, training=True)
        more.append(Settle(layer.ranges, hyper.epochs))
    if distil:
        lesson = Lesson(keras.Model(inputs, definition.outputs(teacher, inputs)), distil)
        trained.teach = lesson.teach
        more.append(lesson)
    steps = hyper.steps_per_epoch or max(len(split.train) // hyper.batch, 1)
    trained.begin(model, hyper, steps)
    with Stops() as stops:
        judge = Judge(source, hyper, definition, model)
        progress = Progress(model, trained, judge, split, run, hyper)
        if progress.finished:
            return
        data = dataset(source, names, split.train, hyper.batch, hyper.seed, progress.epoch, steps)
        about = {"total": hyper.epochs * steps, "initial": progress.epoch * steps}
        with tqdm(**about, unit="step", desc=f"train {model.name}") as bar:
            trained.fit(
                data,
                epochs=hyper.epochs,
                initial_epoch=progress.epoch,
                steps_per_epoch=steps,
                verbose=0,
                shuffle=False,
                callbacks=[progress, Bar(bar), stops, *more],
            )


def with_truth(clips: ClipSet) -> np.ndarray:
    """(25,) whether any frame has truth for a keypoint that counts."""
    there = np.isfinite(clips.keypoints).all(-1)
    return (there if clips.weight is None else there & (clips.weight > 0)).any(0)


def optimizer(hyper: Hyperparameters, steps: int):
    """Adam as the hyperparameters ask, for epochs of `steps` batches."""
    rate, total = hyper.learning_rate, max(hyper.epochs * steps, 2)
    if hyper.schedule == "one-cycle":
        rise = max(total // 10, 1)
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, total - rise, warmup_target=rate, warmup_steps=rise
        )
    return keras.optimizers.Adam(
        rate,
        weight_decay=hyper.weight_decay or None,
        global_clipnorm=hyper.clip_norm or None,
        use_ema=hyper.ema > 0,
        ema_momentum=hyper.ema,
    )


def _devices() -> int:
    """Devices over which the strategy in force, if any, spreads a batch."""
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync


def freeze(model: keras.Model) -> None:
    """Leave only the last layer that has weights to train."""
    *others, _last = [layer for layer in _layers(model) if layer.trainable_weights]
    for layer in others:
        layer.trainable = False


def _layers(model: keras.Model):
    """Layers in the order in which data passes them, those of a model within in its place."""
    for layer in model.layers:
        yield from _layers(layer) if isinstance(layer, keras.Model) else (layer,)


def callbacks(run: Run) -> list:
    """TensorBoard, where it is installed: every figure of history.csv, in RUN/tensorboard."""
    if keras.backend.backend() != "tensorflow" or find_spec("tensorboard") is None:
        return []
    return [keras.callbacks.TensorBoard(run.path / "tensorboard", write_graph=False)]
