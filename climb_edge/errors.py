"""One error type, the exit codes, and the shell that every command runs in."""

from __future__ import annotations

import difflib
import os
import struct
import sys
import tokenize
import traceback
import zipfile
import zlib
from collections.abc import Callable, Iterable

DONE, GATE_FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130

EDGE = ("ai_edge_litert", "av", "cv2", "numpy", "tqdm")  # what climb_edge itself imports

# What the ZIP, JSON and NumPy readers of Python raise on damaged or hostile bytes.
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    tokenize.TokenError,
    SyntaxError,
    EOFError,
    KeyError,
    TypeError,
    ValueError,
    OSError,
    NotImplementedError,
    RuntimeError,
    MemoryError,
)


class ClimbEdgeError(Exception):
    """Something the user can act on: the message names the file, what was expected, what was found,
    what to do.
    """


def nearest(found: str, names: Iterable[str]) -> str | None:
    """The one of `names` that `found` may be a slip of; None where none is near."""
    by_letters = {name.casefold(): name for name in names}
    near = difflib.get_close_matches(found.casefold(), by_letters, n=1)
    return by_letters[near[0]] if near else None


def did_you_mean(found: str, names: Iterable[str]) -> str:
    """The end of a message, "; did you mean NAME?", or nothing where no name is near."""
    near = nearest(found, names)
    return f"; did you mean {near}?" if near else ""


class GateFailed(Exception):
    """A check that decides a verdict did not pass; the outputs are written, the exit code is 1."""


def run_command(command: Callable[[], int | None], debug: bool = False) -> int:
    """Run a command line's body and turn its errors into one line on standard error and an exit
    code.
    """
    try:
        return command() or DONE
    except GateFailed as failure:
        print(f"gate failed: {failure}", file=sys.stderr)
        return GATE_FAILED
    except ClimbEdgeError as error:
        if debug:
            traceback.print_exc()
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
    except ModuleNotFoundError as error:
        if debug:
            traceback.print_exc()
        print(f"error: {_not_installed(error)}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("interrupted: what was finished is kept", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # `... | head` closed our output: nothing is wrong
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE


def _not_installed(error: ModuleNotFoundError) -> str:
    from climb_edge.installation import install_line  # late: only here is it needed

    package = str(error.name).split(".")[0]
    if package in EDGE:
        return f"{package} is not installed; climb_edge needs it: {install_line()}"
    return f"{package} is not installed; training and conversion need it: {install_line('train')}"
