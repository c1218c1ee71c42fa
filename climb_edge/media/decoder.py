"""A video file, opened: which of its streams is the video, and every frame of it that decodes."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.stream import Disposition

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.atomic import existing_file
from climb_edge.media.frame import check_size

STDIN = "-"  # this source is what another program writes into ours
RATE = 30.0  # frames a second where a file says nothing
TRIES = 3  # reads in a row that may fail before a file counts as ended
# packets at the end in which one that is damaged takes good frames with it, as decoders in threads
# throw away what the others have still to give
TAIL = 64
# covers, previews, and the tiles that a picture of a phone (HEIC) is made of
NO_VIDEO = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.dependent
# from 19 on PyAV reads any tag; before, one that is no UTF-8 is an error unless told otherwise
_TAGS: Any = {} if int(av.__version__.split(".")[0]) >= 19 else {"metadata_errors": "ignore"}
_BROKEN = (av.FFmpegError, ValueError)


@dataclass
class Video:
    """An open container and the stream of it that players show."""

    source: str | Path | bytes
    name: str
    container: InputContainer
    stream: av.VideoStream
    damaged: int = 0  # packets so far that no decoder could read
    oldest: float = math.inf  # stamps of the frames so far, in units of the stream
    newest: float = -math.inf

    @property
    def rate(self) -> float:
        """Frames a second, as the header says; a header that counts milliseconds says 1000 too."""
        said = (float(r) for r in (self.stream.average_rate, self.stream.guessed_rate) if r)
        return min((rate for rate in said if rate > 0), default=RATE)

    @property
    def seconds(self) -> float:
        """How long the video is, as the header says; 0 where it says nothing of this stream."""
        if self.stream.duration and self.stream.time_base:
            return float(self.stream.duration * self.stream.time_base)
        alone = len(self.container.streams) == 1
        return (self.container.duration or 0) / av.time_base if alone else 0.0

    @property
    def promised(self) -> int:
        """How many frames there are, as the header says; 0 where it does not say."""
        return self.stream.frames or round(self.seconds * self.rate)

    @property
    def is_picture(self) -> bool:
        """Whether it is a single picture, as a JPEG is."""
        kind = self.container.format.name
        return kind == "image2" or kind.endswith("_pipe")

    def loss(self, count: int) -> str | None:
        """What of the video is missing where `count` frames have decoded; None where nothing is."""
        lasted = (self.newest - self.oldest) * float(self.stream.time_base or 0)
        # the last frame may be shown for long: where frames are counted, only their number decides
        fewer = count < self.stream.frames if self.stream.frames else True
        slack = (2 if self.stream.frames else 15) / self.rate
        short = fewer and 0 <= lasted < self.seconds - slack
        if not self.damaged and not short:
            return None
        promised = f", its header promises {self.promised}" if self.promised else ""
        return (
            f"it is cut short or damaged: {count} frames decode{promised}; copy or record it again"
        )

    def stamps(self, most: int) -> Iterator[float]:
        """Seconds of the first `most` packets, in the order in which they are stored."""
        unit = float(self.stream.time_base or 0)
        for packet in self._packets():
            stamp = packet.dts if packet.pts is None else packet.pts
            if stamp is not None and not packet.is_discard:
                yield stamp * unit
            most -= 1
            if not most:
                return

    def frames(self) -> Iterator[av.VideoFrame]:
        """Every frame that decodes, in the order of showing; `damaged` counts what does not.

        Raises ClimbEdgeError for a frame that is too large.
        """
        coming, healthy = -math.inf, TAIL
        for packet in self._packets():
            if packet.pts is not None and not packet.is_discard:
                coming = max(coming, packet.pts)
            try:
                frames = packet.decode()
            except _BROKEN:
                # decoders resume at the next one; the frames around it keep their own times
                self.damaged, healthy = self.damaged + 1, 0
                continue
            healthy += 1
            for frame in frames:
                yield self._seen(frame)
        if (coming > self.newest or healthy < TAIL) and not is_pipe(self.source):
            yield from self._tail()

    def _seen(self, frame: av.VideoFrame) -> av.VideoFrame:
        check_size(self.name, frame.width, frame.height)
        if frame.pts is not None:
            self.oldest, self.newest = min(self.oldest, frame.pts), max(self.newest, frame.pts)
        return frame

    def _tail(self) -> Iterator[av.VideoFrame]:
        """The frames at a damaged end that are still missing, decoded one after the other."""
        with opened(self.source, self.name, threads="SLICE") as again:
            for packet in again._packets():
                try:
                    frames = packet.decode()
                except _BROKEN:
                    self.damaged += not self.damaged
                    continue
                for frame in frames:
                    if frame.pts is not None and frame.pts > self.newest:
                        yield self._seen(frame)

    def _packets(self) -> Iterator[av.Packet]:
        """All packets, and an empty one at the end that makes the decoder give the rest."""
        packets, failed = self.container.demux(self.stream), 0
        while failed < TRIES:
            try:
                yield from packets
                return
            except _BROKEN:
                # what has raised has ended: go on behind the place that cannot be read
                packets, failed = self.container.demux(self.stream), failed + 1


def is_pipe(source: str | Path | bytes) -> bool:
    """Whether this is standard input or a named pipe: it can be read once, from its beginning."""
    if isinstance(source, bytes) or source == STDIN:
        return not isinstance(source, bytes)
    return os.path.exists(source) and Path(source).is_fifo()


@contextmanager
def opened(
    source: str | Path | bytes, name: str | None = None, threads: str = "AUTO"
) -> Iterator[Video]:
    """Open a video: a path, the bytes of one, or STDIN. `name` is what messages call it.

    Raises ClimbEdgeError where it is none.
    """
    handle: Any
    if isinstance(source, bytes):
        name, handle = name or "video", io.BytesIO(source)
    elif source == STDIN:
        name, handle = name or "standard input", "pipe:0"
    elif is_pipe(source):
        handle = f"file:{source}"
    else:  # "file:", or 10:15.mp4 would be a protocol named 10
        handle = f"file:{existing_file(source, 'a video')}"
    name = name or str(source)
    try:
        container = av.open(handle, "r", **_TAGS)
    except (av.FFmpegError, OSError, ValueError) as error:
        found = getattr(error, "strerror", None) or error
        remedy = (
            "a pipe cannot be read twice: write Matroska or MPEG-TS into it"
            if is_pipe(source)
            else "is it one, and whole?"
        )
        raise ClimbEdgeError(
            f"{name}: expected a video, found a file that no decoder reads ({found}); {remedy}"
        ) from error
    with container:
        stream = _shown(name, container)
        stream.thread_type = threads
        check_size(name, stream.width or 0, stream.height or 0)
        yield Video(source, name, container, stream)


def _shown(name: str, container: InputContainer) -> av.VideoStream:
    """The stream that a player shows: no cover and no preview beside the video; the default one, of
    several the largest.
    """
    videos = [s for s in container.streams.video if not s.disposition & NO_VIDEO]
    if not videos:
        raise ClimbEdgeError(
            f"{name}: expected a video, found a file without a video stream; choose another file"
        )
    read = [s for s in videos if s.codec_context is not None]
    if not read:  # a damaged header names no decoder that is here
        raise ClimbEdgeError(
            f"{name}: expected a video, found a stream that no decoder reads; is it whole?"
        )
    return max(
        read,
        key=lambda s: (
            bool(s.disposition & Disposition.default),
            s.frames != 1,
            (s.width or 0) * (s.height or 0),
        ),
    )
