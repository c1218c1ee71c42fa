"""From configs to a command line: one grammar for the three programs."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass
from typing import Any, NoReturn

from climb_edge import __version__
from climb_edge.errors import ClimbEdgeError, did_you_mean, run_command
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
    others: tuple[tuple[str, str], ...] = ()  # programs under this one's name: word, what it does

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
        for word, text in self.others:
            commands.add_parser(word, help=text)
        return top

    def parse(self, arguments: Sequence[str]) -> Config:
        """The config of a command line. Raises ClimbEdgeError, with the nearest name, for a command
        or an option that there is not.
        """
        names = {config.command: config for config in self.commands}
        words = self._with_command(list(arguments), names)
        if words and words[0] in names:
            words = _modernised(words, names[words[0]])
            self._check_flags(words[1:], names[words[0]])
        parsed, left = self.parser().parse_known_args(words)
        given = vars(parsed)
        config = names[given.pop("command")]
        given.pop("debug")
        if left:
            raise ClimbEdgeError(
                f"{self.name} {config.command}: {left[0]}: expected an option, found a word too"
                f" many; `{self.name} {config.command} --help` shows what there is"
            )
        return config.of(given)

    def _with_command(self, words: list[str], names: Mapping[str, type[Config]]) -> list[str]:
        """The words with a command in front: the default one, where none is named."""
        if not words or words[0] in (*names, "-h", "--help", "--version"):
            return words
        word, known = words[0], (*names, *(name for name, _ in self.others))
        own = kinds_of(names[self.default]).values() if self.default else ()
        takes_words = any(kind.option.positional for kind in own)
        is_path = os.sep in word or os.path.exists(word)
        near = did_you_mean(word, known)
        if not word.startswith("-") and not (takes_words and (is_path or not near)):
            raise ClimbEdgeError(
                f"{self.name} {word}: expected a command, one of {', '.join(known)}{near}"
            )
        return [self.default, *words] if self.default else words

    def _check_flags(self, words: Sequence[str], config: type[Config]) -> None:
        """Raise ClimbEdgeError for a word that looks like an option and is none, before anything
        that is missing because of it.
        """
        flags = ["--help", "--debug"]
        for name, kind in kinds_of(config).items():
            if not kind.option.positional:
                flags += [f"--{dashed(name)}"] + [f"--no-{dashed(name)}"] * (kind.item is bool)
        positional = [n for n, kind in kinds_of(config).items() if kind.option.positional]
        for word in words:
            flag = word.partition("=")[0]
            if word == "--":
                return
            if flag[2:] in positional:
                raise ClimbEdgeError(
                    f"{self.name} {config.command}: {flag}: its value is given without {flag}"
                )
            if flag.startswith("--") and not any(known.startswith(flag) for known in flags):
                raise ClimbEdgeError(
                    f"{self.name} {config.command}: {flag}: no such"
                    f" option{did_you_mean(flag, flags)}; `{self.name} {config.command} --help`"
                    " shows what there is"
                )

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
        if kind.many and not own.positional:
            arguments["action"] = "append"
        if own.bare is not None:
            arguments |= {"nargs": "?", "const": own.bare}
        if own.positional:
            arguments["nargs"] = "+" if kind.many else None if required(told) else "?"
            parser.add_argument(name, **arguments)
        else:
            parser.add_argument(f"--{dashed(name)}", required=required(told), **arguments)


def _shown(own: Field) -> str:
    """How several values are given, and the default, as help shows them."""
    several = " (several: between commas)" if own.metadata["option"].commas else ""
    if own.default is MISSING or own.default in (None, (), False):
        return several
    return f"{several} (default: {shown_default(own)})"


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
