"""Videos of any kind, encoded in the test: containers, codecs, time stamps, matrices, EXIF."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

TICKS = 90_000
UNIT = 1 << 16  # of a display matrix
# a display matrix's a, b, c, d and what it makes of a picture, for the eight orientations of EXIF
ORIENTATIONS: list[tuple[tuple[int, int, int, int], Callable[[np.ndarray], np.ndarray]]] = [
    ((1, 0, 0, 1), lambda p: p),
    ((-1, 0, 0, 1), lambda p: p[:, ::-1]),
    ((-1, 0, 0, -1), lambda p: p[::-1, ::-1]),
    ((1, 0, 0, -1), lambda p: p[::-1]),
    ((0, 1, 1, 0), lambda p: p.transpose(1, 0, 2)),
    ((0, 1, -1, 0), lambda p: np.rot90(p, 3)),
    ((0, -1, -1, 0), lambda p: p[::-1, ::-1].transpose(1, 0, 2)),
    ((0, -1, 1, 0), lambda p: np.rot90(p)),
]


def corners(width: int = 96, height: int = 64) -> np.ndarray:
    """A picture (height, width, 3) that looks another way in each of the eight orientations."""
    image = np.full((height, width, 3), 90, np.uint8)
    image[: height // 2, : width // 2] = (220, 30, 30)
    image[: height // 2, width // 2 :] = (30, 220, 30)
    image[height // 2 :, : width // 2] = (30, 30, 220)
    return image


def encoded(
    images: Sequence[np.ndarray],
    times: Sequence[float] | None = None,
    container: str = "mp4",
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    change: Callable[[av.VideoStream], object] = lambda stream: None,
    at: Callable[[int, int], int] = lambda number, stamp: stamp,
) -> bytes:
    """A video of RGB pictures, or of frames that are ready, at `times` (else 30 a second).

    `change` is given the stream before it opens; `at` the number and stamp of every packet, in
    1/90000 s, for another stamp.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video"
        _encode(path, images, times, container, codec, pix_fmt, options, change, at)
        return path.read_bytes()


def _encode(path, images, times, container, codec, pix_fmt, options, change, at) -> None:
    # of the containers only .mp4 knows this option: its header comes first
    with av.open(str(path), "w", format=container, options={"movflags": "+faststart"}) as out:
        stream = out.add_stream(codec, rate=30, options=options or {})
        first = images[0]
        stream.width, stream.height = (
            (first.width, first.height) if isinstance(first, av.VideoFrame) else first.shape[1::-1]
        )
        stream.pix_fmt = pix_fmt
        stream.codec_context.time_base = Fraction(1, TICKS)
        change(stream)
        number = 0
        for i, image in enumerate([*images, None]):
            if isinstance(image, np.ndarray):
                image = av.VideoFrame.from_ndarray(image, format="rgb24")
            if image is not None:
                image.pts = round(TICKS * (i / 30 if times is None else times[i]))
                image.time_base = Fraction(1, TICKS)
            for packet in stream.encode(image):
                moved = at(number, packet.pts) - packet.pts
                packet.pts, packet.dts = packet.pts + moved, packet.dts + moved
                number += 1
                out.mux(packet)


def with_matrix(content: bytes, a: int, b: int, c: int, d: int) -> bytes:
    """An .mp4 with this display matrix in its header."""
    identity = struct.pack(">9i", UNIT, 0, 0, 0, UNIT, 0, 0, 0, 1 << 30)
    place = content.index(identity, content.index(b"tkhd"))
    matrix = struct.pack(">9i", a * UNIT, b * UNIT, 0, c * UNIT, d * UNIT, 0, 0, 0, 1 << 30)
    return content[:place] + matrix + content[place + len(matrix) :]


def jpeg_with_exif(image: np.ndarray, orientation: int) -> bytes:
    """RGB (H, W, 3) as a JPEG that says how it is to be turned."""
    content = cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]))[1].tobytes()
    entry = struct.pack("<HHHIHHI", 1, 0x112, 3, 1, orientation, 0, 0)
    exif = b"Exif\0\0II*\0\x08\0\0\0" + entry
    return content[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + content[2:]
