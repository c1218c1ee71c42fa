"""Video in with every frame's own time stamp, H.264 out with the same ones (PyAV); a camera through
OpenCV.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import cv2
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.atomic import whole_file
from climb_edge.media.clock import Clock, rate_of
from climb_edge.media.decoder import RATE, opened
from climb_edge.media.frame import Frame
from climb_edge.media.picture import decode_picture, pictures_in
from climb_edge.media.shown import Shown

# how frames are made of a file; what was made of them by another number is not worth keeping
READING = 2
TICKS = 90_000  # time base of written video, per second: finer than any camera's clock
SAMPLE = 300  # packets whose stamps say a video's rate
# reads in a row that a camera may fail before it counts as gone: a damaged picture is no end
TRIES = 3


@dataclass(frozen=True)
class VideoInfo:
    """What is known before decoding. `frames` is the header's and may be 0 or wrong: a progress bar
    may use it, nothing else. `fps` is that of the first frames' own times.
    """

    frames: int
    fps: float


def video_info(source: str | Path | bytes) -> VideoInfo:
    """Open a video (path, or the bytes of one) or a folder of pictures. Raises ClimbEdgeError when
    it is none.
    """
    if folder := _folder(source):
        return VideoInfo(len(pictures_in(folder)), RATE)
    with opened(source) as video:
        return VideoInfo(video.promised, rate_of(video.stamps(SAMPLE)) or video.rate)


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=3)


def read_video(
    source: str | Path | bytes,
    name: str | None = None,
    tell: Callable[[str], object] = _warn,
) -> Generator[Frame, None, None]:
    """Every frame in order, as players show it. The source is a path, the bytes of a video, a
    folder of pictures (taken by their names), a named pipe, or "-": standard input.

    Times are the container's own; see Clock for where they cannot be. What differs from what the
    file says is told at the end, a line each; `name` is what it is called there. Raises
    ClimbEdgeError for no video, or one that holds no frame.
    """
    if folder := _folder(source):
        yield from _pictures(folder, tell)
        return
    with opened(source, name) as video:
        if video.is_picture and (image := decode_picture(source)) is not None:
            yield Frame(0, 0.0, image)
            return
        count, clock, shown = 0, Clock(1 / video.rate), Shown(video)
        try:
            stamped = ((frame.time, frame) for frame in shown.whole(video.frames()))
            for seconds, frame in clock.over(stamped):
                yield Frame(count, seconds, shown.picture(frame))
                count += 1
        finally:
            for said in (*shown.changes(), *clock.repairs()) if count else ():
                tell(f"{video.name}: {said}")
        if not count:
            raise ClimbEdgeError(
                f"{video.name}: expected a video, found one without a single frame that decodes;"
                " record or export it again"
            )
        if loss := video.loss(count):
            tell(f"{video.name}: {loss}")


def _folder(source: str | Path | bytes) -> Path | None:
    return None if isinstance(source, bytes) or not os.path.isdir(source) else Path(source)


def _pictures(folder: Path, tell: Callable[[str], object]) -> Iterator[Frame]:
    count, paths = 0, pictures_in(folder)
    for path in paths:
        try:
            image = next(read_video(path, tell=lambda said: None)).image
        except ClimbEdgeError as error:
            tell(f"left out: {error}")
            continue
        yield Frame(count, count / RATE, image)
        count += 1
    if not count:
        raise ClimbEdgeError(
            f"{folder}: expected pictures, none of {len(paths)} decodes; export them again"
        )
    tell(f"{folder}: pictures have no times; {RATE:g} a second are assumed")


def read_camera(index: int) -> Generator[Frame, None, None]:
    """Frames of camera `index` (0 is the first), stamped on arrival by a clock that never goes
    back.

    A camera that goes away ends the stream with a warning: what it gave is worth keeping. Raises
    ClimbEdgeError where it cannot be opened, or goes without having given a frame.
    """
    capture = cv2.VideoCapture(index)
    if not capture.isOpened():
        raise ClimbEdgeError(
            f"camera {index}: could not be opened; is it plugged in, free, and allowed to this user"
            " (group video)?"
        )
    try:
        start, count, failed = time.monotonic(), 0, 0
        while failed < TRIES:
            ok, image = capture.read()
            if not ok:
                failed += 1
                continue
            yield Frame(count, time.monotonic() - start, cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
            count, failed = count + 1, 0
        if not count:
            raise ClimbEdgeError(
                f"camera {index}: opened, but gave no frame; is another program using it? Unplug it"
                " and plug it in again"
            )
        warnings.warn(
            f"camera {index}: went away after {count} frames; what it gave is kept", stacklevel=2
        )
    finally:
        capture.release()


class VideoWriter:
    """H.264 (yuv420p, fast start, colours named: plays in browsers), one given time per frame; a
    context manager, whole or absent.
    """

    def __init__(self, path: str | Path, fps: float = 30.0):
        self.path, self.fps = Path(path), fps
        self._last = -1

    def __enter__(self) -> VideoWriter:
        self._file = whole_file(self.path)
        self._container = av.open(
            str(self._file.__enter__()), "w", format="mp4", options={"movflags": "+faststart"}
        )
        self._stream: av.VideoStream | None = None
        return self

    def write(self, image: np.ndarray, seconds: float) -> None:
        """Add an RGB picture (H, W, 3) uint8 shown from `seconds`; sides are cut to even numbers.

        The first picture gives the video its size; one of another size is fitted into it, with
        black around.
        """
        stream = self._stream
        if stream is None:
            height, width = (side // 2 * 2 for side in image.shape[:2])
            stream = self._stream = self._container.add_stream(
                "libx264", rate=Fraction(self.fps).limit_denominator(1001)
            )
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.options = {"crf": "21", "preset": "veryfast"}
            context = stream.codec_context
            context.time_base = Fraction(1, TICKS)
            context.colorspace, context.color_range = Colorspace.ITU601, ColorRange.MPEG
            context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        fitted = _fitted(image, stream.width, stream.height)
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(fitted), format="rgb24").reformat(
            format="yuv420p", dst_colorspace=Colorspace.ITU601, dst_color_range=ColorRange.MPEG
        )
        frame.pts = max(round(seconds * TICKS), self._last + 1)
        frame.time_base = Fraction(1, TICKS)
        self._last = frame.pts
        self._container.mux(stream.encode(frame))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._stream is not None:
                self._container.mux(self._stream.encode(None))
            self._container.close()
        # disk full shows here: let whole_file name the path and keep the old file
        except OSError as failure:
            if error is None:
                kind, error, trace = type(failure), failure, failure.__traceback__
        self._file.__exit__(kind, error, trace)


def _fitted(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """An RGB picture as (height, width, 3): cut where one odd row or column is too many, else
    scaled, black around.
    """
    if (image.shape[0] // 2 * 2, image.shape[1] // 2 * 2) == (height, width):
        return image[:height, :width]
    scale = min(height / image.shape[0], width / image.shape[1])
    inner_height, inner_width = (max(round(side * scale), 1) for side in image.shape[:2])
    top, left = (height - inner_height) // 2, (width - inner_width) // 2
    fitted = np.zeros((height, width, 3), np.uint8)
    fitted[top : top + inner_height, left : left + inner_width] = cv2.resize(
        image, (inner_width, inner_height), interpolation=cv2.INTER_AREA
    )
    return fitted
