"""Noise models: what is drawn, how far, and from what seed."""

import numpy as np
import pytest

from train.noise import NOISES


def draws(name, count=400, torso=14.0):
    rng = np.random.default_rng(0)
    cells = np.full((5, 25, 2), 28.0, np.float32)
    return [NOISES[name](cells, torso, rng) for _ in range(count)]


@pytest.mark.parametrize(("name", "shift"), [("1.1", 2.95), ("2.1", 5.9)])
def test_the_studys_shift_is_whole_cells_of_the_stated_deviation(name, shift):
    moved = np.stack([d[0] for d in draws(name)]) - 28.0
    assert (moved == np.round(moved)).all()
    assert moved.std() == pytest.approx(np.hypot(shift, np.sqrt(1 / 12)), rel=0.03)
    assert abs(moved.mean()) < 0.05


def test_the_studys_blur_is_one_for_a_frame():
    sigma = np.stack([d[1] for d in draws("1.1")])
    assert (sigma == sigma[:, :, :1]).all()
    assert set(np.unique(sigma)) == {1.0, 1.5, 2.0, 2.5, 3.0}
    assert (np.stack([d[1] for d in draws("1.2")]) == 1).all()
    assert NOISES["1.3"].skip == 2


def test_the_estimators_noise_drifts_and_has_outliers():
    moved, sigma, background = (np.stack(column) for column in zip(*draws("blazepose"), strict=True))
    error = moved - 28.0
    size = np.linalg.norm(error, axis=-1)
    assert 0.2 < np.median(size) < 1.0
    assert 0.01 < (size > 4).mean() < 0.1
    small = np.where(size[..., None] < 2, error, 0)
    correlation = (small[:, 1:] * small[:, :-1]).mean() / (small**2).mean()
    assert 0.2 < correlation < 0.7
    assert sigma.min() >= 0.8
    assert sigma.max() <= 6
    assert 0 <= background.min() < background.max() <= 0.9


def test_missing_keypoints_stay_missing_and_others_do_not_care():
    cells = np.full((5, 25, 2), 28.0, np.float32)
    cells[:, 3] = np.nan
    moved, _, _ = NOISES["blazepose"](cells, np.nan, np.random.default_rng(1))
    assert np.isnan(moved[:, 3]).all()
    assert np.isfinite(np.delete(moved, 3, axis=1)).sum() >= 0.9 * 24 * 5 * 2
