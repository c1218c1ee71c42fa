"""Which video and frame a picture is of, as annotation tools name the pictures of a video.

climb.mp4/000123.jpg, climb/frame_000123.jpg, climb_000123.jpg, Roboflow's
climb_mp4-0123_jpg.rf.<hash>.jpg and Label Studio's upload/4/<hash>-climb_000123.jpg are all frame
123 of climb.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from urllib.parse import unquote

VIDEO_SUFFIXES = {".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v"}
PARTS_OF_A_SET = {"train", "training", "valid", "val", "validation", "test", "testing"}
# Words that name no video, as a folder or before a frame's number.
GENERIC = {
    *("", ".", "image", "images", "img", "imgs", "frame", "frames", "default", "data", "labels"),
    *("obj_train_data", "obj_valid_data", "labeled-data", "upload", "annotations"),
}
# Folders of a tool on another machine: what lies under the last one is the user's own.
_ROOTS = {"labeled-data", "upload", "uploads", "datasets", "images", "obj_train_data"}
_IMAGE = r"jpe?g|png|bmp|webp|tiff?|gif"
_ROBOFLOW = re.compile(rf"(.+?)(?:_(?:{_IMAGE}))?\.rf\.[0-9A-Za-z]{{8,}}$", re.IGNORECASE)
_VIDEO = re.compile(r"(.+)_(mp4|mov|avi|mkv|webm|m4v)$", re.IGNORECASE)
# What Label Studio puts before an uploaded file's name. Digits alone may be a date.
_UPLOADED = re.compile(r"^[0-9a-f]{8}-(?=.)")
_ABSOLUTE = re.compile(r"/|[A-Za-z]:/|\.\./|[a-z][a-z0-9+]*://")


def locate(file_name: str, default: str, video_suffix: str = "") -> tuple[str, int] | None:
    """Video and frame number of a picture's file name, None where it ends in no number.

    A name that says nothing but the number is of `default`; `video_suffix` (".mp4") is put behind a
    video's name that has none.
    """
    parts = _parts(file_name)
    stem = _stem(parts)
    found = re.fullmatch(r"(.*?)(?:\((\d{1,12})\)|(\d{1,12}))", stem, re.DOTALL)
    if not found or found[1][-1:].isdecimal():
        return None
    folders = [p for p in parts[:-1] if p.lower() not in GENERIC and p != "/"]
    own = _named(found[1])
    if own and folders[-1:] and PurePosixPath(folders[-1]).stem == own[0]:  # climb/climb_000123.jpg
        own = []
    if len(telling := [p for p in folders if p.lower() not in PARTS_OF_A_SET]) + len(own):
        folders = telling
    name = "/".join(folders + own) or default
    if video_suffix and PurePosixPath(name).suffix.lower() not in VIDEO_SUFFIXES:
        name += video_suffix
    return name, int(found[2] or found[3])


def relative(file_names: Iterable[str]) -> list[str]:
    """The same names as paths inside the user's folder: without what a tool's machine, a bucket or
    an upload put before them, the same for all.
    """
    cut = [_cut(unquote(name).replace("\\", "/")) for name in file_names]
    if _hashed([name.rpartition("/")[2] for name in cut]):
        cut = [re.sub(r"(^|/)[0-9a-f]{8}-(?=[^/]*$)", r"\1", name) for name in cut]
    far = [name.split("/")[:-1] for name in cut if _ABSOLUTE.match(name)]
    ends = zip(min(far), max(far), strict=False) if far else ()
    shared = next((i for i, (a, b) in enumerate(ends) if a != b), min(map(len, far), default=0))
    return [_inside(name.split("/"), shared) if _ABSOLUTE.match(name) else name for name in cut]


def _hashed(names: list[str]) -> bool:
    """Whether every file's name begins with an upload's hash of its own."""
    found = [_UPLOADED.match(name) for name in names]
    hashes = {match[0] for match in found if match}
    return 1 < len(hashes) == len(names) and any(re.search("[a-f]", each) for each in hashes)


def _cut(name: str) -> str:
    """A name without a query, and without the folders of a tool that it begins with."""
    name = re.sub(r"^.*[?&]d=", "", name)
    name = name.split("?", 1)[0] if "://" in name else name
    parts = name.split("/")
    roots = [i for i, part in enumerate(parts[:-1]) if part.lower() in _ROOTS]
    if not roots or not (_ABSOLUTE.match(name) or parts[roots[-1]].lower() == "labeled-data"):
        return name
    inner = parts[roots[-1] + 1 :]
    if parts[roots[-1]].lower().startswith("upload") and inner[0].isdecimal() and len(inner) > 1:
        inner = inner[1:]  # the project's number
    return "/".join(inner)


def _inside(parts: list[str], shared: int) -> str:
    """The path without `shared` folders, but with the last of them where no other part names the
    video.
    """
    inner = parts[shared:]
    if len(inner) == 1 and not _named(_stem(inner).rstrip("0123456789")):
        inner = parts[shared - 1 :]
    return "/".join(inner)


def _parts(file_name: str) -> list[str]:
    return list(PurePosixPath(file_name.replace("\\", "/")).parts)


def _stem(parts: list[str]) -> str:
    """The last part without suffixes, hash and upload prefix."""
    stem = re.sub(rf"(\.({_IMAGE}))+$", "", parts[-1], flags=re.IGNORECASE) if parts else ""
    stem = re.sub(r"\.[A-Za-z]{2,5}$", "", stem)
    if found := _ROBOFLOW.match(stem):
        stem = found[1]
    return _UPLOADED.sub("", stem) if re.search(r"[a-f]", stem[:8]) else stem


def _named(text: str) -> list[str]:
    """The video that the text before a frame's number names, as a list of one or none."""
    name = re.sub(r"[-_. ]+(frames?|images?|img)$", "", text.rstrip("-_. "), flags=re.IGNORECASE)
    if found := _VIDEO.fullmatch(name):
        name = f"{found[1]}.{found[2]}"
    return [] if name.lower() in GENERIC else [name]
