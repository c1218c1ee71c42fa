"""Times of frames: the container's own where they can be, and what is made of those that cannot."""

from fractions import Fraction

import numpy as np
import pytest

from climb_edge.media.clock import JOIN, Clock, rate_of
from climb_edge.media.video import read_video, video_info
from support.scene import shapes
from support.videos import TICKS, encoded

STEADY = np.arange(20) / 30
PLAIN = {"bf": "0"}  # frames are stored as they are shown


def timed(stamps, step: float = 1 / 30) -> tuple[np.ndarray, list[str]]:
    """What a Clock makes of stamps, and what it says; frames stay in order."""
    clock = Clock(step)
    found = list(clock.over((stamp, i) for i, stamp in enumerate(stamps)))
    assert [i for _, i in found] == list(range(len(stamps)))
    times = np.array([time for time, _ in found])
    assert (np.diff(times) > 0).all()
    return times, clock.repairs()


def read(content: bytes) -> tuple[np.ndarray, list[str]]:
    """Times of a video, and what was said of it."""
    said: list[str] = []
    times = np.array([f.time for f in read_video(content, "v", said.append)])
    assert (np.diff(times) > 0).all()
    return times, said


@pytest.mark.parametrize("start", [0, 10, -0.5, 30_000])
@pytest.mark.parametrize("step", [1 / 30, 0.001, 1 / 3, 60])
def test_good_stamps_stay_as_they_are(start, step):
    """Whatever the header said of their rate."""
    stamps = start + step * np.arange(20)
    times, said = timed(stamps)
    assert (times == stamps).all() and not said


def test_uneven_stamps_and_a_pause_stay_as_they_are():
    stamps = np.cumsum([0, 0.03, 0.001, 0.09, 0.033, 8, 0.033, 0.05, 0.033, 0.033, 0.2])
    times, said = timed(stamps)
    assert (times == stamps).all() and not said


@pytest.mark.parametrize("wild", [37_600.4, -37_600.4])
@pytest.mark.parametrize("at", [0, 1, 7, 12])
def test_a_stamp_alone_in_another_hour_gets_a_time_between_its_neighbours(at, wild):
    stamps = STEADY.copy()
    stamps[at] = wild
    times, said = timed(stamps)
    np.testing.assert_allclose(times, STEADY, atol=1e-9)
    assert len(said) == 1 and said[0].startswith("1 of 20 frames")


def test_missing_stamps_are_placed_evenly():
    stamps = [None if i in (0, 5, 6, 7, 19) else t for i, t in enumerate(STEADY)]
    times, said = timed(stamps)
    np.testing.assert_allclose(times, STEADY, atol=1e-9)
    assert said[0].startswith("5 of 20 frames")


def test_repeated_stamps_are_told_apart_by_a_tracks_six_decimals():
    times, _ = timed([0, 0.04, 0.04, 0.04, 0.08, 0.12, 0.12])
    assert (np.diff(times.round(6)) > 0).all()
    assert times[[0, 1, 4, 5]].tolist() == [0, 0.04, 0.08, 0.12]


def test_stamps_in_the_order_of_decoding_are_put_in_that_of_showing():
    stored = np.array([1, 2, 3, 5, 6, 4, 9, 8, 10, 7, 13, 12, 14, 11, 17, 16, 18, 15, 19, 20]) / 30
    times, said = timed(stored)
    np.testing.assert_allclose(times, STEADY + 1 / 30, atol=1e-9)
    assert "out of order" in said[0]


def test_a_clock_that_jumps_ahead_is_kept_and_told_of():
    times, said = timed([*STEADY, *(STEADY + 50_000)])
    np.testing.assert_array_equal(times, [*STEADY, *(STEADY + 50_000)])
    assert len(said) == 1 and "at frame 20" in said[0] and "begin anew" in said[0]


def test_a_clock_that_goes_back_goes_on():
    times, said = timed([*(STEADY + 10), *STEADY, *STEADY])
    for start in (20, 40):
        assert times[start] - times[start - 1] == pytest.approx(JOIN)
        np.testing.assert_allclose(np.diff(times[start : start + 20]), 1 / 30, atol=1e-9)
    assert len(said) == 2 and all("joined" in line for line in said)
    assert "from 0.633 s to 0.000 s at frame 40" in said[1]  # as the file's own clock says


