"""Recordings: what an estimator saw in one video, kept in one file, replayed as an estimator.

A recording is a ZIP: `about.json`, `table.npz` (per observation: frame, person, score, keypoints,
affine and the box by each rule; per frame: time) and one member per observation with its native map
as uint16 times a scale. Members are checked by CRC one by one, so any frame is read on its own and
memory does not grow with the video. Of a map the low bytes are kept as they are and the high bytes
deflated: the low ones are noise, and inflating them took four fifths of reading.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from climb_edge.errors import DAMAGED, ClimbEdgeError
from climb_edge.estimators.base import Estimator, Observation
from climb_edge.files.archive import read_member
from climb_edge.files.assets import cache_folder
from climb_edge.files.atomic import existing_file, whole_file
from climb_edge.files.json_file import parse_json
from climb_edge.files.npz import expect_shape, read_npz
from climb_edge.media.clock import rate_of
from climb_edge.media.frame import NO_PICTURE, Frame
from climb_edge.media.video import READING, read_video
from climb_edge.pose.boxes import RULES, STICKY, extent
from climb_edge.pose.skeleton import K

VERSION = 3
# uint16: 256 levels were measured to move sub-pixel decoding by whole cells through ties
LEVELS = 65535
# What a file may hold, so that reading it takes a bounded amount of memory.
MAX_FRAMES = 10_000_000  # 92 hours at 30 frames a second
MAX_ROW = 1 << 10  # bytes of the table an observation
MAX_ABOUT = 1 << 20  # bytes
MAX_GRID = 1024  # cells on a side of a map
# Arrays of the table and their kinds of numbers.
_TABLE = {
    **dict.fromkeys(("times", "score", "affine", "keypoints"), "f"),
    **{f"box_{name}": "f" for name in RULES},
    **dict.fromkeys(("frame", "person", "grid", "size"), "i"),
}


def record(
    source: str | Path | bytes | Iterable[Frame],
    estimator: Estimator,
    path: str | Path,
    about: dict | None = None,
    step: Callable[[], object] | None = None,
    name: str | None = None,
) -> None:
    """Run `estimator` over every frame of a video (or over `source`, frames) and write the
    recording, whole or not at all.

    `step` is called after each frame; `name` is what messages call a video of bytes.
    """
    estimator.reset()
    rows: list[tuple[int, Observation]] = []
    times, size = [], (0, 0)
    with (
        whole_file(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        if isinstance(source, str | Path | bytes):
            source = read_video(source, name)
        for frame in source:
            times.append(frame.time)
            size = frame.image.shape[1::-1]
            for observation in estimator(frame):
                archive.writestr(
                    f"maps/{len(rows):06d}", _packed(observation.native), zipfile.ZIP_STORED
                )
                rows.append((frame.index, observation))
            if step:
                step()
        boxes: dict[str, Any] = {f"box_{name}": found for name, found in _boxes(rows).items()}
        table = io.BytesIO()
        np.savez(
            table,
            times=np.array(times, np.float64),
            frame=np.array([i for i, _ in rows], np.int64),
            person=np.array([o.person for _, o in rows], np.int64),
            score=np.array([o.score for _, o in rows], np.float32),
            keypoints=np.array([o.keypoints for _, o in rows], np.float32).reshape(-1, K, 3),
            affine=np.array([o.affine for _, o in rows], np.float64).reshape(-1, 2, 3),
            grid=np.array(rows[0][1].native.shape if rows else (0, 0, K), np.int64),
            size=np.array(size, np.int64),
            **boxes,
        )
        archive.writestr("table.npz", table.getvalue())
        archive.writestr(
            "about.json",
            json.dumps({"version": VERSION, "estimator": estimator.name, **(about or {})}),
        )


def _boxes(rows: list[tuple[int, Observation]]) -> dict[str, np.ndarray]:
    """For each rule the box (N, 4) float64 of every observation, as a stream would hold it; a gap
    begins anew.

    An estimator that works in boxes of its own, as heatmaps from a file do, is taken at its word
    for the rule per frame.
    """
    result = {name: np.full((len(rows), 4), np.nan) for name in RULES}
    last: dict[int, tuple[int, np.ndarray]] = {}  # by person: frame and sticky box
    for i, (frame, o) in enumerate(rows):
        before, held = last.get(o.person, (-1, None))
        for name, rule in RULES.items():
            box = rule.update(held if before == frame - 1 else None, o.keypoints[:, :2])
            result[name][i] = o.box if name != STICKY.name and o.box is not None else box
        last[o.person] = frame, result[STICKY.name][i]
    return result


class Recording:
    """A recording, opened. As an estimator it needs no pictures: frames are looked up by their
    number.
    """

    def __init__(self, path: str | Path):
        """Raises ClimbEdgeError for a file that is damaged, of another version, or contradicts
        itself.
        """
        self.path = existing_file(path, "a recording of an estimator")
        try:
            with zipfile.ZipFile(self.path) as archive:
                self.about = parse_json(read_member(archive, "about.json", MAX_ABOUT))
                maps = {name for name in archive.namelist() if name.startswith("maps/")}
                most = MAX_FRAMES * 8 + len(maps) * MAX_ROW
                table = read_npz(
                    self.path, _TABLE, "a recording", most, read_member(archive, "table.npz", most)
                )
        except DAMAGED as error:
            raise self._damaged(error) from error
        if not isinstance(self.about, dict) or not isinstance(self.about.get("estimator"), str):
            raise self._damaged("about.json names no estimator")
        if self.about.get("version") != VERSION:
            raise ClimbEdgeError(
                f"{self.path}: recorded as version {str(self.about.get('version'))[:20]}, this code"
                f" reads {VERSION}; record it again"
            )
        for name, shape in _shapes(len(np.atleast_1d(table["frame"]))).items():
            expect_shape(self.path, name, table[name], shape)
        self.name, self.times, self.frame = self.about["estimator"], table["times"], table["frame"]
        self.person, self.score, self.affine, self.keypoints = (
            table[name] for name in ("person", "score", "affine", "keypoints")
        )
        self.boxes = {name: table[f"box_{name}"] for name in RULES}  # (N, 4) each
        self._grid, self.size = tuple(table["grid"].tolist()), tuple(table["size"].tolist())
        if contradiction := self._contradiction(maps):
            raise self._damaged(contradiction)
        self._first = np.searchsorted(self.frame, np.arange(len(self.times) + 1))
        self._archive: zipfile.ZipFile | None = None

    def _contradiction(self, maps: set[str]) -> str | None:
        """What of the table does not fit the rest."""
        inside = (self.frame >= 0) & (self.frame < len(self.times))
        seen = (self.keypoints, self.score, *self.boxes.values())  # NaN: not known
        if maps != {f"maps/{row:06d}" for row in range(len(self.frame))}:
            return f"{len(maps)} maps of {len(self.frame)} observations"
        if not inside.all() or (np.diff(self.frame) < 0).any():
            return f"its observations are not in the order of its {len(self.times)} frames"
        finite = np.isfinite(self.times).all() and np.isfinite(self.affine).all()
        if not finite or any(np.isinf(values).any() for values in seen):
            return "its table holds values that are not finite"
        if self._grid[2] != K or min(self._grid) < 0 or max(self._grid) > MAX_GRID:
            return f"its maps are of {self._grid}"
        return None

    def __len__(self) -> int:
        return len(self.times)

    @property
    def rate(self) -> float | None:
        """Frames a second, by the frames' own times; None of fewer than two."""
        return rate_of(self.times)

    def whole(self) -> bool:
        """Whether every map can be read."""
        try:
            with zipfile.ZipFile(self.path) as archive:
                return archive.testzip() is None
        except DAMAGED:
            return False

    def observation(self, row: int) -> Observation:
        """Observation `row` of the table."""
        # opened late, so that a recording can be handed to another process
        if self._archive is None:
            self._archive = zipfile.ZipFile(self.path)
        try:
            most = 4 + 3 * math.prod(self._grid)  # deflated noise is larger than what it was
            native = _unpacked(
                read_member(self._archive, f"maps/{row:06d}", most + MAX_ABOUT), self._grid
            )
        except DAMAGED as error:
            raise self._damaged(error) from error
        keypoints = self.keypoints[row]  # decoded before the map was stored: not decoded again
        return Observation(
            native,
            self.affine[row],
            keypoints,
            extent(keypoints[:, :2]),
            int(self.person[row]),
            float(self.score[row]),
        )

    def __call__(self, frame: Frame) -> list[Observation]:
        if frame.index >= len(self.times):
            return []
        return [
            self.observation(row)
            for row in range(self._first[frame.index], self._first[frame.index + 1])
        ]

    def reset(self) -> None:
        """Nothing to forget."""

    def frames(self) -> Iterator[Frame]:
        """Frames with number and time but no picture, to stream a recording without its video."""
        return (Frame(i, float(t), NO_PICTURE) for i, t in enumerate(self.times))

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_archive": None}

    def _damaged(self, error: Exception | str) -> ClimbEdgeError:
        return ClimbEdgeError(
            f"{self.path}: this recording is truncated or corrupt ({error}); delete it and it is"
            " made again"
        )


