"""J-HMDB: the 15 joints of a puppet fitted to each frame, one MATLAB file per clip, with three
official splits.
"""

from __future__ import annotations

from pathlib import Path

from climb_edge.errors import ClimbEdgeError
from climb_edge.media.video import read_video, video_info
from climb_edge.pose.skeleton import FROM_JHMDB15, to_25
from train.layouts.formats.matlab import MatFiles, numeric
from train.layouts.formats.reading import existing_folder, find, inside, read_text
from train.layouts.imported import Imported, Log, Take, join

SIZE, FPS = (320, 240), 30.0  # of every clip, where its video is not there to ask
_WHAT = "J-HMDB joint positions (.mat)"
_VIDEOS = ("ReCompress_Videos", "videos", "")


def read(folder: str | Path, *, split: int = 1, strict: bool = False) -> Imported:
    """joint_positions/<action>/<clip>/joint_positions.mat below `folder` as clips named
    <action>/<clip>.avi.

    `split` (1 to 3) says which official split names a clip train or test; one that no split file
    names is "unknown". Frame size and rate come from ReCompress_Videos/<action>/<clip>.avi where it
    is there. Pixels count from 1 in the files and from 0 in the result. Raises ClimbEdgeError when
    nothing is usable or, if `strict`, a file is not.
    """
    if split not in (1, 2, 3):
        raise ClimbEdgeError(f"split {split}: expected 1, 2 or 3, the official ones")
    folder = existing_folder(folder, _WHAT)
    log, takes = Log(strict), []
    root = folder / "joint_positions" if (folder / "joint_positions").is_dir() else folder
    sides: dict[str, dict[str, str]] = {}
    with MatFiles() as files:
        for path in find(root, "*/*/joint_positions.mat", _WHAT):
            with log.part():
                action, clip = path.parts[-3:-1]
                if action not in sides:
                    sides[action] = {}
                    with log.part():  # a damaged split file leaves the clips, their side unknown
                        sides[action] = _sides(
                            folder / "splits" / f"{action}_test_split{split}.txt", log
                        )
                if sides[action] and clip not in sides[action]:
                    log.warnings.append(
                        f"{path}: the split files do not name this clip; it is kept as unknown"
                    )
                takes.append(
                    (
                        path,
                        _take(
                            path, files, folder, action, clip, sides[action].get(clip, "unknown")
                        ),
                    )
                )
    return join(takes, "J-HMDB puppet joints; scale fitted per clip", log, folder)


def _sides(path: Path, log: Log) -> dict[str, str]:
    """Clip -> train or test, from lines of <clip>.avi 1|2; none, with a warning, where the file is
    not there.
    """
    if not path.is_file():
        log.warnings.append(f"{path}: no such file; the split of this action's clips is unknown")
        return {}
    lines = [
        line.rsplit(None, 1)
        for line in read_text(path, "an official split").splitlines()
        if line.strip()
    ]
    if any(len(line) != 2 or line[1] not in ("0", "1", "2") for line in lines):
        raise ClimbEdgeError(f"{path}: expected lines of <clip>.avi 1|2; copy the file again")
    return {
        name.removesuffix(".avi"): {"1": "train", "2": "test"}.get(side, "unknown")
        for name, side in lines
    }


def _take(path: Path, files: MatFiles, folder: Path, action: str, clip: str, side: str) -> Take:
    found = files.read(path, ("pos_img",), _WHAT)["pos_img"]
    points = numeric(path, "pos_img", found, (2, 15, "N")).transpose(2, 1, 0) - 1
    size, fps = SIZE, FPS
    name = f"{action}/{clip}.avi"
    video = next((v for v in (folder / sub / name for sub in _VIDEOS) if v.is_file()), None)
    if video is not None:
        size, fps = next(read_video(video)).image.shape[1::-1], video_info(video).fps or FPS
    keypoints = to_25(points, FROM_JHMDB15)
    return Take(name, keypoints, inside(keypoints, size), size, fps, action, side)
