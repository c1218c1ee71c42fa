"""Anybody's own heatmaps with the truth beside them: one .npz per video.

`bboxes` (N, 4) x0, y0, x1, y1 and `keypoints` (N, 25, 2 or 3) x, y[, visibility] in image pixels,
`heatmaps` (N, 25, 56, 56) with row = y, and optionally `frame_size` (2,) width, height. A file
without keypoints can be refined and exported (climb_edge.estimators.heatmap_file.HeatmapFile reads
it) but not trained on.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.npz import MAX_MAPS, expect_shape, read_npz
from climb_edge.pose.render import SIZE
from climb_edge.pose.skeleton import K
from train.layouts.formats.reading import find
from train.layouts.imported import Imported, Log, Take, annotated, join

_WHAT = "heatmaps with truth (.npz with bboxes, heatmaps and keypoints)"


def read(
    folder: str | Path,
    *,
    frame_size: tuple[int, int] = (0, 0),
    fps: float = float("nan"),
    split: str = "train",
    strict: bool = False,
) -> Imported:
    """*.npz anywhere below `folder` as clips named by their path there without ".npz", each with
    its heatmap file.

    `frame_size` is that of every file which does not say its own; (0, 0) takes the extent of boxes
    and keypoints. Raises ClimbEdgeError when nothing is usable or, if `strict`, a file is not.
    """
    log, takes, root = Log(strict), [], Path(folder)
    for path in find(folder, "**/*.npz", _WHAT):
        with log.part():
            name = path.relative_to(root).with_suffix("").as_posix()
            takes.append((path, _take(path, name, frame_size, fps, split, log)))
    return join(takes, "keypoints beside an estimator's own heatmaps", log, folder)


def _take(
    path: Path, name: str, frame_size: tuple[int, int], fps: float, split: str, log: Log
) -> Take:
    boxes = read_boxes(path)
    found = read_npz(path, {"keypoints?": "fiu", "frame_size?": "iu"}, _WHAT)
    if "keypoints" not in found:
        raise ClimbEdgeError(
            f"{path}: holds heatmaps but no keypoints (N, 25, 2 or 3), so there is nothing to train"
            " towards; add them, or refine the file without training"
        )
    points = found["keypoints"]
    if points.ndim != 3 or points.shape[1] != K or points.shape[2] not in (2, 3):
        raise ClimbEdgeError(
            f"{path}: keypoints expected of shape (N, 25, 2 or 3), found {points.shape}; rearrange"
            " them"
        )
    frames = shorter(path, len(boxes), len(points), log)
    if (empty := flat(boxes)).any():
        log.warnings.append(
            f"{path}: {empty.sum()} boxes without a size, the first of frame {empty.argmax()};"
            " nobody is seen there"
        )
    keypoints, visible = annotated(points[:frames])
    if "frame_size" in found:
        expect_shape(path, "frame_size", found["frame_size"], (2,))
        frame_size = tuple(found["frame_size"].tolist())
    if tuple(frame_size) == (0, 0):
        frame_size = _extent(path, boxes[:frames], keypoints)
        log.warnings.append(
            f"{path}: the frame's size is not given; {frame_size[0]} x {frame_size[1]} holds all"
            " boxes"
        )
    return Take(name, keypoints, visible, frame_size, fps, "heatmaps", split, path)


def read_boxes(path: Path) -> np.ndarray:
    """Boxes (N, 4) float64 of a heatmap file whose heatmaps are there, one per box, and can be
    read.
    """
    found = read_npz(
        path, {"bboxes": "fiu", "heatmaps": "f"}, "heatmaps of an estimator (.npz)", MAX_MAPS
    )
    expect_shape(path, "heatmaps", found["heatmaps"], ("N", K, SIZE, SIZE))
    expect_shape(path, "bboxes", found["bboxes"], (len(found["heatmaps"]), 4))
    return found["bboxes"].astype(np.float64)


def flat(boxes: np.ndarray) -> np.ndarray:
    """(N,) which boxes hold no place: their sides are zero, negative or no numbers."""
    return ~(np.isfinite(boxes).all(-1) & (boxes[:, 2:] > boxes[:, :2]).all(-1))


def shorter(path: Path, heatmaps: int, targets: int, log: Log) -> int:
    """The number of frames that both have; a warning where they differ."""
    if heatmaps != targets:
        log.warnings.append(
            f"{path}: {heatmaps} frames of heatmaps, {targets} of targets; the first"
            f" {min(heatmaps, targets)} count"
        )
    return min(heatmaps, targets)


def _extent(path: Path, boxes: np.ndarray, keypoints: np.ndarray) -> tuple[int, int]:
    corners = np.concatenate([boxes.reshape(-1, 2), keypoints.reshape(-1, 2)])
    corners = corners[np.isfinite(corners).all(-1)]
    if not len(corners) or corners.max() > 1e6:
        raise ClimbEdgeError(
            f"{path}: no box or keypoint in image pixels to tell the frame's size; give frame_size"
        )
    width, height = np.maximum(np.ceil(corners.max(0)), 1)
    return int(width), int(height)
