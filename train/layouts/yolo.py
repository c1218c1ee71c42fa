"""Ultralytics' YOLO pose: data.yaml, images/ and labels/ with a text file for each picture, as
CVAT, Roboflow and Label Studio export it too.

A line of a label is class, box (4) and keypoints as x, y[, visibility], in fractions of the
picture.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from climb_edge.errors import DAMAGED, ClimbEdgeError
from climb_edge.pose.skeleton import to_25
from train.layouts.formats.image_names import PARTS_OF_A_SET, relative
from train.layouts.formats.keypoint_names import Mapping
from train.layouts.formats.reading import existing_folder, is_file, read_text
from train.layouts.formats.yaml_values import read_yaml
from train.layouts.imported import Imported, Log, join
from train.layouts.labelled import Naming, Person, Picture, mapped, pairs, takes, told_apart

_WHAT = "YOLO pose labels (data.yaml with kpt_shape, images/ and labels/*.txt)"
PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
BOX = 5  # numbers of a line before its keypoints: class, centre, width and height
TURNED = (5, 6, 7, 8)  # EXIF orientations that lay a picture on its side


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
    kpt_shape: tuple[int, int] = (0, 0),
    frame_size: tuple[int, int] = (0, 0),
    strict: bool = False,
) -> Imported:
    """The label files below labels/ folders anywhere below `folder` (or that of a data.yaml) as one
    clip per video.

    `kpt_shape` (keypoints, 2 or 3 numbers each) is data.yaml's unless given; so are keypoint names
    (kpt_names), without which 17 are COCO's: see `skeleton`. A picture's size is read from the
    picture, or is `frame_size` where the pictures are not at hand. Names, persons and the other
    options as for coco.py; without visibility (0, 0) is missing. Raises ClimbEdgeError when nothing
    is usable or, if `strict`, a file is not.
    """
    named = Path(folder)
    if named.suffix in (".yaml", ".yml") and is_file(named):
        named = named.parent
    log, root = Log(strict), existing_folder(named, _WHAT)
    naming = Naming.of(video, video_suffix, first_frame, every, rename)
    about = _about(root)
    labels = sorted(p for p in root.rglob("*.txt") if "labels" in _inside(root, p)[:-1])
    if not labels:
        raise ClimbEdgeError(f"{root}: expected {_WHAT}, found no label; name its top folder")
    shape = tuple(kpt_shape) if any(kpt_shape) else _shape(root, about)
    kind = _Labels(root, about, shape, skeleton, pairs("--map", map), log)
    pictures: list[Picture] = []
    persons: list[Person] = []
    bare = [
        "/".join(p for p in _inside(root, path) if p.lower() not in PARTS_OF_A_SET)
        for path in labels
    ]
    for path, name in zip(labels, relative(bare), strict=True):
        with log.part():
            clip, row = naming.place(str(path), name, root.resolve().name)
            picture = Picture(clip, row, *kind.picture(path, frame_size), path, root)
            found = kind.read(picture)
            pictures.append(picture)
            persons += found
    if not persons and not log.skipped:
        raise ClimbEdgeError(
            f"{root}: none of {len(labels)} labels has keypoints; export pose labels, not boxes"
        )
    persons = told_apart(persons, log, root) if shape[1] == 3 else persons
    made = takes(pictures, persons, log, naming, fps, split) if persons else []
    return join(made, f"YOLO pose labels: {root.resolve().name}", log, folder)


def _inside(root: Path, path: Path) -> list[str]:
    return list(path.relative_to(root).parts)


def _about(root: Path) -> dict[str, Any]:
    """What the data set's YAML file says; nothing where there is none with keypoints."""
    for path in sorted([*root.glob("*.yaml"), *root.glob("*.yml"), *root.glob("*/*.yaml")]):
        if "kpt_shape:" in read_text(path, _WHAT):
            return read_yaml(path, _WHAT)
    return {}


def _shape(root: Path, about: dict[str, Any]) -> tuple[int, int]:
    shape = about.get("kpt_shape")
    if (
        not isinstance(shape, list)
        or [type(n) for n in shape] != [int, int]
        or not 1 <= shape[0] <= 1000
        or shape[1] not in (2, 3)
    ):
        raise ClimbEdgeError(
            f"{root}: expected data.yaml with kpt_shape: [keypoints, 2 or 3], found"
            f" {str(shape)[:80]}; copy it there, or say --option kpt_shape=17x3"
        )
    return shape[0], shape[1]


