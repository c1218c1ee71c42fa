"""What native libraries write to standard error: errors stay, notes on how they were set up go."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
from collections.abc import Iterator

NOTE = re.compile(rb"(INFO|WARNING|VERBOSE): |[IW]\d{4} \d\d:")  # TFLite's, and Abseil's
_ALONE = threading.Lock()  # standard error is the whole process's


@contextlib.contextmanager
def only_errors() -> Iterator[None]:
    """What is written to standard error inside comes out at the end, without lines of the levels
    INFO and WARNING; all of it where the block ends in an error.

    For a short call into a library that has no switch for it. Where the system has no file in
    memory, or the process no standard error, everything stays as it is.
    """
    with _ALONE, contextlib.ExitStack() as undone:
        try:
            kept = os.dup(2)
            undone.callback(os.close, kept)
            held = undone.enter_context(open(os.memfd_create("stderr"), "w+b"))
        except (OSError, AttributeError):
            yield
            return
        sys.stderr.flush()
        os.dup2(held.fileno(), 2)
        notes = re.compile(rb"$^")
        try:
            yield
            notes = NOTE
        finally:
            os.dup2(kept, 2)
            held.seek(0)
            for line in held:
                if not notes.match(line):
                    os.write(2, line)
