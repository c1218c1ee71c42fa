"""What is at hand of labelled pictures: videos and images, to compare labels with and to draw them
on.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from climb_edge.errors import ClimbEdgeError
from climb_edge.evaluation.agreement import Seen
from climb_edge.evaluation.videos import VideoFolder
from climb_edge.files.clips import ClipSet
from climb_edge.media.picture import write_picture
from climb_edge.media.video import read_video
from climb_edge.pose.skeleton import BONES
from climb_edge.tracking.overlay import LEFT, MIDDLE, RIGHT, label
from train.layouts.formats.reading import is_file
from train.layouts.imported import Imported

FRAMES, COLUMNS = 6, 3
TILE = (480, 360)  # width, height


@dataclass
class AtHand:
    """What was found of the clips: sizes and lengths by clip, and the pictures of some frames."""

    seen: dict[str, Seen] = field(default_factory=dict)
    pictures: dict[tuple[str, int], np.ndarray] = field(default_factory=dict)  # RGB
    notes: list[str] = field(default_factory=list)


def look(found: Imported, folder: Path, videos: Path | None, drawn: bool) -> AtHand:
    """The videos in `videos`, each of them decoded whole; else videos in `folder`, and images.

    `drawn`: pictures for a preview are kept. A video that is not there or cannot be read is told
    of.
    """
    clips, at_hand = found.clips, AtHand()
    assert clips is not None
    wanted = frames_to_draw(clips) if drawn else []
    root = folder if folder.is_dir() else folder.parent
    source = VideoFolder(videos or root)
    for clip in tqdm(
        map(str, clips.clip), total=len(clips), unit="clip", desc="videos", disable=videos is None
    ):
        rows = {row for name, row in wanted if name == clip}
        if videos is not None or is_file(root / clip):
            try:
                _watch(source, clip, rows, at_hand, whole=videos is not None)
                continue
            except ClimbEdgeError as error:
                at_hand.notes.append(f"{error}; its labels are compared with no video")
        named = found.pictures.get(clip, {})
        for row in [*sorted(rows), *named][: len(rows) + 1]:
            if row in named and (path := _image(*named[row])):
                _open(path, clip, row, row in rows, at_hand)
    return at_hand


def _watch(videos: VideoFolder, clip: str, rows: set[int], at_hand: AtHand, whole: bool) -> None:
    """Size, length if `whole`, and the frames `rows` of a clip's video."""
    count, size = 0, (0, 0)
    for frame in read_video(videos.read(clip)):
        count, size = frame.index + 1, frame.image.shape[1::-1]
        if frame.index in rows:
            at_hand.pictures[clip, frame.index] = frame.image
        if not whole and count > max(rows, default=0):
            break
    at_hand.seen[clip] = Seen(size, count if whole else None)


def _image(home: Path, name: str) -> Path | None:
    """The picture of that name in the folders where tools put them; no other place is searched."""
    above = home.parent
    places = (home, home / "images", above, above / "images", above / "images" / "default")
    found = (place / tail for place in places for tail in (name, name.rpartition("/")[2]))
    return next((path for path in found if is_file(path)), None)


def _open(path: Path, clip: str, row: int, drawn: bool, at_hand: AtHand) -> None:
    image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        at_hand.notes.append(f"{path}: expected a picture, found a file that none reads")
        return
    at_hand.seen.setdefault(clip, Seen(image.shape[1::-1]))
    if drawn:
        at_hand.pictures[clip, row] = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def frames_to_draw(clips: ClipSet) -> list[tuple[str, int]]:
    """Clip and row of labelled frames, evenly over all of them."""
    labelled = np.flatnonzero(np.isfinite(clips.keypoints).all(-1).any(-1))
    some = labelled[np.unique(np.linspace(0, len(labelled) - 1, FRAMES).astype(int))]
    owners = np.searchsorted(clips.offsets, some, side="right") - 1
    return [
        (str(clips.clip[i]), int(r - clips.offsets[i])) for i, r in zip(owners, some, strict=True)
    ]


def draw(path: Path, clips: ClipSet, at_hand: AtHand) -> list[str]:
    """Write the labels of some frames as a JPEG: left orange, right blue, hidden ones as rings.

    Returns a line that says which pictures were not at hand; those frames are drawn on grey.
    """
    places = frames_to_draw(clips)
    tiles = [_tile(clips, clip, row, at_hand.pictures.get((clip, row))) for clip, row in places]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % COLUMNS)
    rows = [np.concatenate(tiles[i : i + COLUMNS], 1) for i in range(0, len(tiles), COLUMNS)]
    write_picture(path, np.concatenate(rows))
    lacking = [f"{clip} frame {row}" for clip, row in places if (clip, row) not in at_hand.pictures]
    if not lacking:
        return []
    return [
        f"{path}: no picture at hand of {', '.join(lacking)}; name the videos with --videos, or lay"
        " the images beside the labels"
    ]


def _tile(clips: ClipSet, clip: str, row: int, image: np.ndarray | None) -> np.ndarray:
    i = clips.clip.tolist().index(clip)
    at = int(clips.offsets[i]) + row
    width, height = clips.frame_size[i].tolist()
    scale = min(TILE[0] / width, TILE[1] / height)
    canvas = np.full((TILE[1], TILE[0], 3), 70, np.uint8)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    if image is not None:
        canvas[: size[1], : size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    points, visible = (clips.keypoints[at] + 0.5) * scale - 0.5, clips.visible[at] > 0
    for a, b in BONES:
        if np.isfinite(points[[a, b]]).all():
            cv2.line(canvas, _pixel(points[a]), _pixel(points[b]), _colour((a, b)), 1, cv2.LINE_AA)
    for k, point in enumerate(points):
        if np.isfinite(point).all():
            filled = -1 if visible[k] else 1
            cv2.circle(canvas, _pixel(point), 4, _colour((k,)), filled, cv2.LINE_AA)
    label(canvas, f"{clip[-40:]} frame {row}", (8, 20), 0.5)
    if image is None:
        label(canvas, "no picture at hand", (8, TILE[1] - 12), 0.5)
    return canvas


def _colour(keypoints: Iterable[int]) -> tuple[int, int, int]:
    sides = {k % 2 if k else 2 for k in keypoints}  # left is odd, the nose is neither
    return {frozenset({1}): LEFT, frozenset({0}): RIGHT}.get(frozenset(sides), MIDDLE)


def _pixel(point: np.ndarray) -> tuple[int, int]:
    x, y = (math.floor(v + 0.5) for v in np.clip(point, -9999, 9999).tolist())
    return x, y
