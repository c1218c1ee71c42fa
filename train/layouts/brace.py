"""BRACE: breakdancing, COCO's 17 keypoints in every frame (interpolated) and by hand in some of
them.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.npz import expect_shape, read_npz
from climb_edge.pose.skeleton import FROM_COCO17, to_25
from train.layouts.formats.reading import (
    as_numbers,
    existing_folder,
    inside,
    read_csv,
    read_json,
    reading,
)
from train.layouts.imported import Imported, Log, Take, join

SIZE = (1920, 1080)
_SEGMENT = re.compile(
    r"(?P<video>.+)_(?P<start>\d+)-(?P<end>\d+)_(?P<move>toprock|footwork|powermove)"
)
_FRAME = re.compile(r"(?P<video>.+)/img-(?P<number>\d{6})\.png", re.ASCII)
_WHAT = "a BRACE segment (.json)"


def read(folder: str | Path, *, strict: bool = False) -> Imported:
    """<year>/<video_id>/<video_id>_<start>-<end>_<movement>.json anywhere below `folder` as clips.

    A clip is a run of consecutive frame numbers, named <video_id>_<first>-<last>_<movement>; its
    group is the movement. Manual frames (<video_id>/img-NNNNNN.npz anywhere below) override
    interpolated ones; a keypoint that they put outside the frame is missing, and a frame that is
    all 0 has no annotation. The split comes from segments.csv with sequences_train.csv and
    sequences_test.csv, the frame rate from videos_info.csv, where they are there. Raises
    ClimbEdgeError when nothing is usable or, if `strict`, a file is not.
    """
    folder, log = existing_folder(folder, _WHAT), Log(strict)
    segments = [(p, m) for p in sorted(folder.rglob("*.json")) if (m := _SEGMENT.fullmatch(p.stem))]
    if not segments:
        raise ClimbEdgeError(
            f"{folder}: expected BRACE segments (<video_id>_<start>-<end>_<movement>.json), found"
            " none; name the folder that holds the years"
        )
    manual = {
        (p.parent.name, int(p.stem[4:])): p
        for p in sorted(folder.rglob("img-*.npz"))
        if p.stem[4:].isdecimal()
    }
    sides, rates = _official(folder, log), _rates(folder, log)
    takes, unnamed = [], 0
    for path, match in segments:
        with log.part():
            numbers, points = _frames(path, match["video"])
            points = _overridden(match["video"], numbers, points, manual, log)
            side = sides.get((match["video"], int(match["start"]), int(match["end"])), "unknown")
            unnamed += side == "unknown"
            for run in np.split(np.arange(len(numbers)), np.flatnonzero(np.diff(numbers) != 1) + 1):
                name = f"{match['video']}_{numbers[run[0]]}-{numbers[run[-1]]}_{match['move']}"
                keypoints = to_25(points[run], FROM_COCO17)
                fps = rates.get(match["video"], float("nan"))
                takes.append(
                    (
                        path,
                        Take(
                            name, keypoints, inside(keypoints, SIZE), SIZE, fps, match["move"], side
                        ),
                    )
                )
    if sides and unnamed:
        log.warnings.append(
            f"{folder}: {unnamed} segments are in neither official split; kept as unknown"
        )
    return join(takes, "BRACE keypoints, interpolated, manual where there are any", log, folder)


def _frames(path: Path, video: str) -> tuple[np.ndarray, np.ndarray]:
    """Frame numbers (N,), rising, and points (N, 17, 2) of one segment, NaN where a frame has no
    annotation.
    """
    content = read_json(path, _WHAT)
    found = {}
    for key, value in content.items():
        match = _FRAME.fullmatch(key)
        if (
            not match
            or match["video"] != video
            or not isinstance(value, dict)
            or "keypoints" not in value
        ):
            raise ClimbEdgeError(
                f"{path}: expected keys {video}/img-NNNNNN.png with box and keypoints, found"
                f" {key[:80]!r}; download it again"
            )
        found[int(match["number"])] = value["keypoints"]
    if not found:
        raise ClimbEdgeError(
            f"{path}: expected {_WHAT}, found one without a frame; download it again"
        )
    numbers = np.array(sorted(found))
    points = as_numbers(path, "keypoints", [found[n] for n in numbers], ("N", 17, 3))[..., :2]
    return numbers, _blank(points)


def _overridden(
    video: str, numbers: np.ndarray, points: np.ndarray, manual: dict, log: Log
) -> np.ndarray:
    points = points.copy()
    for i, number in enumerate(numbers):
        if path := manual.get((video, int(number))):
            with log.part():  # a damaged one leaves the interpolated frame
                found = read_npz(path, {"coco_joints2d": "fiu"}, "a manual BRACE frame (.npz)")[
                    "coco_joints2d"
                ]
                expect_shape(path, "coco_joints2d", found, (17, 3))
                by_hand = _blank(found[None, :, :2].astype(np.float64))[0]
                points[i] = np.where(inside(by_hand, SIZE)[:, None], by_hand, np.nan)
    return points


def _blank(points: np.ndarray) -> np.ndarray:
    """Points (N, 17, 2) with NaN in frames whose coordinates are all 0."""
    return np.where((points == 0).all((1, 2))[:, None, None], np.nan, points)


def _official(folder: Path, log: Log) -> dict[tuple[str, int, int], str]:
    """(video, start, end) of a segment -> train or test."""
    found = {
        n: next(iter(sorted(folder.rglob(f"{n}.csv"))), None)
        for n in ("segments", "sequences_train", "sequences_test")
    }
    if missing := [f"{n}.csv" for n, path in found.items() if path is None]:
        log.warnings.append(
            f"{folder}: {', '.join(missing)} missing; the official split is unknown"
        )
        return {}
    sides = {}
    with log.part():
        of = {}
        for side in ("train", "test"):
            rows = read_csv(
                found[f"sequences_{side}"], ("video_id", "seq_idx"), "BRACE's official split (.csv)"
            )
            of |= {(row["video_id"], row["seq_idx"]): side for row in rows}
        columns = ("video_id", "seq_idx", "start_frame", "end_frame")
        rows = read_csv(found["segments"], columns, "BRACE's segments (.csv)")
        with reading(found["segments"], "frame numbers in start_frame and end_frame"):
            for row in rows:
                key = (row["video_id"], int(row["start_frame"]), int(row["end_frame"]))
                sides[key] = of.get((row["video_id"], row["seq_idx"]), "unknown")
        counts = Counter(sides.values())
        if not counts["train"] or not counts["test"]:
            log.warnings.append(
                f"{found['segments']}: {counts['train']} segments train, {counts['test']} test"
            )
    return sides


def _rates(folder: Path, log: Log) -> dict[str, float]:
    """Video -> frames per second; none where videos_info.csv is not there."""
    for path in sorted(folder.rglob("videos_info.csv"))[:1]:
        with log.part():
            rows = read_csv(path, ("video_id", "fps"), "BRACE's videos (.csv)")
            with reading(path, "numbers in fps"):
                return {row["video_id"]: float(row["fps"]) for row in rows}
    return {}
