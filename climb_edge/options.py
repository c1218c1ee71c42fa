"""Options, declared once: a command's options are the fields of one frozen dataclass.

Command line, presets, checks, help and the reference pages are all made from those fields, and
Python code builds the same dataclass. Values are checked when one is made, whoever makes it.
"""

from __future__ import annotations

import math
import os
import sys
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from climb_edge.errors import ClimbEdgeError, did_you_mean


@dataclass(frozen=True)
class Option:
    """What is known of an option beside its name, type and default."""

    help: str
    metavar: str | None = None
    low: float | None = None  # least value
    high: float | None = None  # largest value
    choices: tuple[str, ...] = ()
    positional: bool = False
    bare: Any = None  # the value of the flag alone, where it may stand without one
    commas: bool = False  # one word may hold several values, between commas
    old: tuple[str, ...] = ()  # names that it had before
    writes: str = ""  # "file" or "folder": what the command makes there


def option(help: str, default: Any = MISSING, **more: Any) -> Any:
    """A field of a config; `more` are those of Option. Without a default it must be given."""
    return field(default=default, metadata={"option": Option(help, **more)})


def again(config: type, name: str, default: Any) -> Any:
    """An option of `config` with another default."""
    return field(default=default, metadata=options_of(config)[name].metadata)


@dataclass(frozen=True, kw_only=True)
class Config:
    """The options of one command. Raises ClimbEdgeError, naming the option, for a value that is
    none of its.
    """

    command: ClassVar[str] = ""  # its name on the command line

    def __post_init__(self) -> None:
        for name, kind in kinds_of(type(self)).items():
            value = kind.checked(f"--{dashed(name)}", getattr(self, name))
            object.__setattr__(self, name, value)
        self.check()

    def check(self) -> None:
        """Raise ClimbEdgeError for options that contradict each other."""

    @classmethod
    def of(cls, values: Mapping[str, Any], where: str = "") -> Self:
        """A config of `values` by name. `where` names their file in errors.

        Raises ClimbEdgeError for a name that is no option, with the nearest one, for a value of
        another type or outside its range, and for an option that is missing.
        """
        known = cls.values(values, where)
        missing = [n for n, f in options_of(cls).items() if n not in known and required(f)]
        if missing:
            raise ClimbEdgeError(f"{where and f'{where}: '}--{dashed(missing[0])}: is missing")
        return cls(**known)

    @classmethod
    def values(cls, values: Mapping[str, Any], where: str = "") -> dict[str, Any]:
        """`values` by name, each checked, old names replaced. Errors as in `of`."""
        kinds, found = kinds_of(cls), {}
        renamed = {old: name for name, kind in kinds.items() for old in kind.option.old}
        for key, value in values.items():
            name = renamed.get(key, key)
            if name != key:
                note_renamed(key, name)
            if name not in kinds:
                raise ClimbEdgeError(
                    f"{where and f'{where}: '}{key}: no option of"
                    f" {cls.command}{did_you_mean(key, kinds)}"
                )
            label = f"{where}: {name}" if where else f"--{dashed(name)}"
            found[name] = kinds[name].checked(label, value)
        return found

    def part(self, kind: type) -> Any:
        """Those options that another dataclass has, as that dataclass."""
        return kind(**{f.name: getattr(self, f.name) for f in fields(kind)})


Command = TypeVar("Command", bound=Config)


def configured(cls: type[Command], config: Command | None, options: dict[str, Any]) -> Command:
    """What a Python function was given: a config, or its options by name."""
    if config is not None and options:
        raise ClimbEdgeError(
            f"{cls.command}: a config and {', '.join(options)} were given; give one or the other"
        )
    return cls.of(options) if config is None else config


@dataclass(frozen=True)
class Kind:
    """The type of an option, taken apart."""

    item: type  # bool, int, float, str or Path
    many: bool
    optional: bool
    option: Option

    def checked(self, label: str, value: Any) -> Any:
        """`value` as this type. Raises ClimbEdgeError beginning with `label`."""
        if value is None and self.optional:
            return None
        if not self.many:
            return self._one(label, value)
        single = isinstance(value, str | Path) or not isinstance(value, Iterable)
        items = [value] if single else value
        if self.option.commas:
            items = [part for item in items for part in _between_commas(label, item)]
        return tuple(self._one(label, item) for item in items)

    def _one(self, label: str, value: Any) -> Any:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        fits = {
            bool: isinstance(value, bool),
            int: number and isinstance(value, int),
            float: number,
            str: isinstance(value, str),
            Path: isinstance(value, str | Path),
        }[self.item]
        if not fits:
            raise ClimbEdgeError(f"{label}: expected {_WORDS[self.item]}, found {value!r}")
        value = self.item(value)
        told, choices = f"{label} {value}", self.option.choices
        if choices and value not in choices:
            raise ClimbEdgeError(
                f"{told}: expected one of {', '.join(choices)}{did_you_mean(value, choices)}"
            )
        low, high = self.option.low, self.option.high
        if self.item is float and not math.isfinite(value):
            raise ClimbEdgeError(f"{told}: expected a finite number")
        if low is not None and high is not None and not low <= value <= high:
            raise ClimbEdgeError(f"{told}: expected {low:g} to {high:g}")
        if low is not None and value < low:
            raise ClimbEdgeError(f"{told}: expected at least {low:g}")
        if self.option.writes:
            check_writable(label, value, self.option.writes)
        return value


