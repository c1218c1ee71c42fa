"""Lag and acceleration of motions that are known at any time: sums of sines, delayed by what the
tests say.
"""

import numpy as np
import pytest

from climb_edge.pose.motion import acceleration, lag_ms
from climb_edge.refiners.filters import FILTERS, get

FPS = 30


class Motion:
    """A body whose 25 points each move evenly and swing at six frequencies of up to 2 Hz;
    pixels.
    """

    def __init__(self, rng):
        self.frequency = rng.uniform(0.1, 2, (6, 1, 25, 2))
        self.size = rng.normal(0, 20, (6, 1, 25, 2)) / (1 + self.frequency)
        self.phase, self.even = rng.uniform(0, 2 * np.pi, (6, 1, 25, 2)), rng.normal(0, 60, (25, 2))

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        seconds = np.asarray(frames)[:, None, None] / FPS
        return (self.size * np.sin(2 * np.pi * self.frequency * seconds + self.phase)).sum(
            0
        ) + self.even * seconds


def scene(length: int, delay: float = 0.0) -> tuple[list, list]:
    """(predicted, truth): 10 clips, or 400 windows where they are of 5 frames; the prediction is
    `delay` frames late.
    """
    motions = [Motion(np.random.default_rng(i)) for i in range(400 if length == 5 else 10)]
    return [m(np.arange(length) - delay) for m in motions], [m(np.arange(length)) for m in motions]


def noisy(clips, size=1.0, seed=0):
    rng = np.random.default_rng(seed)
    return [c + rng.normal(0, size, c.shape) for c in clips]


lengths = pytest.mark.parametrize("length", [60, 5])


@lengths
@pytest.mark.parametrize("delay", [-1.8, -1, -0.3, 0.3, 0.5, 1, 1.5, 1.8, 2])
def test_a_delay_is_found(length, delay):
    assert lag_ms(*scene(length, delay), FPS) == pytest.approx(1000 * delay / FPS, rel=0.03)


@pytest.mark.parametrize("delay", [0.25, 0.5, 3.4])
def test_a_delay_by_interpolation_between_frames_is_found(delay):
    _, truth = scene(60)
    frames = np.clip(np.arange(60) - delay, 0, 59)
    low = np.minimum(frames.astype(int), 58)
    share = (frames - low)[:, None, None]
    late = [(1 - share) * t[low] + share * t[low + 1] for t in truth]
    assert lag_ms(late, truth, FPS) == pytest.approx(1000 * delay / FPS, rel=0.1)
    assert lag_ms(late, truth, 2 * FPS) == pytest.approx(500 * delay / FPS, rel=0.1)


@lengths
@pytest.mark.parametrize("delay", [0, 1.3])
def test_noise_offset_and_scale_of_the_prediction_do_not_move_it(length, delay):
    predicted, truth = scene(length, delay)
    spoiled = [0.8 * p + [3, 7] for p in noisy(predicted, 2.0)]
    assert lag_ms(spoiled, truth, FPS) == pytest.approx(1000 * delay / FPS, abs=0.1 * 1000 / FPS)


@lengths
def test_missing_points_do_not_move_it(length):
    predicted, truth = scene(length, 1.3)
    for i, (p, t) in enumerate(zip(predicted, truth, strict=True)):
        p[i % length, ::2] = np.nan
        t[(i + 2) % length, ::3, 0] = np.nan
    truth[0][:] = np.nan
    assert lag_ms(predicted, truth, FPS) == pytest.approx(1300 / FPS, rel=0.05)


@lengths
@pytest.mark.parametrize("name", ["mean", "median", "gaussian", "savitzky_golay"])
def test_symmetric_smoothing_is_not_late(length, name):
    _, truth = scene(length)
    assert lag_ms([FILTERS[name](p) for p in noisy(truth)], truth, FPS) == pytest.approx(
        0, abs=0.05 * 1000 / FPS
    )


@lengths
def test_a_causal_filter_is_late_and_the_later_the_more_it_smooths(length):
    _, truth = scene(length)
    specs = (
        "one_euro:min_cutoff=8,beta=0",
        "one_euro:min_cutoff=3,beta=0",
        "one_euro:min_cutoff=1,beta=0",
    )
    lags = [lag_ms([get(s)(p, FPS) for p in noisy(truth)], truth, FPS) for s in specs]
    assert 0.2 * 1000 / FPS < lags[0] < lags[1] < lags[2]


def test_noise_that_fades_within_a_window_is_no_lag():
    """As a causal filter leaves it: the first frame as it came, the last smooth."""
    _, truth = scene(5)
    rng = np.random.default_rng(0)
    fading = np.array([4, 2, 1, 0.5, 0.2])[:, None, None]
    predicted = [t + fading * rng.normal(size=t.shape) for t in truth]
    assert lag_ms(predicted, truth, FPS) == pytest.approx(0, abs=0.1 * 1000 / FPS)


def test_a_lag_beyond_the_reach_comes_out_as_the_reach():
    predicted, truth = scene(60, 6)
    assert lag_ms(predicted, truth, FPS) == pytest.approx(6000 / FPS, rel=0.01)
    assert lag_ms(predicted, truth, FPS, reach=3) == pytest.approx(3000 / FPS)
    # too far for a parabola
    assert lag_ms(scene(60, 8)[0], truth, FPS, reach=2) == pytest.approx(2000 / FPS)
    assert lag_ms(truth, predicted, FPS, reach=3) == pytest.approx(-3000 / FPS)
    # lags without pairs too
    assert lag_ms(predicted, truth, FPS, reach=200) == pytest.approx(6000 / FPS, rel=0.01)


@pytest.mark.filterwarnings("error")
def test_where_nothing_can_be_told_it_is_nan():
    predicted, truth = scene(60, 1)
    still = [np.full(t.shape, 3.0) for t in truth]
    even = [
        (np.arange(60)[:, None, None] * np.full((25, 2), 1.1) + 500).astype(np.float32)
        for _ in truth
    ]
    for p, t in (
        ([], []),
        (still, truth),
        (predicted, still),
        (still, still),
        (even, even),
        (predicted, even),
        ([p[:2] for p in predicted], [t[:2] for t in truth]),
        ([np.full_like(t, np.nan) for t in truth], truth),
        ([predicted[0], predicted[0] * np.nan], [truth[0] * np.nan, truth[0]]),
    ):
        assert np.isnan(lag_ms(p, t, FPS))
    with pytest.raises(ValueError, match="zip"):
        lag_ms(predicted, truth[:-1], FPS)


def test_acceleration_of_a_parabola_is_its_own():
    t = np.arange(9.0)[:, None, None]
    throw = np.concatenate([2 * t, 0.5 * 3 * t**2], axis=-1) * np.ones((1, 25, 1))
    assert acceleration([throw]) == pytest.approx(3)
    assert acceleration([throw], fps=30) == pytest.approx(2700)
    assert acceleration([throw, np.zeros((9, 25, 2))]) == pytest.approx(1.5)
    holed = throw.copy()
    holed[4, :, 0] = np.nan
    assert acceleration([holed]) == pytest.approx(3)


@pytest.mark.filterwarnings("error")
def test_acceleration_grows_with_noise_and_is_nan_of_nothing():
    _, truth = scene(60)
    assert acceleration(truth) < acceleration(noisy(truth)) < acceleration(noisy(truth, 3))
    assert np.isnan(acceleration([])) and np.isnan(acceleration([truth[0][:2]]))
    assert np.isnan(acceleration([np.full((9, 25, 2), np.nan)]))
