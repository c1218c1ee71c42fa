"""COCO keypoints, as annotation tools export them (CVAT, Label Studio, COCO Annotator): frames of
videos in a JSON.

A frame that nobody labelled is a row without keypoints, so a few hundred labelled frames of a long
video are enough. Coordinates are taken as they stand.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.truth import TRACKED, Truth, as_truth
from climb_edge.pose.skeleton import FROM_COCO17, INDEX, KEYPOINTS, K, to_25
from train.layouts.formats.reading import as_numbers, existing_folder, find, is_file, read_json
from train.layouts.imported import MAX_FRAMES, Imported, Log, Take, join

_WHAT = "COCO keypoints (.json with images, annotations, categories)"
ALIASES = {
    f"{side}_{other}": f"{side}_{ours}"
    for side in ("left", "right")
    for other, ours in (
        ("big_toe", "foot_index"),
        ("toe", "foot_index"),
        ("toes", "foot_index"),
        ("index_finger", "index"),
        ("pinky_finger", "pinky"),
        ("little_finger", "pinky"),
    )
}
GENERIC = {
    "",
    ".",
    "image",
    "images",
    "img",
    "imgs",
    "frame",
    "frames",
    "default",
    "data",
    "obj_train_data",
}
VIDEO_SUFFIXES = {".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v"}
# what Label Studio puts before an uploaded file's name
_UPLOADED = re.compile(r"^[0-9a-f]{8}-(?=.*[^0-9])")
_DIGITS = "0123456789"


@dataclass(frozen=True)
class Image:
    """One frame that the file lists."""

    clip: str
    number: int  # of the frame, as its name says
    size: tuple[int, int]


@dataclass(frozen=True)
class Person:
    """One person's label in one frame."""

    image: Image
    track: str | None  # the same for the same person, where the tool says so
    keypoints: np.ndarray  # (25, 2)
    visible: np.ndarray  # (25,)

    @property
    def known(self) -> int:
        """How many keypoints are labelled."""
        return int(np.isfinite(self.keypoints[:, 0]).sum())


def read(
    folder: str | Path,
    *,
    video: str = "",
    video_suffix: str = "",
    first_frame: int = 0,
    fps: float = float("nan"),
    split: str = "train",
    strict: bool = False,
) -> Imported:
    """The JSON files anywhere below `folder` (or one JSON file) as one clip per video.

    The video and the frame's number come from an image's file_name: climb.mp4/000123.jpg,
    climb/frame_000123.jpg and climb_000123.jpg are frame 123 of climb. `video_suffix` (".mp4") is
    put behind, so that the name is the video's path; where the file name says nothing but a number,
    `video` is the name, or else the JSON's own. `first_frame` is the number of a video's first
    frame: CVAT counts from 0, ffmpeg from 1. Visibility 0 is missing, 1 labelled but hidden, 2
    visible. Of several persons the one (by track, else in each frame) with the most labelled
    keypoints is kept. Labels are human truth, unless `truth` in the file's `info` says otherwise
    (one of climb_edge.files.truth.Truth) or it is an export of keypoints that were tracked. Raises
    ClimbEdgeError when nothing is usable or, if `strict`, a file, image or annotation is not.
    """
    log, takes = Log(strict), []
    paths = (
        [Path(folder)]
        if is_file(folder)
        else find(existing_folder(folder, _WHAT), "**/*.json", _WHAT)
    )
    for path in paths:
        with log.part():
            naming = (video or path.stem, video_suffix, first_frame)
            takes += [(path, take) for take in _takes(path, naming, fps, split, log)]
    return join(takes, f"COCO keypoints: {', '.join(p.name for p in paths[:5])}", log, folder)