def _between_commas(label: str, value: Any) -> list[Any]:
    """The values of one word: the parameters of a filter belong to it, and a file's name may have a
    comma.
    """
    if not isinstance(value, str) or "," not in value or os.path.exists(value):
        return [value]
    found: list[str] = []
    for part in value.split(","):
        parameter = "=" in part and ":" not in part and os.sep not in part
        if parameter and found and ":" in found[-1]:
            found[-1] += f",{part}"
        else:
            found.append(part)
    if not all(found):
        raise ClimbEdgeError(f"{label}: expected values between commas, found {value!r}")
    return found


_WORDS = {
    bool: "true or false",
    int: "one whole number",
    float: "one number",
    str: "one text",
    Path: "one path",
}


def check_writable(label: str, path: Path, what: str) -> None:
    """Raise ClimbEdgeError, before any work, where no `what` ("file" or "folder") can be written at
    `path`.
    """
    home, told = path if what == "folder" else path.parent, f"{label} {path}"
    try:
        if what == "file" and path.exists() and not path.is_file():
            found = "a folder" if path.is_dir() else "a device"
            raise ClimbEdgeError(f"{told}: expected a file, found {found}; name a file")
        while not home.exists():
            home = home.parent
        if not home.is_dir():
            raise ClimbEdgeError(
                f"{told}: a file stands where a folder is needed: {home}; name another place"
            )
        if not os.access(home, os.W_OK | os.X_OK):
            raise ClimbEdgeError(
                f"{told}: {home} may not be written by this user; name another place"
            )
    except OSError as error:  # a name that is too long
        raise ClimbEdgeError(f"{told}: {error.strerror}; name another place") from error


def note_renamed(old: str, new: str) -> None:
    """Tell the user that an option has another name now."""
    print(
        f"note: {old} is called {new} now; the old name goes with the next version", file=sys.stderr
    )


def dashed(name: str) -> str:
    """An option's name as a command line has it."""
    return name.replace("_", "-")


def required(own: Field) -> bool:
    """Whether an option must be given."""
    return own.default is MISSING


def options_of(cls: type) -> dict[str, Field]:
    """The fields of a config that are options, by name: those that must be given, then its own,
    then those of the classes that it is made of.
    """
    own = {f.name: f for f in fields(cls) if "option" in f.metadata}
    last = {name: base for base in cls.__mro__ for name in vars(base).get("__annotations__", ())}
    placed = [n for base in cls.__mro__ for n, home in last.items() if home is base and n in own]
    return {name: own[name] for name in sorted(placed, key=lambda name: not required(own[name]))}


def kinds_of(cls: type) -> dict[str, Kind]:
    """The type of every option of a config, by name."""
    hints, kinds = typing.get_type_hints(cls), {}
    for name, own in options_of(cls).items():
        members = typing.get_args(hints[name])
        union = typing.get_origin(hints[name]) in (typing.Union, types.UnionType)
        optional = union and type(None) in members
        kind = next(m for m in members if m is not type(None)) if optional else hints[name]
        many = typing.get_origin(kind) is tuple
        item = typing.get_args(kind)[0] if many else kind
        kinds[name] = Kind(item, many, optional, own.metadata["option"])
    return kinds


def shown_default(own: Field) -> str:
    """An option's default as help and reference show it."""
    if isinstance(own.default, bool):
        return "yes" if own.default else "no"
    if isinstance(own.default, tuple):
        return ", ".join(map(str, own.default))
    return "" if own.default is None else str(own.default)


def reference(cls: type[Config]) -> str:
    """The options of a config as a Markdown table."""
    lines = ["| option | value | default | meaning |", "|---|---|---|---|"]
    for name, kind in kinds_of(cls).items():
        own, told = kind.option, options_of(cls)[name]
        value = {bool: "yes or no", int: "whole number", float: "number", str: "text", Path: "path"}
        shown = " or ".join(own.choices) or own.metavar or value[kind.item]
        if own.low is not None:
            shown += (
                f", {own.low:g} to {own.high:g}" if own.high is not None else f", {own.low:g} on"
            )
        default = "must be given" if required(told) else shown_default(told)
        flag = name if own.positional else f"--{dashed(name)}"
        several = ", several" * kind.many + " between commas" * own.commas
        row = (f"`{flag}`", shown + several, default, own.help)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |")
    return "\n".join(lines)
