"""Labelled pictures of videos become clips: what the readers of COCO and YOLO files share.

Pictures of one video may lie in several files (train, valid, test): they are one clip. A frame that
nobody labelled is a row without keypoints.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.truth import Truth, weakest
from climb_edge.pose.skeleton import K
from train.layouts.formats.image_names import locate
from train.layouts.formats.keypoint_names import UNNAMED, Mapping, checked, names_of
from train.layouts.imported import MAX_FRAMES, Log, Take

# Rows of all clips together, 19 hours at 30 frames a second: a few labels with large frame numbers
# would fill any memory.
MOST_ROWS = 2_000_000


@dataclass(frozen=True)
class Naming:
    """How the names of pictures say video and frame; the options of a reader."""

    video: str  # of a name that says nothing but a number; else the file's own
    video_suffix: str
    first_frame: int  # the number of a video's first frame
    every: int  # pictures were taken every so many frames, and numbered without a gap
    rename: dict[str, str]  # clip as read -> clip

    @classmethod
    def of(
        cls, video: str, video_suffix: str, first_frame: int, every: int, rename: Sequence[str]
    ) -> Naming:
        """Raises ClimbEdgeError for an option that cannot be."""
        if every < 1:
            raise ClimbEdgeError(f"every={every}: expected a whole number from 1 on")
        return cls(video, video_suffix, first_frame, every, pairs("--rename", rename))

    def place(self, where: str, name: str, default: str) -> tuple[str, int]:
        """Clip and row of a picture. Raises ClimbEdgeError, beginning with `where`, for a name that
        says none.
        """
        found = locate(name, self.video or default, self.video_suffix)
        if found is None:
            raise ClimbEdgeError(
                f"{where}: expected a name that ends in the frame's number; rename it"
            )
        clip, number = found
        if number < self.first_frame:
            raise ClimbEdgeError(
                f"{where}: frame {number} is before first_frame {self.first_frame}; lower it"
            )
        return clip, (number - self.first_frame) * self.every


def pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    """["a=b"] as a dict. Raises ClimbEdgeError, beginning with the option, for another form."""
    found = {}
    for text in texts:
        theirs, equals, ours = text.partition("=")
        if not (theirs and equals and ours):
            raise ClimbEdgeError(f"{option} {text}: expected THEIRS=OURS")
        found[theirs] = ours
    return found


@dataclass(frozen=True)
class Picture:
    """One labelled or listed picture: a frame of a video."""

    clip: str
    row: int  # frames after the video's first
    size: tuple[int, int]  # width, height
    name: str  # as the file lists it
    source: Path  # the file that lists it
    home: Path  # the folder that the name may be inside of
    truth: Truth = Truth.HUMAN
    key: str = ""  # its id in that file

    def __str__(self) -> str:
        return f"{self.name} ({self.source.name}{self.key and ', image '}{self.key})"


@dataclass(frozen=True)
class Person:
    """One person's label in one picture."""

    picture: Picture
    track: str | None  # the same for the same person, where the tool says so
    keypoints: np.ndarray  # (25, 2)
    visible: np.ndarray  # (25,)

    @property
    def known(self) -> int:
        """How many keypoints are labelled."""
        return int(np.isfinite(self.keypoints[:, 0]).sum())


def mapped(
    path: Path,
    names: Sequence[str] | None,
    count: int,
    skeleton: str,
    given: dict[str, str],
    log: Log,
) -> Mapping:
    """Which of a file's `count` keypoints are which of ours; what is not, or not by name, is told.

    Raises ClimbEdgeError as `names_of` and `checked` do.
    """
    known = names_of(path, names, count, skeleton)
    if not names and not skeleton:
        log.warnings.append(
            f"{path}: keypoints without names are taken in the order of {UNNAMED[count]}; of"
            " another order say --option skeleton=NAME"
        )
    found = checked(path, known, given)
    log.unlike(path, found.without, found.unknown)
    return found


def told_apart(persons: list[Person], log: Log, path: Path) -> list[Person]:
    """Persons of one file; where its flags are 0 and 1 alone, 1 says visible, not hidden."""
    if any(p.visible.any() for p in persons) or not persons:
        return persons
    log.warnings.append(
        f"{path}: no keypoint has visibility 2; its flags are taken as 0 and 1, 1 for visible"
    )
    return [replace(p, visible=np.isfinite(p.keypoints).all(-1)) for p in persons]


