"""Fitting: masked loss, validation PCK, plateau, early stop, best epoch, and a state that resumes
to the same result.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from functools import partial
from importlib.util import find_spec

import numpy as np
from tqdm import tqdm

from climb_edge.errors import ClimbEdgeError
from climb_edge.evaluation.pck import ALPHAS
from climb_edge.files.clips import ClipSet
from train.backend import keras
from train.config import Hyperparameters
from train.data.inputs import Points, given_to, inputs_named
from train.data.pipeline import dataset
from train.data.sources import Source, batch
from train.data.splits import Split
from train.fitting.callbacks import Lesson, Settle, calibration
from train.fitting.losses import LOSSES, displaced, masked, target_of, taught
from train.fitting.run_folder import Run
from train.fitting.scoring import Judge
from train.layers.aware import aware


class Trained(keras.Model):
    """A model under training: from what windows are given to its outputs, with the masked loss in
    Keras's own `fit`.
    """

    recipe, devices = Hyperparameters(), 1
    teach = None  # what windows are given -> (a teacher's outputs, how much they count)

    def begin(self, plain: keras.Model, recipe: Hyperparameters, steps: int) -> None:
        """Make ready for epochs of `steps` batches; `plain` is the training form that stands in
        this model.
        """
        self.compile(optimizer=optimizer(recipe, steps))
        self.stepper = self.optimizer
        self.stepper.build(self.trainable_variables)

    @property
    def state(self) -> list:
        """Every variable that resuming needs."""
        return [*self.variables, *self.stepper.variables]

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        target = target_of(self.recipe.loss, y, self.recipe.target_sigma, self.recipe.whole_cells)
        predicted = keras.ops.cast(y_pred, "float32")
        loss = masked(LOSSES[self.recipe.loss], target, predicted, sample_weight)
        if self.recipe.displacement_penalty:
            shown = sample_weight * keras.ops.cast(
                keras.ops.isfinite(x["points"][..., 0]), "float32"
            )
            loss = loss + self.recipe.displacement_penalty * masked(
                partial(displaced, Points()(x)), y, predicted, shown
            )
        if self.teach is not None:
            said, counts = self.teach(x)
            # a teacher speaks of keypoints without truth as well
            every = keras.ops.ones_like(sample_weight)
            loss = loss + counts * masked(
                LOSSES[self.recipe.loss], taught(self.recipe.loss, said), predicted, every
            )
        return loss / self.devices  # Keras adds up the gradients of all devices


def predict(model, source: Source, indices: np.ndarray, batch_size: int = 16):
    """Yield (window batch, heatmaps (B, 5, 56, 56, 25) or keypoints (B, 5, 25, 2)) over `indices`;
    memory does not grow.
    """
    for i in range(0, len(indices), batch_size):
        made = batch(source, indices[i : i + batch_size])
        yield (
            made,
            model.predict_on_batch(
                made.inputs if len(model.inputs) == 1 else [made.inputs, made.peaks]
            ),
        )


def fit(
    definition,
    model: keras.Model,
    source: Source,
    split: Split,
    run: Run,
    recipe: Hyperparameters,
    teacher=None,
    distil: int = 0,
    kind: type[Trained] = Trained,
) -> None:
    """Train until the recipe's end, writing the run after every epoch. A run that was interrupted
    goes on.

    The state before any training counts as a candidate for the best epoch; of a quantization-aware
    model that is what quantization after training gives. `teacher`: a training form whose output is
    a target too, for `distil` epochs. Raises ClimbEdgeError when the loss is no longer a number.
    """
    keras.utils.set_random_seed(recipe.seed)
    if not definition.parameters:
        raise ClimbEdgeError(f"--model {model.name}: has nothing to train; choose another model")
    if recipe.freeze:
        freeze(model)
    definition.teach(model, with_truth(source.clips))
    names = given_to(definition.reads, source)
    inputs = inputs_named(names)
    trained = kind(inputs, definition.outputs(model, inputs), name=model.name)
    trained.recipe, trained.devices = recipe, _devices()
    more = callbacks(run)
    if (layer := aware(model)) is not None:
        for maps in calibration(source, split.train, recipe.seed, recipe.batch):
            model(maps, training=True)
        more.append(Settle(layer.ranges, recipe.epochs))
    if distil:
        lesson = Lesson(keras.Model(inputs, definition.outputs(teacher, inputs)), distil)
        trained.teach = lesson.teach
        more.append(lesson)
    steps = recipe.steps_per_epoch or max(len(split.train) // recipe.batch, 1)
    trained.begin(model, recipe, steps)
    with _ctrl_c() as stop:
        judge = Judge(source, recipe, definition, model)
        progress = _Progress(model, trained, judge, split, run, recipe, stop)
        if progress.finished:
            return
        data = dataset(source, names, split.train, recipe.batch, recipe.seed, progress.epoch, steps)
        done, total = progress.epoch * steps, recipe.epochs * steps
        with tqdm(
            total=total, initial=done, unit="step", desc=f"train {model.name}"
        ) as progress.bar:
            trained.fit(
                data,
                epochs=recipe.epochs,
                initial_epoch=progress.epoch,
                steps_per_epoch=steps,
                verbose=0,
                shuffle=False,
                callbacks=[progress, *more],
            )


def with_truth(clips: ClipSet) -> np.ndarray:
    """(25,) whether any frame has truth for a keypoint that counts."""
    there = np.isfinite(clips.keypoints).all(-1)
    return (there if clips.weight is None else there & (clips.weight > 0)).any(0)


def optimizer(recipe: Hyperparameters, steps: int):
    """Adam with what the recipe adds to it, for epochs of `steps` batches."""
    rate, total = recipe.learning_rate, max(recipe.epochs * steps, 2)
    if recipe.schedule == "one-cycle":
        rise = max(total // 10, 1)
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, total - rise, warmup_target=rate, warmup_steps=rise
        )
    return keras.optimizers.Adam(
        rate,
        weight_decay=recipe.weight_decay or None,
        global_clipnorm=recipe.clip_norm or None,
        use_ema=recipe.ema > 0,
        ema_momentum=recipe.ema,
    )


@contextlib.contextmanager
def _averages(optimizer, variables: list):
    """The optimizer's moving averages in the place of the weights."""
    kept = [np.asarray(v) for v in variables]
    optimizer.finalize_variable_values(variables)
    yield
    for variable, value in zip(variables, kept, strict=True):
        variable.assign(value)


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


