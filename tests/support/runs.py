"""Run folders read and compared."""

import csv
import json

import numpy as np

from train.fitting.run_folder import Run
from train.models import registry


def history(path):
    with open(path / "history.csv") as stream:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(stream)]


def figures_of(path) -> dict:
    metrics = json.loads((path / "metrics.json").read_text())
    return {
        name: value for name, value in metrics.items() if name not in ("minutes", "ms_per_window")
    }


def variables_of(path) -> dict[str, np.ndarray]:
    """Every variable of a run's state: of the model, its dropout and its optimizer."""
    with np.load(path / "state.npz") as arrays:
        return {name: arrays[name] for name in arrays.files if name != "state"}


def assert_same_run(left, right, model: str) -> None:
    """Two run folders: history, figures, best weights and the state in which they ended."""
    assert history(left) == history(right)
    assert figures_of(left) == figures_of(right)
    a, b = (
        Run.open(p).load_weights(registry.get(model).build()).get_weights() for p in (left, right)
    )
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)
    there, here = variables_of(left), variables_of(right)
    assert there.keys() == here.keys()
    for name in there:
        np.testing.assert_array_equal(there[name], here[name])