def takes(
    pictures: list[Picture], persons: list[Person], log: Log, naming: Naming, fps: float, split: str
) -> list[tuple[Path, Take]]:
    """A take for each clip, with the first file that names it. A clip that cannot be is left out.

    Raises ClimbEdgeError where all of them together have more than MOST_ROWS frames, and for a clip
    to rename that is none.
    """
    names = {picture.clip: picture.clip for picture in pictures}
    if strangers := sorted(set(naming.rename) - set(names)):
        raise ClimbEdgeError(
            f"--rename {strangers[0]}: expected one of the clips as they are read,"
            f" {', '.join(names)[:400]}; correct it"
        )
    names |= naming.rename
    clips: dict[str, list[Picture]] = {}
    for picture in pictures:
        clips.setdefault(names[picture.clip], []).append(picture)
    labels: dict[str, list[Person]] = {}
    for person in persons:
        labels.setdefault(names[person.picture.clip], []).append(person)
    rows = sum(min(max(p.row for p in own) + 1, MAX_FRAMES) for own in clips.values())
    if rows > MOST_ROWS:
        raise ClimbEdgeError(
            f"{pictures[0].source}: {len(clips)} clips of {rows:,} frames up to the highest"
            f" numbers, {len(persons):,} of them labelled; expected at most {MOST_ROWS:,} in all;"
            " correct the numbers, or import the videos in several parts"
        )
    found = []
    for clip, listed in clips.items():
        with log.part():
            found.append((listed[0].source, _take(clip, listed, labels.get(clip, []), log, naming)))
    return [(path, replace(take, fps=fps, split=split)) for path, take in found]


def _take(
    clip: str, listed: list[Picture], persons: list[Person], log: Log, naming: Naming
) -> Take:
    path = listed[0].source
    sizes = {picture.size for picture in listed}
    if len(sizes) > 1:
        shown = ", ".join(f"{w} x {h}" for w, h in sorted(sizes)[:3])
        raise ClimbEdgeError(
            f"{path}: clip {clip}: frames of {len(sizes)} sizes ({shown}); one video has one,"
            " rename the images"
        )
    last = max(picture.row for picture in listed)
    if last >= MAX_FRAMES:
        raise ClimbEdgeError(
            f"{path}: clip {clip}: frame number {last}, expected less than {MAX_FRAMES}; are these"
            " frames of a video?"
        )
    if naming.first_frame == 0 and min(picture.row for picture in listed) == naming.every:
        log.warnings.append(
            f"{path}: clip {clip}: its first image is number 1; if numbers count from 1 (ffmpeg's"
            " do), import with first_frame=1"
        )
    by_row: dict[int, list[Person]] = {}
    for person in persons:
        by_row.setdefault(person.picture.row, []).append(person)
    frames = _once(clip, listed, by_row)
    places = [p.source if p.source.suffix == ".json" else p.source.parent for p in listed]
    if len(files := dict.fromkeys(map(str, places))) > 1:
        log.warnings.append(f"clip {clip}: its frames come from {', '.join(files)[:300]}")
    chosen = _chosen(frames)
    if others := sum(len(own) for own in frames.values()) - len(chosen):
        log.warnings.append(
            f"{path}: clip {clip}: {others} labels of further persons are left out; a clip has one"
            " person"
        )
        log.left_out["labels of further persons"] += others
    keypoints, visible = (
        np.full((last + 1, K, 2), np.nan, np.float32),
        np.zeros((last + 1, K), bool),
    )
    for row, person in chosen.items():
        keypoints[row], visible[row] = person.keypoints, person.visible
    return Take(
        clip,
        keypoints,
        visible,
        sizes.pop(),
        group="labelled",
        truth=weakest(picture.truth for picture in listed),
        pictures={picture.row: (picture.home, picture.name) for picture in listed},
    )


def _once(
    clip: str, listed: list[Picture], by_row: dict[int, list[Person]]
) -> dict[int, list[Person]]:
    """The persons of each frame, where a frame that several files list has the same ones in each.

    Raises ClimbEdgeError naming both pictures that claim to be one frame: they are of two videos,
    or changed copies of one.
    """
    first: dict[int, Picture] = {}
    kept = dict(by_row)
    for picture in listed:
        before = first.setdefault(picture.row, picture)
        if before is picture:
            continue
        own, other = (
            [p for p in by_row.get(picture.row, []) if p.picture is which]
            for which in (picture, before)
        )
        same = len(own) == len(other) and all(
            np.array_equal(a.keypoints, b.keypoints, equal_nan=True)
            for a, b in zip(own, other, strict=True)
        )
        if before.source == picture.source or not (same or not own or not other):
            raise ClimbEdgeError(
                f"{picture.source}: clip {clip}: two pictures of frame {picture.row}, {before} and"
                f" {picture}; two videos, or copies of one picture that were changed? Put the"
                " video's name before the number, import them one by one with video=NAME, or export"
                " without augmentation"
            )
        kept[picture.row] = other or own
    return kept


def _chosen(frames: dict[int, list[Person]]) -> dict[int, Person]:
    """One person per frame: by track, else in each frame, the one with the most keypoints."""
    tracks: Counter[str] = Counter()
    for own in frames.values():
        for person in own:
            if person.track is not None:
                tracks[person.track] += person.known
    followed = max(tracks, key=lambda t: tracks[t]) if tracks else None
    found = {}
    # CVAT gives a track to what was tracked, none to what was drawn in one frame
    for row, own in frames.items():
        if fitting := [p for p in own if p.track in (followed, None)]:
            found[row] = max(fitting, key=lambda p: (p.track is not None, p.known))
    return found
