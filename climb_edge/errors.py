"""One error type, the exit codes, and the shell that every command runs in."""

from __future__ import annotations

import os
import struct
import sys
import tokenize
import traceback
import zipfile
import zlib
from collections.abc import Callable

DONE, GATE_FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130

# What the ZIP, JSON and NumPy readers of Python raise on damaged or hostile bytes.
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    tokenize.TokenError,
    SyntaxError,
    EOFError,
    LookupError,
    AttributeError,
    TypeError,
    ValueError,
    ArithmeticError,
    AssertionError,
    OSError,
    NotImplementedError,
    RuntimeError,
    MemoryError,
)


class ClimbEdgeError(Exception):
    """Something the user can act on: the message names the file, what was expected, what was found,
    what to do.
    """


class GateFailed(Exception):
    """A check that decides a verdict did not pass; the outputs are written, the exit code is 1."""


def printable(text: str) -> str:
    """Text from elsewhere as a terminal may show it: what commands a terminal, or is no letter of
    any encoding, is written out.
    """
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text
    )


def run_command(command: Callable[[], int | None], debug: bool = False) -> int:
    """Run a command line's body and turn its errors into one line on standard error and an exit
    code.
    """
    try:
        return command() or DONE
    except GateFailed as failure:
        print(f"gate failed: {printable(str(failure))}", file=sys.stderr)
        return GATE_FAILED
    except ClimbEdgeError as error:
        if debug:
            traceback.print_exc()
        print(f"error: {printable(str(error))}", file=sys.stderr)
        return BAD_INPUT
    except ModuleNotFoundError as error:
        if debug:
            traceback.print_exc()
        print(
            f"error: {error.name} is not installed; training and conversion need: pip install"
            " climb-edge[train]",
            file=sys.stderr,
        )
        return BAD_INPUT
    except KeyboardInterrupt:
        print("interrupted: what was finished is kept", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # `... | head` closed our output: nothing is wrong
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
