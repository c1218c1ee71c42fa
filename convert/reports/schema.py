"""How a report.json is read back, by its JSON Schema."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.json_file import read_json

SCHEMA = "climb-edge/report/2"


def read_report(path: str | Path) -> dict:
    """A report.json. Raises ClimbEdgeError when it is none, naming the place."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    report = read_json(path, "a report.json of `python -m convert`", "convert the run again")
    if report.get("schema") != SCHEMA:
        raise ClimbEdgeError(f"{path}: expected a report of schema {SCHEMA}; convert the run again")
    schema = (files("climb_edge") / "schemas" / "report.schema.json").read_text(encoding="utf-8")
    if wrong := best_match(Draft202012Validator(json.loads(schema)).iter_errors(report)):
        raise ClimbEdgeError(
            f"{path}: damaged ({wrong.json_path}: {wrong.message[:160]}); convert the run again"
        )
    return report
