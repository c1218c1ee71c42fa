"""Frozen dataclasses as plain JSON values, and back, by the types of their fields."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

WORDS = {str: "text", int: "a whole number", float: "a finite number", bool: "true or false"}


def to_plain(value: Any) -> Any:
    """Dataclasses as objects without the fields that are None, tuples as lists."""
    if is_dataclass(value):
        held = {f.name: to_plain(getattr(value, f.name)) for f in fields(value)}
        return {name: plain for name, plain in held.items() if plain is not None}
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items()}
    return value


def from_plain(kind: Any, value: Any) -> Any:
    """A JSON value as `kind`: a dataclass, tuple, dict, str, int, float, bool, or one of these or
    None. Numbers stay as they are written, 30 or 30.0; keys without a field are passed over.

    Raises ValueError that says what was expected.
    """
    inner = get_args(kind)
    if kind is Any or (value is None and NoneType in inner):
        return value
    if NoneType in inner:
        return from_plain(inner[0], value)
    if get_origin(kind) is tuple:
        kinds = inner if inner[-1] is not Ellipsis else inner[:1] * len(_expect(list, value))
        if len(kinds) != len(_expect(list, value)):
            raise ValueError(f"a list of {len(kinds)}")
        return tuple(map(from_plain, kinds, value))
    if get_origin(kind) is dict:
        return {key: from_plain(inner[1], item) for key, item in _expect(dict, value).items()}
    if is_dataclass(kind):
        return _record(kind, _expect(dict, value))
    if not (_is_finite(value) if kind is float else type(value) is kind):
        raise ValueError(WORDS[kind])
    return value


def _is_finite(value: Any) -> bool:
    """Whether a JSON value is a number that a float holds; its whole numbers have no limit."""
    return type(value) in (int, float) and abs(value) < 1e300


def _expect(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise ValueError("a list" if kind is list else "an object")
    return value


def _record(kind: Any, value: dict) -> Any:
    hints, held = get_type_hints(kind), {}
    for f in fields(kind):
        if f.name not in value and f.default is MISSING:
            raise ValueError(f"an object with {f.name}")
        if f.name in value:
            try:
                held[f.name] = from_plain(hints[f.name], value[f.name])
            except ValueError as error:
                raise ValueError(f"{error} as {f.name}") from None
    return kind(**held)
