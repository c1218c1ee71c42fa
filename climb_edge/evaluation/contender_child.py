"""One chain in a process of its own, for `benchmark`: a line comes in, it runs a round of frames,
milliseconds go out.

Its frames are those of a `track`: decoded, streamed and drawn by the same code, under a stage
clock.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from climb_edge.errors import run_command
from climb_edge.estimators import detector, landmarks, region
from climb_edge.estimators.load import load_estimator
from climb_edge.evaluation.stage_clock import Clock, Seam
from climb_edge.media.frame import Frame
from climb_edge.media.video import read_video
from climb_edge.refiners import tflite
from climb_edge.refiners.load import load_refiner
from climb_edge.runtime.session import Session
from climb_edge.streaming import stream
from climb_edge.streaming.result import Result
from climb_edge.streaming.stream import Stream
from climb_edge.tracking.overlay import Overlay

# counted frames of a round; one more comes first: the chain before left the caches full of its own
# weights
ROUND = 10


class Chain:
    """A video's frames, over and over, through an estimator and, given a `refiner`, a stream."""

    def __init__(
        self,
        source: str,
        refiner: str | None = "default",
        estimator: str = "full",
        weights: str | None = None,
        threads: int | None = None,
        device: str = "cpu",
    ):
        """Paths and names as in `climb-edge track`. Raises ClimbEdgeError as their loaders do."""
        self._estimator = load_estimator(estimator, weights, threads=threads)
        self._stream: Stream | None = None
        self._overlay: Overlay | None = None
        self._clock = Clock()
        self.about = {
            "estimator": self._estimator.name,
            "runtime": Session.version(),
            "model": "none",
            "backend": "cpu",
        }
        if refiner is not None:
            loaded = load_refiner(refiner, threads, device)
            self._stream, self._overlay = Stream(self._estimator, loaded), Overlay(loaded.name)
            self.about |= {"model": loaded.name, "backend": loaded.backend}
        self._next = self._clock.clocked("capture", looped(partial(read_video, source)).__next__)

    def round(self) -> dict:
        """Milliseconds by stage: of the `first` frame, which searches for the person anew, and of
        the `frames` after it.

        `cpu_ms`: what a counted frame took of all cores together, estimator and stream alone.
        """
        # no decoder runs beside the chain
        captured = [(self._next(), self._clock.lap()) for _ in range(1 + ROUND)]
        laps, cpu = [], 0.0
        self._estimator.reset()
        with self._clock.watch(self.seams()):
            for number, (frame, lap) in enumerate(captured):
                cpu -= time.process_time() if number else 0
                results: list[Result] = []
                if self._stream:
                    results = self._stream.push(frame)
                else:
                    self._estimator(frame)
                cpu += time.process_time() if number else 0
                if self._overlay:
                    self._overlay.draw(frame.image, results)
                laps.append(lap | self._clock.lap())
        return {"first": laps[0], "frames": laps[1:], "cpu_ms": 1e3 * cpu / ROUND}

    def seams(self) -> list[Seam]:
        """Where the chain is clocked, and what each stage is called."""
        seams = [
            (type(self._estimator), "__call__", "observe"),
            (detector.Detector, "__call__", "detect"),
            (region.Region, "crop", "crop"),
            (landmarks.LandmarkModel, "__call__", "landmarks"),
        ]
        if self._stream:
            seams += [
                (Stream, "push", "stream"),
                (stream, "window_of", "warp"),
                (type(self._stream.refiner.start()), "push", "refine"),
                (tflite, "to_keypoints", "decode"),
                (Overlay, "draw", "draw"),
            ]
        return seams


def looped(frames: Callable[[], Iterable[Frame]]) -> Iterator[Frame]:
    """Frames over and over; the clock goes on, as if the camera had cut."""
    begin = 0.0
    while True:
        first, last = None, begin
        for frame in frames():
            first = frame.time if first is None else first
            last = begin + frame.time - first
            yield Frame(frame.index, last, frame.image)
        begin = last + 1 / 30


def memory(field: str) -> float:
    """ "VmHWM", the peak of this process's memory, or "VmRSS", what it holds now, in MiB; NaN where
    nothing tells.
    """
    try:
        return int(Path("/proc/self/status").read_text().split(f"{field}:")[1].split()[0]) / 1024
    except (OSError, IndexError):
        return float("nan")


def serve() -> None:
    """What `benchmark` starts: options as JSON in the first argument; the chain's `about`, then a
    round per line.
    """
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a runtime prints is no answer
    chain = Chain(**json.loads(sys.argv[1]))
    print(json.dumps(chain.about), file=answers)
    for _ in sys.stdin:
        print(json.dumps({**chain.round(), "memory_mb": memory("VmHWM")}), file=answers)


if __name__ == "__main__":
    sys.exit(run_command(serve))