def test_many_jumps_are_counted():
    _, said = timed(np.concatenate([STEADY + 100 * i for i in range(6)]))
    assert len(said) == 4 and said[-1] == "its clock jumps 2 times more"


def test_no_stamps_at_all():
    times, said = timed([None] * 20, 1 / 25)
    np.testing.assert_allclose(times, np.arange(20) / 25)
    assert said == ["it has no time stamps; 25 frames a second are assumed"]


def test_a_rate_is_that_of_the_frames():
    assert rate_of(STEADY) == pytest.approx(30)
    assert rate_of(STEADY[::-1] + 5) == pytest.approx(30)
    assert rate_of([*STEADY, *(STEADY + 37_600)]) == pytest.approx(30)
    assert rate_of(np.cumsum([0.001, 0.065] * 20)) == pytest.approx(30, rel=0.05)
    assert rate_of([0.5]) is None and rate_of([]) is None


# --- the same in files ---


def pictures(count: int = 20) -> list[np.ndarray]:
    return [shapes(i % 18) for i in range(count)]


@pytest.mark.parametrize("start", [10, 2**33 / TICKS - 0.3])
def test_a_stream_that_starts_late_or_whose_counter_overflows(start):
    """An MPEG-TS counts 2^33 ticks and begins anew."""
    content = encoded(
        pictures(), container="mpegts", options=PLAIN, at=lambda _, t: t + round(start * TICKS)
    )
    times, said = read(content)
    assert len(times) == 20 and not said
    np.testing.assert_allclose(np.diff(times), 1 / 30, atol=1e-3)
    assert start > 10 or times[0] == pytest.approx(10, abs=2)  # a muxer's own lead


def test_two_recordings_in_one_file():
    late, early = (
        encoded(pictures(), container="mpegts", options=PLAIN, at=lambda _, t, s=s: t + s * TICKS)
        for s in (50, 2)
    )
    times, said = read(late + early)
    assert len(times) == 40 and np.argmax(np.diff(times)) == 19
    assert np.diff(times)[19] == pytest.approx(JOIN, abs=0.01) and "joined" in said[0]
    times, said = read(early + late)
    assert len(times) == 40 and np.diff(times)[19] == pytest.approx(47.4, abs=0.1)
    assert "jumps" in said[0]


def test_the_same_stamp_twice():
    content = encoded(
        pictures(),
        container="matroska",
        options=PLAIN,
        at=lambda number, stamp: stamp - TICKS // 30 * (number == 7),
    )
    times, said = read(content)
    assert len(times) == 20 and times[[6, 19]] == pytest.approx([0.2, 19 / 30], abs=2e-3)
    assert np.diff(times).min() > 0.015 and "1 of 20 frames" in said[0]


def test_one_stamp_of_another_hour():
    """A frame of 10:26:40 after 0.2 s, and on as before."""
    parts = [(7, 0), (1, 37_600), (12, 8 / 30)]
    content = b"".join(
        encoded(
            pictures(count),
            container="mpegts",
            options=PLAIN,
            at=lambda _, stamp, start=start: stamp + round(start * TICKS),
        )
        for count, start in parts
    )
    times, said = read(content)
    assert len(times) == 20 and "1 of 20 frames" in said[0]
    np.testing.assert_allclose(np.diff(times), 1 / 30, atol=1e-3)


def test_frames_out_of_order_in_an_avi():
    def change(stream):
        stream.codec_context.time_base = Fraction(1, 30)

    options = {"bf": "3", "b-adapt": "0"}
    times, said = read(encoded(pictures(30), container="avi", options=options, change=change))
    assert len(times) == 30 and "out of order" in said[0]
    np.testing.assert_allclose(np.diff(times), 1 / 30, atol=1e-6)


def test_the_rate_of_a_file_is_that_of_its_frames():
    """Browsers write 1000 frames a second into the header of what they record."""

    def change(stream):
        stream.codec_context.framerate = 1000

    times = np.cumsum([0, *[0.067, 0.068, 0.1, 0.033] * 8])
    content = encoded(
        pictures(33), times, "webm", "libvpx", options={"deadline": "realtime"}, change=change
    )
    assert video_info(content).fps == pytest.approx(32 / times[-1], rel=0.03)
