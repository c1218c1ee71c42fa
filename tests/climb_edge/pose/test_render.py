"""Heatmaps: normalised and rendered, against SciPy and by hand."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from climb_edge.pose.boxes import SIZE
from climb_edge.pose.decode import decode
from climb_edge.pose.render import MASS, PEAK, normalise, render, to_cells, to_pixels

PLACES = np.array([[28, 28], [0, 0], [55, 55], [0, 30], [54, 1], [2, 55]], float)


def test_normalise_scales_each_map_to_255_and_keeps_empty_ones():
    maps = np.zeros((2, 8, 8, 3), np.float32)
    maps[0, 2, 3, 0], maps[0, 4, 4, 0] = 1, 3
    maps[1, :, :, 1] = -5
    maps[1, 1, 1, 1] = 2
    result = normalise(maps)
    assert result[0, 2, 3, 0] == pytest.approx(MASS / 4) and result[0, 4, 4, 0] == pytest.approx(
        3 * MASS / 4
    )
    assert result[1, 1, 1, 1] == pytest.approx(MASS) and (result >= 0).all()
    totals = result.sum((1, 2))
    np.testing.assert_allclose(totals, [[MASS, 0, 0], [0, MASS, 0]], atol=1e-3)


def test_normalise_of_only_negatives_is_empty():
    assert not normalise(np.full((4, 4, 1), -1, np.float32)).any()


@pytest.mark.parametrize("sigma", [0.7, 1.0, 2.5])
def test_render_is_scipys_filter_of_an_impulse_also_at_borders(sigma):
    maps = render(PLACES, sigma)
    for k, (x, y) in enumerate(PLACES.astype(int)):
        impulse = np.zeros((SIZE, SIZE))
        impulse[y, x] = MASS
        expected = gaussian_filter(impulse, sigma, mode="reflect", truncate=4.0)
        np.testing.assert_allclose(maps[..., k], expected, atol=1e-3)


def test_render_rounds_unless_subcell():
    cells = np.array([[20.4, 30.6]])
    np.testing.assert_array_equal(render(cells), render(np.array([[20.0, 31.0]])))
    exact, rounded = (decode(render(cells, subcell=s))[0][0] for s in (True, False))
    np.testing.assert_allclose(exact, cells[0], atol=0.01)
    np.testing.assert_allclose(rounded, [20, 31], atol=1e-3)


def test_render_outside_goes_to_the_closest_border_cell_and_nan_to_nothing():
    maps = render(np.array([[-3.0, 70.0], [np.nan, 5.0], [5.0, np.inf]]))
    assert np.unravel_index(maps[..., 0].argmax(), (SIZE, SIZE)) == (55, 0)
    assert maps[..., 0].sum() == pytest.approx(MASS, rel=1e-5)
    assert not maps[..., 1:].any()


def test_render_takes_a_sigma_per_keypoint():
    maps = render(np.full((2, 2), 28.0), np.array([1.0, 2.0]))
    assert maps[28, 28, 0] == pytest.approx(PEAK, rel=0.02) and maps[28, 28, 1] == pytest.approx(
        PEAK / 4, rel=0.02
    )


def test_cells_and_pixels_are_inverse_and_follow_the_rule():
    box = np.array([10.0, 20.0, 122.0, 76.0])
    np.testing.assert_allclose(
        to_pixels([[28, 28]], box), [[10 + 28 * 112 / 56, 20 + 28 * 56 / 56]]
    )
    points = np.random.default_rng(0).uniform(-50, 200, (25, 2))
    np.testing.assert_allclose(to_pixels(to_cells(points, box), box), points, atol=1e-9)
