"""Fitting: masked loss, validation PCK, plateau, early stop, best epoch, and a state that resumes to the same result."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from climb_edge.contract import WINDOW
from climb_edge.errors import ClimbEdgeError
from climb_edge.heatmaps import decode
from climb_edge.pck import ALPHAS, Score
from train.backend import keras
from train.losses import FOR, LOSSES, cross_entropy, masked, target_of
from train.runs import Run
from train.windows import Source, Split, batch, dataset


@dataclass(frozen=True)
class Recipe:
    """The study's training by default: Adam, batch 16, x 0.1 after 5 epochs without a lower loss, stop after 10."""

    learning_rate: float = 1e-3
    batch: int = 16
    epochs: int = 50
    steps: int | None = None  # batches an epoch; None: all training windows once
    plateau: int = 5
    stop: int = 10
    select: str = "0.2"  # PCK threshold by which the best epoch is chosen
    seed: int = 0
    validation: int = 1000  # windows at most that every epoch is judged by
    loss: str = "cross_entropy"
    target_sigma: float = 2.0  # cells; the study's is 1


class _Trained(keras.Model):
    """A model under training: the same layers, with the masked loss in Keras's own `fit`."""

    map_loss = staticmethod(cross_entropy)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return masked(self.map_loss, y, y_pred, sample_weight)


@dataclass(frozen=True)
class Measured:
    """Loss and PCK of a model on windows, in heatmap cells."""

    loss: float
    score: Score

    @property
    def pck(self) -> dict[str, float]:
        return {a: v[0] for a, v in self.score.pooled().items()}


def predict(model, source: Source, indices: np.ndarray, batch_size: int = 16):
    """Yield (window batch, heatmaps (B, 5, 56, 56, 25) or keypoints (B, 5, 25, 2)) over `indices`; memory does not grow."""
    for i in range(0, len(indices), batch_size):
        made = batch(source, indices[i : i + batch_size])
        yield made, model.predict_on_batch(made.inputs)


def keypoints_of(outputs: np.ndarray) -> np.ndarray:
    """A model's outputs as cells (..., 5, 25, 2): heatmaps (..., 5, 56, 56, 25) decoded, keypoints as they are."""
    return outputs if outputs.shape[-1] == 2 else decode(outputs)[0]


def measure(model, source: Source, indices: np.ndarray, recipe: Recipe = Recipe()) -> Measured:
    """Masked loss and PCK (DARK, all 5 frames, heatmap cells), clip by clip, of a model or of None = the input itself."""
    lost, weight = 0.0, 0.0
    by_clip: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
    pairs = predict(model, source, indices) if model is not None else ((w, w.inputs) for w in _single(source, indices))
    order = iter(indices)
    for made, outputs in pairs:
        outputs = np.asarray(outputs, np.float32)  # a half precision policy's outputs are compared as floats
        points = keypoints_of(outputs)
        target = target_of(recipe.loss, made.cells, recipe.target_sigma)
        error = np.asarray(LOSSES[recipe.loss](target, points if recipe.loss in FOR["keypoints"] else outputs))
        lost, weight = lost + float((error * made.weight).sum()), weight + float(made.weight.sum())
        for predicted, truth, trust in zip(points, made.cells, made.weight, strict=True):
            truth = np.where(trust[..., None] > 0, truth, np.nan)
            by_clip.setdefault(int(source.clip[next(order)]), []).append((predicted, truth))
    joined = [[np.concatenate(column) for column in zip(*pairs, strict=True)] for pairs in by_clip.values()]
    return Measured(lost / max(weight, 1e-9), Score.of([p for p, _ in joined], [t for _, t in joined]))


def _single(source: Source, indices: np.ndarray):
    return (batch(source, indices[i : i + 1]) for i in range(len(indices)))


