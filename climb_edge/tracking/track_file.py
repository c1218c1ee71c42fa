"""The track file: results as JSON Lines, a header, then one line per frame and person."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.atomic import existing_file
from climb_edge.pose.skeleton import KEYPOINTS, K
from climb_edge.refiners.base import Refiner
from climb_edge.streaming.result import Result

SCHEMA = "climb-edge/track/1"


def header(
    refiner: Refiner,
    estimator: str,
    source: str,
    frame_size: tuple[int, int] | None = None,
    dropped: int = 0,
    notes: Sequence[str] = (),
) -> dict:
    """The first line of a track: `frame_size` is (width, height) of the last frame, None where
    there was none.

    `dropped` counts the frames that a live stream left out; their numbers are missing in the rows.
    `notes` say what else is to be known of the source, as times that were repaired.
    """
    return {
        "schema": SCHEMA,
        "source": source,
        "frame_size": frame_size,
        "dropped": dropped,
        "notes": list(notes),
        "estimator": estimator,
        "refiner": refiner.name,
        "contract": refiner.contract and refiner.contract.to_json(),
        "runtime": refiner.runtime,
        "backend": refiner.backend,
        "reason": refiner.reason,
        "keypoints": list(KEYPOINTS),
    }


def line(result: Result) -> dict:
    """One result as plain data: pixels to 3 decimals, scores to 4."""

    def numbers(array: np.ndarray | None, digits: int = 3):
        return None if array is None else np.round(array.astype(float), digits).tolist()

    return {
        "frame": result.frame,
        "t": round(result.time, 6),
        "person": result.person,
        "state": result.state,
        "delay": result.delay,
        "bbox": numbers(result.bbox),
        "raw": numbers(result.raw),
        "refined": numbers(result.refined),
    }


def from_line(row: dict) -> Result:
    """The result that `line` wrote. Raises ClimbEdgeError for a row that is none."""
    try:
        arrays: dict[str, Any] = {
            name: None if row[name] is None else np.array(row[name], float).reshape(shape)
            for name, shape in (("bbox", 4), ("raw", (K, 3)), ("refined", (K, 3)))
        }
        return Result(
            int(row["frame"]),
            float(row["t"]),
            row["person"],
            row["state"],
            int(row["delay"]),
            **arrays,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ClimbEdgeError(
            "expected a row of a track (frame, t, person, state, delay, bbox, raw, refined), "
            f"found {str(row)[:80]} ({error}); track the video again"
        ) from error


def as_results(items: Iterable[Result | dict]) -> list[Result]:
    """Results, or rows of `read_lines`, as results ordered by frame and person."""
    results = [item if isinstance(item, Result) else from_line(item) for item in items]
    return sorted(results, key=lambda r: (r.frame, -1 if r.person is None else r.person))


def write_lines(path: Path, first: dict, results: Iterable[Result]) -> None:
    """Write header and results, ordered by frame and person, to `path` (a temporary name: see
    files.atomic.whole_file).
    """
    with open(path, "w", encoding="utf-8") as stream:
        for row in (first, *map(line, as_results(results))):
            stream.write(json.dumps(row, separators=(",", ":")) + "\n")


def read_lines(path: str | Path) -> tuple[dict, Iterator[dict]]:
    """(header, rows) of a track.jsonl."""
    path = existing_file(path, "a track.jsonl")
    try:
        rows = [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()]
    except ValueError as error:
        raise ClimbEdgeError(
            f"{path}: expected JSON Lines, found a line that is none ({error}); track the video"
            " again"
        ) from error
    if not rows or not isinstance(rows[0], dict) or rows[0].get("schema") != SCHEMA:
        raise ClimbEdgeError(
            f"{path}: expected a header line with schema {SCHEMA}; track the video again"
        )
    return rows[0], iter(rows[1:])
