"""Cameras that go away, give nothing or fail: the stream ends, or it says so."""

import numpy as np
import pytest

from climb_edge.__main__ import main
from climb_edge.media import video as video_module
from climb_edge.media.live import Newest
from climb_edge.media.video import read_camera, read_video
from climb_edge.tracking.track_file import read_lines
from support.scene import shapes, standing, write_heatmaps


class Camera:
    """cv2.VideoCapture of a script: a picture per entry, None where a read fails; failures for ever
    at its end.
    """

    script: list
    released = 0

    def __init__(self, index: int):
        self.left = list(self.script)

    def isOpened(self) -> bool:
        return True

    def read(self):
        image = self.left.pop(0) if self.left else None
        return image is not None, image

    def release(self) -> None:
        Camera.released += 1


@pytest.fixture
def camera(monkeypatch):
    monkeypatch.setattr(video_module.cv2, "VideoCapture", Camera)
    monkeypatch.setattr(Camera, "released", 0)
    return Camera


def test_a_camera_that_goes_away_ends_the_stream_and_keeps_what_it_gave(camera, tmp_path, capsys):
    camera.script = [shapes(i) for i in range(6)]
    heatmaps = write_heatmaps(tmp_path / "h.npz", [standing(180 + 3 * t) for t in range(6)])
    arguments = [
        "track",
        "7",
        "--estimator",
        str(heatmaps),
        "--refiner",
        "identity",
        "--out",
        str(tmp_path / "o"),
    ]
    with pytest.warns(UserWarning, match="camera 7: went away after 6 frames"):
        assert main(arguments) == 0
    first, rows = read_lines(tmp_path / "o" / "track.jsonl")
    frames = [r["frame"] for r in rows]
    assert frames[-1] == 5 and len(frames) + first["dropped"] == 6 and camera.released == 1
    assert len(list(read_video(tmp_path / "o" / "overlay.mp4"))) == len(frames)
    assert f"{first['dropped']} frames dropped" in capsys.readouterr().out


def test_a_camera_that_never_gives_a_frame_is_one_error(camera, tmp_path, capsys):
    camera.script = []
    empty = write_heatmaps(tmp_path / "h.npz", [None])
    assert main(["track", "7", "--estimator", str(empty), "--out", str(tmp_path / "o")]) == 2
    errors = capsys.readouterr().err
    assert "error: camera 7: opened, but gave no frame" in errors and "Traceback" not in errors
    assert camera.released == 1 and not (tmp_path / "o").exists()


def test_a_picture_that_a_camera_fails_to_give_is_no_end(camera):
    camera.script = [shapes(0), None, shapes(1), None, None, shapes(2)]
    with pytest.warns(UserWarning, match="after 3 frames"):
        frames = list(read_camera(0))
    assert [f.index for f in frames] == [0, 1, 2] and (np.diff([f.time for f in frames]) > 0).all()
    assert (frames[2].image == shapes(2)[..., ::-1]).all()  # OpenCV's are BGR


def test_who_stops_early_releases_the_camera(camera):
    camera.script = [shapes(0)] * 1000
    with Newest(read_camera(0)) as frames:
        next(frames)
    assert camera.released == 1
