"""Videos by name, from a folder or a ZIP."""

import zipfile

import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.evaluation.videos import VideoFolder
from support.scene import (
    write_shapes,
)


def test_videos_come_from_a_folder_or_a_zip(tmp_path):
    (tmp_path / "in" / "a").mkdir(parents=True)
    video = write_shapes(tmp_path / "in" / "a" / "v.mp4", 2).read_bytes()
    with zipfile.ZipFile(tmp_path / "v.zip", "w") as archive:
        archive.writestr("a/v.mp4", video)
    for where in (tmp_path / "in", tmp_path / "v.zip"):
        assert VideoFolder(where).read("a/v.mp4") == video
        with pytest.raises(ClimbEdgeError, match=r"b\.mp4"):
            VideoFolder(where).read("b.mp4")
    (tmp_path / "secret").write_bytes(b"x")
    with pytest.raises(ClimbEdgeError, match="leads out"):
        VideoFolder(tmp_path / "in").read("../secret")
