"""Frames through estimator and refiners, to track files and an overlay video."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from climb_edge.estimators.base import Estimator, Shared
from climb_edge.files.atomic import whole_file
from climb_edge.media.clock import PAUSE
from climb_edge.media.frame import Frame
from climb_edge.media.picture import write_picture
from climb_edge.media.video import VideoWriter
from climb_edge.pose.layout import WINDOW
from climb_edge.refiners.base import Refiner
from climb_edge.streaming.result import Result
from climb_edge.streaming.stream import GAP, Stream
from climb_edge.tracking.overlay import Overlay, states
from climb_edge.tracking.track_file import header, write_lines


@dataclass(frozen=True)
class Tracked:
    """Where the results are and what they count; of several refiners those of the first."""

    overlay: Path
    tracks: list[Path]  # one per refiner
    frames: int
    dropped: int  # frames that the source numbered and nobody took: see live.Newest
    with_person: int
    results: list[Result]
    last: np.ndarray | None  # the last frame, RGB (H, W, 3); None without one
    refiners: tuple[Refiner, ...] = ()
    exports: tuple[Path, ...] = ()  # what was written for other tools
    notes: tuple[str, ...] = ()  # what the user must know of the source, a sentence each

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height of the last frame; None without one."""
        return None if self.last is None else (self.last.shape[1], self.last.shape[0])


@dataclass(frozen=True)
class Moment:
    """A frame when its overlay is finished, for who watches the stream."""

    picture: np.ndarray  # the overlay, RGB (h, w, 3); never changed afterwards
    frame: int
    time: float  # seconds, the frame's own
    state: str  # "PERSON: STATE" of everybody seen, or "lost"
    milliseconds: float  # that the newest frame took in estimator and refiner
    dropped: int  # frames so far


def track(
    frames: Iterable[Frame],
    estimator: Estimator,
    refiners: Sequence[Refiner],
    out: str | Path,
    source: str,
    fps: float = 30.0,
    step: Callable[[], object] = lambda: None,
    picture_at: float | None = None,
    watch: Callable[[Moment], object] = lambda moment: None,
    notes: Sequence[str] = (),
) -> Tracked:
    """Stream `frames` and write OUT/overlay.mp4 and OUT/track.jsonl; `step` is called after each
    frame.

    Of several refiners, all of which see what the estimator said once, the overlay has a panel
    each, and every one after the first a track-NAME.jsonl of its own. `frames` may leave out
    numbers, as live.Newest does. `watch` is called with every finished overlay, in order. With
    `picture_at` (seconds after the first frame) the overlay of the first frame from there on is
    also written, as OUT/overlay.jpg. The overlay begins at 0 and shows a frame for PAUSE seconds at
    most; the tracks keep the frames' own times. `notes` is what the source has said when its frames
    have ended. Each file is whole or absent, except that Ctrl-C ends the input early and keeps
    everything up to there.
    """
    out, interrupted = Path(out), None
    paths = _paths(out, refiners)
    with ExitStack() as opened:
        files = [opened.enter_context(whole_file(path)) for path in paths]
        video = opened.enter_context(VideoWriter(out / "overlay.mp4", fps))
        lanes = _Lanes(estimator, refiners, video, out / "overlay.jpg", picture_at, watch)
        try:
            for frame in frames:
                lanes.push(frame)
                step()
        except KeyboardInterrupt as stop:
            interrupted = stop
        lanes.flush()
        done = lanes.tracked(out / "overlay.mp4", paths)
        done = replace(done, notes=(*notes, *_unrefined(source, done.results)))
        for file, refiner, results in zip(files, refiners, lanes.results, strict=True):
            first = header(refiner, estimator.name, source, done.size, done.dropped, done.notes)
            write_lines(file, first, results)
    if interrupted:
        raise interrupted
    return done


