"""One error type, the exit codes, and the shell that every command runs in."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import struct
import sys
import tokenize
import traceback
import zipfile
import zlib
from collections.abc import Callable

from climb_edge.stopping import PARENT, Stopped, follow, heeded

DONE, GATE_FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130

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


class GateFailed(Exception):
    """A check that decides a verdict did not pass; the outputs are written, the exit code is 1."""


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
        print(
            f"error: {error.name} is not installed; training and conversion need: pip install"
            " climb-edge[train]",
            file=sys.stderr,
        )
        return BAD_INPUT
    except Stopped as stop:
        with contextlib.suppress(OSError):  # of a terminal that is gone
            name = signal.Signals(stop.number).name
            print(f"stopped by {name}: what was finished is kept", file=sys.stderr)
        return 128 + stop.number
    except KeyboardInterrupt:
        print("interrupted: what was finished is kept", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # `... | head` closed our output: nothing is wrong
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:  # of a file that is no result: a temporary one, standard output
        if error.errno not in FULL:
            raise
        if debug:
            traceback.print_exc()
        place = error.filename or "a temporary file or standard output"
        print(f"error: {place}: {error.strerror}; free some space", file=sys.stderr)
        return BAD_INPUT
