"""Results as JSON Lines: a header, then one line per frame and person."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from climb_edge.errors import ClimbEdgeError, existing_file
from climb_edge.refiner import Refiner
from climb_edge.runtime import Session
from climb_edge.skeleton import KEYPOINTS
from climb_edge.stream import Result

SCHEMA = "climb-edge/track/1"


def header(refiner: Refiner, estimator: str, source: str) -> dict:
    """The first line of a track."""
    return {
        "schema": SCHEMA, "source": source, "estimator": estimator, "refiner": refiner.name, "contract": refiner.contract,
        "runtime": Session.version(), "backend": "cpu", "reason": "default backend", "keypoints": list(KEYPOINTS),
    }  # fmt: skip


def line(result: Result) -> dict:
    """One result as plain data: pixels to 3 decimals, scores to 4."""

    def numbers(array: np.ndarray | None, digits: int = 3):
        return None if array is None else np.round(array.astype(float), digits).tolist()

    return {
        "frame": result.frame, "t": round(result.time, 6), "person": result.person, "state": result.state,
        "delay": result.delay, "bbox": numbers(result.bbox), "raw": numbers(result.raw), "refined": numbers(result.refined),
    }  # fmt: skip


def write_lines(path: Path, first: dict, results: Iterable[Result]) -> None:
    """Write header and results, ordered by frame and person, to `path` (a temporary name: see errors.whole_file)."""
    ordered = sorted(results, key=lambda r: (r.frame, -1 if r.person is None else r.person))
    with open(path, "w", encoding="utf-8") as stream:
        for row in (first, *map(line, ordered)):
            stream.write(json.dumps(row, separators=(",", ":")) + "\n")


def read_lines(path: str | Path) -> tuple[dict, Iterator[dict]]:
    """(header, rows) of a track.jsonl."""
    path = existing_file(path, "a track.jsonl")
    try:
        rows = [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()]
    except ValueError as error:
        raise ClimbEdgeError(
            f"{path}: expected JSON Lines, found a line that is none ({error}); track the video again"
        ) from error
    if not rows or not isinstance(rows[0], dict) or rows[0].get("schema") != SCHEMA:
        raise ClimbEdgeError(f"{path}: expected a header line with schema {SCHEMA}; track the video again")
    return rows[0], iter(rows[1:])
