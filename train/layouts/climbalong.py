"""ClimbAlong: per video one file of heatmaps and boxes and one of targets, same stem, in two
folders.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.npz import expect_shape, read_npz
from climb_edge.pose.skeleton import K
from train.layouts.formats.reading import existing_folder, find
from train.layouts.heatmaps import flat, read_boxes, shorter
from train.layouts.imported import Imported, Log, Take, annotated, join


def read(
    folder: str | Path,
    *,
    inputs: str = "inputs",
    targets: str = "targets",
    frame_size: tuple[int, int] = (1080, 1920),
    fps: float = 30.0,
    strict: bool = False,
) -> Imported:
    """<inputs>/<video>.npz (bboxes, heatmaps) and <targets>/<video>.npz (keypoints) as clips named
    <video>.

    `inputs` and `targets` are folders, inside `folder` unless they are absolute. A clip ends before
    the first box of zero width or height, and with the shorter of the two files. The result names
    each clip's heatmap file. Raises ClimbEdgeError when nothing is usable or, if `strict`, a file
    is not.
    """
    folder, log = existing_folder(folder, "ClimbAlong's inputs and targets"), Log(strict)
    observed = {p.stem: p for p in find(folder / inputs, "*.npz", "ClimbAlong inputs (.npz)")}
    wanted = {p.stem: p for p in find(folder / targets, "*.npz", "ClimbAlong targets (.npz)")}
    takes = []
    for stem in sorted(observed | wanted):
        with log.part():
            if stem not in observed or stem not in wanted:
                side, other = ("targets", "inputs") if stem in observed else ("inputs", "targets")
                path = observed.get(stem) or wanted[stem]
                raise ClimbEdgeError(
                    f"{path}: expected a file of the same name among the {side}, found it among the"
                    f" {other} only; add it"
                )
            takes.append(
                (observed[stem], _take(observed[stem], wanted[stem], frame_size, fps, log))
            )
    return join(takes, "ClimbAlong keypoints", log, folder)


def _take(observed: Path, wanted: Path, frame_size: tuple[int, int], fps: float, log: Log) -> Take:
    boxes = read_boxes(observed)
    target = read_npz(wanted, {"keypoints": "fiu"}, "ClimbAlong targets (.npz)")["keypoints"]
    expect_shape(wanted, "keypoints", target, ("N", 1, K, 3))
    frames = shorter(observed, len(boxes), len(target), log)
    empty = flat(boxes)
    end = int(np.argmax(empty)) if empty.any() else len(boxes)
    if end < frames:
        log.warnings.append(
            f"{observed}: frame {end} has no box (zero width or height); the clip ends before it"
        )
    if not min(frames, end):
        raise ClimbEdgeError(f"{observed}: no frame with a box and a target; leave the video out")
    keypoints, visible = annotated(target[: min(frames, end), 0])
    return Take(observed.stem, keypoints, visible, frame_size, fps, "climbalong", "train", observed)
