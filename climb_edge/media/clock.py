"""When each frame of a file is: its own time stamp wherever that can be, and what was done where it
cannot.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

AHEAD = 6  # frames that are looked ahead: stamps in the wrong order lie within so many
PAUSE = 10.0  # seconds without a frame that are a pause and no jump of the clock
# seconds between recordings that are joined: over the gap after which a stream's windows begin anew
JOIN = 1.0
LEAST = 1e-5  # seconds from frame to frame: finer than any container's clock
SINGLY = 3  # jumps that are told one by one


def rate_of(times: Iterable[float]) -> float | None:
    """Frames a second of frames at these seconds, in any order; pauses and jumps do not count. None
    of fewer than two frames.
    """
    intervals = np.diff(np.sort(np.fromiter(times, float)))
    intervals = intervals[intervals >= LEAST]
    if not len(intervals):
        return None
    usual = np.percentile(intervals, 75, method="lower")
    return float(1 / intervals[intervals <= 4 * usual].mean())


@dataclass(eq=False)
class _Waiting:
    own: float | None  # seconds: its stamp as it was read
    stamp: float | None  # the one that it gets of those that wait
    frame: Any


class Clock:
    """Times for the frames of one file, strictly increasing. `step` is how many seconds apart the
    file's header says that they are.

    A stamp that is missing, repeated, out of order or alone in another hour is no time: its frame
    gets one between its neighbours'. Where the clock jumps ahead for good, frames keep their own
    times. Where it goes back for good, as where two recordings are joined, time goes on JOIN
    seconds later.
    """

    def __init__(self, step: float):
        self._header, self._shift = step, 0.0
        self._last: float | None = None
        self._ahead: deque[_Waiting] = deque()
        self._steps: deque[float] = deque(maxlen=AHEAD)
        self._count = self._stamped = self._moved = 0
        self._jumps: list[str] = []

    def over(self, stamped: Iterable[tuple[float | None, Any]]) -> Iterator[tuple[float, Any]]:
        """(time, frame) for every (stamp or None, frame), in the same order; both in seconds."""
        for stamp, frame in stamped:
            if stamp is not None and math.isfinite(stamp):
                self._stamped += 1
                own = stamp + self._shift
                self._ahead.append(_Waiting(own, own, frame))
            else:
                self._ahead.append(_Waiting(None, None, frame))
            if len(self._ahead) > AHEAD:
                yield self._next()
        while self._ahead:
            yield self._next()

    def repairs(self) -> list[str]:
        """What was wrong with the time stamps so far and what became of it, a sentence each."""
        if not self._stamped:
            return [f"it has no time stamps; {1 / self._header:g} frames a second are assumed"]
        told = self._jumps[:SINGLY]
        if len(self._jumps) > SINGLY:
            told.append(f"its clock jumps {len(self._jumps) - SINGLY} times more")
        if self._moved:
            told.append(
                f"{self._moved} of {self._count} frames have a time stamp that is missing, repeated"
                " or out of order; they get times between those of their neighbours"
            )
        return told

    def _next(self) -> tuple[float, Any]:
        """The frame that has waited longest, and its time."""
        head, step = self._ahead[0], self._usual()
        near = self._near(step)
        if head.stamp is not None and head not in near:
            if near:
                head.stamp = None  # alone in another hour
            else:
                start = self._jump(head.stamp)
                near = self._within(start - AHEAD * step, start + max(PAUSE, 10 * step))
        stamps = sorted(w.stamp for w in near if w.stamp is not None)
        for waiting, stamp in zip(near, stamps, strict=True):
            waiting.stamp = stamp
        time = head.stamp
        if time is None or (self._last is not None and time < self._last + LEAST):
            time = self._between(near, step)
        self._moved += time != head.own
        if self._last is not None:
            self._steps.append(time - self._last)
        self._last, self._count = time, self._count + 1
        return time, self._ahead.popleft().frame

    def _usual(self) -> float:
        """Seconds from frame to frame: of the last ones, else of those ahead, else the header's."""
        steps: list[float] = list(self._steps)
        if len(steps) < 3:
            known = sorted(w.stamp for w in self._ahead if w.stamp is not None)
            steps = [b - a for a, b in pairwise(known) if b - a >= LEAST]
        return sorted(steps)[len(steps) // 2] if steps else self._header

    def _near(self, step: float) -> list[_Waiting]:
        """Those that wait with a stamp that can follow the last frame's time."""
        if self._last is not None:
            return self._within(self._last - AHEAD * step, self._last + max(PAUSE, 10 * step))
        known = sorted(w.stamp for w in self._ahead if w.stamp is not None)
        middle, far = known[len(known) // 2] if known else 0.0, max(PAUSE, 10 * step)
        return self._within(middle - far, middle + far)

    def _within(self, low: float, high: float) -> list[_Waiting]:
        return [w for w in self._ahead if w.stamp is not None and low < w.stamp <= high]

    def _between(self, near: list[_Waiting], step: float) -> float:
        """A time for the first that waits, evenly between the last frame and the next that has
        one.
        """
        last = -math.inf if self._last is None else self._last
        later = ((n, w.stamp) for n, w in enumerate(self._ahead) if w in near and n)
        n, stamp = next(((n, s) for n, s in later if s is not None and s > last), (0, 0.0))
        if self._last is None:
            return stamp - n * step
        return last + (min((stamp - last) / (n + 1), step) if n else step)

    def _jump(self, stamp: float) -> float:
        """The clock jumps to `stamp` for good; the time that this is."""
        last = self._last or 0.0
        told = (
            f"its clock jumps from {last - self._shift:.3f} s to {stamp - self._shift:.3f} s at"
            f" frame {self._count}"
        )
        if stamp < last:
            told += f", as where recordings are joined; time goes on at {last + JOIN:.3f} s"
            moved = last + JOIN - stamp
            self._shift += moved
            for waiting in self._ahead:
                if waiting.own is not None and waiting.stamp is not None:
                    waiting.own, waiting.stamp = waiting.own + moved, waiting.stamp + moved
            stamp = last + JOIN
        self._jumps.append(f"{told}; the windows begin anew there")
        return stamp
