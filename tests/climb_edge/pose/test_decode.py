"""Heatmaps decoded: by hand, without rendering, and by the same code on Keras."""

import numpy as np
import pytest

from climb_edge.pose.boxes import SIZE
from climb_edge.pose.decode import decode, decode_rendered
from climb_edge.pose.render import CENTRE, MASS, PEAK, normalise, render


def gaussian(
    x: float, y: float, sigma: float = 1.0, height: float = 1.0, size: int = SIZE
) -> np.ndarray:
    """(size, size, 1) sampled Gaussian around cell (x, y)."""
    rows, columns = np.mgrid[:size, :size]
    return height * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))[..., None]


def test_decode_is_exact_on_subcell_gaussians():
    rng = np.random.default_rng(1)
    places = rng.uniform(3, 52, (100, 2))
    maps = np.concatenate(
        [
            gaussian(x, y, sigma)
            for (x, y), sigma in zip(places, rng.uniform(0.8, 3, 100), strict=True)
        ],
        -1,
    )
    cells, peaks = decode(maps)
    assert np.abs(cells - places).max() < 0.01
    np.testing.assert_allclose(peaks, maps.max((0, 1)))


def test_decode_steps_towards_the_longer_slope_in_both_axes():
    """A sign error of one axis, or axes exchanged, moves the wrong way."""
    cells, _ = decode(gaussian(30.3, 20.0))
    assert cells[0, 0] == pytest.approx(30.3, abs=0.01) and cells[0, 1] == pytest.approx(
        20.0, abs=1e-6
    )
    tilted = np.zeros((SIZE, SIZE, 1))
    rows, columns = np.mgrid[:SIZE, :SIZE]
    dx, dy = columns - 30.3, rows - 19.8
    tilted[..., 0] = np.exp(-(dx**2 + dy**2 + dx * dy) / 4)  # the cross derivative counts
    np.testing.assert_allclose(decode(tilted)[0][0], [30.3, 19.8], atol=0.01)


def test_decode_of_ties_is_their_mean_and_of_study_their_first():
    maps = np.zeros((SIZE, SIZE, 1))
    maps[10, 20] = maps[14, 22] = 1.0
    np.testing.assert_array_equal(decode(maps)[0][0], [21, 12])
    np.testing.assert_array_equal(decode(maps, subpixel=False)[0][0], [20, 10])


def test_decode_of_flat_and_empty_maps_is_the_middle():
    cells, peaks = decode(np.full((SIZE, SIZE, 1), 0.25))
    np.testing.assert_allclose(cells[0], [27.5, 27.5])  # the mean over all cells 0..55
    assert peaks[0] == 0.25
    for empty in (np.zeros((SIZE, SIZE, 1)), np.full((SIZE, SIZE, 1), -2.0)):
        cells, peaks = decode(empty)
        np.testing.assert_array_equal(cells[0], [CENTRE, CENTRE])
        assert peaks[0] == 0


@pytest.mark.parametrize("place", [(0, 20), (55, 20), (20, 0), (20, 55), (0, 0), (55, 55)])
def test_decode_leaves_border_cells_whole(place):
    maps = gaussian(place[0] + 0.3, place[1] - 0.2)
    np.testing.assert_array_equal(decode(maps)[0][0], place)


def test_decode_steps_one_cell_at_most():
    maps = np.full((9, 9, 1), 1.0)
    maps[4, 4], maps[4, 5], maps[4, 3] = 1.001, 1.0009, 0.01  # almost level to the right
    maps[3, 4] = maps[5, 4] = 0.9
    cells, _ = decode(maps)
    assert np.abs(cells[0] - 4).max() <= 1


