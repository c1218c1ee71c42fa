"""Live frames: the newest wins, what is dropped is counted, every result keeps its own frame,
threads end.
"""

import signal
import threading
import time
import weakref

import numpy as np
import pytest

from climb_edge.__main__ import main
from climb_edge.errors import ClimbEdgeError
from climb_edge.estimators.heatmap_file import HeatmapFile
from climb_edge.media.frame import Frame
from climb_edge.media.live import Newest
from climb_edge.media.video import read_video
from climb_edge.refiners.base import Identity
from climb_edge.tracking.track import track
from climb_edge.tracking.track_file import read_lines
from support.scene import (
    Late,
    Scripted,
    frames_at,
    shapes,
    standing,
    steady,
    write_heatmaps,
    write_video,
)

pytestmark = pytest.mark.usefixtures("no_thread_is_left")


def test_the_newest_frame_wins_and_the_others_are_counted():
    taken, given = threading.Event(), threading.Event()

    def camera():
        frames = steady(6)
        yield frames[0]
        taken.wait(5)
        yield from frames[1:]
        given.set()  # all five are there before anybody asks

    with Newest(camera()) as frames:
        assert next(frames).index == 0
        taken.set()
        assert given.wait(5)
        newest = next(frames)
        assert (newest.index, newest.time, frames.dropped) == (5, pytest.approx(5 / 30), 4)
        assert list(frames) == [] and frames.dropped == 4


def test_nothing_queues_up_behind_a_slow_consumer():
    made = []

    def camera():
        for i in range(300):
            frame = Frame(i, i / 30, np.zeros((2, 2, 3), np.uint8))
            made.append(weakref.ref(frame))
            yield frame
            time.sleep(0.0005)

    seen, most = [], 0
    with Newest(camera()) as frames:
        for frame in frames:
            time.sleep(0.02)
            seen.append(frame.index)
            most = max(most, sum(reference() is not None for reference in made))
    assert seen == sorted(set(seen)) and seen[-1] == 299 and len(seen) + frames.dropped == 300
    assert frames.dropped > 100
    assert most <= 4  # the camera's, the reader's, the one that waits, the consumer's


def test_a_file_plays_at_its_own_speed():
    times = [1.0, 1.05, 1.1, 1.4, 1.45]  # containers need not begin at zero
    begin, late = time.monotonic(), []
    with Newest(iter(frames_at(*times)), paced=True) as frames:
        for frame in frames:
            late.append(time.monotonic() - begin - (frame.time - 1))
    assert len(late) + frames.dropped == 5 and min(late) > -0.001 and max(late) < 2


def test_an_error_of_the_camera_is_raised_after_its_last_frame():
    def camera():
        yield from steady(1)
        raise ClimbEdgeError("the camera burns")

    with Newest(camera()) as frames:
        assert next(frames).index == 0
        with pytest.raises(ClimbEdgeError, match="burns"):
            next(frames)
        assert list(frames) == []


@pytest.mark.parametrize("begun", [False, True])
def test_closing_releases_the_camera_even_in_a_pause(begun):
    used = []

    def camera():
        try:
            used.append(threading.current_thread())
            yield from frames_at(0, 1000)
        finally:
            used.append(threading.current_thread())

    frames, start = Newest(camera(), paced=True), time.monotonic()
    if begun:
        assert next(frames).index == 0
    frames.close()
    assert time.monotonic() - start < 2 and list(frames) == []
    # opened and released by the thread that reads
    assert used == ([frames._thread] * 2 if begun else [])


def test_ctrl_c_reaches_who_waits_for_a_frame():
    def camera():
        yield from steady(1)
        time.sleep(0.1)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        time.sleep(0.1)

    with Newest(camera()) as frames:
        assert next(frames).index == 0
        with pytest.raises(KeyboardInterrupt):
            next(frames)


@pytest.mark.parametrize("refiner", [Identity(), Late()])
def test_with_dropped_frames_every_pose_stands_on_its_own_frame(tmp_path, refiner):
    kept = [2, 3, 6, 7, 8, 11, 13, 14]
    video = write_video(
        tmp_path / "v.mp4", [np.full((360, 400, 3), 10 * i, np.uint8) for i in range(16)]
    )
    frames = [f for f in read_video(video) if f.index in kept]
    watched = []
    estimator = Scripted({i: {0: standing(180 + 4 * i)} for i in range(16)})
    done = track(frames, estimator, [refiner], tmp_path / "out", "v.mp4", watch=watched.append)
    assert (done.frames, done.dropped, done.with_person) == (8, 7, 8)
    first, rows = read_lines(done.tracks[0])
    assert first["dropped"] == 7 and [r["frame"] for r in rows] == kept
    drawn = list(read_video(done.overlay))
    since = [f.time - frames[0].time for f in frames]
    np.testing.assert_allclose([f.time for f in drawn], since, atol=1e-3)
    for i, frame in zip(kept, drawn, strict=True):
        assert abs(int(frame.image[200, 20, 0]) - 10 * i) <= 3  # this picture
        x, y = np.round(standing(180 + 4 * i)[17]).astype(int)
        assert frame.image[y, x].min() > 180 and frame.image[y, x + 400].min() > 180  # and its pose
    assert [m.frame for m in watched] == kept and watched[-1].dropped == 7


def test_the_command_plays_a_video_live(tmp_path, capsys, monkeypatch):
    """An estimator that takes 50 ms a frame of a video of 100 frames a second."""
    seen = HeatmapFile.__call__
    monkeypatch.setattr(
        HeatmapFile, "__call__", lambda self, frame: (time.sleep(0.05), seen(self, frame))[1]
    )
    heatmaps = write_heatmaps(tmp_path / "h.npz", [standing(180 + 3 * t) for t in range(20)])
    video = write_video(tmp_path / "v.mp4", [shapes(i) for i in range(20)], fps=100)
    arguments = [
        "track",
        str(video),
        "--estimator",
        str(heatmaps),
        "--refiner",
        "identity",
        "--out",
        str(tmp_path / "o"),
    ]
    assert main([*arguments, "--live"]) == 0
    first, rows = read_lines(tmp_path / "o" / "track.jsonl")
    rows = list(rows)
    assert first["dropped"] > 5 and len(rows) + first["dropped"] == 20
    said = capsys.readouterr().out
    assert f"{first['dropped']} frames dropped" in said
    # as in the track's first line
    assert "refiner identity, delay 0 frames; cpu (there is no graph to run)" in said
    assert rows[-1]["frame"] == 19 and all(
        r["t"] == pytest.approx(r["frame"] / 100, abs=1e-4) for r in rows
    )
    assert main(arguments) == 0  # and without it takes all of them
    first, rows = read_lines(tmp_path / "o" / "track.jsonl")
    assert first["dropped"] == 0 and [r["frame"] for r in rows] == list(range(20))
    assert "dropped" not in capsys.readouterr().out
