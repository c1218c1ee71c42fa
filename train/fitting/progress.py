"""After every epoch a run is measured and written; after every batch it may be stopped."""

from __future__ import annotations

import contextlib
import signal
import time

import numpy as np
from tqdm import tqdm

from climb_edge.errors import ClimbEdgeError
from climb_edge.evaluation.pck import ALPHAS
from climb_edge.stopping import SIGNALS, Stopped, handled
from train.backend import keras
from train.config import Hyperparameters
from train.data.splits import Split
from train.fitting.run_folder import Run
from train.fitting.scoring import Judge, Measured


class Progress(keras.callbacks.Callback):
    """After every epoch: measure, keep the best, lower the rate, stop, and write it all."""

    def __init__(
        self, plain, trained, judge: Judge, split: Split, run: Run, hyper: Hyperparameters
    ):
        super().__init__()
        # best weights are saved without the optimizer's
        self.plain, self.optimizer = plain, trained.stepper
        self.trainable = trained.trainable_variables
        self.judge, self.run, self.hyper, self.variables = judge, run, hyper, trained.state
        self.val = split.some("val", hyper.validation_windows)
        saved = run.load_state([tuple(v.shape) for v in self.variables])
        if saved:
            self.state, values = saved
            for variable, value in zip(self.variables, values, strict=True):
                variable.assign(value)
        else:
            self.state = dict(epoch=0, rows=[], best=-1.0, lowest=None, wait=0, patience=0)
            self._end_epoch(0, None, time.monotonic())

    @property
    def epoch(self) -> int:
        return self.state["epoch"]

    @property
    def finished(self) -> bool:
        return self.epoch >= self.hyper.epochs or self.state["patience"] >= self.hyper.patience

    def on_epoch_begin(self, epoch, logs=None):
        self._since = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        loss = float(logs["loss"])
        if not np.isfinite(loss):
            raise ClimbEdgeError(
                f"{self.run.path}: the loss became {loss} in epoch {epoch + 1}; start again with a"
                " lower --learning-rate"
            )
        row = self._end_epoch(epoch + 1, loss, self._since)
        logs.update({k: v for k, v in row.items() if k.startswith(("val", "lear"))})
        if self.finished:
            self.model.stop_training = True

    def _end_epoch(self, epoch: int, loss: float | None, since: float) -> dict:
        averaged = epoch and self.hyper.ema  # there is none before the first step
        with self._averages() if averaged else contextlib.nullcontext():
            measured = self._keep_best(epoch)
        rate = float(np.asarray(self.optimizer.learning_rate))
        row = {
            "epoch": epoch,
            "loss": loss if loss is not None else measured.loss,
            "val_loss": measured.loss,
            **{f"val_pck_{a}": measured.pck[str(a)] for a in ALPHAS},
            "learning_rate": rate,
            "seconds": round(time.monotonic() - since, 2),
        }
        self.state["rows"].append(row)
        self.state["epoch"] = epoch
        self._wait(measured.loss, rate)
        self.run.write_history(self.state["rows"])
        self.run.save_state(self.state, [np.asarray(v) for v in self.variables])
        return row

    @contextlib.contextmanager
    def _averages(self):
        """The optimizer's moving averages in the place of the weights."""
        kept = [np.asarray(v) for v in self.trainable]
        self.optimizer.finalize_variable_values(self.trainable)
        yield
        for variable, value in zip(self.trainable, kept, strict=True):
            variable.assign(value)

    def _keep_best(self, epoch: int) -> Measured:
        measured = self.judge(self.val)
        if (pck := measured.pck[self.hyper.select]) > self.state["best"]:
            self.state |= {"best": pck, "best_epoch": epoch}
            self.run.save_weights(self.plain)
        return measured

    def _wait(self, loss: float, rate: float) -> None:
        """Count epochs without a lower loss; on a plateau a tenth of the rate is left."""
        state = self.state
        if state["lowest"] is None or loss < state["lowest"]:
            state.update(lowest=loss, wait=0, patience=0)
            return
        state["wait"], state["patience"] = state["wait"] + 1, state["patience"] + 1
        if self.hyper.schedule == "plateau" and state["wait"] >= self.hyper.plateau:
            self.optimizer.learning_rate = rate * 0.1
            state["wait"] = 0


class Bar(keras.callbacks.Callback):
    """How far training is and what the last epoch was worth, on a line of the terminal; after
    Progress, which tells the latter.
    """

    def __init__(self, bar: tqdm):
        super().__init__()
        self.bar = bar

    def on_train_batch_end(self, step, logs=None):
        self.bar.update()

    def on_epoch_end(self, epoch, logs=None):
        pck = "/".join(f"{100 * logs[f'val_pck_{a}']:.1f}" for a in ALPHAS)
        losses = f"loss {logs['loss']:.3f} val {logs['val_loss']:.3f}"
        self.bar.set_postfix_str(f"epoch {epoch + 1} {losses} PCK {pck}")


class Stops(keras.callbacks.Callback):
    """Within its block Ctrl-C, SIGTERM and SIGHUP end training after its batch; a second Ctrl-C
    ends it at once.

    Raised where it comes, a KeyboardInterrupt gets lost when that is inside a callback of
    TensorFlow.
    """

    def __init__(self):
        super().__init__()
        self._stop: KeyboardInterrupt | None = None
        self._before = signal.getsignal(signal.SIGINT)
        asked = (signal.SIGINT, *SIGNALS)
        heard = [number for number in asked if signal.getsignal(number) != signal.SIG_IGN]
        self._block = handled(heard, self._once)

    def __enter__(self) -> Stops:
        self._block.__enter__()
        return self

    def __exit__(self, *error) -> None:
        self._block.__exit__(*error)

    def _once(self, number, frame) -> None:
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, self._before)
        self._stop = KeyboardInterrupt() if number == signal.SIGINT else Stopped(number)

    def on_train_batch_end(self, step, logs=None):
        if self._stop:
            raise self._stop
