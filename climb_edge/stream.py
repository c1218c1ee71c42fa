"""Streaming: frames in, one result per frame and person out, each with its own time and delay.

The rules: time stamps increase strictly; a gap or a lost person resets; the box is sticky, and when it moves the last
frames' native maps are warped into the new one, so that a window always has a single frame of reference.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

import numpy as np

from climb_edge.boxes import STICKY, BoxRule, box_affine
from climb_edge.contract import WINDOW
from climb_edge.errors import ClimbEdgeError
from climb_edge.estimator import Estimator, Observation
from climb_edge.heatmaps import normalise, to_pixels, warp
from climb_edge.refiner import Refiner, Track
from climb_edge.video import Frame

GAP = 0.25  # seconds without a frame after which the past no longer counts


@dataclass(frozen=True)
class Result:
    """What is known of one person in one frame. `person` is None (and all else empty) where nobody was seen."""

    frame: int
    time: float  # seconds, the frame's own
    person: int | None = None
    state: str = "lost"  # warming up, tracking, re-anchored, lost
    delay: int = 0  # frames that had to pass before this result could be given
    bbox: np.ndarray | None = None  # (4,) the box of the window, image pixels
    raw: np.ndarray | None = None  # (25, 3) x, y in image pixels, peak height
    refined: np.ndarray | None = None  # (25, 3) x, y in image pixels, score; equal to raw while warming up


def window_of(observations: list[Observation], box: np.ndarray) -> np.ndarray:
    """The refiner's input (5, 56, 56, 25): native maps of 5 observations warped into one box and normalised."""
    frame = box_affine(box)
    return normalise(np.stack([warp(o.native, o.affine, frame) for o in observations]))


@dataclass
class _Person:
    box: np.ndarray | None = None
    seen: deque[tuple[Frame, Observation]] = field(default_factory=lambda: deque(maxlen=WINDOW))
    track: Track | None = None  # what the refiner has seen, all of it in `box`
    waiting: deque[Result] = field(default_factory=deque)  # raw results that a delayed refiner has still to refine
    ahead: np.ndarray | None = None  # what the last window says of the frames still waiting, (T, 25, 3) pixels


class Stream:
    """`push` frames in order, `flush` at the end; both return the results that have become final."""

    def __init__(self, estimator: Estimator, refiner: Refiner, rule: BoxRule = STICKY, gap: float = GAP):
        self.estimator, self.refiner, self.rule, self.gap = estimator, refiner, rule, gap
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next frame is of another source."""
        self.estimator.reset()
        self._people: dict[int, _Person] = {}
        self._last = -np.inf

    def push(self, frame: Frame) -> list[Result]:
        """Results that this frame makes final, at most one per frame and person. Raises ClimbEdgeError on a clock that stands."""
        if not frame.time > self._last:
            raise ClimbEdgeError(
                f"frame {frame.index}: time {frame.time:.6f} s does not follow {self._last:.6f} s; time stamps must increase, reset() before another source"
            )
        results = []
        if frame.time - self._last > self.gap:
            results += self.flush()  # the estimator goes on: it finds its person again, or not, by itself
        self._last = frame.time
        observations = {o.person: o for o in self.estimator(frame)}
        for person in [p for p in self._people if p not in observations]:
            results += self._end(self._people.pop(person))
        for person, observation in observations.items():
            results += self._advance(self._people.setdefault(person, _Person()), frame, observation)
        if not observations:
            results.append(Result(frame.index, frame.time))
        return results

    def flush(self) -> list[Result]:
        """Give the results still waiting for later frames, and forget the windows."""
        results = [r for person in self._people.values() for r in self._end(person)]
        self._people.clear()
        return results

    def _advance(self, person: _Person, frame: Frame, observation: Observation) -> list[Result]:
        box = self.rule.update(person.box, observation.keypoints[:, :2])
        moved = person.box is None or not np.array_equal(box, person.box)
        state = "re-anchored" if moved and person.box is not None else "tracking"
        person.box = box
        person.seen.append((frame, observation))
        if moved:  # replay: every frame of the window in the new box
            person.track = self.refiner.start()
        for heatmaps in window_of([o for _, o in person.seen] if moved else [observation], box):
            refined = person.track.push(heatmaps)
        keypoints = observation.keypoints
        person.waiting.append(
            Result(
                frame.index,
                frame.time,
                observation.person,
                state,
                self.refiner.delay,
                box,
                keypoints,
                keypoints,
            )
        )
        if refined is not None:
            person.ahead = self._in_pixels(refined, box)
            return [replace(person.waiting.popleft(), refined=person.ahead[0])]
        if len(person.waiting) > self.refiner.delay:
            return [_warming_up(person.waiting.popleft())]
        return []

    def _end(self, person: _Person) -> list[Result]:
        """Results for the frames still waiting: from the last window where it tells of them, raw otherwise."""
        ahead = person.ahead[1:] if person.ahead is not None else []
        refined = [replace(r, refined=p) for r, p in zip(person.waiting, ahead, strict=False)]
        return refined + [_warming_up(r) for r in list(person.waiting)[len(refined) :]]

    @staticmethod
    def _in_pixels(keypoints: np.ndarray, box: np.ndarray) -> np.ndarray:
        return np.concatenate([to_pixels(keypoints[..., :2], box), keypoints[..., 2:]], axis=-1).astype(np.float32)


def _warming_up(result: Result) -> Result:
    return replace(result, state="warming up")
