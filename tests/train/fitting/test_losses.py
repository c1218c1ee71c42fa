"""Losses: their values by hand, and the mask by its gradient."""

import math

import numpy as np
import pytest
import tensorflow as tf

from climb_edge.evaluation.pck import torso
from climb_edge.pose.render import MASS, render
from climb_edge.pose.skeleton import LEFT_HIP, LEFT_SHOULDER, RIGHT_HIP, RIGHT_SHOULDER
from train.data.windows import targets
from train.fitting.losses import (
    FLOOR,
    FOR,
    LOSSES,
    cross_entropy,
    displaced,
    masked,
    mse,
    target_of,
)

SIZE = 56  # of every map


ABSENT = [(0, 0), (2, 1), (4, 2)]  # frames and keypoints without a truth


def scene(loss: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(cells, predicted, weight) of one window: heatmaps or coordinates that are off, truths
    missing and half trusted.
    """
    # that one measures in torso diameters
    rng, keypoints = np.random.default_rng(0), 25 if loss == "soft_pck" else 3
    cells = rng.uniform(5, 50, (1, 5, keypoints, 2)).astype(np.float32)
    near = cells + rng.normal(0, 1.5, cells.shape).astype(np.float32)
    predicted = near
    if loss in FOR["heatmaps"]:
        noise = rng.uniform(-0.1, 0.3, (1, 5, SIZE, SIZE, keypoints))
        predicted = (0.9 * render(near, 1.5, subcell=True) + noise).astype(np.float32)
    if loss == "soft_pck":
        predicted = np.concatenate(
            [near, rng.uniform(0.1, 0.9, (*near.shape[:-1], 1))], axis=-1
        ).astype(np.float32)
    weight = rng.uniform(0.2, 1, (1, 5, keypoints)).astype(np.float32)
    for t, k in ABSENT:
        cells[0, t, k], weight[0, t, k] = np.nan, 0
    return cells, predicted, weight


def by_hand(loss: str, target: np.ndarray, predicted: np.ndarray) -> float:
    """A loss of one keypoint: of two heatmaps (56, 56), or of two places (2,)."""
    target, predicted = target.astype(np.float64), predicted.astype(np.float64)
    if loss in ("mse", "coordinate_mse"):
        return (
            sum((a - b) ** 2 for a, b in zip(target.flat, predicted.flat, strict=True))
            / target.size
        )
    if loss == "coordinate_mae":
        return (abs(target[0] - predicted[0]) + abs(target[1] - predicted[1])) / 2
    if loss == "soft_pck":
        d = math.hypot(target[0] - predicted[0], target[1] - predicted[1]) / target[2]
        counted = sum(0.7 * a * d**2 / (d**2 + (0.7 * a) ** 2) for a in (0.05, 0.1, 0.2))
        told = predicted[2] if d <= 0.2 else 1 - predicted[2]
        return 0.5 * (math.sqrt(d**2 + 0.03**2) - 0.03) + counted - 0.05 * math.log(told)
    assert loss == "cross_entropy"
    positive = np.where(predicted > 0, predicted, 0.0)
    chance = (positive + FLOOR) / (positive + FLOOR).sum()
    surprise = sum(-q / MASS * math.log(p) for q, p in zip(target.flat, chance.flat, strict=True))
    return surprise + 0.01 * (positive.sum() / MASS - 1) ** 2


def own(values: np.ndarray, t: int, k: int) -> tuple:
    """The index of one keypoint's part of heatmaps (1, 5, 56, 56, K) or coordinates (1, 5,
    K, 2).
    """
    return (0, t, slice(None), slice(None), k) if values.ndim == 5 else (0, t, k)


def test_every_loss_is_of_heatmaps_or_of_keypoints():
    assert sorted(LOSSES) == sorted(FOR["heatmaps"] + FOR["keypoints"])


@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_has_its_value_for_every_keypoint(loss):
    cells, predicted, weight = scene(loss)
    target = np.asarray(target_of(loss, cells, 2.0))
    assert target.shape == predicted.shape
    assert np.isfinite(target).all()
    found = np.asarray(LOSSES[loss](target, predicted))
    expected = np.zeros(weight.shape)
    for _, t, k in np.ndindex(expected.shape):
        expected[0, t, k] = by_hand(
            loss, target[own(target, t, k)], predicted[own(predicted, t, k)]
        )
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    mean = (expected * weight).sum() / weight.sum()
    assert float(masked(LOSSES[loss], target, predicted, weight)) == pytest.approx(mean, rel=1e-4)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("compiled", [False, True])
def test_a_masked_keypoint_gives_no_gradient_even_where_its_truth_is_nan(loss, compiled):
    cells, predicted, weight = scene(loss)
    weight[0, 1, 0] = 0  # this one has a truth that is not to be used

    def gradient_of(values):
        with tf.GradientTape() as tape:
            tape.watch(values)
            value = masked(LOSSES[loss], target_of(loss, cells, 2.0), values, weight)
        return value, tape.gradient(value, values)

    value, gradient = (tf.function(gradient_of) if compiled else gradient_of)(
        tf.constant(predicted)
    )
    assert math.isfinite(value)
    gradient = gradient.numpy()
    assert np.isfinite(gradient).all()
    largest = np.abs(gradient).max(axis=(2, 3) if gradient.ndim == 5 else 3)
    assert (largest[weight == 0] == 0).all()
    assert (largest[weight > 0] > 0).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_what_is_said_of_a_masked_keypoint_does_not_count(loss):
    cells, predicted, weight = scene(loss)
    other = predicted.copy()
    for t, k in ABSENT:
        other[own(other, t, k)] = 9.0
    assert (other != predicted).any()
    values = [
        float(masked(LOSSES[loss], target_of(loss, cells, 2.0), p, weight))
        for p in (predicted, other)
    ]
    assert values[0] == values[1]


@pytest.mark.parametrize("loss", LOSSES)
def test_a_window_without_any_truth_costs_nothing_and_teaches_nothing(loss):
    cells, predicted, weight = scene(loss)
    predicted = tf.constant(predicted)
    with tf.GradientTape() as tape:
        tape.watch(predicted)
        target = target_of(loss, np.full_like(cells, np.nan), 2.0)
        value = masked(LOSSES[loss], target, predicted, 0 * weight)
    assert float(value) == 0
    assert not tape.gradient(value, predicted).numpy().any()


def test_targets_are_heatmaps_of_the_width_asked_for_or_the_cells_themselves():
    cells, _, _ = scene("mse")
    for loss in FOR["heatmaps"]:
        for sigma in (1.0, 2.0):
            maps = np.asarray(target_of(loss, cells, sigma))
            np.testing.assert_allclose(maps, render(cells, sigma, subcell=True), atol=1e-4)
            assert not maps[0, 0, :, :, 0].any()
    for loss in FOR["keypoints"]:
        cells, _, _ = scene(loss)
        np.testing.assert_array_equal(
            target_of(loss, cells, 2.0)[..., :2], np.nan_to_num(cells, nan=0.0)
        )


def test_torso_diameters_are_those_of_pck_and_where_a_frame_has_none_the_windows():
    cells, _, _ = scene("soft_pck")
    cells[0, 3, LEFT_HIP] = np.nan
    sizes = np.array(torso(cells))
    assert np.isnan(sizes[0, 3])
    sizes[0, 3] = np.nanmean(sizes)
    found = np.asarray(target_of("soft_pck", cells, 2.0))[..., 2]
    np.testing.assert_allclose(found, np.broadcast_to(sizes[..., None], found.shape), rtol=1e-5)
    assert (
        np.asarray(target_of("soft_pck", np.full_like(cells, np.nan), 2.0))[..., 2] == SIZE / 4
    ).all()


def test_a_soft_pck_falls_where_each_threshold_is_met():
    """From just beyond a threshold to just within it costs less than anywhere: there keypoints
    begin to count.
    """
    cells, _, _ = scene("soft_pck")
    target = np.asarray(target_of("soft_pck", cells, 2.0))
    size = target[0, 0, 0, 2]

    def at(d: float) -> float:
        moved = target[..., :2] + np.array([d * size, 0], np.float32)
        return float(np.asarray(LOSSES["soft_pck"](target, moved))[0, 0, 0])

    assert at(0) == 0 < at(0.03) < at(0.05) < at(0.1) < at(0.2) < at(0.4)
    assert (at(0.4) - at(0.3)) / 0.1 < 0.8 * (at(0.08) - at(0.04)) / 0.04


def test_what_is_moved_by_half_a_torso_is_displaced_by_a_quarter():
    cells = np.full((1, 5, 25, 2), np.nan, np.float32)
    cells[..., [LEFT_SHOULDER, RIGHT_SHOULDER], :] = (10, 10)
    cells[..., [LEFT_HIP, RIGHT_HIP], :] = (10, 20)
    given = np.random.default_rng(0).uniform(0, 56, (1, 5, 25, 2)).astype(np.float32)
    np.testing.assert_allclose(
        displaced(given, cells, given + np.float32([3, 4])), np.full((1, 5, 25), 0.25), rtol=1e-4
    )


def test_the_cross_entropy_does_not_care_how_far_below_zero_a_map_is():
    cells, predicted, _ = scene("cross_entropy")
    target = np.asarray(target_of("cross_entropy", cells, 2.0))
    deeper = np.where(predicted < 0, 100 * predicted, predicted)
    assert (deeper != predicted).any()
    losses = [np.asarray(LOSSES["cross_entropy"](target, p)) for p in (predicted, deeper)]
    np.testing.assert_array_equal(losses[0], losses[1])
    assert np.isfinite(np.asarray(LOSSES["cross_entropy"](target, 0 * predicted))).all()


def test_a_masked_keypoint_gives_no_gradient():
    import tensorflow as tf

    rng = np.random.default_rng(0)
    predicted = tf.Variable(rng.random((2, 5, 8, 8, 25)), dtype=tf.float32)
    weight = np.ones((2, 5, 25), np.float32)
    weight[:, :, 3] = 0
    with tf.GradientTape() as tape:
        loss = masked(mse, tf.zeros_like(predicted), predicted, weight)
    gradient = tape.gradient(loss, predicted).numpy()
    assert (gradient[..., 3] == 0).all()
    assert (np.delete(gradient, 3, axis=-1) != 0).all()
    expected = np.delete(predicted.numpy() ** 2, 3, axis=-1).mean()
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_the_cross_entropy_is_least_at_the_target_and_does_not_care_for_scale():
    rng = np.random.default_rng(1)
    target = targets(rng.uniform(5, 50, (1, 5, 25, 2)).astype(np.float32))
    beside = np.roll(target, 1, axis=3)
    at, scaled, near, gone = (
        np.asarray(cross_entropy(target, p)) for p in (target, 1.1 * target, beside, 0 * target)
    )
    assert (at < near).all()
    assert (near < gone).all()
    np.testing.assert_allclose(at, scaled, atol=0.01)
    # entropy of a Gaussian of sigma 1
    np.testing.assert_allclose(at, np.log(2 * np.pi * np.e), atol=0.05)
