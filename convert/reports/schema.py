"""The shape of report.json, and how a report is read back."""

from __future__ import annotations

from pathlib import Path

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.json_file import read_json
from climb_edge.files.truth import Truth

SCHEMA = "climb-edge/report/2"


def _interval(value: object, named: str) -> str | None:
    numbers = (
        isinstance(value, list) and len(value) == 3 and all(isinstance(v, FIGURE) for v in value)
    )
    return None if numbers else f"{named} is not [value, low, high]"


def _truth(value: object, named: str) -> str | None:
    known = value in list(Truth)
    return None if known else f"{named} is {value!r:.80}, expected one of {', '.join(Truth)}"


def _test(value: object, named: str) -> str | None:
    if isinstance(value, dict):
        return _truth(value.get("truth"), f"{named}.truth")
    return _unlike(value, SECTION, named)


# What reading relies on; `build` writes more. A figure that could not be computed is null.
FIGURE = (int, float, type(None))
SECTION = (dict, type(None))  # of a report on a run; null in one on somebody else's file
PCK = {"*": _interval}
SHAPE = {
    "verdict": str,
    "skipped": [str],
    "run": SECTION,
    "test": _test,
    "generated": SECTION,
    "claims": [
        {
            "name": str,
            "delay": int,
            "frames": int,
            "raw": PCK,
            "refined": PCK,
            "change": PCK,
            "wins": {"*": bool},
        }
    ],
    "files": [
        {
            "file": str,
            "written": bool,
            "verdict": str,
            "reasons": [str],
            "bytes": int,
            "weight_ratio": FIGURE,
            "checks": [{"name": str, "verdict": str, "reasons": [str]}],
            "rows": [
                {
                    "set": str,
                    "truth": _truth,
                    "averaging": str,
                    "decode": str,
                    "pck": PCK,
                    "drop": PCK,
                }
            ],
            "speed": [{"threads": int, "median_ms": FIGURE, "p95_ms": FIGURE, "naive_ms": FIGURE}],
            "gpu": [{"partitions": FIGURE, "nodes": FIGURE, "total": FIGURE, "max_error": FIGURE}],
        }
    ],
}


PARITY: dict = {
    "rows": [],
    "keypoints": {},
    "worst_keypoint": {},
    "histogram": {},
    "worst_windows": [],
}


def read_report(path: str | Path) -> dict:
    """A report.json. Raises ClimbEdgeError when it is none."""
    report = read_json(path, "a report.json of `python -m convert`", "convert the run again")
    if report.get("schema") != SCHEMA:
        raise ClimbEdgeError(f"{path}: expected a report of schema {SCHEMA}; convert the run again")
    if wrong := _unlike(report, SHAPE, "report"):
        raise ClimbEdgeError(f"{path}: damaged ({wrong}); convert the run again")
    return report


def _unlike(value: object, shape: object, named: str) -> str | None:
    """Where `value` first differs from `shape`: a type or several, [shape of each], {key: shape},
    {"*": shape of each}, or a function of value and name that says it.
    """
    if callable(shape) and not isinstance(shape, type):
        return shape(value, named)
    if not isinstance(value, shape if isinstance(shape, type | tuple) else type(shape)):
        return f"{named} is {type(value).__name__}"
    if isinstance(shape, type | tuple):
        return None
    if isinstance(shape, list):
        inner = [(item, shape[0], f"{named}[{i}]") for i, item in enumerate(value)]
    elif "*" in shape:
        inner = [(item, shape["*"], f"{named}.{key}") for key, item in value.items()]
    elif missing := next((key for key in shape if key not in value), None):
        return f"{named} lacks {missing}"
    else:
        inner = [(value[key], within, f"{named}.{key}") for key, within in shape.items()]
    return next((wrong for one in inner if (wrong := _unlike(*one))), None)
