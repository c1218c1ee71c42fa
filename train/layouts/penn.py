"""Penn Action: one MATLAB file of 13 labelled joints per video.

Coordinates are taken as published; whether they count from 0 or 1 is not documented, and some are
0.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.pose.skeleton import FROM_PENN13, to_25
from train.layouts.formats.matlab import MatFiles, numeric
from train.layouts.formats.reading import existing_folder, find
from train.layouts.imported import Imported, Log, Take, join

_NAMES = ("x", "y", "visibility", "dimensions", "action", "train")
_WHAT = "Penn Action labels (.mat)"


def read(folder: str | Path, *, strict: bool = False) -> Imported:
    """labels/NNNN.mat below `folder` (or in it) as clips named NNNN, grouped by action, with the
    official split.

    Raises ClimbEdgeError when there is no label file, none is usable, or, if `strict`, one is not.
    """
    folder = existing_folder(folder, _WHAT)
    labels = folder / "labels"
    log, takes = Log(strict), []
    with MatFiles() as files:
        for path in find(labels if labels.is_dir() else folder, "*.mat", _WHAT):
            with log.part():
                takes.append((path, _take(path, files)))
    return join(takes, "Penn Action labels; fps unknown; no images", log, folder)


def _take(path: Path, files: MatFiles) -> Take:
    found = files.read(path, _NAMES, _WHAT)
    x = numeric(path, "x", found["x"], ("N", 13))
    y = numeric(path, "y", found["y"], x.shape)
    seen = numeric(path, "visibility", found["visibility"], x.shape) > 0
    rows, columns = numeric(path, "dimensions", found["dimensions"].reshape(-1)[:2], (2,))
    side = float(numeric(path, "train", found["train"].reshape(-1), (1,))[0])
    action = found["action"].reshape(-1)
    if (
        action.dtype.kind != "U"
        or len(action) != 1
        or not np.isfinite([rows, columns]).all()
        or side not in (1, -1)
    ):
        raise ClimbEdgeError(
            f"{path}: expected action as text, dimensions as numbers and train as 1 or -1; copy the"
            " file again"
        )
    keypoints = to_25(np.stack([x, y], -1), FROM_PENN13)
    visible = to_25(seen[..., None], FROM_PENN13)[..., 0] == 1
    split = "train" if side == 1 else "test"
    return Take(
        path.stem,
        keypoints,
        visible & np.isfinite(keypoints).all(-1),
        (int(columns), int(rows)),
        group=str(action[0]),
        split=split,
    )
