"""Rates of stores are those of the frames' own times, and no window goes over a pause."""

from dataclasses import replace

import numpy as np
import pytest

from climb_edge.estimators.recording import Recording, record
from climb_edge.pose.layout import WINDOW
from support.scene import Scripted, clip_set, frames_at, moving, shapes
from support.videos import encoded
from train.data.recorded import RecordedWindows
from train.data.store import at_own_rates


def seen(path, source) -> Recording:
    record(source, Scripted(lambda t: {0: moving(t)}), path)
    return Recording(path)


def test_a_rate_is_that_of_the_video_and_another_one_is_told_of(tmp_path, capsys):
    times = np.cumsum([0, *[0.067, 0.068, 0.1, 0.033] * 3])
    content = encoded([shapes(i) for i in range(13)], times, "webm", "libvpx")
    recording = seen(tmp_path / "r.zip", content)
    clips = replace(clip_set((13, 13, 13)), fps=np.array([1000, np.nan, 15], np.float32))
    found = at_own_rates(clips, [recording] * 3)
    assert found.fps == pytest.approx([12 / times[-1]] * 3, rel=0.01)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and "clip0.mp4: its labels say 1000 frames a second" in said[0]


def test_a_recording_of_one_frame_says_no_rate(tmp_path):
    clips = replace(clip_set((1,)), fps=np.array([25], np.float32))
    assert at_own_rates(clips, [seen(tmp_path / "r.zip", frames_at(3))]).fps == [25]


@pytest.mark.parametrize(("pause", "windows"), [(0.1, 16), (0.5, 12), (37_600, 12)])
def test_no_window_goes_over_a_jump_of_the_clock(tmp_path, pause, windows):
    times = np.arange(20) / 30
    times[8:] += pause
    source = RecordedWindows(clip_set((20,)), [seen(tmp_path / "r.zip", frames_at(*times))])
    assert len(source) == windows
    assert WINDOW == 5
