"""`track`: a video or camera through estimator and refiner, to a track and an overlay video."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from climb_edge.errors import whole_file
from climb_edge.estimator import Estimator
from climb_edge.overlay import Overlay
from climb_edge.refiner import Refiner
from climb_edge.results import header, write_lines
from climb_edge.stream import Result, Stream
from climb_edge.video import Frame, VideoWriter


@dataclass(frozen=True)
class Tracked:
    """Where the results are and what they count."""

    overlay: Path
    track: Path
    frames: int
    with_person: int
    results: list[Result]
    last: np.ndarray | None  # the last frame, RGB (H, W, 3); None without one


def write_picture(path: Path, image: np.ndarray) -> None:
    """RGB (H, W, 3) as a JPEG, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_bytes(
            cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
        )


def track(
    frames: Iterable[Frame], estimator: Estimator, refiner: Refiner, out: str | Path, source: str, fps: float = 30.0,
    step: Callable[[], object] = lambda: None, picture_at: float | None = None,
) -> Tracked:  # fmt: skip
    """Stream `frames` and write OUT/overlay.mp4 and OUT/track.jsonl; `step` is called after each frame.

    With `picture_at` (seconds) the overlay of the first frame from there on is also written, as OUT/overlay.jpg. Each
    file is whole or absent, except that Ctrl-C ends the input early and keeps everything up to there.
    """
    out = Path(out)
    stream, overlay = Stream(estimator, refiner), Overlay(refiner.name)
    pending: dict[int, tuple[Frame, list[Result]]] = {}  # frames that a delayed result may still belong to
    everything: list[Result] = []
    pictures = [] if picture_at is None else [picture_at]
    with whole_file(out / "track.jsonl") as lines, VideoWriter(out / "overlay.mp4", fps) as video:

        def settle(results: list[Result], through: int) -> None:
            everything.extend(results)
            for result in results:
                pending[result.frame][1].append(result)
            for index in [i for i in pending if i <= through]:
                frame, own = pending.pop(index)
                drawn = overlay.draw(frame.image, own)
                video.write(drawn, frame.time)
                if pictures and frame.time >= pictures[0]:
                    write_picture(out / "overlay.jpg", drawn)
                    pictures.clear()

        count, interrupted, last = 0, None, None
        try:
            for frame in frames:
                pending[frame.index] = (frame, [])
                settle(stream.push(frame), frame.index - refiner.delay)
                count, last = frame.index + 1, frame.image
                step()
        except KeyboardInterrupt as stop:
            interrupted = stop
        settle(stream.flush(), count)
        size = None if last is None else (last.shape[1], last.shape[0])
        write_lines(lines, header(refiner, estimator.name, source, size), everything)
    if interrupted:
        raise interrupted
    seen = {r.frame for r in everything if r.person is not None}
    return Tracked(out / "overlay.mp4", out / "track.jsonl", count, len(seen), everything, last)
