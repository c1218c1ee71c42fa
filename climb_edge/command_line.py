"""From configs to a command line: one grammar for the three programs."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass
from typing import Any, NoReturn

from climb_edge import __version__
from climb_edge.errors import ClimbEdgeError, run_command
from climb_edge.options import (
    Config,
    dashed,
    kinds_of,
    note_renamed,
    options_of,
    required,
    shown_default,
)


class _Parser(argparse.ArgumentParser):
    """One that raises ClimbEdgeError: a wrong option is one sentence, as every other error."""

    def error(self, message: str) -> NoReturn:
        raise ClimbEdgeError(f"{self.prog}: {message}; `{self.prog} --help` shows what there is")


@dataclass(frozen=True)
class Program:
    """A program of several commands, each with a config."""

    name: str
    description: str
    examples: str  # one a line, indented by two; then exit codes and the like
    commands: tuple[type[Config], ...]
    default: str = ""  # the command where none is named

    def parser(self) -> argparse.ArgumentParser:
        """The command line's grammar."""
        top = _Parser(
            self.name,
            description=self.description,
            epilog=self.examples,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        top.add_argument("--version", action="version", version=f"climb-edge {__version__}")
        commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
        for config in self.commands:
            text = " ".join((config.__doc__ or "").split("\n\n")[0].split())
            sub = commands.add_parser(
                config.command,
                help=text,
                description=text,
                epilog=self._examples_of(config.command),
                formatter_class=argparse.RawDescriptionHelpFormatter,
            )
            sub.add_argument("--debug", action="store_true", help="show the traceback of an error")
            _add_options(sub, config)
        return top

    def parse(self, arguments: Sequence[str]) -> Config:
        """The config of a command line. Raises ClimbEdgeError, with the nearest name, for an option
        that there is not.
        """
        words, names = list(arguments), {config.command: config for config in self.commands}
        if self.default and words and words[0] not in (*names, "-h", "--help", "--version"):
            words.insert(0, self.default)
        if words and words[0] in names:
            words = _modernised(words, names[words[0]])
        parsed, unknown = self.parser().parse_known_args(words)
        given = vars(parsed)
        config = names[given.pop("command")]
        given.pop("debug")
        if unknown:
            flags = [f"--{dashed(name)}" for name in kinds_of(config)]
            near = difflib.get_close_matches(unknown[0].partition("=")[0], flags, n=1, cutoff=0.0)
            raise ClimbEdgeError(
                f"{self.name} {config.command}: {unknown[0]}: no such option; did you mean"
                f" {near[0]}?"
            )
        return config.of(given)

    def _examples_of(self, command: str) -> str:
        """The lines of the examples that show `command`; those that name none are the default's."""
        own, names = ["examples:"], [config.command for config in self.commands]
        for line in self.examples.splitlines():
            if line.startswith("  "):
                words = line.split()
                word = words[3 if words[0] == "python" else 1]
                if (word if word in names else self.default) == command:
                    own.append(line)
        return "\n".join(own)


def run(
    program: Program,
    handlers: Mapping[str, Callable[[Any], int | None]],
    arguments: Sequence[str] | None = None,
) -> int:
    """Run the command that `arguments` (else this process's) name; returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)

    def command() -> int | None:
        config = program.parse(words)
        return handlers[config.command](config)

    return run_command(command, "--debug" in words)


def _add_options(parser: argparse.ArgumentParser, cls: type[Config]) -> None:
    """An argument for every option; what is not given is not in the namespace."""
    for name, kind in kinds_of(cls).items():
        own, told = kind.option, options_of(cls)[name]
        arguments: dict[str, Any] = {"default": argparse.SUPPRESS, "help": own.help + _shown(told)}
        if kind.item is bool:
            arguments["action"] = argparse.BooleanOptionalAction
        else:
            arguments |= {"type": kind.item, "metavar": own.metavar or "|".join(own.choices)}
        if own.commas:
            arguments["type"] = _between_commas
        elif kind.many and not own.positional:
            arguments["action"] = "append"
        if own.bare is not None:
            arguments |= {"nargs": "?", "const": own.bare}
        if own.positional:
            arguments["nargs"] = "+" if kind.many else None if required(told) else "?"
            parser.add_argument(name, **arguments)
        else:
            parser.add_argument(f"--{dashed(name)}", required=required(told), **arguments)


def _shown(own: Field) -> str:
    """The default as help shows it."""
    if own.default is MISSING or own.default in (None, (), False):
        return ""
    return f" (default: {shown_default(own)})"


def _modernised(words: list[str], cls: type[Config]) -> list[str]:
    """A command line with options of before under their names of now, each with a note."""
    renamed = {
        f"--{dashed(old)}": f"--{dashed(name)}"
        for name, kind in kinds_of(cls).items()
        for old in kind.option.old
    }
    found = []
    for word in words:
        flag, equals, value = word.partition("=")
        if flag in renamed:
            note_renamed(flag, renamed[flag])
        found.append(renamed.get(flag, flag) + equals + value)
    return found


def _between_commas(text: str) -> tuple[str, ...]:
    """Names of refiners between commas; a filter's parameters belong to its name."""
    names: list[str] = []
    for part in text.split(","):
        if names and "=" in part and ":" not in part:
            names[-1] += f",{part}"
        else:
            names.append(part)
    if not all(names):
        raise argparse.ArgumentTypeError(
            f"expected names of refiners between commas, found {text!r}"
        )
    return tuple(names)


def as_arguments(values: Mapping[str, Any]) -> list[str]:
    """Options by name as a command line: several values repeat the flag, true and false become
    --name and --no-name.
    """
    words = []
    for name, value in values.items():
        if isinstance(value, bool):
            words.append(f"--{dashed(name)}" if value else f"--no-{dashed(name)}")
            continue
        several = isinstance(value, Sequence) and not isinstance(value, str)
        # One word each: a value may begin with a dash.
        words += [f"--{dashed(name)}={item}" for item in (value if several else [value])]
    return words
