"""Video in with every frame's own time stamp, H.264 out with the same ones (PyAV); a camera through
OpenCV.
"""

from __future__ import annotations

import io
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import cv2
import numpy as np
from av.container import InputContainer

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.atomic import existing_file, whole_file
from climb_edge.media.frame import Frame, check_size

TICKS = 90_000  # time base of written video, per second: finer than any camera's clock
# reads in a row that a camera may fail before it counts as gone: a damaged picture is no end
TRIES = 3


@dataclass(frozen=True)
class VideoInfo:
    """What the container says before decoding. `frames` may be 0 or wrong: a progress bar may use
    it, nothing else.
    """

    frames: int
    fps: float


def video_info(source: str | Path | bytes) -> VideoInfo:
    """Open a video (path, or the bytes of one) and read its header. Raises ClimbEdgeError when it
    is none.
    """
    with _open(source) as (_, stream, _name):
        rate = float(stream.average_rate or stream.guessed_rate or 0)
        duration = (
            float(stream.duration * stream.time_base)
            if stream.duration and stream.time_base
            else 0.0
        )
        return VideoInfo(stream.frames or round(duration * rate), rate)


def read_video(source: str | Path | bytes) -> Iterator[Frame]:
    """Every frame in order, turned upright. Raises ClimbEdgeError for no video, or one that holds
    no frame.

    Time stamps are the container's; where it has none, or one that does not increase, the frame
    rate fills in.
    """
    with _open(source) as (container, stream, name):
        step = 1 / float(stream.average_rate or 30)
        last, index = -np.inf, 0
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
                frames = packet.decode() if packet is not None else []
            except (av.FFmpegError, ValueError):
                # one damaged packet: decoders resume at the next; the frames around it keep their
                # own times
                continue
            if packet is None:
                break
            for frame in frames:
                check_size(name, frame.width, frame.height)
                stamp = float(frame.time) if frame.time is not None else last + step
                if not stamp > last:
                    stamp = last + step
                stamp = stamp if np.isfinite(stamp) else index * step
                yield Frame(index, stamp, _upright(frame))
                last, index = stamp, index + 1
        if not index:
            raise ClimbEdgeError(
                f"{name}: expected a video, found one without a single frame that decodes; record"
                " or export it again"
            )


def read_camera(index: int) -> Iterator[Frame]:
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
    """H.264 (yuv420p, fast start: plays in browsers) with one given time per frame; a context
    manager, whole or absent.
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
            stream.codec_context.time_base = Fraction(1, TICKS)
        fitted = _fitted(image, stream.width, stream.height)
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(fitted), format="rgb24")
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


@contextmanager
def _open(source: str | Path | bytes) -> Iterator[tuple[InputContainer, av.VideoStream, str]]:
    name = "video" if isinstance(source, bytes) else str(source)
    handle = (
        io.BytesIO(source) if isinstance(source, bytes) else str(existing_file(source, "a video"))
    )
    try:
        container = av.open(handle, "r", metadata_errors="ignore")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise ClimbEdgeError(
            f"{name}: expected a video, found a file that no decoder reads ({error}); is it one,"
            " and whole?"
        ) from error
    with container:
        if not container.streams.video:
            raise ClimbEdgeError(
                f"{name}: expected a video, found a file without a video stream; choose another"
                " file"
            )
        stream = container.streams.video[0]
        if stream.codec_context is None:  # a damaged header names no decoder that is here
            raise ClimbEdgeError(
                f"{name}: expected a video, found a stream that no decoder reads; is it whole?"
            )
        stream.thread_type = "AUTO"
        check_size(name, stream.width or 0, stream.height or 0)
        yield container, stream, name


def _upright(frame: av.VideoFrame) -> np.ndarray:
    """RGB pixels with the rotation applied that a phone writes beside a picture (counter-clockwise
    degrees).
    """
    image = frame.to_ndarray(format="rgb24")
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image
