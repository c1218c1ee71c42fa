"""The videos of a clip set, and what an estimator says of each."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path

from climb_edge.errors import DAMAGED, ClimbEdgeError, OutputError
from climb_edge.estimators.base import Estimator
from climb_edge.estimators.recording import Recording, cached_recording
from climb_edge.files.archive import read_member
from climb_edge.files.clips import ClipSet
from climb_edge.files.naming import nearest_path

MAX_VIDEO = 8 << 30  # bytes; a video is read whole


class VideoFolder:
    """The videos of a clip set: a folder or a ZIP, each at the path that is the clip's name."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._archive = None
        if self.path.is_dir():
            return
        if not self.path.is_file():
            raise ClimbEdgeError(
                f"{path}: expected a folder or a ZIP of videos (--videos), found"
                f" nothing{nearest_path(path) or '; check the path'}"
            )
        try:
            self._archive = zipfile.ZipFile(self.path)
        except DAMAGED as error:
            raise ClimbEdgeError(
                f"{path}: expected a ZIP of videos, found a file that is none or is truncated"
                f" ({error})"
            ) from error

    def read(self, clip: str) -> bytes:
        """The bytes of one clip's video."""
        try:
            if self._archive is not None:
                return read_member(self._archive, clip, MAX_VIDEO)
            path = (self.path / clip).resolve()
            if not path.is_relative_to(self.path.resolve()):
                raise ClimbEdgeError(
                    f"{clip}: this clip's name leads out of {self.path}; a clip is named by its"
                    " path inside the folder"
                )
            if not path.is_file():
                raise ValueError("no such file")
            if path.stat().st_size > MAX_VIDEO:
                raise ValueError(f"it is larger than {MAX_VIDEO >> 30} GiB")
            return path.read_bytes()
        except DAMAGED as error:
            raise ClimbEdgeError(
                f"{self.path}: expected the video of clip {clip}, found none that can be read"
                f" ({error}); add it, or leave the clip out"
            ) from error


def recordings(
    clips: ClipSet,
    videos: VideoFolder,
    estimator: Estimator,
    step: Callable[[], object] = lambda: None,
) -> list[Recording]:
    """What the estimator saw in each clip's video, cached by its content; `step` after each."""
    result = []
    for name in clips.clip:
        result.append(seen_in(videos, str(name), estimator))
        step()
    return result


def seen_in(videos: VideoFolder, clip: str, estimator: Estimator) -> Recording:
    """What it saw in one clip's video, cached by content. Raises ClimbEdgeError naming the clip."""
    content = videos.read(clip)
    try:
        sha = hashlib.sha256(content).hexdigest()
        return cached_recording(content, sha, estimator, name=clip)
    except OutputError:
        raise
    except ClimbEdgeError as error:  # bytes have no name: say whose they are
        raise ClimbEdgeError(f"{videos.path}, clip {clip}: {error}") from error