class _Lanes:
    """The same frames through several refiners. A frame waits here until all of them have given
    their results for it; then it is drawn.
    """

    def __init__(
        self,
        estimator: Estimator,
        refiners: Sequence[Refiner],
        video: VideoWriter,
        picture: Path,
        picture_at: float | None,
        watch: Callable[[Moment], object],
    ):
        shared = Shared(estimator)
        self.refiners, self.streams = refiners, [Stream(shared, r) for r in refiners]
        self.results: list[list[Result]] = [[] for _ in refiners]
        self._waiting: dict[int, tuple[Frame, list[list[Result]]]] = {}
        self._overlay, self._video = Overlay(*(r.name for r in refiners)), video
        self._picture, self._picture_at, self._watch = picture, picture_at, watch
        self._count, self._dropped, self._seconds = 0, 0, 0.0
        self._last: np.ndarray | None = None
        self._times: tuple[float, float, float] | None = None  # first, last, shown so far

    def push(self, frame: Frame) -> None:
        """The next frame."""
        self._waiting[frame.index] = (frame, [[] for _ in self.streams])
        begin = time.perf_counter()
        found = [stream.push(frame) for stream in self.streams]
        self._seconds = time.perf_counter() - begin
        self._count, self._last = self._count + 1, frame.image
        self._dropped = frame.index + 1 - self._count
        self._settle(found)

    def flush(self) -> None:
        """No frame comes any more."""
        self._settle([stream.flush() for stream in self.streams])

    def tracked(self, overlay: Path, paths: list[Path]) -> Tracked:
        """What came of it."""
        first = self.results[0]
        seen = len({r.frame for r in first if r.person is not None})
        counts = (self._count, self._dropped, seen)
        return Tracked(overlay, paths, *counts, first, self._last, tuple(self.refiners))

    def _settle(self, found: list[list[Result]]) -> None:
        """Draw the frames that these results, a list per refiner, complete."""
        for lane, results in enumerate(found):
            self.results[lane].extend(results)
            for result in results:
                self._waiting[result.frame][1][lane].append(result)
        settled = min(stream.settled for stream in self.streams)
        for index in [i for i in self._waiting if i <= settled]:
            frame, own = self._waiting.pop(index)
            if all(own):  # else Ctrl-C came in the middle of it
                self._draw(frame, own)

    def _draw(self, frame: Frame, own: list[list[Result]]) -> None:
        drawn = self._overlay.draw(frame.image, *own)
        first, last, shown = self._times or (frame.time, frame.time, 0.0)
        shown += min(frame.time - last, PAUSE)
        self._times = (first, frame.time, shown)
        self._video.write(drawn, shown)
        milliseconds, state = 1000 * self._seconds, states(own[0])
        self._watch(Moment(drawn, frame.index, frame.time, state, milliseconds, self._dropped))
        if self._picture_at is not None and frame.time - first >= self._picture_at:
            write_picture(self._picture, drawn)
            self._picture_at = None


def _unrefined(source: str, results: Sequence[Result]) -> list[str]:
    """A sentence where frames come too slowly for any to be refined."""
    seen = [r for r in results if r.person is not None]
    times = sorted({r.time for r in seen})
    if len(times) <= WINDOW or any(r.state != "warming up" for r in seen):
        return []
    apart = float(np.median(np.diff(times)))
    if apart <= GAP:
        return []
    return [
        f"{source}: frames come {apart:.2f} s apart, and over {GAP} s the past no longer counts: no"
        f" keypoint is refined, all are the estimator's own; record {1 / GAP:g} frames a second or"
        " more"
    ]


def _paths(out: Path, refiners: Sequence[Refiner]) -> list[Path]:
    """track.jsonl for the first refiner, track-NAME.jsonl for the others; a number where two would
    share a name.
    """
    others = (re.sub(r"[^\w.]+", "-", r.name).removesuffix(".tflite") for r in refiners[1:])
    names = ["track", *(f"track-{name}" for name in others)]
    return [
        out / f"{name}{f'-{i}' if name in names[:i] else ''}.jsonl" for i, name in enumerate(names)
    ]
