"""The shape of report.json, and how a report is read back."""

from __future__ import annotations

from pathlib import Path

from climb_edge.errors import ClimbEdgeError
from climb_edge.evaluation.pck import ALPHAS
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


def _pck(value: object, named: str) -> str | None:
    if not isinstance(value, dict):
        return f"{named} is {type(value).__name__}"
    wrong = (_interval(value.get(key), f"{named}.{key}") for key in [*map(str, ALPHAS), *value])
    return next((said for said in wrong if said), None)


def _second(value: object, named: str) -> str | None:
    figure = value.get("max_error") if isinstance(value, dict) else ""
    return None if isinstance(figure, FIGURE) else f"{named} is no figures of a second runtime"


# What reading relies on; `build` writes more. A figure that could not be computed is null.
FIGURE = (int, float, type(None))
TEXT = (str, type(None))
RUN = {  # of a report on a run; null in one on somebody else's file
    "run": {"model": str},
    "test": {"truth": _truth, "windows": int, "clips": int, "source": str},
    "generated": {"windows": int, "clips": int},
}
SHAPE = {
    "verdict": str,
    "skipped": [str],
    "said?": [str],
    "cannot?": [str],
    "claims": [
        {
            "name": str,
            "delay": int,
            "frames": int,
            "raw": _pck,
            "refined": _pck,
            "change": _pck,
            "wins": {"*": bool},
        }
    ],
    "files": [
        {
            "file": str,
            "written": bool,
            "form": TEXT,
            "emits": TEXT,
            "recipe": TEXT,
            "quantizer": TEXT,
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
                    "pck": _pck,
                    "drop": _pck,
                }
            ],
            "speed": [{"threads": int, "median_ms": FIGURE, "p95_ms": FIGURE, "naive_ms": FIGURE}],
            "gpu": [{"partitions": FIGURE, "nodes": FIGURE, "total": FIGURE, "max_error": FIGURE}],
            "second": _second,
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
    sections = RUN
    if report.get("run", 0) is None:  # on somebody else's file; claims rest on a test set
        given = [
            k for k in RUN if report.get(k, 0) is not None or (k == "test" and report.get("claims"))
        ]
        sections = {k: RUN[k] for k in given}
    if wrong := _unlike(report, SHAPE | sections, "report"):
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
    elif missing := next((k for k in shape if k not in value and not k.endswith("?")), None):
        return f"{named} lacks {missing}"
    else:  # a key that ends in "?" may be missing
        there = {key.removesuffix("?"): within for key, within in shape.items()}
        inner = [(value[k], there[k], f"{named}.{k}") for k in there if k in value]
    return next((wrong for one in inner if (wrong := _unlike(*one))), None)
