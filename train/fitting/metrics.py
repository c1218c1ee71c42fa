"""metrics.json: the figures of a run, and how they are printed."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from climb_edge.evaluation.pck import Score
from climb_edge.files.truth import WORDS
from climb_edge.pose.motion import acceleration, lag_ms
from climb_edge.streaming.stream import RATE
from train.config import Hyperparameters
from train.data.rendered import RenderedWindows
from train.data.sources import Source
from train.data.splits import Split
from train.fitting.run_folder import SCHEMA, Run
from train.fitting.scoring import DECODES, Judge, Measured


def metrics_of(
    config: dict,
    definition,
    source: Source,
    parts: Split,
    run: Run,
    hyper: Hyperparameters,
    model,
    teacher=None,
) -> dict:
    history, fps = run.history(), source.rate or RATE
    best = max(history, key=lambda r: (r[f"val_pck_{hyper.select}"], -r["epoch"]))
    judges = {"identity": Judge(source, hyper), "refined": Judge(source, hyper, definition, model)}
    if teacher is not None:  # what a quantization-aware run began from
        judges["float"] = Judge(source, hyper, definition, teacher)
    measured = {
        part: {name: figures(judge(indices), fps) for name, judge in judges.items()}
        for part in ("test", "held_out")
        if len(indices := parts.some(part, hyper.test_windows))
    }
    return heading(config, source, parts) | {
        "model": definition.name,
        "parameters": definition.build(**config["switches"]).count_params(),
        "best_epoch": int(best["epoch"]),
        "epochs": int(history[-1]["epoch"]),
        "minutes": sum(r["seconds"] for r in history) / 60,
        "ms_per_window": _milliseconds(model),
        "parts": measured,
    }


def tell_inputs(config: dict, source: Source) -> None:
    """Say whether an estimator saw what a run reads; to finetune without one is seldom meant."""
    unseen = config["command"] == "finetune" and isinstance(source, RenderedWindows)
    hint = "; no estimator saw these clips: add --videos, or name a store" if unseen else ""
    print(f"inputs: {source.inputs_from}{hint}")


def heading(config: dict, source: Source, parts: Split) -> dict:
    """What metrics say of the data, whoever was measured on it."""
    most = config["recipe"].get("test_windows")
    return {
        "schema": SCHEMA,
        "command": config["command"],
        "noise": config["noise"] if not config["videos"] else None,
        "seed": config["seed"],
        "inputs": source.inputs_from,
        "truth": source.clips.truth,
        "data": source.clips.source,
        "data_sha256": config["data_sha256"],
        "space": "heatmap cells",
        "box": config["box"],
        "frames": "all 5 of each window",
        "split": {"rule": parts.rule, "sha256": parts.sha256},
        "windows": (
            {"train": len(parts.train), "val": len(parts.val)}
            | {name: len(parts.some(name, most)) for name in ("test", "held_out")}
        ),
    }


def _milliseconds(model) -> float:
    """Median time of the training form on one window, as Keras runs it on this machine."""
    window, times = [np.zeros((1, *tensor.shape[1:]), np.float32) for tensor in model.inputs], []
    for _ in range(12):
        since = time.perf_counter()
        model.predict_on_batch(window if len(window) > 1 else window[0])
        times.append(time.perf_counter() - since)
    return 1000 * float(np.median(times[2:]))


def figures(measured: Measured, fps: float) -> dict:
    """Figures of one row: PCK by both readings and averagings, by keypoint; jitter and lag."""
    points, truth = (
        [window for clip in clips for window in clip]
        for clips in (measured.points["ours"], measured.truth)
    )
    return {reading: _shares(measured.score(reading)) for reading in DECODES} | {
        "loss": measured.loss,
        "jitter": acceleration(points),
        "truth_jitter": acceleration(truth),
        "lag_ms": _lag(points, truth, fps),
    }


def _shares(score: Score) -> dict:
    groups = {n: {"pooled": g.pooled(), "study": g.study()} for n, g in score.groups().items()}
    return {
        "pooled": score.pooled(),
        "study": score.study(),
        "keypoints": score.keypoints(),
        "threshold": score.threshold,
        "groups": groups,
    }


def _lag(predicted: list, truth: list, fps: float) -> float:
    """How late a row is; NaN where five frames cannot tell, because it hardly moves or lies two
    frames or more away.
    """
    found = lag_ms(predicted, truth, fps, reach=2)
    return found if abs(found) < 2 * 1000 / fps else float("nan")


def filtered(measured: Measured, smooth) -> Measured:
    """Predictions after a filter: (W, 5, 25, 2) -> the same."""
    points = {reading: tuple(map(smooth, clips)) for reading, clips in measured.points.items()}
    return replace(measured, loss=float("nan"), points=points)


def report(path: Path, metrics: dict) -> None:
    """Print the test figures of a run."""
    worth = f"{WORDS[metrics['truth']]}, inputs {metrics['inputs']}"
    for part, rows in metrics["parts"].items():
        count = metrics["windows"][part]
        print(
            f"{part.replace('_', ' ')} PCK in %, pooled, {worth}, {count} windows, best epoch"
            f" {metrics['best_epoch']}"
        )
        for name, row in rows.items():
            shares = row["ours"]["pooled"].items()
            print(f"  {name:10}" + "  ".join(f"@{a} {100 * v[0]:5.1f}" for a, v in shares))
    print(f"{path}/ (curves.png, history.csv, metrics.json, best.weights.h5)")
