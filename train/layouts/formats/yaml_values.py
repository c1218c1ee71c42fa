"""The part of YAML that data sets describe themselves in: mappings, lists, words and numbers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from train.layouts.formats.reading import read_text, reading

_DEEPEST = 20


def read_yaml(path: Path, what: str) -> dict[str, Any]:
    """A YAML file as a dict; keys are text. Raises ClimbEdgeError for what is no such file."""
    text = read_text(path, what)
    with reading(path, what):
        bare = re.sub(r"(^|\s)#.*", "", text, flags=re.MULTILINE)
        while (joined := re.sub(r"(\[[^\]\n]*)\n\s*", r"\1 ", bare)) != bare:  # lists over lines
            bare = joined
        lines = [line.rstrip() for line in bare.splitlines() if line.strip(" -.\t")]
        found = _block([(len(line) - len(line.lstrip()), line.strip()) for line in lines], 0)
        if not isinstance(found, dict):
            raise ValueError("no mapping")
        return found


def _block(lines: list[tuple[int, str]], depth: int) -> Any:
    if depth > _DEEPEST:
        raise ValueError("nested too deep")
    if not lines:
        return None
    if lines[0][1].startswith("- "):
        return [_value(text[2:]) for _, text in lines if text.startswith("- ")]
    found, i = {}, 0
    while i < len(lines):
        indent, text = lines[i]
        key, colon, value = text.partition(":")
        if not colon:
            raise ValueError(f"{text[:40]!r} is no key")
        end = i + 1
        while end < len(lines) and (
            lines[end][0] > indent or (lines[end][0] == indent and lines[end][1].startswith("- "))
        ):
            end += 1
        inner = _value(value) if value.strip() else _block(lines[i + 1 : end], depth + 1)
        found[key.strip(" '\"")] = inner
        i = end
    return found


def _value(text: str) -> Any:
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        return [_value(item) for item in text[1:-1].split(",") if item.strip()]
    return int(text) if re.fullmatch(r"-?\d{1,18}", text) else text.strip("'\"")
