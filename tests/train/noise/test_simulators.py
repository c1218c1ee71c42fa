"""Noise models: what is drawn, how far, and from what seed."""

from dataclasses import replace

import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.pose.skeleton import GROUPS, INDEX, MIRROR, K
from train.noise.library import NAMES, NOISES, get
from train.noise.simulators import CORE, StudyNoise

FITTED = "blazepose-lite"


def draws(name, count=400, torso=14.0):
    """cells, sigma, background and peak, each with a leading axis of `count` windows, of keypoints
    at (28, 28).
    """
    rng = np.random.default_rng(0)
    cells = np.full((5, K, 2), 28.0, np.float32)
    drawn = [NOISES[name](cells, torso, rng) for _ in range(count)]
    return (
        np.stack([getattr(d, part) for d in drawn])
        for part in ("cells", "sigma", "background", "peak")
    )


def person():
    """A standing person (5, 25, 2) whose left and right lie apart, with a torso of 14 cells."""
    cells = np.random.default_rng(1).uniform(15, 40, (K, 2))
    for name, place in {"shoulder": 20, "hip": 34}.items():
        cells[INDEX[f"left_{name}"]], cells[INDEX[f"right_{name}"]] = (32, place), (24, place)
    return np.tile(cells.astype(np.float32), (5, 1, 1))


@pytest.mark.parametrize(("name", "shift"), [("1.1", 3), ("2.1", 6)])
def test_the_studys_shift_is_whole_cells_of_the_stated_deviation(name, shift):
    cells, _, _, peak = draws(name)
    assert (cells == np.round(cells)).all()
    assert (cells - 28).std() == pytest.approx(np.hypot(shift, np.sqrt(1 / 12)), rel=0.03)
    assert abs((cells - 28).mean()) < 0.05
    assert (peak == 1).all()


def test_the_studys_blur_is_one_for_a_frame():
    _, sigma, background, _ = draws("1.1")
    assert (sigma == sigma[:, :, :1]).all()
    assert set(np.unique(sigma)) == {1.0, 1.5, 2.0, 2.5, 3.0}
    assert not background.any()
    assert NOISES["1.2"].sigmas == (1.0,) and NOISES["1.3"].skip == 2


@pytest.mark.parametrize(
    ("noise", "expected", "total"),
    [
        (
            NOISES["blazepose"],
            [19.904486, 20.408838, 41.503033, 41.302925, 1.963448, 0.001799],
            160.94589,
        ),
        (StudyNoise("1.1", 2.95, (1.0, 1.5, 2.0, 2.5, 3.0)), [23, 20, 44, 43, 2.5, 0], 580.66669),
        (StudyNoise("2.2", 5.9, (1.0,)), [27, 19, 48, 45, 1, 0], 1135.66663),
    ],
)
def test_draws_that_shipped_weights_were_trained_on_stay_what_they_were(noise, expected, total):
    """The figures come from the code that drew for the first weights; of Python's and NumPy's own,
    none changed since.
    """
    cells = np.tile(np.linspace(8, 48, K, dtype=np.float32)[:, None], (5, 1, 2))
    drawn = noise(cells, 14.0, np.random.default_rng(5))
    found = [*drawn.cells[4, 7], *drawn.cells[0, 20], drawn.sigma[2, 9], drawn.background[0, 20]]
    assert found == pytest.approx(expected, abs=1e-5)
    assert np.abs(drawn.cells - cells).sum() == pytest.approx(total, abs=1e-3)


@pytest.mark.parametrize(("name", "far"), [("blazepose", (0.01, 0.1)), (FITTED, (0.08, 0.2))])
def test_an_estimators_noise_drifts_and_has_outliers(name, far):
    cells, sigma, background, peak = draws(name)
    error = cells - 28.0
    size = np.linalg.norm(error, axis=-1)
    assert 0.2 < np.median(size) < 1.5
    assert far[0] < (size > CORE * 14).mean() < far[1]
    small = np.where(size[..., None] < 2, error, 0)
    assert 0.2 < (small[:, 1:] * small[:, :-1]).mean() / (small**2).mean() < 0.85
    assert 0.8 <= sigma.min() < 1.5 < 3 < sigma.max() <= 6
    assert 0 <= background.min() < background.max() <= 0.9
    assert 0 < peak.min() < peak.max() <= 1
    assert peak[size > CORE * 14].mean() < peak[size < 2].mean() - 0.1


