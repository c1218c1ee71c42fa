"""Refiners: identity, the shipped .tflite, and what `all`, `newest` and `centre` mean for the
delay.
"""

import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.evaluation.pck import torso
from climb_edge.pose.boxes import pose_box
from climb_edge.pose.render import PEAK, render, to_cells, to_pixels
from climb_edge.refiners.base import Identity, to_keypoints
from climb_edge.refiners.load import load_refiner
from climb_edge.refiners.tflite import TFLiteRefiner
from climb_edge.runtime.model_file import append_contract
from climb_edge.streaming.phase import window_of
from support.graphs import window_contract, window_graph
from support.scene import observe, standing, through

PLACES = np.random.default_rng(0).uniform(8, 48, (5, 25, 2))


@pytest.fixture(scope="module")
def window() -> np.ndarray:
    """(5, 56, 56, 25), another pose in every frame."""
    return render(PLACES, subcell=True).astype(np.float32)


def test_keypoints_are_cells_and_a_score_of_the_peak():
    points = to_keypoints(
        np.concatenate([render(PLACES[0], subcell=True)[..., :1] * s for s in (1, 0.5, 9, 0)], -1)
    )
    assert points.shape == (4, 3)
    np.testing.assert_allclose(points[:3, :2], np.repeat(PLACES[0, :1], 3, 0), atol=0.01)
    np.testing.assert_allclose(points[3], [28, 28, 0])
    assert (
        points[0, 2] == pytest.approx(2 * points[1, 2]) and points[0, 2] > 0.8 and points[2, 2] == 1
    )
    assert pytest.approx(255 / (2 * np.pi)) == PEAK


def test_identity_gives_the_newest_frame(window):
    refiner = load_refiner("identity")
    assert isinstance(refiner, Identity) and refiner.delay == 0
    result = through(refiner, window)
    assert result.shape == (1, 25, 3)
    np.testing.assert_allclose(result[0, :, :2], PLACES[4], atol=0.02)


@pytest.mark.parametrize(
    ("emits", "delay", "frames"), [("newest", 0, [4]), ("centre", 2, [2]), ("all", 2, [2, 3, 4])]
)
def test_a_file_emits_its_frames_in_order(tmp_path, window, emits, delay, frames):
    """A graph that hands its window through: what comes out shows which frames went in where."""
    path = tmp_path / f"{emits}.tflite"
    path.write_bytes(append_contract(window_graph(emits), window_contract(emits)))
    refiner = load_refiner(str(path), 1)
    assert (refiner.delay, refiner.name) == (delay, f"{emits}.tflite")
    np.testing.assert_array_equal(
        refiner.run(window)[0], window if emits == "all" else window[frames]
    )
    result = through(refiner, window)
    assert result.shape == (len(frames), 25, 3)
    np.testing.assert_allclose(result, to_keypoints(window)[frames], atol=1e-6)


def test_the_shipped_refiner_keeps_a_still_person():
    refiner = load_refiner("default", 1)
    assert isinstance(refiner, TFLiteRefiner) and refiner.delay == 0
    points, box = standing(), pose_box(standing())
    cells = through(refiner, window_of([observe(points)] * 5, box))[0]
    assert np.median(np.linalg.norm(cells[:, :2] - to_cells(points, box), axis=1)) < 1
    assert (cells[:, 2] > 0).all() and (cells[:, 2] <= 1).all()


@pytest.mark.parametrize("wider", [0.0, 0.3, 1.0])
def test_the_shipped_refiner_keeps_a_still_person_in_a_box_of_another_aspect(wider):
    points, box = standing(), pose_box(standing())
    box = box + (box[2] - box[0]) * np.array([-wider / 2, 0, wider / 2, 0])
    refined = to_pixels(
        through(load_refiner("default", 1), window_of([observe(points)] * 5, box))[0, :, :2], box
    )
    assert np.linalg.norm(refined - points, axis=1).max() < 0.15 * torso(points)


@pytest.mark.parametrize(
    ("heatmaps", "said"),
    [
        (np.zeros((56, 56), np.float32), r"expected shape \(56, 56, 25\), found \(56, 56\)"),
        (np.zeros((56, 56, 17), np.float32), r"found \(56, 56, 17\)"),
        (np.zeros((5, 56, 56, 25), np.float32), "expected shape"),
        (np.zeros((56, 56, 25)), "expected as float32, found float64"),
        (np.zeros((56, 56, 25), np.uint8), "found uint8"),
    ],
)
@pytest.mark.parametrize("spec", ["identity", "default"])
def test_heatmaps_of_another_kind_are_refused(spec, heatmaps, said):
    with pytest.raises(ClimbEdgeError, match=said):
        load_refiner(spec, 1).start().push(heatmaps)


def test_a_frame_of_nan_is_gone_when_a_track_starts_anew(window):
    refiner = load_refiner("default", 1)
    through(refiner, np.concatenate([np.full_like(window[:1], np.nan), window[1:]]))
    np.testing.assert_array_equal(
        through(refiner, window), through(load_refiner("default", 1), window)
    )
    assert np.isfinite(through(refiner, window)).all()


def test_a_frame_of_nan_is_gone_when_the_window_has_passed_it(window):
    refiner = load_refiner("default", 1)
    found = through(refiner, np.concatenate([np.full_like(window[:1], np.nan), window]))
    np.testing.assert_array_equal(found, through(refiner, window))


def test_a_refiner_that_asks_for_peaks_says_so_where_there_are_none(window):
    assert load_refiner("default", 1).contract.peaks
    with pytest.raises(
        ClimbEdgeError, match="asks for the heights of the estimator's maps; pass them as `peaks`"
    ):
        load_refiner("default", 1).run(window[0])
