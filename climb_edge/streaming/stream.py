"""Streaming: frames in, one result per frame and person out, each with its own time and delay.

The rules. Time stamps increase strictly. A gap or a lost person resets. The box is sticky; when it
moves, the last frames' native maps are warped into the new one, so that a window always has a
single frame of reference. A window spans the time that the refiner was trained on: a source n times
as fast is taken apart into n phases, every n-th frame each, that are refined apart; when n changes,
the windows begin anew. A slower source is taken as it comes, up to the gap.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.estimators.base import Estimator, Observation
from climb_edge.media.frame import Frame, check_picture
from climb_edge.pose.boxes import STICKY, BoxRule, box_affine, compose, invert
from climb_edge.refiners.base import Refiner
from climb_edge.streaming.phase import Phase, in_cells, in_pixels, window_of
from climb_edge.streaming.result import Result, warming_up

GAP = 0.25  # seconds without a frame after which the past no longer counts
RATE = 30.0  # frames a second, where a refiner does not say at which rate it was trained
# between the last frames; their median is the source's pace, whatever a camera drops or stutters
INTERVALS = 9
# how far the pace, in frames of the refiner's rate, may be from the number of phases before that
# changes
STRAY = 0.6
MOST_PHASES = 8  # a source of 240 frames a second


@dataclass
class _Person:
    box: np.ndarray | None = None
    phases: dict[int, Phase] = field(default_factory=dict)


class Stream:
    """`push` frames in order, `flush` at the end; both return the results that have become
    final.
    """

    def __init__(
        self, estimator: Estimator, refiner: Refiner, rule: BoxRule = STICKY, gap: float = GAP
    ):
        self.estimator, self.refiner, self.rule, self.gap = estimator, refiner, rule, gap
        self.rate = refiner.rate or RATE
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next frame is of another source."""
        self.estimator.reset()
        self.phases, self._turn = 1, 0
        self._people: dict[int, _Person] = {}
        self._last, self._index = -np.inf, -1
        self._shape: tuple[int, ...] | None = None
        self._intervals: deque[float] = deque(maxlen=INTERVALS)

    @property
    def settled(self) -> int:
        """Number of the newest frame up to which all results have been given; -1 before the
        first.
        """
        phases = [phase for person in self._people.values() for phase in person.phases.values()]
        return (
            min([r.frame for phase in phases for r in phase.waiting], default=self._index + 1) - 1
        )

    def over(self, frames: Iterable[Frame]) -> Iterator[Result]:
        """The results of all frames of a source, as they become final."""
        for frame in frames:
            yield from self.push(frame)
        yield from self.flush()

    def push(self, frame: Frame) -> list[Result]:
        """Results that this frame makes final, at most one per frame and person.

        Raises ClimbEdgeError on a clock that stands or on what is no picture (see check_picture). A
        refused frame leaves no trace: the stream goes on with the next good one. Where estimator or
        refiner raise, the windows begin anew.
        """
        check_picture(frame)
        if not self._last < frame.time < np.inf:
            raise ClimbEdgeError(
                f"frame {frame.index}: time {frame.time:.6f} s does not follow {self._last:.6f} s;"
                " time stamps must increase, reset() before another source"
            )
        results = []
        # a camera turned, or another one: no box or map of before fits
        if frame.image.shape != self._shape:
            results, self._shape = self.flush(), frame.image.shape
        results += self._pace(frame.time - self._last)
        self._last, self._index, self._turn = frame.time, frame.index, self._turn + 1
        try:
            return results + self._see(frame)
        except Exception:  # an estimator's or a refiner's
            self._people.clear()  # this frame is in half of the windows, and would shift the others
            raise

    def flush(self) -> list[Result]:
        """Give the results still waiting for later frames, and forget the windows."""
        results = [r for person in self._people.values() for r in self._end(person)]
        self._people.clear()
        return results

    def _see(self, frame: Frame) -> list[Result]:
        """What the estimator says of a frame, through the windows of everybody in it."""
        results, observations = [], {o.person: o for o in self.estimator(frame)}
        for person in [p for p in self._people if p not in observations]:
            results += self._end(self._people.pop(person))
        for person, observation in observations.items():
            results += self._advance(self._people.setdefault(person, _Person()), frame, observation)
        if observations:
            return results
        return [*results, Result(frame.index, frame.time, size=_size(frame))]

    def _pace(self, interval: float) -> list[Result]:
        """Decide from the time since the last frame whether its past still counts; what that makes
        final.

        The estimator goes on in any case: it finds its person again, or not, by itself.
        """
        if interval > self.gap:
            return self.flush()
        self._intervals.append(interval)
        pace = 1 / (self.rate * float(np.median(self._intervals)))
        phases = (
            min(max(round(pace), 1), MOST_PHASES)
            if abs(pace - self.phases) > STRAY
            else self.phases
        )
        if phases == self.phases:
            return []
        self.phases = phases
        return self.flush()

    def _advance(self, person: _Person, frame: Frame, observation: Observation) -> list[Result]:
        box, held = self.rule.update(person.box, observation.keypoints[:, :2]), person.box
        state = "re-anchored" if held is not None and not np.array_equal(box, held) else "tracking"
        person.box = box
        phase = person.phases.setdefault(self._turn % self.phases, Phase())
        refined = self._refine(phase, observation, box)
        raw, delay = observation.keypoints, self.refiner.delay * self.phases
        about = (frame.index, frame.time, observation.person, state, delay, box)
        phase.waiting.append(Result(*about, raw, raw, _size(frame)))
        if refined is not None:
            phase.ahead = in_pixels(refined, box)
            return [replace(phase.waiting.popleft(), refined=phase.ahead[0])]
        if len(phase.waiting) > self.refiner.delay:
            return [warming_up(phase.waiting.popleft())]
        return []

    def _refine(self, phase: Phase, observation: Observation, box: np.ndarray) -> np.ndarray | None:
        """What the refiner says with one frame more; every frame of the window again where
        the box has moved.
        """
        phase.seen.append(observation)
        fresh, state, held, phase.box = [observation], phase.state, phase.box, box
        follows = (
            state is not None
            and held is not None
            and (
                np.array_equal(box, held)
                or state.moved(compose(invert(box_affine(box)), box_affine(held)))
            )
        )
        if state is None or not follows:
            state, fresh = self.refiner.start(), list(phase.seen)
            phase.state = state
        for heatmaps, seen in zip(window_of(fresh, box), fresh, strict=True):
            refined = state.push(heatmaps, in_cells(seen.keypoints, box))
        return refined

    @staticmethod
    def _end(person: _Person) -> list[Result]:
        return sorted(
            (r for phase in person.phases.values() for r in phase.end()), key=lambda r: r.frame
        )


def _size(frame: Frame) -> tuple[int, int] | None:
    return (frame.image.shape[1], frame.image.shape[0]) if frame.image.size else None
