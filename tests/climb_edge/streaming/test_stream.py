"""Streaming: time rules, warm-up, delay, loss, re-anchoring; streaming equals doing it offline."""

import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.estimators.base import Observation
from climb_edge.media.frame import Frame
from climb_edge.pose.boxes import STICKY, STUDY
from climb_edge.pose.render import to_pixels
from climb_edge.pose.skeleton import K
from climb_edge.refiners.base import Identity, to_keypoints
from climb_edge.refiners.load import load_refiner
from climb_edge.streaming.phase import window_of
from climb_edge.streaming.stream import Stream
from support.scene import BLANK, Late, Scripted, frames_at, observe, standing, steady, through


def run(stream: Stream, frames) -> list:
    return list(stream.over(frames))


def walking(index: int) -> np.ndarray:
    return standing(200 + 1.5 * index)


def everybody(index: int) -> dict:
    return {0: walking(index)}


@pytest.mark.parametrize("time", [0.1, 0.05, float("nan"), float("inf")])
def test_time_must_increase(time):
    stream = Stream(Scripted(everybody), Identity())
    stream.push(Frame(0, 0.1, BLANK))
    with pytest.raises(ClimbEdgeError, match="frame 1: time"):
        stream.push(Frame(1, time, BLANK))
    stream.reset()
    assert stream.push(Frame(0, 0.0, BLANK))[0].state == "warming up"


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_map_of_no_numbers_shows_nothing_and_is_in_no_later_result(number):
    class Broken(Scripted):
        def __call__(self, frame):
            (seen,) = super().__call__(frame)
            if frame.index != 7:
                return [seen]
            native = seen.native.copy()
            native[32, 32, 3] = number  # within the box
            return [Observation.of(native, seen.affine)]

    def through_the_default(estimator):
        results = run(Stream(estimator, load_refiner("default", 1)), steady(12))
        assert all(np.isfinite(r.raw).all() for r in results)
        return np.stack([r.refined for r in results])

    found, clean = through_the_default(Broken(everybody)), through_the_default(Scripted(everybody))
    assert np.isfinite(found).all()
    # out of the four frames that show it
    np.testing.assert_allclose(found[7, 3, :2], clean[7, 3, :2], atol=15)
    others = np.arange(K) != 3
    np.testing.assert_allclose(found[:, others, :2], clean[:, others, :2], atol=3)


@pytest.mark.parametrize("refiner", [Identity(), Late()])
def test_warms_up_then_tracks(refiner):
    results = run(Stream(Scripted(everybody), refiner), steady(9))
    # a refined result needs 5 frames of window: without delay from frame 5 on, with 2 frames of
    # delay from frame 3 on
    first = 4 - refiner.delay
    assert [r.state for r in results] == ["warming up"] * first + ["tracking"] * (9 - first)
    assert all(r.delay == refiner.delay for r in results)
    for r in results[:first]:
        np.testing.assert_array_equal(r.raw, r.refined)


@pytest.mark.parametrize("refiner", [Identity(), Late()])
@pytest.mark.parametrize("count", [1, 2, 4, 5, 6, 20])
def test_every_frame_gives_one_result_per_person_with_its_own_time(refiner, count):
    """Two persons, the second from frame 3 on and not in frames 8 and 9."""

    def script(index):
        second = (
            {1: standing(500 - index, height=150)} if index >= 3 and index not in (8, 9) else {}
        )
        return {0: walking(index), **second}

    frames = frames_at(*(0.01 * i + 0.001 * i * i for i in range(count)))
    results = run(Stream(Scripted(script), refiner), frames)
    expected = sorted((f.index, p) for f in frames for p in script(f.index))
    assert sorted((r.frame, r.person) for r in results) == expected
    for r in results:
        assert r.time == frames[r.frame].time
        truth = script(r.frame)[r.person]
        # the frame's own pose, not a neighbour's
        assert np.linalg.norm(r.refined[:, :2] - truth, axis=1).max() < 1.5
        assert np.linalg.norm(r.raw[:, :2] - truth, axis=1).max() < 0.1


@pytest.mark.parametrize("refiner", [Identity(), Late()])
def test_a_short_clip_is_raw_only(refiner):
    results = run(Stream(Scripted(everybody), refiner), steady(4))
    assert [r.state for r in results] == ["warming up"] * 4
    assert all((r.raw == r.refined).all() for r in results)


