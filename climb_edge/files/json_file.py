"""JSON that nobody has to trust: of bounded size, and with numbers that arithmetic can use."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from climb_edge.errors import DAMAGED, ClimbEdgeError
from climb_edge.files.atomic import existing_file

MAX_BYTES = 64 << 20  # of a file; read, it takes about ten times as much memory
LARGEST = 2**63  # whole numbers beyond it fit no other language's integer


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text. Raises ValueError for what is none: also for NaN and infinite
    numbers, whole numbers beyond 64 bits, and nesting without end.
    """
    try:
        return json.loads(text, parse_int=_whole, parse_float=_finite, parse_constant=_finite)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def read_json(path: str | Path, what: str, remedy: str) -> dict[str, Any]:
    """The object in a JSON file. Raises ClimbEdgeError that says `what` was expected and the
    `remedy`.
    """
    path = existing_file(path, what)
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise ValueError(f"{size} bytes, at most {MAX_BYTES} are read")
        value = parse_json(path.read_text(encoding="utf-8"))
        if not isinstance(value, dict):
            raise ValueError(f"a JSON {type(value).__name__} where an object belongs")
        return value
    except DAMAGED as error:
        raise ClimbEdgeError(
            f"{path}: expected {what}, found a damaged file ({error}); {remedy}"
        ) from error


def _whole(text: str) -> int:
    if len(text) > 20 or abs(value := int(text)) > LARGEST:
        raise ValueError(f"the number {text[:20]}... is beyond 64 bits")
    return value


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text[:20]} is no number of JSON")
    return value
