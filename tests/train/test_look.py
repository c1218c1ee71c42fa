"""A closer look at test windows: only what is meant counts, and a score is held against what happened."""

import numpy as np
import pytest

from climb_edge.skeleton import INDEX, K
from train.judge import Measured
from train.look import paces, reliability, score


@pytest.fixture
def windows() -> np.ndarray:
    """Truth (200, 5, 25, 2): everybody stands, but for left wrists, which move by a cell a frame."""
    truth = np.tile(np.random.default_rng(0).uniform(10, 40, (K, 2)), (200, 5, 1, 1))
    truth[:, :, INDEX["left_wrist"], 0] += np.arange(5)
    return truth


def measured(truth: np.ndarray, points: np.ndarray, sure: np.ndarray | None = None) -> Measured:
    halves = [tuple(np.split(a, 2)) for a in (truth, points)]
    return Measured(0.0, halves[0], {"ours": halves[1]}, () if sure is None else tuple(np.split(sure, 2)))


def test_only_the_frame_that_is_asked_for_counts(windows):
    points = windows.copy()
    points[:, 4] += 100
    assert score(measured(windows, points), "newest").pooled()["0.2"][0] == 0
    assert score(measured(windows, points), "centre").pooled()["0.2"][0] == 1


def test_what_moves_faster_than_the_median_keypoint_is_fast(windows):
    found = paces(measured(windows, windows))
    assert [len(halves) for halves in found.values()] == [2, 2]
    expected = np.tile(np.arange(K) == INDEX["left_wrist"], (100, 1))
    for slow, fast in zip(found["slow"], found["fast"], strict=True):
        np.testing.assert_array_equal(fast, expected)
        np.testing.assert_array_equal(slow, ~expected)


def test_a_score_that_is_the_chance_has_no_error_and_one_that_is_not_has(windows):
    rng = np.random.default_rng(1)
    chance = rng.uniform(0.05, 0.95, windows.shape[:-1])
    points = windows + 100.0 * (rng.random(chance.shape) > chance)[..., None]
    for sure, low, high in ((chance, 0, 2), (np.full_like(chance, 0.9), 38, 42)):
        told = reliability(measured(windows, points, sure))
        assert low <= float(told.split("error: ")[1].split()[0]) <= high
    points[0, 0, 0], windows[0, 0, 0] = 0, np.nan  # without truth it says nothing
    assert f"| {windows[..., 0].size - 1} |" in reliability(measured(windows, points, np.full_like(chance, 0.9)))
