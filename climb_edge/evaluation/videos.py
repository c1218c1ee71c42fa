"""The videos of a clip set, and what an estimator says of each."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path

from climb_edge.errors import DAMAGED, ClimbEdgeError
from climb_edge.estimators.base import Estimator
from climb_edge.estimators.recording import Recording, cached_recording
from climb_edge.files.clips import ClipSet
from climb_edge.files.naming import nearest_path


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
        except (zipfile.BadZipFile, OSError) as error:
            raise ClimbEdgeError(
                f"{path}: expected a ZIP of videos, found a file that is none or is truncated"
                f" ({error})"
            ) from error

    def read(self, clip: str) -> bytes:
        """The bytes of one clip's video."""
        try:
            if self._archive is not None:
                return self._archive.read(clip)
            path = (self.path / clip).resolve()
            if not path.is_relative_to(self.path.resolve()):
                raise ClimbEdgeError(
                    f"{clip}: this clip's name leads out of {self.path}; a clip is named by its"
                    " path inside the folder"
                )
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
    """What the estimator saw in each clip's video, cached by the video's content; `step` after each
    clip.
    """
    result = []
    for name in clips.clip:
        result.append(seen_in(videos, str(name), estimator))
        step()
    return result


def seen_in(videos: VideoFolder, clip: str, estimator: Estimator) -> Recording:
    """What the estimator saw in one clip's video, cached by its content. Raises ClimbEdgeError
    naming the clip.
    """
    content = videos.read(clip)
    try:
        return cached_recording(content, hashlib.sha256(content).hexdigest(), estimator)
    except ClimbEdgeError as error:  # bytes have no name: say whose they are
        raise ClimbEdgeError(f"{videos.path}, clip {clip}: {error}") from error