@contextlib.contextmanager
def _ctrl_c():
    """Yield an event that Ctrl-C sets, for training to end after its batch; a second Ctrl-C ends it
    at once.

    Raised where it comes, a KeyboardInterrupt gets lost when that is inside a callback of
    TensorFlow.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def once(number, frame):
        stop.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, once)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


class _Progress(keras.callbacks.Callback):
    """After every epoch: measure, keep the best, lower the rate, stop, and write it all."""

    def __init__(
        self, plain, trained, judge: Judge, split: Split, run: Run, recipe: Hyperparameters, stop
    ):
        super().__init__()
        # best weights are saved without the optimizer's
        self.plain, self.optimizer = plain, trained.stepper
        self.trainable = trained.trainable_variables
        self.judge, self.run, self.recipe, self.variables = judge, run, recipe, trained.state
        self.val = split.some("val", recipe.validation_windows)
        self.bar, self.stop = None, stop
        saved = run.load_state([tuple(v.shape) for v in self.variables])
        if saved:
            self.state, values = saved
            for variable, value in zip(self.variables, values, strict=True):
                variable.assign(value)
        else:
            self.state = {
                "epoch": 0,
                "rows": [],
                "best": -1.0,
                "lowest": None,
                "wait": 0,
                "patience": 0,
            }
            self._judge(0, None, time.monotonic())

    @property
    def epoch(self) -> int:
        return self.state["epoch"]

    @property
    def finished(self) -> bool:
        return self.epoch >= self.recipe.epochs or self.state["patience"] >= self.recipe.patience

    def on_epoch_begin(self, epoch, logs=None):
        self._since = time.monotonic()

    def on_train_batch_end(self, step, logs=None):
        self.bar.update()
        if self.stop.is_set():
            raise KeyboardInterrupt

    def on_epoch_end(self, epoch, logs=None):
        loss = float(logs["loss"])
        if not np.isfinite(loss):
            raise ClimbEdgeError(
                f"{self.run.path}: the loss became {loss} in epoch {epoch + 1}; start again with a"
                " lower --learning-rate"
            )
        row = self._judge(epoch + 1, loss, self._since)
        logs.update({k: v for k, v in row.items() if k.startswith(("val", "lear"))})
        if self.finished:
            self.model.stop_training = True

    def _judge(self, epoch: int, loss: float | None, since: float) -> dict:
        state = self.state
        averaged = epoch and self.recipe.ema  # there is none before the first step
        with _averages(self.optimizer, self.trainable) if averaged else contextlib.nullcontext():
            measured = self.judge(self.val)
            pck = {f"val_pck_{a}": measured.pck[str(a)] for a in ALPHAS}
            if pck[f"val_pck_{self.recipe.select}"] > state["best"]:
                state["best"], state["best_epoch"] = pck[f"val_pck_{self.recipe.select}"], epoch
                self.run.save_weights(self.plain)
        rate = float(np.asarray(self.optimizer.learning_rate))
        row = {
            "epoch": epoch,
            "loss": loss if loss is not None else measured.loss,
            "val_loss": measured.loss,
            **pck,
            "learning_rate": rate,
            "seconds": round(time.monotonic() - since, 2),
        }
        state["rows"].append(row)
        state["epoch"] = epoch
        if state["lowest"] is None or measured.loss < state["lowest"]:
            state.update(lowest=measured.loss, wait=0, patience=0)
        else:
            state["wait"], state["patience"] = state["wait"] + 1, state["patience"] + 1
            if self.recipe.schedule == "plateau" and state["wait"] >= self.recipe.plateau:
                self.optimizer.learning_rate = rate * 0.1
                state["wait"] = 0
        self.run.write_history(state["rows"])
        self.run.save_state(state, [np.asarray(v) for v in self.variables])
        if self.bar is not None:
            shown = "/".join(f"{100 * measured.pck[str(a)]:.1f}" for a in ALPHAS)
            self.bar.set_postfix_str(
                f"epoch {epoch} loss {row['loss']:.3f} val {measured.loss:.3f} PCK {shown}"
            )
        return row
