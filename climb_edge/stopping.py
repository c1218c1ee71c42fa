"""How a command is stopped from outside: SIGTERM and SIGHUP end it as Ctrl-C does."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

# SIGHUP: the terminal was closed, the connection was lost
SIGNALS = tuple(getattr(signal, n) for n in ("SIGTERM", "SIGHUP") if hasattr(signal, n))
PARENT = "CLIMB_EDGE_PARENT"  # the environment's word for the process that a command ends with
_ONE_STOP = 1.0  # seconds: `timeout` and terminals send a signal twice
_LOOK = 0.2  # seconds between two looks at the parent


class Stopped(KeyboardInterrupt):
    """A signal told the command to end; whoever finishes his work on Ctrl-C does so on this."""

    def __init__(self, number: int):
        super().__init__(number)
        self.number = number


@contextlib.contextmanager
def heeded() -> Iterator[None]:
    """SIGTERM and SIGHUP raise Stopped in the block, where they would have ended the process."""
    last = -_ONE_STOP

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal last
        repeated, last = time.monotonic() - last < _ONE_STOP, time.monotonic()
        if not repeated:
            raise Stopped(number)

    default = [number for number in SIGNALS if signal.getsignal(number) == signal.SIG_DFL]
    with handled(default, stop):
        yield


@contextlib.contextmanager
def handled(
    numbers: tuple[int, ...] | list[int], handler: Callable[[int, FrameType | None], None]
) -> Iterator[None]:
    """`handler` for these signals in the block; nothing changes outside of the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def follow(parent: int) -> None:
    """End as by SIGTERM when this process's parent, whose number that is, is gone: a command that
    was killed leaves none behind that writes on in its folders.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="parent").start()