def test_a_low_map_of_a_fitted_noise_is_a_broad_one():
    _, sigma, background, peak = draws(FITTED)
    low, high = peak < 0.5, peak > 0.7
    assert np.median(sigma[low]) > 1.4 * np.median(sigma[high])
    assert background[low].mean() > background[high].mean() + 0.15


def test_an_offset_that_stays_is_drawn_only_when_asked_for():
    cells = np.tile(person()[:1], (60, 1, 1))
    means = []
    for offsets in (False, True):
        noise, rng = replace(get(FITTED), biased=offsets, offsets=offsets), np.random.default_rng(0)
        error = np.stack([noise(cells, 14.0, rng).cells - cells for _ in range(30)]) / 14
        means.append(np.median(error, axis=1)[:, list(GROUPS["hip"]), 1])
    assert np.abs(means[0].mean()) < 0.02
    # up is towards smaller y
    assert means[1].mean() == pytest.approx(-get(FITTED).bias[INDEX["left_hip"]], abs=0.02)
    assert means[1].std() > 1.2 * means[0].std()


@pytest.mark.parametrize("name", NAMES)
def test_draws_depend_on_the_generator_alone(name):
    def drawn(seed):
        return get(name)(person(), 14.0, np.random.default_rng(seed))

    once, other, again = drawn(3), drawn(4), drawn(3)
    # a torso: taken as a quarter of the box, 14 cells
    unknown = get(name)(person(), np.nan, np.random.default_rng(3))
    np.testing.assert_array_equal(once.cells, unknown.cells)
    for part in ("cells", "sigma", "background", "peak"):
        assert getattr(once, part).dtype == np.float32
        np.testing.assert_array_equal(getattr(once, part), getattr(again, part))
    assert (once.cells != other.cells).any()


@pytest.mark.parametrize("name", NAMES)
def test_missing_keypoints_stay_missing_and_others_do_not_care(name):
    gone = [
        k for part in ("elbow", "wrist", "index finger", "knee", "ankle") for k in GROUPS[part][:1]
    ]
    cells = person()
    cells[:, gone] = np.nan
    # the right wrist may have been exchanged for the left
    others = np.delete(np.arange(K), [*gone, *MIRROR[gone]])
    for seed in range(100):
        whole, part = (get(name)(c, 14.0, np.random.default_rng(seed)) for c in (person(), cells))
        assert np.isnan(part.cells[:, gone]).all()
        assert np.isfinite(np.delete(part.cells, gone, axis=1)).all()
        np.testing.assert_array_equal(whole.cells[:, others], part.cells[:, others])
        assert np.isfinite([part.sigma, part.background, part.peak]).all()


def test_a_fitted_noise_can_have_its_mean_offset_and_no_other():
    biased = get(f"{FITTED}+bias")
    assert biased == replace(get(FITTED), name=f"{FITTED}+bias", biased=True)
    assert not any(
        biased.bias[k] for name in ("nose", "ear", "thumb", "heel", "toes") for k in GROUPS[name]
    )
    cells = np.tile(person()[:1], (60, 1, 1))
    plain, moved = (
        np.median([n(cells, 14.0, np.random.default_rng(i)).cells for i in range(30)], axis=(0, 1))
        for n in (get(FITTED), biased)
    )
    # up is towards smaller y
    expected = np.zeros((K, 2)) - np.array(biased.bias)[:, None] * (0, 14.0)
    np.testing.assert_allclose(moved - plain, expected, atol=0.05)
    with pytest.raises(
        ClimbEdgeError, match=r"1\.1 was not fitted and has no mean offset; leave \+bias away"
    ):
        get("1.1+bias")


def test_of_several_a_window_has_one():
    both, cells = get("1.1,2.1"), np.full((5, K, 2), 28.0, np.float32)
    rng = np.random.default_rng(0)
    sizes = np.array([(both(cells, 14.0, rng).cells - 28).std() for _ in range(400)])
    near = {shift: np.abs(sizes - shift) < 1 for shift in (3, 6)}
    assert near[3].mean() == pytest.approx(0.5, abs=0.1) and (near[3] | near[6]).all()
    assert both.name == "1.1,2.1" and both.skip == 1 and get("1.3,2.3").skip == 2
    assert get(f"{FITTED}+bias,blazepose").parts == (get(f"{FITTED}+bias"), get("blazepose"))
    with pytest.raises(ClimbEdgeError, match="halve the frame rate"):
        get("1.1,1.3")
    with pytest.raises(ClimbEdgeError, match=r"'1\.9': expected one of"):
        get("1.1,1.9")
