"""PCK by hand: what counts, what is right, how it is averaged."""

import numpy as np
import pytest

from climb_edge.evaluation.pck import ALPHAS, Score, correct, drop, torso, worst_keypoint
from climb_edge.pose.skeleton import INDEX, LEFT_HIP, LEFT_SHOULDER, RIGHT_HIP
from support.scene import standing


def body() -> np.ndarray:
    """(1, 25, 2): torso diameter exactly 100 = mean of a left side of 120 and a right side
    of 80.
    """
    points = np.full((1, 25, 2), 500.0)
    points[0, LEFT_SHOULDER], points[0, LEFT_HIP] = (100, 100), (100, 220)
    points[0, INDEX["right_shoulder"]], points[0, RIGHT_HIP] = (0, 100), (0, 180)
    return points


def test_torso_is_the_mean_of_both_sides():
    assert torso(body()) == pytest.approx([100])


def test_a_distance_is_right_up_to_alpha_times_the_torso():
    truth, predicted = body(), body()
    for keypoint, distance in ((0, 5.0), (7, 5.1), (8, 10.0), (9, 10.1), (10, 20.0), (11, 20.1)):
        predicted[0, keypoint] += (distance * 0.6, distance * 0.8)
    right = correct(predicted, truth)[:, 0]
    assert ALPHAS == (0.05, 0.1, 0.2)
    assert right[:, [7, 9, 11]].T.tolist() == [[0, 1, 1], [0, 0, 1], [0, 0, 0]]
    predicted[0, [0, 8, 10]] -= (predicted - truth)[0, [0, 8, 10]] * 1e-9
    right = correct(predicted, truth)[:, 0]
    assert right[:, [0, 8, 10]].T.tolist() == [[1, 1, 1], [0, 1, 1], [0, 0, 1]]
    score = Score.of([predicted], [truth])
    assert [score.pooled()[str(a)][0] for a in ALPHAS] == pytest.approx([20 / 25, 22 / 25, 24 / 25])
    assert score.threshold == pytest.approx(100)
    assert score.keypoints()["left_wrist"] == {"0.05": 0, "0.1": 1, "0.2": 1}
    assert (
        score.keypoints()["group wrist"]["0.05"] == 0
        and score.keypoints()["group ear"]["0.05"] == 1
    )


def test_a_missing_prediction_is_wrong_and_a_missing_truth_does_not_count():
    truth, predicted = body(), body()
    predicted[0, 3] = np.nan
    truth[0, 5] = np.nan
    right = correct(predicted, truth)[:, 0]
    assert (right[:, 3] == 0).all() and np.isnan(right[:, 5]).all()
    assert Score.of([predicted], [truth]).pooled()["0.2"][0] == pytest.approx(23 / 24)
    assert "left_elbow" not in Score.of([predicted], [truth]).keypoints()


def test_a_frame_without_all_torso_points_does_not_count():
    for missing in (LEFT_SHOULDER, LEFT_HIP, RIGHT_HIP):
        truth = body()
        truth[0, missing] = np.nan
        assert np.isnan(correct(body(), truth)).all()
    collapsed = np.full((1, 25, 2), 3.0)
    assert np.isnan(correct(collapsed, collapsed)).all()


def test_nothing_counted_is_nan_not_a_crash():
    truth = [np.full((4, 25, 2), np.nan)]
    score = Score.of([np.zeros((4, 25, 2))], truth)
    assert (
        np.isnan(score.pooled()["0.1"]).all()
        and np.isnan(score.study()["0.1"]).all()
        and np.isnan(score.threshold)
    )
    assert score.keypoints() == {}


def test_study_averages_batches_of_16_frames_each_the_same():
    """20 frames: 16 all right, then 4 of which every second keypoint but the nose counts and none
    is right.
    """
    truth = np.repeat(standing()[None], 20, 0)
    predicted = truth.copy()
    predicted[16:] += 1000
    truth[16:, 17:] = np.nan
    score = Score.of([predicted], [truth])
    assert score.study()["0.1"] == pytest.approx((0.5, 0.5, 0.5))
    assert score.pooled()["0.1"][0] == pytest.approx(16 * 25 / (16 * 25 + 4 * 17))
    assert score.study(batch=4)["0.1"][0] == pytest.approx(4 / 5)


def noisy(seed: int, shift: float, clips: int = 12):
    rng = np.random.default_rng(seed)
    truth = [np.repeat(standing()[None], 8, 0) for _ in range(clips)]
    return [t + rng.normal(0, shift * (1 + i % 3), t.shape) for i, t in enumerate(truth)], truth


def test_the_interval_holds_the_value_and_is_of_clips():
    predicted, truth = noisy(0, 3)
    for value, low, high in Score.of(predicted, truth).pooled().values():
        assert 0 < low <= value <= high < 1.0001
    value, low, high = Score.of(predicted, truth).pooled()["0.05"]
    assert high > low
    assert np.isnan(Score.of(predicted[:1], truth[:1]).pooled()["0.05"][1:]).all()


def test_paired_drop_is_zero_of_equals_and_signed_of_others():
    predicted, truth = noisy(1, 3)
    same = Score.of(predicted, truth)
    assert all(row == (0, 0, 0) for row in drop(same, same).values())
    worse = Score.of(noisy(1, 6)[0], truth)
    value, low, high = drop(worse, same)["0.05"]
    assert low <= value <= high < 0
    assert value == pytest.approx(100 * (worse.pooled()["0.05"][0] - same.pooled()["0.05"][0]))


def test_worst_keypoint_finds_the_one_that_fell():
    predicted, truth = noisy(2, 0.1)
    bent = [p.copy() for p in predicted]
    for clip in bent:
        clip[:, INDEX["right_heel"]] += 500
    name, value, high = worst_keypoint(Score.of(bent, truth), Score.of(predicted, truth))["0.2"]
    assert name == "right_heel" and value == pytest.approx(-100) and high == pytest.approx(-100)