def _takes(
    path: Path, naming: tuple[str, str, int], fps: float, split: str, log: Log
) -> list[Take]:
    content = read_json(path, _WHAT)
    parts = [content.get(n) for n in ("images", "annotations", "categories")]
    if not all(
        isinstance(part, list) and all(isinstance(item, dict) for item in part) for part in parts
    ):
        raise ClimbEdgeError(
            f"{path}: expected {_WHAT}, found other content; export it as COCO keypoints"
        )
    truth = _truth(path, content.get("info"))
    images: dict[str, Image] = {}
    for item in parts[0]:
        with log.part():
            image = _image(path, item, naming)
            images[_key(item.get("id"))] = image
    persons: dict[str, list[Person]] = {}
    skeletons = {_key(c.get("id")): c for c in parts[2]}
    mappings: dict[str, tuple[tuple[int, int], ...]] = {}
    for item in parts[1]:
        with log.part():
            if person := _person(path, item, images, skeletons, mappings, log):
                persons.setdefault(person.image.clip, []).append(person)
    if not persons:
        raise ClimbEdgeError(
            f"{path}: no annotation with keypoints; label some frames with a skeleton and export"
            " again"
        )
    clips: dict[str, list[Image]] = {}
    for image in images.values():
        clips.setdefault(image.clip, []).append(image)
    takes = []
    for clip, listed in clips.items():
        with log.part():
            take = _take(path, clip, listed, persons.get(clip, []), naming[2], fps, split, log)
            takes.append(replace(take, truth=truth))
    return takes


def _truth(path: Path, info: object) -> Truth:
    """What a file says its labels are worth."""
    info = info if isinstance(info, dict) else {}
    if "truth" in info:
        return as_truth(info["truth"], f"{path}: info")
    description = info.get("description")
    tracked = isinstance(description, str) and TRACKED in description
    return Truth.PSEUDO if tracked else Truth.HUMAN


def _key(value: object) -> str:
    return str(value)[:80] if isinstance(value, int | str) else ""


def _image(path: Path, item: dict, naming: tuple[str, str, int]) -> Image:
    name = item.get("file_name")
    size = as_numbers(
        path, f"size of image {name!r:.80}", [item.get("width"), item.get("height")], (2,)
    )
    if not isinstance(name, str) or not np.isfinite(size).all() or not _key(item.get("id")):
        raise ClimbEdgeError(
            f"{path}: image {name!r:.80}: expected id, file_name, width and height; export it again"
        )
    named = locate(name, *naming[:2])
    if named is None:
        raise ClimbEdgeError(
            f"{path}: image {name!r:.80}: expected a name that ends in the frame's number;"
            " rename it"
        )
    if named[1] < naming[2]:
        raise ClimbEdgeError(
            f"{path}: image {name!r:.80}: frame {named[1]} is before first_frame {naming[2]};"
            " lower it"
        )
    return Image(*named, (int(size[0]), int(size[1])))


def locate(file_name: str, default: str, video_suffix: str = "") -> tuple[str, int] | None:
    """Video and frame number of an image's file name, None where it ends in no number."""
    parts = PurePosixPath(file_name.replace("\\", "/")).parts
    stem = _UPLOADED.sub("", re.sub(r"\.[A-Za-z]{2,5}$", "", parts[-1])) if parts else ""
    name = stem.rstrip(_DIGITS)
    if not 0 < len(stem) - len(name) <= 12:
        return None
    number, name = int(stem[len(name) :]), name.rstrip("-_. ")
    folders = [p for p in parts[:-1] if p.lower() not in GENERIC and p != "/"]
    own = [] if name.lower() in GENERIC else [name]
    if own and folders[-1:] and PurePosixPath(folders[-1]).stem == own[0]:  # climb/climb_000123.jpg
        own = []
    name = "/".join(folders + own) or default
    if video_suffix and PurePosixPath(name).suffix.lower() not in VIDEO_SUFFIXES:
        name += video_suffix
    return name, number


def _person(
    path: Path, item: dict, images: dict, skeletons: dict, mappings: dict, log: Log
) -> Person | None:
    """The person of an annotation, None where it has no labelled keypoint (a box or an outline
    only).
    """
    values, label = item.get("keypoints"), f"annotation {_key(item.get('id'))}"
    if not values:
        return None
    image, category = images.get(_key(item.get("image_id"))), _key(item.get("category_id"))
    if image is None or category not in skeletons:
        raise ClimbEdgeError(
            f"{path}: {label}: its image or its category is not listed or was left out; export it"
            " again"
        )
    flat = as_numbers(path, f"keypoints of {label}", values, ("3K",))
    if len(flat) % 3 or not np.isin(flat[2::3], (0, 1, 2)).all():
        raise ClimbEdgeError(
            f"{path}: {label}: expected x, y, visibility (0, 1 or 2) for every keypoint; export it"
            " as COCO keypoints"
        )
    points = flat.reshape(-1, 3)
    if category not in mappings:
        mappings[category] = mapping(path, skeletons[category], len(points), log)
    if len(points) <= max(there for there, _ in mappings[category]):
        raise ClimbEdgeError(
            f"{path}: {label}: {len(points)} keypoints, fewer than its category names; export it"
            " again"
        )
    points = np.where(points[:, 2:] > 0, points, [np.nan, np.nan, 0])
    ours = to_25(points, mappings[category])
    attributes = item.get("attributes")
    track = item.get(
        "track_id", attributes.get("track_id") if isinstance(attributes, dict) else None
    )
    known = np.isfinite(ours[:, :2]).all(-1)
    if not known.any():
        return None
    return Person(
        image, None if track is None else _key(track), ours[:, :2], known & (ours[:, 2] == 2)
    )


