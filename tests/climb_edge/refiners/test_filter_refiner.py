"""Filters where a refiner stands: what comes out when, what a moved box changes, what is
refused.
"""

import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.pose.boxes import SIZE, STUDY
from climb_edge.refiners.filters import get
from climb_edge.refiners.load import load_refiner
from climb_edge.streaming.stream import Stream
from support.scene import Scripted, frames_at, standing, steady

COUNT = 30
SHAKE = np.random.default_rng(3).normal(0, 1.5, (COUNT, 25, 2))


def trembling(index: int) -> np.ndarray:
    """Walks, trembles, and reaches so far out now and then that the sticky box moves."""
    points = standing(200 + 6 * index) + SHAKE[index]
    points[7] += (90 * (index % 10 > 6), 0)
    return points


def streamed(refiner, script=trembling, frames=None, **options) -> list:
    stream = Stream(Scripted(lambda i: {0: script(i)}), refiner, **options)
    results = [r for frame in frames or steady(COUNT) for r in stream.push(frame)] + stream.flush()
    return sorted(results, key=lambda r: r.frame)


@pytest.mark.parametrize(
    "spec", ["mean:reach=2", "median:reach=1", "gaussian:reach=4,sigma=2", "savitzky_golay"]
)
@pytest.mark.parametrize(("emits", "delay"), [("newest", 0), ("centre", 2)])
def test_a_filter_sees_the_last_five_frames_wherever_the_box_goes(spec, emits, delay):
    refiner = load_refiner(f"{spec}{',' if ':' in spec else ':'}emits={emits}")
    results = streamed(refiner)
    assert refiner.delay == delay and {r.delay for r in results} == {delay}
    assert sum(r.state == "re-anchored" for r in results) > 2
    raw = np.stack([r.raw[:, :2] for r in results])
    for r in results[4 - delay : COUNT - delay]:
        first = r.frame + delay - 4
        expected = get(spec)(raw[first : first + 5])[4 - delay]
        assert np.abs(r.refined[:, :2] - expected).max() < 1e-3
    assert (
        np.abs(np.diff([r.refined[:, :2] for r in results[4:-4]], 2, 0)).mean()
        < np.abs(np.diff(raw, 2, 0)).mean()
    )


@pytest.mark.parametrize("rule", [{}, {"rule": STUDY}])
def test_one_euro_remembers_through_every_move_of_the_box(rule):
    spec = "one_euro:min_cutoff=1,beta=0"  # with beta 0 the unit of speed does not matter
    results = streamed(load_refiner(spec), **rule)
    assert sum(r.state == "re-anchored" for r in results) > 2 and {r.delay for r in results} == {0}
    expected = get(spec)(np.stack([r.raw[:, :2] for r in results]), fps=30.0)
    for r in results[4:]:
        assert np.abs(r.refined[:, :2] - expected[r.frame]).max() < 1e-3


def test_speed_of_one_euro_is_in_shares_of_the_box():
    def nearer(scale):
        return [
            r.refined[:, :2] / scale
            for r in streamed(
                load_refiner("one_euro:beta=5"), lambda i: scale * standing(20 + i, 18, 20)
            )
        ]

    np.testing.assert_allclose(nearer(20), nearer(5), atol=0.05)


def test_a_keypoint_that_is_not_seen_stays_where_it_was_decoded():
    maps = np.zeros((56, 56, 25), np.float32)
    maps[20, 30, 1:] = 255
    for spec in ("one_euro", "mean", "savitzky_golay:emits=newest"):
        state = load_refiner(spec).start()
        keypoints = [state.push(maps) for _ in range(6)][-1]
        assert keypoints.shape[1:] == (25, 3) and np.isfinite(keypoints).all()
        np.testing.assert_allclose(keypoints[0, 0], [SIZE / 2 - 0.5, SIZE / 2 - 0.5, 0], atol=0.5)
        np.testing.assert_allclose(keypoints[0, 1:, :2], [[30, 20]] * 24, atol=1e-3)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("mean:emits=later", "newest or centre"),
        ("one_euro:emits=centre", "newest, which is all"),
        ("mean:emits=newest,emits=centre", "once"),
        ("gaussian:width=3", "parameter of gaussian"),
        ("median:reach=-1", "> 0"),
    ],
)
def test_what_there_is_not_is_refused(spec, message):
    with pytest.raises(ClimbEdgeError, match=message):
        load_refiner(spec)


def test_a_file_of_a_filters_name_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "median").write_bytes(b"no model")
    with pytest.raises(ClimbEdgeError, match="TFLite file"):
        load_refiner("median")


def test_maps_that_are_none_are_refused():
    with pytest.raises(ClimbEdgeError, match="heatmaps"):
        load_refiner("median").start().push(np.zeros((56, 56, 3), np.float32))


def test_a_fast_source_is_filtered_at_the_filters_rate():
    """Each half of 60 frames a second as a source of 30; the first frame is alone, before the pace
    is known.
    """
    spec = "one_euro:min_cutoff=1,beta=0"
    results = streamed(load_refiner(spec), frames=frames_at(*(i / 60 for i in range(COUNT))))
    raw = np.stack([r.raw[:, :2] for r in results])
    for start in (1, 2):
        expected = get(spec)(raw[start::2], fps=30.0)
        for i, r in enumerate(results[start::2]):
            assert (
                r.state == "warming up"
                if i < 4
                else np.abs(r.refined[:, :2] - expected[i]).max() < 1e-3
            )
