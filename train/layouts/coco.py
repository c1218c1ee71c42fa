"""COCO keypoints, as annotation tools export them (CVAT, Label Studio, Roboflow, COCO Annotator,
DeepLabCut, SLEAP): frames of videos in a JSON.

A frame that nobody labelled is a row without keypoints, so a few hundred labelled frames of a long
video are enough. Coordinates are taken as they stand.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.truth import TRACKED, Truth, as_truth
from climb_edge.pose.skeleton import to_25
from train.layouts.formats.image_names import PARTS_OF_A_SET, relative
from train.layouts.formats.keypoint_names import Mapping
from train.layouts.formats.reading import as_numbers, existing_folder, find, is_file, read_json
from train.layouts.imported import Imported, Log, join
from train.layouts.labelled import Naming, Person, Picture, mapped, pairs, takes, told_apart

_WHAT = "COCO keypoints (.json with images, annotations, categories)"


def read(
    folder: str | Path,
    *,
    video: str = "",
    video_suffix: str = "",
    first_frame: int = 0,
    every: int = 1,
    fps: float = float("nan"),
    split: str = "train",
    skeleton: str = "",
    map: tuple[str, ...] = (),
    rename: tuple[str, ...] = (),
    strict: bool = False,
) -> Imported:
    """The JSON files anywhere below `folder` (or one JSON file) as one clip per video; a video may
    lie in several of them (train, valid, test).

    The video and the frame's number come from an image's file_name, see formats/image_names.py.
    `video_suffix` (".mp4") is put behind, so that the name is the video's path; where the file name
    says nothing but a number, `video` is the name, or else the JSON's own. `first_frame` is the
    number of a video's first frame: CVAT counts from 0, ffmpeg from 1; `every` is how many frames
    lie between two numbers. Keypoints are told by their names (formats/keypoint_names.py), by `map`
    ("theirs=ours") or, of a file without names, by the order of `skeleton`; `rename`
    ("theirs=ours") gives clips other names. Visibility 0 is missing, 1 labelled but hidden, 2
    visible. Of several persons the one (by track, else in each frame) with the most labelled
    keypoints is kept. Labels are human truth, unless `truth` in the file's `info` says otherwise
    (one of climb_edge.files.truth.Truth) or it is an export of keypoints that were tracked. Raises
    ClimbEdgeError when nothing is usable or, if `strict`, a file, image or annotation is not.
    """
    log, pictures, persons = Log(strict), [], []
    naming = Naming.of(video, video_suffix, first_frame, every, rename)
    given = pairs("--map", map)
    root = Path(folder)
    paths = [root] if is_file(root) else find(existing_folder(root, _WHAT), "**/*.json", _WHAT)
    defaults = _defaults(paths)
    for path in paths:
        with log.part():
            file = _File(path, defaults[path], naming, skeleton, given, log)
            own, labels = file.read()
            pictures += own
            persons += labels
    found = takes(pictures, persons, log, naming, fps, split) if persons else []
    return join(found, f"COCO keypoints: {', '.join(p.name for p in paths[:5])}", log, folder)


def _defaults(paths: list[Path]) -> dict[Path, str]:
    """What to call the video of each file whose images say nothing but a number: the file's name
    without its part of the set, with its folders where several have one name.
    """
    words = "|".join(sorted(PARTS_OF_A_SET, key=len, reverse=True))
    stems = {p: re.sub(rf"(?<=.)[-_ .]({words})\d*$", "", p.stem, flags=re.I) for p in paths}
    folders = {p: [f for f in p.parent.parts if f.lower() not in PARTS_OF_A_SET] for p in paths}
    names = {}
    for path, stem in stems.items():
        alike = [folders[p] for p in paths if stems[p] == stem]
        ends = zip(min(alike), max(alike), strict=False)
        shared = next((i for i, (a, b) in enumerate(ends) if a != b), min(map(len, alike)))
        names[path] = "/".join([*folders[path][shared:], stem])
    return names


@dataclass(eq=False)
class _File:
    """One JSON file as it is read."""

    path: Path
    default: str  # the video of a name without one
    naming: Naming
    skeleton: str
    given: dict[str, str]
    log: Log
    # by category; None of one whose keypoints are nobody's
    mappings: dict[str, Mapping | None] = field(default_factory=dict)

    def read(self) -> tuple[list[Picture], list[Person]]:
        content = read_json(self.path, _WHAT)
        parts = [content.get(n) for n in ("images", "annotations", "categories")]
        if not all(
            isinstance(part, list) and all(isinstance(item, dict) for item in part)
            for part in parts
        ):
            raise ClimbEdgeError(
                f"{self.path}: expected {_WHAT}, found other content; export it as COCO keypoints"
            )
        listed, annotations, categories = parts
        truth = _truth(self.path, content.get("info"))
        pictures: dict[str, Picture] = {}
        for item, name in zip(listed, relative(map(_name, listed)), strict=True):
            with self.log.part():
                self._add(pictures, item, name, truth)
        persons: list[Person] = []
        skeletons = {_key(c.get("id")): c for c in categories}
        for item in annotations:
            if not item.get("keypoints"):
                self.log.left_out["annotations without keypoints"] += 1
                continue
            with self.log.part():
                if person := self._person(item, pictures, skeletons):
                    persons.append(person)
        if not persons:
            raise ClimbEdgeError(
                f"{self.path}: no annotation with keypoints; label some frames with a skeleton and"
                " export again"
            )
        if truth is Truth.HUMAN:
            persons = told_apart(persons, self.log, self.path)
        return list(pictures.values()), persons

    def _add(self, pictures: dict[str, Picture], item: dict, name: str, truth: Truth) -> None:
        label, key = f"{self.path}: image {name!r:.120}", _key(item.get("id"))
        sides = [item.get("width"), item.get("height")]
        size = as_numbers(self.path, f"size of image {name!r:.80}", sides, (2,))
        if not isinstance(item.get("file_name"), str) or not np.isfinite(size).all() or not key:
            raise ClimbEdgeError(f"{label}: expected id, file_name, width and height; export again")
        clip, row = self.naming.place(label, name, self.default)
        if key in pictures:
            raise ClimbEdgeError(
                f"{label}: its id {key} is that of {pictures[key].name} as well; export again"
            )
        width, height = (int(side) for side in size)
        pictures[key] = Picture(
            clip, row, (width, height), name, self.path, self.path.parent, truth, key
        )

    def _person(self, item: dict, pictures: dict, skeletons: dict) -> Person | None:
        """The person of an annotation, None where no keypoint of ours is labelled."""
        label = f"{self.path}: annotation {_key(item.get('id'))}"
        picture, category = pictures.get(_key(item.get("image_id"))), _key(item.get("category_id"))
        if picture is None or category not in skeletons:
            raise ClimbEdgeError(
                f"{label}: its image or its category is not listed or was left out; export it again"
            )
        flat = as_numbers(self.path, f"keypoints of {label}", item["keypoints"], ("3K",))
        flags = np.maximum(np.nan_to_num(flat[2::3]), 0)  # -1 and null: not labelled
        if len(flat) % 3 or not np.isin(flags, (0, 1, 2)).all():
            raise ClimbEdgeError(
                f"{label}: expected x, y, visibility (0, 1 or 2) for every keypoint; export it as"
                " COCO keypoints"
            )
        points = np.column_stack([flat.reshape(-1, 3)[:, :2], flags])
        if category not in self.mappings:
            self.mappings[category] = None
            names = skeletons[category].get("keypoints")
            self.mappings[category] = mapped(
                self.path,
                [str(n) for n in names] if isinstance(names, list) else None,
                len(points),
                self.skeleton,
                self.given,
                self.log,
            )
        if (found := self.mappings[category]) is None:
            self.log.left_out["persons of unknown keypoints"] += 1
            return None
        if len(points) <= max(there for there, _ in found.pairs):
            raise ClimbEdgeError(
                f"{label}: {len(points)} keypoints, fewer than its category names; export it again"
            )
        ours = to_25(np.where(points[:, 2:] > 0, points, [np.nan, np.nan, 0]), found.pairs)
        known = np.isfinite(ours[:, :2]).all(-1)
        if not known.any():
            self.log.left_out["persons without a labelled keypoint"] += 1
            return None
        return Person(picture, _track(item), ours[:, :2], known & (ours[:, 2] == 2))


def _name(item: dict) -> str:
    """An image's file name, with the folders that COCO Annotator writes beside it."""
    name, path = item.get("file_name"), item.get("path")
    fuller = isinstance(path, str) and isinstance(name, str) and path.endswith(f"/{name}")
    return str(path if fuller else name)


def _truth(path: Path, info: object) -> Truth:
    """What a file says its labels are worth."""
    info = info if isinstance(info, dict) else {}
    if "truth" in info:
        return as_truth(info["truth"], f"{path}: info")
    description = info.get("description")
    tracked = isinstance(description, str) and TRACKED in description
    return Truth.PSEUDO if tracked else Truth.HUMAN


def _key(value: object) -> str:
    """An id as text: 7, 7.0, "7" and "7.0" are one."""
    if isinstance(value, float) and not math.isfinite(value):
        return ""
    return re.sub(r"\.0+$", "", str(value)[:80]) if isinstance(value, int | float | str) else ""


def _track(item: dict) -> str | None:
    """The person's number over frames, where a tool writes one (CVAT, SLEAP)."""
    attributes = item.get("attributes")
    places = [item, attributes if isinstance(attributes, dict) else {}]
    named = [p[n] for p in places for n in ("track_id", "object_id") if p.get(n) is not None]
    return _key(named[0]) if named else None
