"""The live page: the newest picture for everybody, nothing encoded for nobody, this machine only, a
clean end.
"""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from http.client import HTTPConnection

import cv2
import numpy as np
import pytest

from climb_edge.__main__ import main
from climb_edge.errors import ClimbEdgeError
from climb_edge.media.video import read_video
from climb_edge.tracking import live_page as page_module
from climb_edge.tracking.live_page import Page
from climb_edge.tracking.track import Moment
from climb_edge.tracking.track_file import read_lines
from support.paths import ROOT
from support.scene import shapes, standing, write_heatmaps, write_shapes, write_video

pytestmark = pytest.mark.usefixtures("no_thread_is_left")


def moment(frame: int, picture: np.ndarray | None = None, **changes) -> Moment:
    """A grey picture, lighter by 10 with every frame."""
    picture = np.full((48, 64, 3), 10 * frame, np.uint8) if picture is None else picture
    fields = {
        "time": frame / 30,
        "state": "0: tracking",
        "milliseconds": 12.34,
        "dropped": 7,
        **changes,
    }
    return Moment(picture, frame, **fields)


@pytest.fixture
def page():
    with Page(source="v.mp4") as opened:
        yield opened


@pytest.fixture
def encoded(monkeypatch):
    """The pictures that were encoded."""
    pictures, jpeg = [], page_module.jpeg
    monkeypatch.setattr(
        page_module, "jpeg", lambda picture: (pictures.append(picture), jpeg(picture))[1]
    )
    return pictures


def get(page, path: str = "/", host: str | None = None) -> tuple[int, dict, bytes]:
    connection = HTTPConnection("127.0.0.1", int(page.url.rsplit(":", 1)[1].strip("/")), timeout=5)
    try:
        connection.request("GET", path, headers={"Host": host} if host else {})
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), answer.read()
    finally:
        connection.close()


def grey(content: bytes) -> float:
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR).mean()


class Stream:
    """A viewer of /stream."""

    def __init__(self, page):
        self.answer = urllib.request.urlopen(page.url + "stream", timeout=5)
        assert self.answer.headers["Content-Type"] == "multipart/x-mixed-replace; boundary=picture"
        assert self.answer.readline() == b"--picture\r\n"

    def picture(self) -> bytes:
        """The next picture; its boundary has come with it, as browsers need it."""
        assert self.answer.readline() == b"Content-Type: image/jpeg\r\n"
        length = int(self.answer.readline().removeprefix(b"Content-Length: "))
        assert self.answer.readline() == b"\r\n"
        content = self.answer.read(length)
        assert self.answer.read(len(b"\r\n--picture\r\n")) == b"\r\n--picture\r\n"
        return content


def test_the_page_its_numbers_and_its_picture(page):
    status, headers, content = get(page)
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    for said in (
        b"<html lang=",
        b"<title>",
        b'src="stream"',
        b"alt=",
        b"prefers-color-scheme",
        b'name="viewport"',
    ):
        assert said in content
    assert json.loads(get(page, "/state")[2]) == {"source": "v.mp4", "state": "starting"}
    for frame in range(10, 14):
        page.show(moment(frame))
        time.sleep(0.05)
    state = json.loads(get(page, "/state")[2])
    assert 0.5 < state.pop("fps") < 21
    assert state == {
        "source": "v.mp4",
        "state": "0: tracking",
        "frame": 13,
        "time": 0.433,
        "milliseconds": 12.3,
        "dropped": 7,
    }
    status, headers, content = get(page, "/picture")
    assert (status, headers["Content-Type"]) == (200, "image/jpeg") and grey(
        content
    ) == pytest.approx(130, abs=2)
    assert headers["Cache-Control"] == "no-store" and get(page, "/nothing")[0] == 404


def test_fps_falls_when_nothing_comes(page):
    for frame in range(5):
        page.show(moment(frame))
    before = page.state()["fps"]
    time.sleep(0.2)
    assert page.state()["fps"] < 21 < before


def test_a_stream_shows_each_newest_picture_once(page):
    page.show(moment(5))
    viewer = Stream(page)
    assert grey(viewer.picture()) == pytest.approx(50, abs=2)
    for frame in (8, 20):
        page.show(moment(frame))
        assert grey(viewer.picture()) == pytest.approx(10 * frame, abs=2)
    viewer.answer.close()


def test_nothing_is_encoded_unless_somebody_watches_and_then_once_for_all(page, encoded):
    for frame in range(20):
        page.show(moment(frame))
    get(page), get(page, "/state")
    assert encoded == []
    viewers = [Stream(page) for _ in range(3)]
    assert len({viewer.picture() for viewer in viewers}) == 1 and len(encoded) == 1
    for viewer in viewers:
        viewer.answer.close()


