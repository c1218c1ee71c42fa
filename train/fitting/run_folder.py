"""Run folders: config, split, history, curves, weights, metrics, and the state from which training
resumes.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.atomic import whole_file, write_json, write_text
from climb_edge.files.naming import nearest_path
from climb_edge.files.npz import read_npz
from climb_edge.options import options_of
from train.config import Augmentation, Finetune, Hyperparameters

SCHEMA = "climb-edge/run/2"  # of metrics.json
COLUMNS = (
    "epoch",
    "loss",
    "val_loss",
    "val_pck_0.05",
    "val_pck_0.1",
    "val_pck_0.2",
    "learning_rate",
    "seconds",
)


def _same(old, new) -> bool:
    """Equal, or the same file written as another path."""
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(_same, old, new))
    return old == new or (
        isinstance(old, str) and isinstance(new, str) and Path(old).resolve() == Path(new).resolve()
    )


def _changes(name: str, old: Any, new: Any) -> Iterator[str]:
    """What differs between two values of a config, in words; of tables, what differs in them."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            if not _same(old.get(key), new.get(key)):
                yield from _changes(key, old.get(key), new.get(key))
    else:
        yield f"{name}: {old!r} there, {new!r} asked"


class Run:
    """One training run in a folder of its own. Everything is written to a temporary name and
    renamed.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.best = self.path / "best.weights.h5"
        self.split = self.path / "split.json"
        # of a quantization-aware run: what it began from
        self.teacher = self.path / "float.weights.h5"
        self._state = self.path / "state.npz"

    @classmethod
    def start(cls, path: str | Path, config: dict) -> Run:
        """A new run, or the same one resumed. Raises ClimbEdgeError when the folder holds a run of
        another config.
        """
        run = cls(path)
        if (run.path / "config.json").is_file():
            old = run.config()
            changed = sorted(
                k for k in config.keys() | old.keys() if not _same(old.get(k), config.get(k))
            )
            if not changed:
                return run
            if run.best.is_file() or run._state.is_file():
                shown = ", ".join(
                    change for k in changed for change in _changes(k, old.get(k), config.get(k))
                )
                raise ClimbEdgeError(
                    f"{run.path}: holds a run with another config ({shown}); give what is there to"
                    " go on with it, or choose another --out"
                )
            # it was refused, or stopped, before it had anything to lose
            run.split.unlink(missing_ok=True)
            run.teacher.unlink(missing_ok=True)
        elif run.path.exists() and any(run.path.iterdir()):
            raise ClimbEdgeError(
                f"{run.path}: expected an empty folder or a run, found other files; choose another"
                " --out"
            )
        write_text(run.path / "config.json", json.dumps(config, indent=1))
        return run

    @classmethod
    def open(cls, path: str | Path) -> Run:
        """A run with weights. Raises ClimbEdgeError when it is none."""
        run = cls(path)
        if not (run.path / "config.json").is_file():
            raise ClimbEdgeError(
                f"{path}: expected a run folder of `python -m train`, found"
                + (
                    " a folder without config.json"
                    if run.path.is_dir()
                    else f" none{nearest_path(path) or '; check the path'}"
                )
            )
        if not run.best.is_file():
            raise ClimbEdgeError(
                f"{path}: this run stopped before its first epoch and has no weights; start it"
                " again, it resumes"
            )
        return run

    def config(self) -> dict:
        try:
            config = json.loads((self.path / "config.json").read_text(encoding="utf-8"))
            return _with_new_names(config)
        except ValueError as error:
            raise ClimbEdgeError(
                f"{self.path}/config.json: damaged ({error}); delete the run and train again"
            ) from error

    def save_weights(self, model) -> None:
        _save(model, self.best)

    def keep_teacher(self, model) -> None:
        """Keep the float weights that a quantization-aware run begins from; a resumed run has them,
        and loads them.
        """
        if self.teacher.is_file():
            load_weights(model, self.teacher)
        else:
            _save(model, self.teacher)

    def load_weights(self, model):
        """Load the best epoch's weights into a model that code defines; returns it. Raises
        ClimbEdgeError.
        """
        load_weights(model, self.best)
        return model

    def save_state(self, state: dict, variables: list[np.ndarray]) -> None:
        """What resuming needs: plain numbers, and every variable of model and optimizer in
        order.
        """
        with whole_file(self._state) as temporary, open(temporary, "wb") as stream:
            np.savez(
                stream,
                state=np.array(json.dumps(state)),
                **{f"v{i}": v for i, v in enumerate(variables)},
            )

    def load_state(self, shapes: list[tuple[int, ...]]) -> tuple[dict, list[np.ndarray]] | None:
        """The saved state, or None for a run that has not finished an epoch. Raises ClimbEdgeError
        when it does not fit.
        """
        if not self._state.is_file():
            return None
        arrays = read_npz(
            self._state,
            {"state": "U", **{f"v{i}": "fiub" for i in range(len(shapes))}},
            "the state of a run",
        )
        variables = [arrays[f"v{i}"] for i in range(len(shapes))]
        if any(v.shape != s for v, s in zip(variables, shapes, strict=True)):
            raise ClimbEdgeError(
                f"{self._state}: belongs to another model or optimizer; delete the run and train"
                " again"
            )
        return json.loads(str(arrays["state"])), variables

    def history(self) -> list[dict[str, float]]:
        """The epochs so far, 0 = before any training."""
        try:
            with open(self.path / "history.csv", encoding="utf-8", newline="") as stream:
                return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(stream)]
        except (OSError, ValueError, TypeError) as error:
            raise ClimbEdgeError(
                f"{self.path}/history.csv: damaged ({error}); delete the run and train again"
            ) from error

    def write_history(self, rows: list[dict]) -> None:
        """history.csv and curves.png from one list of epochs."""
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(self.path / "history.csv", text.getvalue())
        self._draw(rows)

    def _draw(self, rows: list[dict]) -> None:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(9, 3.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        epochs = [r["epoch"] for r in rows]
        left.plot(epochs, [r["loss"] for r in rows], "o-", label="training", markersize=3)
        left.plot(epochs, [r["val_loss"] for r in rows], "o-", label="validation", markersize=3)
        left.set(xlabel="epoch", ylabel="loss", yscale="log")
        for alpha in ("0.05", "0.1", "0.2"):
            right.plot(
                epochs,
                [100 * r[f"val_pck_{alpha}"] for r in rows],
                "o-",
                label=f"@{alpha}",
                markersize=3,
            )
        right.set(xlabel="epoch", ylabel="validation PCK, %")
        for axes in (left, right):
            axes.legend(frameon=False)
            axes.spines[["top", "right"]].set_visible(False)
        with whole_file(self.path / "curves.png") as temporary:
            figure.savefig(temporary, dpi=120, format="png")

    def write_metrics(self, metrics: dict) -> None:
        write_json(self.path / "metrics.json", metrics)


def _with_new_names(config: dict[str, Any]) -> dict[str, Any]:
    """A run's config as it is written now: in older ones some options have other names."""
    renamed = {
        old: name
        for kind in (Augmentation, Hyperparameters, Finetune)
        for name, own in options_of(kind).items()
        for old in own.metadata["option"].old
    }
    parts = {
        part: {renamed.get(key, key): value for key, value in config[part].items()}
        for part in ("augmentation", "recipe", "qat")
        if isinstance(config.get(part), dict)
    }
    return {**config, **parts}


def _save(model, path: Path) -> None:
    with whole_file(path) as temporary:
        model.save_weights(temporary)


def load_weights(model, path: Path) -> None:
    """Keras weights of the same architecture into `model`. Raises ClimbEdgeError naming the
    file.
    """
    try:
        model.load_weights(path)
    except (ValueError, OSError, KeyError) as error:
        reason = str(error).strip().splitlines()[0][:160]
        raise ClimbEdgeError(
            f"{path}: expected weights of {model.name}, found a file that does not fit or is"
            f" damaged ({reason}); train again"
        ) from error
    if not all(np.isfinite(np.asarray(w)).all() for w in model.get_weights()):
        raise ClimbEdgeError(
            f"{path}: these weights hold NaN or infinite values; train again with a lower learning"
            " rate"
        )
