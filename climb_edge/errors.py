"""One error type, the exit codes, and the shell that every command runs in."""

from __future__ import annotations

import contextlib
import difflib
import errno
import os
import signal
import struct
import sys
import tokenize
import traceback
import zipfile
import zlib
from collections.abc import Callable, Iterable

from climb_edge.stopping import PARENT, Stopped, follow, heeded

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

NOT_WRITTEN = "could not be written"  # stands in every OutputError
# What the system says where no more can be written: disk, quota, size of a file.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class ClimbEdgeError(Exception):
    """Something the user can act on: the message names the file, what was expected, what was found,
    what to do.
    """


class OutputError(ClimbEdgeError):
    """A file could not be written. Nothing is wrong with what was read, and the next file would
    fail as well: a command that leaves out what it cannot use ends on this.
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


def disk_is_full(error: Exception) -> bool:
    """Whether it says that no more can be written, by its number or, as other people's code does,
    in words.
    """
    number, words = getattr(error, "errno", None), str(error)
    return number in FULL or any(os.strerror(full) in words for full in FULL)


def printable(text: str) -> str:
    """Text from elsewhere as a terminal may show it: what commands a terminal, or is no letter of
    any encoding, is written out.
    """
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text
    )


def _tell(line: str) -> None:
    """A last line on standard error, where that can be written: the terminal may be gone, or the
    disk that it goes to full. The exit code says it too.
    """
    with contextlib.suppress(OSError):
        print(printable(line), file=sys.stderr)


def _close_output() -> None:
    """Where standard output takes nothing any more, what is in its buffer must not fail at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run_command(command: Callable[[], int | None], debug: bool = False) -> int:
    """Run a command line's body and turn its errors into one line on standard error and an exit
    code.
    """
    try:
        with heeded():
            if parent := os.environ.pop(PARENT, None):
                follow(int(parent))
            code = command() or DONE
            sys.stdout.flush()  # a full disk shows here, not after the exit code
            return code
    except GateFailed as failure:
        _tell(f"gate failed: {failure}")
        return GATE_FAILED
    except ClimbEdgeError as error:
        if debug:
            traceback.print_exc()
        _tell(f"error: {error}")
        return BAD_INPUT
    except ModuleNotFoundError as error:
        if debug:
            traceback.print_exc()
        _tell(f"error: {_not_installed(error)}")
        return BAD_INPUT
    except Stopped as stop:
        _tell(f"stopped by {signal.Signals(stop.number).name}: what was finished is kept")
        return 128 + stop.number
    except KeyboardInterrupt:
        _tell("interrupted: what was finished is kept")
        return INTERRUPTED
    except BrokenPipeError:  # `... | head` closed our output: nothing is wrong
        _close_output()
        return DONE
    except Exception as error:  # of a file that is no result: temporary, standard output, a log
        if not disk_is_full(error):
            raise
        if debug:
            traceback.print_exc()
        words = " ".join(str(error).split())
        _tell(f"error: a file {NOT_WRITTEN}: {words}; free some space")
        _close_output()
        return BAD_INPUT


def _not_installed(error: ModuleNotFoundError) -> str:
    from climb_edge.installation import install_line  # late: only here is it needed

    package = str(error.name).split(".")[0]
    if package in EDGE:
        return f"{package} is not installed; climb_edge needs it: {install_line()}"
    return f"{package} is not installed; training and conversion need it: {install_line('train')}"