def test_a_viewer_who_does_not_read_slows_nobody_and_misses_pictures(page, encoded):
    noise = np.random.default_rng(0).integers(0, 256, (540, 960, 3), np.uint8)
    sleeper, watcher = Stream(page), Stream(page)
    slowest = 0.0
    for frame in range(40):
        begin = time.perf_counter()
        page.show(moment(frame, noise))
        slowest = max(slowest, time.perf_counter() - begin)
        watcher.picture()
    assert slowest < 1 and len(encoded) == 40
    last = np.full((48, 64, 3), 77, np.uint8)
    page.show(moment(40, last))
    assert grey(watcher.picture()) == pytest.approx(77, abs=2)
    read = 1
    while grey(sleeper.picture()) != pytest.approx(77, abs=2):
        read += 1
    assert read < 30  # what the sockets held; it went on with the newest
    watcher.answer.close(), sleeper.answer.close()


def test_who_goes_away_is_forgotten_without_a_word(page, capfd):
    viewer = Stream(page)
    viewer.answer.close()
    for frame in range(20):
        page.show(moment(frame))
        time.sleep(0.01)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost@evil", "[::", ""],
)
def test_another_name_for_this_machine_is_refused(page, host):
    """A page from elsewhere whose name was pointed here would send its own name."""
    page.show(moment(1))
    for path in ("/", "/state", "/picture", "/stream"):
        status, _, content = get(page, path, host or " ")
        assert status == 421 and page.url.encode() in content


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9000", "127.0.0.1:80", "[::1]:8321"])
def test_the_other_end_of_a_tunnel_is_served(page, host):
    assert get(page, "/state", host)[0] == 200


def test_only_this_machine_can_connect(page):
    port = int(page.url.rsplit(":", 1)[1].strip("/"))
    assert page.url == f"http://127.0.0.1:{port}/"
    with pytest.raises(OSError, match="refused"):  # another address of the same machine
        socket.create_connection(("127.0.0.2", port), 2)
    assert get(page)[1]["Cross-Origin-Resource-Policy"] == "same-origin"


def test_closing_lets_everybody_go_at_once():
    page = Page()
    page.show(moment(1, np.random.default_rng(0).integers(0, 256, (540, 960, 3), np.uint8)))
    waiting, silent = Stream(page), socket.create_connection(page._server.server_address)
    waiting.picture()
    time.sleep(0.1)
    start = time.monotonic()
    page.close()
    assert time.monotonic() - start < 2
    assert waiting.answer.read() == b"" and silent.recv(1) == b""
    silent.close(), waiting.answer.close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(page._server.server_address, 2)


def test_a_port_that_is_taken(page, tmp_path, capsys):
    port = page.url.rsplit(":", 1)[1].strip("/")
    with pytest.raises(ClimbEdgeError, match=f"port {port} .*choose another"):
        Page(int(port))
    video, out = write_shapes(tmp_path / "v.mp4", 2), tmp_path / "o"
    assert main(["track", str(video), "--page", port, "--out", str(out)]) == 2
    assert f"error: port {port} " in capsys.readouterr().err and not out.exists()


@pytest.mark.parametrize("port", ["-1", "65536", "x"])
def test_what_is_no_port_is_a_usage_error(port, capsys):
    assert main(["track", "v.mp4", "--page", port]) == 2
    assert "--page" in capsys.readouterr().err


def test_ctrl_c_ends_page_and_track_cleanly(tmp_path):
    """The real command on a video that pauses for half a minute after frame 12, watched, then
    interrupted.
    """
    video = write_video(
        tmp_path / "v.mp4",
        [shapes(i) for i in range(20)],
        [3 * i if i > 12 else i / 10 for i in range(20)],
    )
    heatmaps = write_heatmaps(tmp_path / "h.npz", [standing(180 + 3 * t) for t in range(20)])
    command = [
        sys.executable,
        "-m",
        "climb_edge",
        "track",
        video,
        "--estimator",
        heatmaps,
        "--refiner",
        "identity",
        "--live",
        "--page",
        "0",
        "--out",
        tmp_path / "o",
    ]
    run = subprocess.Popen(list(map(str, command)), cwd=ROOT, text=True, stdout=-1, stderr=-1)
    try:
        url = run.stdout.readline().split()[-1]
        assert url.startswith("http://127.0.0.1:")
        deadline = time.monotonic() + 20
        while json.load(urllib.request.urlopen(url + "state", timeout=5)).get("frame") != 12:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        viewer = urllib.request.urlopen(url + "stream", timeout=5)
        assert viewer.readline() == b"--picture\r\n"
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=20)
    finally:
        run.kill()
    assert run.returncode == 130 and "Traceback" not in errors and "interrupted" in errors
    viewer.close()
    _, rows = read_lines(tmp_path / "o" / "track.jsonl")
    frames = [r["frame"] for r in rows]
    assert frames[-1] == 12 and len(list(read_video(tmp_path / "o" / "overlay.mp4"))) == len(frames)
