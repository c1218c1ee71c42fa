"""The track file: results as JSON Lines, a header, then one line per frame and person."""

from __future__ import annotations

import json
import operator
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from climb_edge.errors import DAMAGED, ClimbEdgeError
from climb_edge.files.atomic import existing_file
from climb_edge.files.json_file import parse_json
from climb_edge.pose.skeleton import KEYPOINTS, K
from climb_edge.refiners.base import Refiner
from climb_edge.streaming.result import Result

SCHEMA = "climb-edge/track/1"
STATES = ("warming up", "tracking", "re-anchored", "lost")
# What a row may say, so that whoever reads it may count on it.
MAX_LINE = 1 << 20  # bytes; a row has about 4,000
MAX_FRAME = 10**9  # a year at 30 frames a second
MAX_SECONDS = 1e10
MAX_PIXELS = 1e6


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
    """One result as plain data: pixels to 3 decimals, scores to 4; None for what is NaN."""

    def numbers(array: np.ndarray | None, digits: int = 3):
        if array is None:
            return None
        rounded = np.round(array.astype(float), digits).astype(object)
        rounded[~np.isfinite(array)] = None
        return rounded.tolist()

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
        frame, delay = (operator.index(row[name]) for name in ("frame", "delay"))
        person = None if row["person"] is None else operator.index(row["person"])
        time, state = float(row["t"]), row["state"]
        if not all(0 <= number <= MAX_FRAME for number in (frame, delay, person or 0)):
            raise ValueError(f"frame, delay and person are counts of at most {MAX_FRAME}")
        if not abs(time) <= MAX_SECONDS or state not in STATES:
            raise ValueError(f"t is seconds, state one of {', '.join(STATES)}")
        if any(a is not None and (np.abs(a) > MAX_PIXELS).any() for a in arrays.values()):
            raise ValueError(f"a place beyond {MAX_PIXELS:g} pixels")
        return Result(frame, time, person, state, delay, **arrays)
    except DAMAGED as error:
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


def read_results(path: str | Path) -> list[Result]:
    """The results in a track.jsonl, by frame and person. Raises ClimbEdgeError naming the file."""
    try:
        return as_results(read_lines(path)[1])
    except ClimbEdgeError as error:
        raise ClimbEdgeError(
            str(error) if str(path) in str(error) else f"{path}: {error}"
        ) from error


def read_lines(path: str | Path) -> tuple[dict, Iterator[dict]]:
    """(header, rows) of a track.jsonl; rows are read as they are asked for. Raises ClimbEdgeError
    for a file without a header, and the iterator for a line that is no JSON.
    """
    rows = _objects(existing_file(path, "a track.jsonl"))
    first = next(rows, {})
    if first.get("schema") != SCHEMA:
        raise ClimbEdgeError(
            f"{path}: expected a header line with schema {SCHEMA}; track the video again"
        )
    return first, rows


def _objects(path: Path) -> Iterator[dict]:
    """The lines of a file, one in memory at a time."""
    number = 1
    try:
        with open(path, "rb") as stream:
            while text := stream.readline(MAX_LINE + 1):
                if len(text) > MAX_LINE:
                    raise ValueError(f"longer than {MAX_LINE} bytes")
                if not isinstance(row := parse_json(text), dict):
                    raise ValueError(f"a JSON {type(row).__name__}")
                yield row
                number += 1
    except DAMAGED as error:
        raise ClimbEdgeError(
            f"{path}: expected JSON Lines, found line {number} that is none ({error}); track the"
            " video again"
        ) from error