@dataclass(eq=False)
class _Labels:
    """The label files of one data set."""

    root: Path
    about: dict[str, Any]
    shape: tuple[int, ...]  # keypoints, numbers of each
    skeleton: str
    given: dict[str, str]
    log: Log
    mappings: dict[int, Mapping] = field(default_factory=dict)  # by class

    def read(self, picture: Picture) -> list[Person]:
        """The persons in a picture's label file."""
        lines = enumerate(read_text(picture.source, _WHAT).splitlines(), 1)
        rows = [(number, line.split()) for number, line in lines if line.strip()]
        return [p for number, words in rows for p in self._person(picture, number, words)]

    def picture(self, path: Path, frame_size: tuple[int, int]) -> tuple[tuple[int, int], str]:
        """Size and name, from the data set's folder on, of the picture that a label file is of."""
        parts = _inside(self.root, path)
        last = len(parts) - 1 - parts[::-1].index("labels")
        beside = self.root.joinpath(*parts[:last], "images", *parts[last + 1 :])
        for candidate in (beside, path):
            for suffix in PICTURES:
                for spelt in (suffix, suffix.upper()):
                    there = candidate.parent / f"{candidate.stem}{spelt}"
                    if there.is_file():
                        return _size(there), there.relative_to(self.root).as_posix()
        if frame_size == (0, 0):
            raise ClimbEdgeError(
                f"{path}: its picture is not in {beside.parent}, so that its size is not known;"
                " copy the pictures, or say --option frame_size=WIDTHxHEIGHT"
            )
        return frame_size, beside.relative_to(self.root).as_posix()

    def _person(self, picture: Picture, number: int, words: list[str]) -> Iterable[Person]:
        """The person of a line as a list of one; of none where no keypoint of ours is labelled."""
        where, (count, each) = f"{picture.source}: line {number}", self.shape
        if len(words) == BOX:
            self.log.left_out["boxes without keypoints"] += 1
            return []
        try:
            numbers = np.array(words, np.float64)
        except ValueError as error:
            raise ClimbEdgeError(
                f"{where}: expected numbers, found {error}; export again"
            ) from None
        if len(numbers) != BOX + count * each:
            raise ClimbEdgeError(
                f"{where}: {len(numbers)} numbers, expected {BOX} and {count} x {each} of"
                " kpt_shape; correct kpt_shape, or export pose labels again"
            )
        points = numbers[BOX:].reshape(count, each)
        if each == 3 and not np.isin(points[:, 2], (0, 1, 2)).all():
            raise ClimbEdgeError(
                f"{where}: expected visibility 0, 1 or 2, found scores; these are predictions, no"
                " labels: label the frames, or import heatmaps"
            )
        xy, flags = points[:, :2], points[:, 2:]
        if each == 2:  # (0, 0) is not labelled
            flags = 2.0 * (xy != 0).any(-1, keepdims=True)
        if not (np.abs(xy) <= 3).all() or not abs(numbers[0]) < 1e6:
            raise ClimbEdgeError(
                f"{where}: expected a class and fractions of the picture, found"
                f" {np.abs(numbers).max():g}; export normalised labels"
            )
        placed = np.where(flags > 0, xy * picture.size, np.nan)
        ours = to_25(np.concatenate([placed, flags], 1), self._mapping(int(numbers[0])).pairs)
        known = np.isfinite(ours[:, :2]).all(-1)
        if not known.any():
            self.log.left_out["persons without a labelled keypoint"] += 1
            return []
        return [Person(picture, None, ours[:, :2], known & (ours[:, 2] == 2))]

    def _mapping(self, kind: int) -> Mapping:
        """Which keypoints those of class `kind` are."""
        if kind not in self.mappings:
            named = self.about.get("kpt_names", self.about.get("node_names"))  # SLEAP's word
            named = named.get(str(kind)) if isinstance(named, dict) else named
            given = [str(n) for n in named] if isinstance(named, list) else None
            if given and len(given) != self.shape[0]:
                raise ClimbEdgeError(
                    f"{self.root}: {len(given)} names of class {kind}, expected {self.shape[0]} as"
                    " kpt_shape says; correct data.yaml"
                )
            self.mappings[kind] = mapped(
                self.root, given, self.shape[0], self.skeleton, self.given, self.log
            )
        return self.mappings[kind]


def _size(path: Path) -> tuple[int, int]:
    """Width and height of a picture as it is shown. Raises ClimbEdgeError for what is none."""
    from PIL import Image  # matplotlib brings it

    try:
        with Image.open(path) as picture:
            width, height = picture.size
            return (height, width) if picture.getexif().get(274) in TURNED else (width, height)
    except DAMAGED as error:
        raise ClimbEdgeError(
            f"{path}: expected a picture, found a file that none reads ({error}); copy it again"
        ) from error
