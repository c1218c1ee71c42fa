"""Live frames: whoever is slower than the camera gets its newest frame, never a growing queue."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from climb_edge.media.frame import Frame

# seconds that `close` waits for a read under way; a camera that hangs must not hang the program
PATIENCE = 5.0
LONGEST = 1800.0  # seconds of a file's pause that are waited for: a longer one is a clock's jump


class Newest:
    """The newest of `frames` at each `next`: a thread of its own reads them into a single place,
    where the next frame takes the place of one that nobody took in time.

    Frames keep their own index and time, so what was dropped shows as a gap in the indices;
    `dropped` counts it. With `paced` a frame is there only when its time has come, counted from the
    first one's: a file plays as a camera does.

    The thread starts with the first `next`. It alone touches `frames`: a generator that opens a
    camera opens and releases it there. What it raises is raised by `next`, after the last frame.
    Close it, or use it as a context manager: the thread ends and `frames` is closed, also in the
    middle of a pause.
    """

    def __init__(self, frames: Iterator[Frame], paced: bool = False):
        self.dropped = 0
        self._frames, self._paced = frames, paced
        self._newest: Frame | None = None
        self._error: Exception | None = None
        self._ended = False
        self._changed, self._stop = threading.Condition(), threading.Event()
        self._thread = threading.Thread(target=self._read, name="climb-edge-frames", daemon=True)

    def __iter__(self) -> Newest:
        return self

    def __next__(self) -> Frame:
        if not self._thread.ident and not self._stop.is_set():
            self._thread.start()
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self._ended)
            frame, self._newest = self._newest, None
            error, self._error = (self._error, None) if frame is None else (None, self._error)
        if frame is not None:
            return frame
        raise error or StopIteration

    def __enter__(self) -> Newest:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the thread and close `frames`; a frame not taken yet is gone, and `next` ends."""
        self._stop.set()
        if self._thread.ident:
            self._thread.join(PATIENCE)
        else:
            self._end()
        with self._changed:
            self._newest, self._error, self._ended = None, None, True

    def _read(self) -> None:
        begin = None
        try:
            for frame in self._frames:
                now = time.monotonic()
                early = 0.0 if begin is None else begin + frame.time - now
                if begin is None or early > LONGEST:
                    begin, early = now - frame.time, 0.0
                early = early if self._paced else 0.0
                if self._stop.wait(max(early, 0)):
                    break
                with self._changed:
                    self.dropped += self._newest is not None
                    self._newest = frame
                    self._changed.notify()
        except Exception as error:
            self._error = error
        finally:
            self._end()

    def _end(self) -> None:
        try:
            getattr(self._frames, "close", lambda: None)()  # a list has none
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify()
