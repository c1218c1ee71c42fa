"""After every epoch: measure, keep the best, lower the rate, stop, and write it all."""

from __future__ import annotations

import contextlib
import time

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.evaluation.pck import ALPHAS
from train.backend import keras
from train.config import Hyperparameters
from train.data.splits import Split
from train.fitting.run_folder import Run
from train.fitting.scoring import Judge


@contextlib.contextmanager
def _averages(optimizer, variables: list):
    """The optimizer's moving averages in the place of the weights."""
    kept = [np.asarray(v) for v in variables]
    optimizer.finalize_variable_values(variables)
    yield
    for variable, value in zip(variables, kept, strict=True):
        variable.assign(value)


class Progress(keras.callbacks.Callback):
    """After every epoch: measure, keep the best, lower the rate, stop, and write it all."""

    def __init__(
        self, plain, trained, judge: Judge, split: Split, run: Run, recipe: Hyperparameters, stops
    ):
        super().__init__()
        # best weights are saved without the optimizer's
        self.plain, self.optimizer = plain, trained.stepper
        self.trainable = trained.trainable_variables
        self.judge, self.run, self.recipe, self.variables = judge, run, recipe, trained.state
        self.val = split.some("val", recipe.validation_windows)
        self.bar, self.stops = None, stops
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
        if self.stops:
            raise self.stops[0]

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