def mapping(path: Path, category: dict, count: int, log: Log) -> tuple[tuple[int, int], ...]:
    """(index there, keypoint here) of a category's keypoints: by name, else by COCO's order of 17
    or our own of 25.

    Raises ClimbEdgeError when neither names nor number say which keypoint is which.
    """
    names = category.get("keypoints")
    names = (
        [re.sub(r"[^a-z0-9]+", "_", str(n).lower()).strip("_") for n in names]
        if isinstance(names, list)
        else []
    )
    names = [re.sub(r"^(l|r)_", lambda m: {"l": "left_", "r": "right_"}[m[1]], n) for n in names]
    pairs, taken = [], set()
    for i, name in enumerate(names):
        here = INDEX.get(ALIASES.get(name, name))
        if here is not None and here not in taken:
            pairs.append((i, here))
            taken.add(here)
    if pairs:
        if unknown := [
            n for i, n in enumerate(names) if i not in {p[0] for p in pairs} and "eye" not in n
        ]:
            log.warnings.append(
                f"{path}: keypoints {', '.join(unknown)[:200]} have no counterpart; they are"
                " left out"
            )
        return tuple(pairs)
    if count == 17:
        return FROM_COCO17
    if count == K:
        return tuple((i, i) for i in range(K))
    raise ClimbEdgeError(
        f"{path}: none of the {count} keypoints has a known name and they are neither 17 (COCO) nor"
        f" 25; name them as in {', '.join(KEYPOINTS[:5])}, ..."
    )


def _take(
    path: Path,
    clip: str,
    listed: list[Image],
    persons: list[Person],
    first: int,
    fps: float,
    split: str,
    log: Log,
) -> Take:
    sizes = {image.size for image in listed}
    if len(sizes) > 1:
        raise ClimbEdgeError(
            f"{path}: clip {clip}: frames of {len(sizes)} sizes; one video has one, rename the"
            " images"
        )
    numbers = [image.number - first for image in listed]
    if max(numbers) >= MAX_FRAMES:
        raise ClimbEdgeError(
            f"{path}: clip {clip}: frame number {max(numbers)}, expected less than {MAX_FRAMES};"
            " are these frames of a video?"
        )
    if first == 0 and min(numbers) == 1:
        log.warnings.append(
            f"{path}: clip {clip}: its first image is number 1; if numbers count from 1 (ffmpeg's"
            " do), import with first_frame=1"
        )
    tracks = Counter()
    for person in persons:
        if person.track is not None:
            tracks[person.track] += person.known
    chosen = max(tracks, key=tracks.get) if tracks else None
    frames: dict[int, Person] = {}
    # CVAT gives a track to what was tracked, none to what was drawn in one frame
    for person in persons:
        row, best = person.image.number - first, frames.get(person.image.number - first)
        rank = (person.track is not None, person.known)
        if person.track in (chosen, None) and (
            best is None or rank > (best.track is not None, best.known)
        ):
            frames[row] = person
    if others := len(persons) - len(frames):
        log.warnings.append(
            f"{path}: clip {clip}: {others} labels of further persons are left out; a clip has one"
            " person"
        )
    keypoints, visible = (
        np.full((max(numbers) + 1, K, 2), np.nan, np.float32),
        np.zeros((max(numbers) + 1, K), bool),
    )
    for row, person in frames.items():
        keypoints[row], visible[row] = person.keypoints, person.visible
    return Take(clip, keypoints, visible, sizes.pop(), fps, "labelled", split)