def _shapes(count: int) -> dict[str, tuple[int | str, ...]]:
    """The shapes of a table of `count` observations."""
    return {
        "times": ("T",),
        **dict.fromkeys(("frame", "person", "score"), (count,)),
        "affine": (count, 2, 3),
        "keypoints": (count, K, 3),
        **{f"box_{name}": (count, 4) for name in RULES},
        "grid": (3,),
        "size": (2,),
    }


def _packed(native: np.ndarray) -> bytes:
    """A map (H, W, K) as its scale, the low bytes of its levels, and the deflated high bytes."""
    scale = float(native.max()) or 1.0
    levels = np.round(np.clip(native, 0, None) * (LEVELS / scale)).astype(np.uint16)
    low, high = ((levels >> shift).astype(np.uint8).tobytes() for shift in (0, 8))
    return np.float32(scale).tobytes() + low + zlib.compress(high, 1)


def _unpacked(content: bytes, grid: tuple[int, ...]) -> np.ndarray:
    """The map (H, W, K) float32 again. Raises one of DAMAGED where the bytes are not as many as
    they must be.
    """
    count = math.prod(grid)
    # never more than there must be
    high = zlib.decompressobj().decompress(content[4 + count :], count)
    native = np.frombuffer(high, np.uint8, count).astype(np.float32) * 256 + np.frombuffer(
        content, np.uint8, count, 4
    )
    return (native * (np.frombuffer(content, np.float32, 1)[0] / LEVELS)).reshape(grid)


def cached_recording(
    source: str | Path | bytes,
    content: str,
    estimator: Estimator,
    step: Callable[[], object] | None = None,
    name: str | None = None,
) -> Recording:
    """The recording of a video whose SHA-256 is `content`, made once per video content, estimator
    and version; `name` is what messages call a video of bytes.
    """
    path = (
        cache_folder()
        / "recordings"
        / f"{estimator.name}-p{getattr(estimator, 'people', 1)}-v{VERSION}-{READING}"
        / f"{content[:32]}.zip"
    )
    if path.is_file():
        try:
            return Recording(path)
        except ClimbEdgeError:
            path.unlink()  # a cache repairs itself
    record(source, estimator, path, {"content": content}, step, name)
    return Recording(path)
