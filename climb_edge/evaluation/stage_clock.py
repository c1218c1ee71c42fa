"""A stage clock: how long each part of a running chain takes, frame by frame.

The parts know nothing of it: a clock wraps functions where they are looked up, only while it
watches. What nobody times costs nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps

# where a function is looked up (a class or a module), its name there, its stage
Seam = tuple[object, str, str]


class Clock:
    """Milliseconds per stage. A stage that runs inside another is taken out of it: stages add up to
    what passed.

    Belongs to one thread.
    """

    def __init__(self):
        self._spent: dict[str, float] = {}
        self._running: list[str] = []
        self._since = 0.0

    def clocked(self, stage: str, function: Callable) -> Callable:
        """`function`, its time counted for `stage`."""

        @wraps(function)
        def run(*args, **kwargs):
            self._pass()
            self._running.append(stage)
            try:
                return function(*args, **kwargs)
            finally:
                self._pass()
                self._running.pop()

        return run

    @contextmanager
    def watch(self, seams: Iterable[Seam]) -> Iterator[Clock]:
        """Clock the functions at `seams` until the block ends, however it ends."""
        with ExitStack() as put_back:
            for owner, name, stage in seams:
                function = getattr(owner, name)
                if name in vars(owner):
                    put_back.callback(setattr, owner, name, vars(owner)[name])
                else:  # inherited
                    put_back.callback(delattr, owner, name)
                setattr(owner, name, self.clocked(stage, function))
            yield self

    def lap(self) -> dict[str, float]:
        """Milliseconds of the stages that ran since the last lap."""
        spent, self._spent = self._spent, {}
        return {stage: 1e3 * seconds for stage, seconds in spent.items()}

    def _pass(self) -> None:
        """Count the time since the last change for the innermost stage that runs."""
        now = time.perf_counter()
        if self._running:
            stage = self._running[-1]
            self._spent[stage] = self._spent.get(stage, 0.0) + now - self._since
        self._since = now