def test_a_delayed_refiner_comes_late_and_the_end_flushes():
    stream = Stream(Scripted(everybody), Late())
    given = [[r.frame for r in stream.push(f)] for f in steady(7)]
    assert given == [[], [], [0], [1], [2], [3], [4]]
    assert [(r.frame, r.state) for r in stream.flush()] == [(5, "tracking"), (6, "tracking")]
    assert stream.flush() == []


def test_a_gap_resets():
    times = [0, 0.03, 0.06, 0.09, 0.12, 0.15, 0.41, 0.44, 0.47, 0.5, 0.53]
    results = run(Stream(Scripted(everybody), Identity()), frames_at(*times))
    assert [r.state for r in results] == ["warming up"] * 4 + ["tracking"] * 2 + [
        "warming up"
    ] * 4 + ["tracking"]
    shorter = [t - 0.05 * (t > 0.3) for t in times]  # 0.21 s: no gap yet
    states = [r.state for r in run(Stream(Scripted(everybody), Identity()), frames_at(*shorter))]
    assert states == ["warming up"] * 4 + ["tracking"] * 7


def test_a_gap_gives_what_was_waiting():
    late = Late()
    results = run(Stream(Scripted(everybody), late), frames_at(0, 0.1, 0.2, 0.3, 0.4, 2.0))
    assert [(r.frame, r.state) for r in results] == [
        (0, "warming up"),
        (1, "warming up"),
        (2, "tracking"),
        (3, "tracking"),
        (4, "tracking"),
        (5, "warming up"),
    ]


@pytest.mark.parametrize("refiner", [Identity(), Late()])
def test_a_person_lost_and_found_starts_again(refiner):
    def script(index):
        return {} if 7 <= index < 9 else {0 if index < 7 else 1: walking(index)}

    results = sorted(run(Stream(Scripted(script), refiner), steady(16)), key=lambda r: r.frame)
    warm = 4 - refiner.delay
    assert [r.state for r in results] == (
        ["warming up"] * warm
        + ["tracking"] * (7 - warm)
        + ["lost"] * 2
        + ["warming up"] * warm
        + ["tracking"] * (7 - warm)
    )
    assert [r.person for r in results] == [0] * 7 + [None] * 2 + [1] * 7
    lost = results[7]
    assert (
        lost.raw is None
        and lost.refined is None
        and lost.bbox is None
        and lost.time == pytest.approx(7 / 30)
    )


def reaching(index: int) -> np.ndarray:
    """A still, small person who stretches one arm out in frames 7 to 9 and so moves the box
    twice.
    """
    points = standing(100.3, 100.7, height=60)
    if index >= 7:
        points[7] += (12 * min(index - 6, 3), -5)
    return points


def test_re_anchoring_replays_so_that_who_is_still_stays_still():
    results = run(Stream(Scripted(lambda i: {0: reaching(i)}), Identity()), steady(16))
    states = [r.state for r in results]
    assert states.count("re-anchored") >= 2 and states[4:].count("warming up") == 0
    still = [k for k in range(25) if k != 7]
    path = np.stack([r.refined[still, :2] for r in results[4:]])
    assert np.ptp(path, axis=0).max() < 0.6  # 0.3 px to either side of the middle
    assert np.abs(path - reaching(0)[still]).max() < 0.3


@pytest.mark.parametrize("rule", [STICKY, STUDY])
def test_streaming_equals_offline(rule):
    """Every window is the last five observations warped into the result's box, however the box
    moved before.
    """
    late, count = Late(), 16
    stream = Stream(Scripted(lambda i: {0: reaching(i)}), late, rule)
    boxes = []
    for frame in steady(count):
        stream.push(frame)
        boxes.append(stream._people[0].box)
    observations = [observe(reaching(i)) for i in range(count)]
    assert len(late.windows) == count - 4
    for i, window in enumerate(late.windows):
        np.testing.assert_array_equal(window, window_of(observations[i : i + 5], boxes[i + 4]))


def test_the_shipped_refiner_streams_as_it_runs_on_windows():
    refiner = load_refiner("default", 1)
    results = run(Stream(Scripted(everybody), refiner), steady(8))
    for r in results[4:]:
        seen = [observe(walking(i)) for i in range(r.frame - 4, r.frame + 1)]
        offline = through(refiner, window_of(seen, r.bbox), [o.keypoints for o in seen])[0]
        np.testing.assert_allclose(r.refined[:, :2], to_pixels(offline[:, :2], r.bbox), atol=1e-3)
        np.testing.assert_allclose(r.refined[:, 2], offline[:, 2], atol=1e-5)


