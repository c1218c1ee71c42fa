"""Run folders: config, split, history, curves, weights, metrics, and the state to resume from."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from climb_edge.errors import DAMAGED, ClimbEdgeError
from climb_edge.evaluation.pck import ALPHAS
from climb_edge.files.atomic import whole_file, write_csv, write_json, write_text
from climb_edge.files.json_file import read_json
from climb_edge.files.naming import nearest_path
from climb_edge.files.npz import read_npz
from climb_edge.files.temporaries import only_unfinished
from climb_edge.options import options_of
from train.config import Augmentation, Finetune, Hyperparameters

SCHEMA = "climb-edge/run/2"  # of metrics.json
_PCK = tuple(f"val_pck_{a}" for a in ALPHAS)
COLUMNS = ("epoch", "loss", "val_loss", *_PCK, "learning_rate", "seconds")


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
    """One training run in a folder of its own; every file is written whole."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.best = self.path / "best.weights.h5"
        self.split = self.path / "split.json"
        # of a quantization-aware run: what it began from
        self.teacher = self.path / "float.weights.h5"
        self._state = self.path / "state.npz"

    @classmethod
    def start(cls, path: str | Path, config: dict) -> Run:
        """A new run, or the same one resumed. Raises ClimbEdgeError for another config's."""
        run = cls(path)
        if (run.path / "config.json").is_file():
            old = run.config()
            pairs = {k: (old.get(k), config.get(k)) for k in sorted(config.keys() | old.keys())}
            changed = {k: pair for k, pair in pairs.items() if not _same(*pair)}
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
        elif run.path.exists() and not only_unfinished(run.path, "config.json"):
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
        path = self.path / "config.json"
        config = read_json(path, "the config of a run", "delete the run and train again")
        return _with_new_names(config)

    def save_weights(self, model) -> None:
        _save(model, self.best)

    def keep_teacher(self, model) -> None:
        """Keep the float weights that a quantization-aware run begins from, or load those kept."""
        if self.teacher.is_file():
            load_weights(model, self.teacher)
        else:
            _save(model, self.teacher)

    def load_weights(self, model):
        """Load the best epoch's weights into `model`; returns it. Raises ClimbEdgeError."""
        load_weights(model, self.best)
        return model

    def save_state(self, state: dict, variables: list[np.ndarray]) -> None:
        """Keep what resuming needs: plain numbers, and all variables of model and optimizer."""
        arrays = {f"v{i}": v for i, v in enumerate(variables)}
        with whole_file(self._state) as temporary, open(temporary, "wb") as stream:
            np.savez(stream, state=np.array(json.dumps(state)), **arrays)

    def load_state(self, shapes: list[tuple[int, ...]]) -> tuple[dict, list[np.ndarray]] | None:
        """The saved state, or None for a run that has not finished an epoch. Raises ClimbEdgeError
        when it does not fit.
        """
        if not self._state.is_file():
            return None
        kinds = {f"v{i}": "fiub" for i in range(len(shapes))}
        arrays = read_npz(self._state, {"state": "U", **kinds}, "the state of a run")
        variables = [arrays[f"v{i}"] for i in range(len(shapes))]
        if any(v.shape != s for v, s in zip(variables, shapes, strict=True)):
            raise ClimbEdgeError(
                f"{self._state}: belongs to another model or optimizer; delete the run and train"
                " again"
            )
        try:
            return dict(json.loads(str(arrays["state"]))), variables
        except DAMAGED as error:
            raise ClimbEdgeError(
                f"{self._state}: damaged ({error}); delete the run and train again"
            ) from error

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
        write_csv(self.path / "history.csv", rows, COLUMNS)
        self._draw(rows)

    def _draw(self, rows: list[dict]) -> None:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(9, 3.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        epochs = [r["epoch"] for r in rows]
        lines = [(left, "loss", "training", 1), (left, "val_loss", "validation", 1)]
        lines += [(right, key, f"@{a}", 100) for a, key in zip(ALPHAS, _PCK, strict=True)]
        for axes, key, label, scale in lines:
            axes.plot(epochs, [scale * r[key] for r in rows], "o-", label=label, markersize=3)
        left.set(xlabel="epoch", ylabel="loss", yscale="log")
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


class _Weights(io.BytesIO):
    """Weights as Keras writes them, in memory: HDF5 on a full disk brings the process down when it
    ends.
    """

    def __str__(self) -> str:
        return "in memory.weights.h5"  # Keras looks at how it ends


def _save(model, path: Path) -> None:
    content = _Weights()
    model.save_weights(content)
    with whole_file(path) as temporary:
        temporary.write_bytes(content.getbuffer())


def load_weights(model, path: Path) -> None:
    """Load Keras weights of this architecture. Raises ClimbEdgeError naming the file."""
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