def rendered_cases(count: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(cells, sigma, background) each (count, 25[, 2]): inside, beyond and on borders, half cells,
    missing, any blur.
    """
    rng = np.random.default_rng(4)
    cells = rng.uniform(-6, 62, (count, 25, 2)).astype(np.float32)
    edges = [0, 0.49, 0.5, 1, 1.5, 2, 27.5, 53.5, 54, 54.5, 55]
    cells[: count // 2] = rng.choice(edges, (count // 2, 25, 2))
    cells[rng.random((count, 25)) < 0.05] = np.nan
    cells[0, 0], cells[0, 1, 1], cells[0, 2] = np.nan, np.nan, np.inf
    sigma = rng.choice([0.3, 0.7, 1.0, 2.5, 6.0, 14.0], (count, 25)).astype(np.float32)
    background = rng.choice([0.0, 0.2, 0.9], (count, 25)).astype(np.float32)
    return cells, sigma, background


def over_background(cells, sigma, background) -> np.ndarray:
    maps = render(cells, sigma) * (1 - background)[:, None, None]
    present = np.isfinite(cells).all(-1)
    return maps + np.where(present, background * MASS / SIZE**2, 0)[:, None, None]


@pytest.mark.parametrize("subpixel", [True, False])
def test_what_is_decoded_without_rendering_is_what_is_decoded_after_it(subpixel):
    cells, sigma, background = rendered_cases()
    expected, _ = decode(over_background(cells, sigma, background), subpixel)
    found = decode_rendered(cells, sigma, background, subpixel)
    np.testing.assert_allclose(found, expected, atol=2.5e-4)  # without the background it is 6e-4
    for plain in (0.0, 0.6):
        scalar = decode_rendered(cells, 1.5, plain, subpixel)
        full = np.full(sigma.shape, plain)
        np.testing.assert_allclose(
            scalar, decode(over_background(cells, 1.5, full), subpixel)[0], atol=2e-3
        )


def test_a_level_map_is_decoded_without_rendering_as_after_it():
    """So blurred that all cells are equal: the mean of them, or the first."""
    cells = np.array([[10.2, 20.7], [0, 55]], np.float32)
    for subpixel, place in ((True, 27.5), (False, 0)):
        np.testing.assert_array_equal(decode(render(cells, 1e6), subpixel)[0], place)
        np.testing.assert_array_equal(decode_rendered(cells, 1e6, 0.2, subpixel), place)


def test_what_is_missing_decodes_to_the_middle_without_rendering_too():
    cells = np.array([[10.2, 20.7], [np.nan, 5], [5, np.nan], [np.inf, 5], [-9, 70]])
    found = decode_rendered(cells, 1.0, 0.0, subpixel=False)
    np.testing.assert_array_equal(found, [[10, 21], [28, 28], [28, 28], [28, 28], [0, 55]])


@pytest.mark.slow  # importing TensorFlow
def test_numpy_and_keras_decode_alike_without_rendering():
    pytest.importorskip(
        "keras",
        reason="the edge layer runs without Keras; this compares both where it is installed",
    )
    from keras import ops

    cells, sigma, background = rendered_cases()
    for subpixel in (True, False):
        theirs = np.asarray(decode_rendered(cells, sigma, background, subpixel, ops))
        np.testing.assert_allclose(
            theirs, decode_rendered(cells, sigma, background, subpixel), atol=1e-3
        )


@pytest.mark.slow  # importing TensorFlow
def test_numpy_and_keras_are_the_same_code():
    pytest.importorskip(
        "keras",
        reason="the edge layer runs without Keras; this compares both where it is installed",
    )
    from keras import ops

    rng = np.random.default_rng(2)
    cells = rng.uniform(-2, 58, (3, 25, 2)).astype(np.float32)
    cells[0, 3] = np.nan
    ours, theirs = (render(cells, 1.3, True), np.asarray(render(cells, 1.3, True, ops)))
    np.testing.assert_allclose(ours, theirs, atol=1e-5 * PEAK)
    noisy = (ours + rng.normal(0, 2, ours.shape)).astype(np.float32)
    np.testing.assert_allclose(
        normalise(noisy), np.asarray(normalise(noisy, ops)), atol=1e-5 * PEAK
    )
    for subpixel in (True, False):
        places, peaks = decode(ours, subpixel)
        places_keras, peaks_keras = (np.asarray(v) for v in decode(ours, subpixel, ops))
        inner = (peaks > 0)[..., None] & np.ones(2, bool)
        np.testing.assert_allclose(places_keras[inner], places[inner], atol=1e-4)
        np.testing.assert_allclose(peaks_keras, peaks, atol=1e-5)
