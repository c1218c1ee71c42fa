"""A decoded frame as every player shows it: upright, not mirrored, with square pixels, whole
pictures instead of half ones, and in ordinary colours.

Transparency is left out, as players do: a pixel keeps the colour that is stored for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import av
import av.filter
import cv2
import numpy as np

from climb_edge.media.decoder import Video
from climb_edge.media.frame import check_size

# how values of high dynamic range are stored, by their number in ITU-T H.273
PQ, HLG = 16, 18
WHITE = 203.0  # candelas per square metre that an ordinary white has, by ITU-R BT.2408
BRIGHTEST = 1000.0  # of an HLG screen
KNEE = 0.5  # of white: what is darker stays as it is, what is brighter is pressed together
# linear red, green and blue of BT.2020 in those of BT.709
NARROWER = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)


class Shown:
    """What players do with the frames of one video."""

    def __init__(self, video: Video):
        self._video = video
        self._kind: tuple[int, int, int] | None = None  # of the last frame: width, height, rotation
        self._aspect = 1.0  # width of a pixel / height
        self._turns = (1, 0, 0, 1)  # a, b, c, d of the display matrix
        self._graph: av.filter.Graph | None = None
        self._bright: dict[int, np.ndarray] = {}
        self._said: set[str] = set()

    def changes(self) -> list[str]:
        """What is not seen in the file as it is seen here, a sentence each."""
        return sorted(self._said)

    def whole(self, frames: Iterable[av.VideoFrame]) -> Iterator[av.VideoFrame]:
        """The same frames; interlaced ones as whole pictures, as many as there are."""
        size = None
        for frame in frames:
            if self._graph and (frame.width, frame.height) != size:
                yield from self._filtered(None)
                self._graph = None
            if self._graph is None and frame.interlaced_frame:
                size = (frame.width, frame.height)
                self._graph = _deinterlacer(frame)
                self._said.add("it is interlaced; its half pictures are made whole")
            if self._graph is None:
                yield frame
            else:
                yield from self._filtered(frame)
        if self._graph:
            yield from self._filtered(None)

    def picture(self, frame: av.VideoFrame) -> np.ndarray:
        """RGB (H, W, 3) uint8. Raises ClimbEdgeError where it is too large."""
        image = frame.to_ndarray(format="rgb24")
        transfer = int(frame.color_trc)
        if transfer in (PQ, HLG):
            image = self._ordinary(image, transfer)
        # only where it may have changed: a frame whose side data was read is not freed at once
        if self._kind != (kind := (frame.width, frame.height, frame.rotation)):
            self._kind, self._aspect, self._turns = kind, self._pixel_aspect(), _matrix_of(frame)
        if self._aspect != 1:
            image = self._squared(image)
        return _upright(image, *self._turns)

    def _filtered(self, frame: av.VideoFrame | None) -> Iterator[av.VideoFrame]:
        assert self._graph is not None
        self._graph.push(frame)
        while True:
            try:
                yield self._graph.pull()  # type: ignore[misc]
            except (BlockingIOError, EOFError):
                return

    def _pixel_aspect(self) -> float:
        aspect = self._video.stream.sample_aspect_ratio
        return float(aspect) if aspect and aspect > 0 else 1.0

    def _squared(self, image: np.ndarray) -> np.ndarray:
        """The longer side of a pixel is kept and the shorter one grows: nothing is lost."""
        height, width = image.shape[:2]
        if self._aspect > 1:
            width = round(width * self._aspect)
        else:
            height = round(height / self._aspect)
        check_size(self._video.name, width, height)
        return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)

    def _ordinary(self, image: np.ndarray, transfer: int) -> np.ndarray:
        """Values of high dynamic range as a screen of ordinary range shows them."""
        if transfer not in self._bright:
            self._bright[transfer] = _pressed(transfer)
            kind = "PQ" if transfer == PQ else "HLG"
            self._said.add(f"its high dynamic range ({kind}) is pressed into the ordinary one")
        linear = cv2.transform(cv2.LUT(image, self._bright[transfer]), NARROWER)
        return _ENCODED[(np.clip(linear, 0, 1) * (len(_ENCODED) - 1)).astype(np.uint16)]


def _deinterlacer(frame: av.VideoFrame) -> av.filter.Graph:
    graph = av.filter.Graph()
    graph.link_nodes(
        graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
        ),
        graph.add("bwdif", "mode=send_frame:deint=interlaced"),
        graph.add("buffersink"),
    ).configure()
    return graph


def _matrix_of(frame: av.VideoFrame) -> tuple[int, int, int, int]:
    """a, b, c, d of the display matrix that a phone or an editor writes beside a picture."""
    try:
        matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # PyAV 17 and 18 stumble over kinds of side data that they do not know
        return matrix_of_rotation(frame.rotation)
    if matrix is None:
        return 1, 0, 0, 1
    a, b, _, c, d, *_ = np.frombuffer(matrix, np.int32).tolist()
    return a, b, c, d


def matrix_of_rotation(degrees: int) -> tuple[int, int, int, int]:
    """The display matrix of a picture that is turned, as PyAV says it, and not mirrored."""
    matrices = ((1, 0, 0, 1), (0, -1, 1, 0), (-1, 0, 0, -1), (0, 1, -1, 0))
    return matrices[round(degrees / 90) % 4]


def _upright(image: np.ndarray, a: int, b: int, c: int, d: int) -> np.ndarray:
    """A picture turned and mirrored by a display matrix; one that is oblique is taken for the
    nearest of the eight that are not.
    """
    if abs(b) + abs(c) > abs(a) + abs(d):
        image, a, d = image.transpose(1, 0, 2), c, b
    return np.ascontiguousarray(image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])


def _pressed(transfer: int) -> np.ndarray:
    """(256,) float32 for each stored value: its light in 0..1 of an ordinary screen."""
    stored = np.arange(256) / 255
    if transfer == PQ:  # SMPTE ST 2084
        root = stored ** (1 / 78.84375)
        light = (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (
            1 / 0.1593017578125
        )
        light *= 10_000
    else:  # ARIB STD-B67, with the screen's own curve
        scene = np.where(
            stored <= 0.5,
            stored**2 / 3,
            (np.exp((stored - 0.55991073) / 0.17883277) + 0.28466892) / 12,
        )
        light = scene**1.2 * BRIGHTEST
    light = light / WHITE
    over = np.maximum(light - KNEE, 0)
    return np.where(light > KNEE, KNEE + (1 - KNEE) * over / (over + 1 - KNEE), light).astype(
        np.float32
    )


_LINEAR = np.arange(4096) / 4095
_ENCODED = np.round(255 * _LINEAR ** (1 / 2.4)).astype(np.uint8)
