"""`track`: a video or camera through estimator and refiner, to a track and an overlay video."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from climb_edge.estimators.base import Estimator, Shared
from climb_edge.files.atomic import whole_file
from climb_edge.media.frame import Frame
from climb_edge.media.video import VideoWriter
from climb_edge.refiners.base import Refiner
from climb_edge.streaming.result import Result
from climb_edge.streaming.stream import Stream
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


@dataclass(frozen=True)
class Moment:
    """A frame when its overlay is finished, for who watches the stream."""

    picture: np.ndarray  # the overlay, RGB (h, w, 3); never changed afterwards
    frame: int
    time: float  # seconds, the frame's own
    state: str  # "PERSON: STATE" of everybody seen, or "lost"
    milliseconds: float  # that the newest frame took in estimator and refiner
    dropped: int  # frames so far


def jpeg(image: np.ndarray) -> bytes:
    """RGB (H, W, 3) as the bytes of a JPEG."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()


def write_picture(path: Path, image: np.ndarray) -> None:
    """RGB (H, W, 3) as a JPEG, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_bytes(jpeg(image))


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
) -> Tracked:
    """Stream `frames` and write OUT/overlay.mp4 and OUT/track.jsonl; `step` is called after each
    frame.

    Of several refiners, all of which see what the estimator said once, the overlay has a panel
    each, and every one after the first a track-NAME.jsonl of its own. `frames` may leave out
    numbers, as live.Newest does. `watch` is called with every finished overlay, in order. With
    `picture_at` (seconds) the overlay of the first frame from there on is also written, as
    OUT/overlay.jpg. Each file is whole or absent, except that Ctrl-C ends the input early and keeps
    everything up to there.
    """
    out = Path(out)
    paths, shared = _paths(out, refiners), Shared(estimator)
    streams, overlay = (
        [Stream(shared, refiner) for refiner in refiners],
        Overlay(*(r.name for r in refiners)),
    )
    # frames that a delayed result may still belong to
    pending: dict[int, tuple[Frame, list[list[Result]]]] = {}
    everything: list[list[Result]] = [[] for _ in refiners]
    pictures = [] if picture_at is None else [picture_at]
    with ExitStack() as opened:
        lines = [opened.enter_context(whole_file(path)) for path in paths]
        video = opened.enter_context(VideoWriter(out / "overlay.mp4", fps))

        def settle(found: list[list[Result]]) -> None:
            """Draw the frames that these results, a list per refiner, complete."""
            for which, results in enumerate(found):
                everything[which].extend(results)
                for result in results:
                    pending[result.frame][1][which].append(result)
            for index in [i for i in pending if i <= min(stream.settled for stream in streams)]:
                frame, own = pending.pop(index)
                if not all(own):  # Ctrl-C came in the middle of it
                    continue
                drawn = overlay.draw(frame.image, *own)
                video.write(drawn, frame.time)
                watch(Moment(drawn, index, frame.time, states(own[0]), 1000 * took, dropped))
                if pictures and frame.time >= pictures[0]:
                    write_picture(out / "overlay.jpg", drawn)
                    pictures.clear()

        count, dropped, took, interrupted, last = 0, 0, 0.0, None, None
        try:
            for frame in frames:
                pending[frame.index] = (frame, [[] for _ in refiners])
                begin = time.perf_counter()
                found = [stream.push(frame) for stream in streams]
                took = time.perf_counter() - begin
                count, last = count + 1, frame.image
                dropped = frame.index + 1 - count
                settle(found)
                step()
        except KeyboardInterrupt as stop:
            interrupted = stop
        settle([stream.flush() for stream in streams])
        size = None if last is None else (last.shape[1], last.shape[0])
        for path, refiner, results in zip(lines, refiners, everything, strict=True):
            write_lines(path, header(refiner, estimator.name, source, size, dropped), results)
    if interrupted:
        raise interrupted
    seen = {r.frame for r in everything[0] if r.person is not None}
    return Tracked(out / "overlay.mp4", paths, count, dropped, len(seen), everything[0], last)


def _paths(out: Path, refiners: Sequence[Refiner]) -> list[Path]:
    """track.jsonl for the first refiner, track-NAME.jsonl for the others; a number where two would
    share a name.
    """
    names = [
        "track",
        *("track-" + re.sub(r"[^\w.]+", "-", r.name).removesuffix(".tflite") for r in refiners[1:]),
    ]
    return [
        out / f"{name}{f'-{i}' if name in names[:i] else ''}.jsonl" for i, name in enumerate(names)
    ]
