"""What a run's metrics.json says, read back and checked."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from climb_edge.errors import DAMAGED, ClimbEdgeError
from climb_edge.files.json_file import read_json
from climb_edge.files.truth import as_truth
from train.fitting.run_folder import SCHEMA as RUN
from train.studies.page import ALPHAS

PARTS = ("test", "held_out")
DAMAGED_METRICS = (*DAMAGED, csv.Error)


def read_metrics_json(file: Path, schema: str, what: str) -> dict:
    value = read_json(file, what, "run it again")
    found = value.get("schema")
    if found != schema:
        raise ClimbEdgeError(
            f"{file}: expected {what} of schema {schema}, found {found!r}; run it again"
        )
    return value


def metrics_in(file: Path) -> dict:
    """Metrics of which every figure that the tables show is there. Raises ClimbEdgeError."""
    metrics = read_metrics_json(file, RUN, "the metrics of a run")
    try:
        texts = ("model", "command", "data", "data_sha256", "box", "frames")
        for key in (*texts, *(["inputs"] if "inputs" in metrics else [])):
            if not isinstance(metrics[key], str):
                raise ValueError(f"{key}: expected text, found {metrics[key]!r}")
        metrics["truth"] = as_truth(metrics["truth"], file)
        numbers = [metrics["windows"][k] for k in ("train", "val", "test", "held_out")]
        metrics["split"] = {k: str(metrics["split"][k]) for k in ("rule", "sha256")}
        metrics["filters"] = {k: str(v) for k, v in metrics.get("filters", {}).items()}
        if metrics["model"] != "filters":
            numbers += [metrics[k] for k in ("best_epoch", "epochs", "parameters", "minutes")]
            metrics["ms_per_window"] = _number(metrics.get("ms_per_window"))
        if any(math.isnan(_number(n)) for n in numbers):
            raise ValueError("null where a count belongs")
        metrics["parts"] = {
            p: {n: _figures(f) for n, f in rows.items()} for p, rows in metrics["parts"].items()
        }
    except DAMAGED_METRICS as error:
        raise ClimbEdgeError(
            f"{file}: expected the metrics of a run, found others ({type(error).__name__}:"
            f" {error}); train again"
        ) from error
    return metrics


def _figures(given: dict) -> dict:
    """`train.fitting.metrics.figures` as read back."""
    result = {k: _number(given[k]) for k in ("jitter", "truth_jitter", "lag_ms")}
    for reading in ("ours", "study"):
        there = given[reading]
        groups = there.get("groups", {})  # runs of before have none
        keypoints = there["keypoints"].items()
        result[reading] = _averaged(there) | {
            "groups": {g: _averaged(v) for g, v in groups.items()},
            "keypoints": {k: {x: _share(v[x]) for x in ALPHAS} for k, v in keypoints},
            "threshold": _number(there["threshold"]),
        }
    return result


def _averaged(there: dict) -> dict:
    """By averaging and threshold (share, low, high)."""

    def three(a: str, x: str) -> tuple[float, ...]:
        return tuple(_share(v) for v in (*there[a][x], None, None)[:3])

    return {a: {x: three(a, x) for x in ALPHAS} for a in ("pooled", "study")}


def _number(value) -> float:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise ValueError(f"expected a number, found {value!r}")
    return math.nan if value is None else float(value)


def _share(value) -> float:
    if not (math.isnan(number := _number(value)) or 0 <= number <= 1):
        raise ValueError(f"expected a share of 0 to 1, found {value!r}")
    return number