def fit(model: keras.Model, source: Source, split: Split, run: Run, recipe: Recipe) -> None:
    """Train until the recipe's end, writing the run after every epoch. A run that was interrupted goes on.

    The state before any training counts as a candidate for the best epoch. Raises ClimbEdgeError when the loss is no
    longer a number.
    """
    if len(split.train) == 0 or len(split.val) == 0:
        raise ClimbEdgeError(
            f"{source.clips.source}: {len(split.train)} training and {len(split.val)} validation windows; record more than {5 * WINDOW} frames"
        )
    keras.utils.set_random_seed(recipe.seed)
    if not model.trainable_variables:
        raise ClimbEdgeError(f"--model {model.name}: has nothing to train; choose another model")
    trained = _Trained(model.inputs, model.outputs[0], name=model.name)
    trained.map_loss = LOSSES[recipe.loss]
    trained.compile(optimizer=keras.optimizers.Adam(recipe.learning_rate))
    trained.optimizer.build(trained.trainable_variables)
    variables = [*trained.variables, *trained.optimizer.variables]
    with _ctrl_c() as stop:
        progress = _Progress(model, trained, source, split, run, recipe, variables, stop)
        if progress.finished:
            return
        steps = recipe.steps or max(len(split.train) // recipe.batch, 1)
        data = dataset(
            source, split.train, recipe.batch, recipe.seed, progress.epoch, steps,
            lambda cells: target_of(recipe.loss, cells, recipe.target_sigma),
        )  # fmt: skip
        done, total = progress.epoch * steps, recipe.epochs * steps
        with tqdm(total=total, initial=done, unit="step", desc=f"train {model.name}") as progress.bar:
            trained.fit(
                data,
                epochs=recipe.epochs,
                initial_epoch=progress.epoch,
                steps_per_epoch=steps,
                verbose=0,
                shuffle=False,
                callbacks=[progress],
            )


@contextlib.contextmanager
def _ctrl_c():
    """Yield an event that Ctrl-C sets, for training to end after its batch; a second Ctrl-C ends it at once.

    Raised where it comes, a KeyboardInterrupt gets lost when that is inside a callback of TensorFlow.
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

    def __init__(self, plain, trained, source: Source, split: Split, run: Run, recipe: Recipe, variables: list, stop):
        super().__init__()
        self.plain, self.optimizer = plain, trained.optimizer  # best weights are saved without the optimizer's
        self.source, self.run, self.recipe, self.variables = source, run, recipe, variables
        self.val = split.val[:: max(-(-len(split.val) // recipe.validation), 1)]
        self.bar, self.stop = None, stop
        saved = run.load_state([tuple(v.shape) for v in variables])
        if saved:
            self.state, values = saved
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        else:
            self.state = {"epoch": 0, "rows": [], "best": -1.0, "lowest": None, "wait": 0, "patience": 0}
            self._judge(0, None, time.monotonic())

    @property
    def epoch(self) -> int:
        return self.state["epoch"]

    @property
    def finished(self) -> bool:
        return self.epoch >= self.recipe.epochs or self.state["patience"] >= self.recipe.stop

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
                f"{self.run.path}: the loss became {loss} in epoch {epoch + 1}; start again with a lower --learning-rate"
            )
        self._judge(epoch + 1, loss, self._since)
        if self.finished:
            self.model.stop_training = True

    def _judge(self, epoch: int, loss: float | None, since: float) -> None:
        measured, state = measure(self.plain, self.source, self.val, self.recipe), self.state
        pck = {f"val_pck_{a}": measured.pck[str(a)] for a in ALPHAS}
        rate = float(np.asarray(self.optimizer.learning_rate))
        row = {"epoch": epoch, "loss": loss if loss is not None else measured.loss, "val_loss": measured.loss, **pck,
               "learning_rate": rate, "seconds": round(time.monotonic() - since, 2)}  # fmt: skip
        state["rows"].append(row)
        state["epoch"] = epoch
        if pck[f"val_pck_{self.recipe.select}"] > state["best"]:
            state["best"], state["best_epoch"] = pck[f"val_pck_{self.recipe.select}"], epoch
            self.run.save_weights(self.plain)
        if state["lowest"] is None or measured.loss < state["lowest"]:
            state.update(lowest=measured.loss, wait=0, patience=0)
        else:
            state["wait"], state["patience"] = state["wait"] + 1, state["patience"] + 1
            if state["wait"] >= self.recipe.plateau:
                self.optimizer.learning_rate = rate * 0.1
                state["wait"] = 0
        self.run.write_history(state["rows"])
        self.run.save_state(state, [np.asarray(v) for v in self.variables])
        if self.bar is not None:
            shown = "/".join(f"{100 * measured.pck[str(a)]:.1f}" for a in ALPHAS)
            self.bar.set_postfix_str(f"epoch {epoch} loss {row['loss']:.3f} val {measured.loss:.3f} PCK {shown}")