def test_reset_forgets_the_people():
    stream = Stream(Scripted(everybody), Identity())
    first = run(stream, steady(6))
    stream.reset()
    again = run(stream, steady(6))
    assert [r.state for r in again] == [r.state for r in first]
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.refined, b.refined)


def test_window_maps_have_mass_255():
    window = window_of([observe(walking(i)) for i in range(5)], STICKY.update(None, walking(2)))
    np.testing.assert_allclose(window.sum((1, 2)), 255, rtol=1e-4)
    assert to_keypoints(window).shape == (5, 25, 3)


def test_a_box_that_moves_during_warm_up_does_not_shorten_it():
    def growing(index: int) -> dict:
        return {0: standing(200, 180, height=100 + 40 * index)}

    late = Late()
    results = run(Stream(Scripted(growing), late), steady(6))
    assert [r.state for r in results[:2]] == ["warming up"] * 2 and len(late.windows) == 2
    observations, box, moves = [observe(growing(i)[0]) for i in range(5)], None, 0
    for seen in observations:
        held, box = box, STICKY.update(box, seen.keypoints[:, :2])
        moves += box is not held
    assert moves >= 3
    np.testing.assert_array_equal(late.windows[0], window_of(observations, box))


@pytest.mark.parametrize(
    ("fps", "phases"), [(24, 1), (30, 1), (40, 1), (60, 2), (120, 4), (240, 8), (1000, 8)]
)
def test_a_fast_source_is_taken_apart_into_phases_of_the_refiners_rate(fps, phases):
    count, late = 8 * phases + 2, Late()
    results = run(Stream(Scripted(everybody), late), steady(count, fps))
    assert [r.frame for r in results] == list(range(count))
    # the pace is known from the second frame on: the first is given as it was seen
    begin = 1 if phases > 1 else 0
    warm = begin + 2 * phases
    assert [r.state == "warming up" for r in results] == [i < warm for i in range(count)]
    assert all(r.delay == 2 * phases for r in results[begin:])
    for i, window in enumerate(late.windows):
        newest = begin + 4 * phases + i
        observations = [observe(walking(newest - phases * k)) for k in (4, 3, 2, 1, 0)]
        box = next(r.bbox for r in results if r.frame == newest)
        np.testing.assert_allclose(window, window_of(observations, box), atol=1e-4)


def test_a_refiner_says_for_which_rate_it_was_made():
    class Fast(Late):
        rate = 60.0

    assert run(Stream(Scripted(everybody), Fast()), steady(12, 60))[5].delay == 2
    assert run(Stream(Scripted(everybody), Fast()), steady(12, 120))[5].delay == 4


def test_a_camera_that_stutters_keeps_its_pace():
    rng, times = np.random.default_rng(0), [0.0]
    for _ in range(200):
        dropped = rng.random() < 0.1
        times.append(times[-1] + (1 + dropped) / 30 + rng.normal(0, 0.004))
    results = run(Stream(Scripted(everybody), Late()), frames_at(*times))
    assert [r.state == "warming up" for r in results] == [True] * 2 + [False] * 199 and {
        r.delay for r in results
    } == {2}


def test_when_the_pace_changes_the_windows_begin_anew():
    times = [i / 30 for i in range(20)] + [19 / 30 + i / 60 for i in range(1, 30)]
    results = run(Stream(Scripted(everybody), Identity()), frames_at(*times))
    assert [r.frame for r in results] == list(range(49)) and [r.time for r in results] == times
    states = [r.state for r in results]
    changed = states.index("warming up", 5)
    assert 20 < changed <= 25 and states[changed:] == ["warming up"] * 8 + ["tracking"] * (
        49 - changed - 8
    )


def test_settled_tells_which_frames_are_complete():
    stream = Stream(Scripted(everybody), Late())
    given, settled = set(), []
    for frame in steady(30, 60):
        given |= {r.frame for r in stream.push(frame)}
        assert set(range(stream.settled + 1)) <= given
        settled.append(stream.settled)
    assert settled == sorted(settled) and settled[-1] == 25
    stream.flush()
    assert stream.settled == 29
