"""Studies of made-up runs, and tables read back."""

import csv
import json
import re

import numpy as np

from climb_edge.files.atomic import write_json
from climb_edge.refiners.filters import FILTERS
from train.fitting.metrics import SCHEMA, figures, filtered
from train.fitting.run_folder import COLUMNS
from train.fitting.scoring import DECODES, Measured
from train.studies.grid import SCHEMA as STUDY

BODY = np.random.default_rng(0).uniform(8, 48, (25, 2))
# shoulders, hips: a torso of 18 cells
BODY[[11 - 8, 4]], BODY[[15, 16]] = ([20, 18], [32, 18]), ([22, 36], [30, 36])


def measured(seed: int, spread: float, clips: int = 4) -> Measured:
    """A body that drifts, and predictions that are off by `spread` cells; pinkies have no truth."""
    dice = np.random.default_rng(seed)
    truth = [
        BODY + dice.normal(0, 1, (4, 1, 1, 2)) + np.cumsum(dice.normal(0, 0.3, (4, 5, 1, 2)), 1)
        for _ in range(clips)
    ]
    truth = [np.where(np.isin(np.arange(25), (9, 10))[:, None], np.nan, t) for t in truth]
    points = {d: tuple(t + dice.normal(0, spread, t.shape) for t in truth) for d in DECODES}
    return Measured(1.0, tuple(truth), points)


def metrics(model="conv3d", setup="1.1", seed=0, spread=1.0, command="pretrain", **changed) -> dict:
    base = {
        name: figures(measured(seed, s), 30.0)
        for name, s in (("identity", 3.0), ("refined", spread))
    }
    return {
        "schema": SCHEMA,
        "command": command,
        "model": model,
        "parameters": 78150,
        "noise": setup,
        "seed": seed,
        "truth": "human",
        "data": "some labels",
        "data_sha256": "d",
        "space": "heatmap cells",
        "box": "frame",
        "frames": "all 5 of each window",
        "split": {"rule": "by-video", "sha256": f"{setup} {seed}"},
        "windows": {"train": 60, "val": 20, "test": 16, "held_out": 0},
        "best_epoch": 2,
        "epochs": 3,
        "minutes": 1.5,
        "ms_per_window": 4.25,
        "parts": {"test": base},
    } | changed


def run(folder, told: dict):
    """A run's folder with its history; returns the metrics as written."""
    write_json(folder / "metrics.json", told)
    write_json(folder / "config.json", {k: told[k] for k in ("model", "noise", "seed", "command")})
    lines = [
        ",".join(COLUMNS),
        *(f"{e},{3 - e / 2},{3 - e / 3},0.1,0.2,{0.3 + e / 10},0.001,2" for e in range(4)),
    ]
    (folder / "history.csv").write_text("\n".join(lines) + "\n")
    return json.loads((folder / "metrics.json").read_text())


def filters(setup="1.1", seed=0) -> dict:
    raw = measured(seed, 3.0)
    rows = {"identity": figures(raw, 30.0)} | {
        n: figures(filtered(raw, f), 30.0) for n, f in FILTERS.items()
    }
    told = metrics("filters", setup, seed, parts={"test": rows}) | {
        "filters": {n: f.spec for n, f in FILTERS.items()}
    }
    return {
        k: v
        for k, v in told.items()
        if k not in ("parameters", "best_epoch", "epochs", "minutes", "ms_per_window")
    }


def study(folder, cells: list[dict]):
    """study.json over (model, setup, seed) cells; a cell with metrics gets its folder."""
    for cell in cells:
        for phase, told in cell.pop("metrics", {}).items():
            run(folder / f"{cell['model']}.{cell['setup']}.{cell['seed']}" / phase, told)
        cell.setdefault("phases", ["pretrain"])
        cell |= {"state": cell.get("state", "done"), "reason": cell.get("reason")}
    write_json(
        folder / "study.json", {"schema": STUDY, "name": folder.name, "config": {}, "cells": cells}
    )
    return folder


def cell(model, setup="1.1", seed=0, spread=1.0, **more) -> dict:
    return {
        "model": model,
        "setup": setup,
        "seed": seed,
        "metrics": {"pretrain": metrics(model, setup, seed, spread)},
    } | more


def lines_of(path) -> list[dict]:
    with open(path, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def table(text: str, heading: str, number: int = 0) -> dict[str, list[str]]:
    """Rows of the `number`th table after a heading of Markdown, by their first place; of equal
    names the last.
    """
    rest = text.split(heading, 1)[1]
    block = re.findall(r"(?:^\|.*\n)+", rest, re.M)[number]
    rows = [[c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]] for line in block.splitlines()]
    return {row[0]: row[1:] for row in rows}


def stored(folder, name: str) -> dict:
    return json.loads((folder / name / "pretrain" / "metrics.json").read_text())["parts"]["test"]
