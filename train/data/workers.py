"""Work on many videos in processes of their own: one that dies costs its video alone."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any

from tqdm import tqdm

from climb_edge.errors import ClimbEdgeError, OutputError
from climb_edge.stopping import Stopped, follow, heeded

TRIES = 2
_PATIENCE = 10  # seconds that a worker which was told to end may take to put its work away
_SPAWN = multiprocessing.get_context("spawn")


class _Worker:
    """A process that does one task after the other."""

    def __init__(self, do: Callable[[Any], Any]):
        self.connection, theirs = _SPAWN.Pipe()
        self.process = _SPAWN.Process(target=_serve, args=(theirs, do), daemon=True)
        self.process.start()
        theirs.close()  # so that its end is the end of the connection

    def begin(self, task: Any) -> None:
        with contextlib.suppress(ConnectionError):  # it died; the answer that is awaited shows it
            self.connection.send(task)

    def end(self) -> str:
        """End the process if it has not ended; returns how it did."""
        self.process.terminate()
        self.process.join(_PATIENCE)
        self.process.kill()
        self.process.join()
        self.connection.close()
        code = self.process.exitcode or 0
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def usable(
    videos: Iterable,
    use: Callable[[Any], Any],
    strict: bool,
    jobs: int = 1,
    step: Callable[[Any, Any], Any] = lambda video, result: None,
) -> tuple[dict, list[str]]:
    """What `use` makes of each video, and a line for each that it refuses, as they come, `jobs` at
    a time; `step(video, result or error)` is called after each. With `strict` the first refused is
    an error.

    Raises ClimbEdgeError where none is left, and OutputError where what is made cannot be written.
    """
    made, skipped = {}, []
    for video, result in each(use, videos, jobs):
        if not isinstance(result, ClimbEdgeError):
            made[video] = result
        elif strict or isinstance(result, OutputError):
            raise result
        else:
            skipped.append(str(result))
        step(video, result)
    if not made:
        every = (
            f"none of {len(skipped)} videos could be used; the first: " if len(skipped) > 1 else ""
        )
        raise ClimbEdgeError(every + skipped[0])
    return made, skipped


def each(do: Callable[[Any], Any], tasks: Iterable, jobs: int) -> Iterator[tuple[Any, Any]]:
    """Yield (task, what `do` made of it) as they come, `jobs` at a time in processes of their own;
    in this process where `jobs` is 1.

    `do` and `tasks` are pickled; a ClimbEdgeError that `do` raises is yielded in place of a result.
    So is one for a task whose worker died, twice: killed, out of memory, or brought down by what it
    read. The others are done. Whoever stops iterating ends the workers.
    """
    if jobs == 1:
        yield from ((task, _result(do, task)) for task in tasks)
        return
    waiting = deque((task, TRIES) for task in tasks)
    busy: dict[Connection, tuple[_Worker, Any, int]] = {}
    free: list[_Worker] = []
    try:
        while waiting or busy:
            while waiting and len(busy) < jobs:
                worker = free.pop() if free else _Worker(do)
                task, tries = waiting.popleft()
                busy[worker.connection] = worker, task, tries - 1
                worker.begin(task)
            for connection in wait(list(busy)):
                worker, task, tries = busy.pop(connection)
                try:
                    result = connection.recv()
                except (EOFError, ConnectionError):
                    died = f"{task}: the process that worked on it ended by {worker.end()}"
                    if tries:
                        tqdm.write(f"note: {died}; it is tried once more", file=sys.stderr)
                        waiting.append((task, tries))
                        continue
                    result = ClimbEdgeError(
                        f"{died}, {TRIES} times; is there memory for so many --jobs? Give the"
                        " command again, or leave this one out"
                    )
                else:
                    free.append(worker)
                yield task, result
    finally:
        workers = [*free, *(worker for worker, _, _ in busy.values())]
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            worker.end()


def _serve(connection: Connection, do: Callable[[Any], Any]) -> None:
    """Answer tasks until the other side is gone, or this process is told to end."""
    try:
        with heeded():
            follow(os.getppid())
            while True:
                connection.send(_result(do, connection.recv()))
    except Stopped as stop:
        sys.exit(128 + stop.number)
    except (KeyboardInterrupt, EOFError, ConnectionError):
        pass  # Ctrl-C, which the other side hears too; it is gone


def _result(do: Callable[[Any], Any], task: Any) -> Any:
    try:
        return do(task)
    except ClimbEdgeError as error:
        return error
