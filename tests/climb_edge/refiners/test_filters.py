"""Temporal filters against SciPy, One-Euro against the paper's algorithm in scalars; edges, missing
points, refusals.
"""

import math

import numpy as np
import pytest
from scipy import ndimage, signal

from climb_edge.errors import ClimbEdgeError
from climb_edge.pose.boxes import SIZE
from climb_edge.refiners.filters import FILTERS, GRIDS, Filter, get

RNG = np.random.default_rng(0)
# three trajectories of 40 frames, in heatmap cells
WALK = 28 + RNG.normal(0, 1, (3, 40, 25, 2)).cumsum(1)
WINDOWS = WALK[:, :5]
EVERY = [f for grid in GRIDS.values() for f in grid]
TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}  # float32 of coordinates around 30
names = pytest.mark.parametrize("name", FILTERS)
reaches = pytest.mark.parametrize("reach", [1, 2, 3, 4])
lengths = pytest.mark.parametrize("points", [WALK, WINDOWS], ids=["clip", "window"])


@lengths
@reaches
def test_mean_and_gaussian_are_scipys_renormalised_at_the_edges(points, reach):
    """Renormalised: the filtered points over the filtered ones, both with 0 beyond the edges."""
    for spec, filtered, settings in (
        (f"mean:reach={reach}", ndimage.uniform_filter1d, {"size": 2 * reach + 1}),
        (
            f"gaussian:reach={reach},sigma=0.6",
            ndimage.gaussian_filter1d,
            {"sigma": 0.6, "radius": reach},
        ),
        (
            f"gaussian:reach={reach},sigma=1.5",
            ndimage.gaussian_filter1d,
            {"sigma": 1.5, "radius": reach},
        ),
    ):
        settings |= {"axis": 1, "mode": "constant"}
        expected = filtered(points, **settings) / filtered(np.ones_like(points), **settings)
        np.testing.assert_allclose(get(spec)(points), expected, **TOLERANCE)


@reaches
def test_median_is_scipys_inside_and_of_the_shrunken_window_at_the_edges(reach):
    f = get(f"median:reach={reach}")
    whole = ndimage.median_filter(WALK, size=(1, 2 * reach + 1, 1, 1))
    np.testing.assert_allclose(f(WALK)[:, reach:-reach], whole[:, reach:-reach], **TOLERANCE)
    for t in range(5):
        expected = np.median(WINDOWS[:, max(t - reach, 0) : t + reach + 1], axis=1)
        np.testing.assert_allclose(f(WINDOWS)[:, t], expected, **TOLERANCE)


@pytest.mark.parametrize(
    "f", [*GRIDS["savitzky_golay"], get("savitzky_golay:reach=4,order=8")], ids=lambda f: f.spec
)
def test_savitzky_golay_is_scipys_with_the_nearest_full_window_at_the_edges(f):
    for points in (WALK, WINDOWS):
        size = min(2 * f["reach"] + 1, points.shape[1])  # in 5 frames a longer window is all 5
        fits = size > f["order"]  # else the points themselves
        expected = (
            signal.savgol_filter(points, size, f["order"], axis=1, mode="interp")
            if fits
            else points
        )
        np.testing.assert_allclose(f(points), expected, **TOLERANCE)


def one_euro(times, values, min_cutoff, beta, d_cutoff):
    """Algorithms 1 and 2 of the paper for one coordinate, at any times in seconds."""

    def alpha(cutoff, period):
        return 1 / (1 + 1 / (2 * math.pi * cutoff) / period)  # 1 / (1 + tau / Te)

    hatx, hatdx = values[0], 0.0  # a low-pass begins as its first value
    result = [hatx]
    for period, x in zip(np.diff(times), values[1:], strict=True):
        a = alpha(d_cutoff, period)
        hatdx = a * (x - hatx) / period + (1 - a) * hatdx
        a = alpha(min_cutoff + beta * abs(hatdx), period)
        hatx = a * x + (1 - a) * hatx
        result.append(hatx)
    return result


@pytest.mark.parametrize("fps", [30.0, 12.5])
@pytest.mark.parametrize("scale", [SIZE, 7.0])
@pytest.mark.parametrize(
    "f", [GRIDS["one_euro"][i] for i in (0, 4, 20, 37, 74)], ids=lambda f: f.spec
)
def test_one_euro_is_the_papers(f, scale, fps):
    out = f(WALK, fps, scale)
    for clip, k, c in ((0, 0, 0), (1, 12, 1), (2, 24, 0)):
        expected = one_euro(np.arange(40) / fps, WALK[clip, :, k, c] / scale, **dict(f.parameters))
        np.testing.assert_allclose(out[clip, :, k, c], np.array(expected) * scale, **TOLERANCE)


def test_one_euro_takes_the_time_since_the_last_known_point():
    holed = WALK[0].copy()
    gone = [0, 4, 5, 6, 20]
    holed[gone, 3, 0] = np.nan  # x alone: y is missing with it
    kept = [t for t in range(40) if t not in gone]
    out = get("one_euro:min_cutoff=1,beta=5")(holed)
    for c in (0, 1):
        expected = one_euro(np.array(kept) / 30, WALK[0, kept, 3, c] / SIZE, 1, 5, 1)
        np.testing.assert_allclose(out[kept, 3, c], np.array(expected) * SIZE, **TOLERANCE)
    assert np.isnan(out[gone, 3]).all()


def test_a_scale_for_each_trajectory():
    f, scales = get("one_euro:min_cutoff=1,beta=5"), np.array([10.0, 56.0, 300.0])
    for i, out in enumerate(f(WALK, scale=scales)):
        np.testing.assert_allclose(out, f(WALK[i], scale=scales[i]), **TOLERANCE)
    assert not np.allclose(f(WALK, scale=scales)[2], f(WALK)[2], atol=0.01)


@pytest.mark.parametrize("f", EVERY, ids=lambda f: f.spec)
def test_constants_stay_and_scale_and_shift_go_through(f):
    still = np.broadcast_to(WINDOWS[:, :1], WINDOWS.shape)
    np.testing.assert_allclose(f(still), still, **TOLERANCE)
    moved = f(4 * WINDOWS + [100, -50], scale=4 * SIZE)
    np.testing.assert_allclose(moved, 4 * f(WINDOWS) + [100, -50], rtol=1e-5, atol=1e-4)
    assert f(WINDOWS).dtype == np.float32 and f(WINDOWS).shape == WINDOWS.shape
    assert f(WINDOWS[:0]).shape == (0, 5, 25, 2) and f(WINDOWS[:, :0]).shape == (3, 0, 25, 2)


def test_a_straight_line_is_kept_by_savitzky_golay_and_bent_by_the_mean():
    line = np.arange(12)[:, None, None] * RNG.normal(size=(25, 2)) + 20
    for f in GRIDS["savitzky_golay"]:
        np.testing.assert_allclose(f(line), line, **TOLERANCE)
    assert not np.allclose(FILTERS["mean"](line)[0], line[0], atol=0.01)


@names
def test_one_euro_alone_is_causal_and_the_others_are_the_same_backwards(name):
    f, later = FILTERS[name], WALK.copy()
    later[:, 20:] += 5
    assert np.allclose(f(later)[:, 19], f(WALK)[:, 19]) == (name == "one_euro")
    assert np.allclose(f(WALK[:, ::-1])[:, ::-1], f(WALK), atol=1e-4) == (name != "one_euro")


@names
@pytest.mark.filterwarnings("error")
def test_frame_by_frame_is_the_same_as_at_once(name):
    f, state, streamed, holed = FILTERS[name], None, [], WALK.copy()
    holed[1, [0, 9, 10], 4] = np.inf
    for t in range(40):
        if name == "one_euro":
            state, frame = f.step(state, holed[:, t] / SIZE, 30)
            streamed.append(frame * SIZE)
        elif t >= 2 * f.delay:
            streamed.append(f(holed[:, t - 2 * f.delay : t + 1])[:, f.delay])
    np.testing.assert_allclose(
        np.stack(streamed, 1), f(holed)[:, f.delay : 40 - f.delay], **TOLERANCE
    )


@names
def test_a_missing_point_stays_missing_and_reaches_nothing_else(name):
    f, holed = FILTERS[name], WINDOWS.copy()
    holed[0, 2, 7, 1] = np.inf  # y alone
    holed[1, :, 9] = np.nan
    out = f(holed)
    missing = ~np.isfinite(holed).all(-1)
    assert np.isnan(out[missing]).all() and np.isfinite(out[~missing]).all()
    others = np.ones(holed.shape, bool)
    others[0, :, 7], others[1, :, 9] = False, False
    np.testing.assert_array_equal(out[others], f(WINDOWS)[others])
    holed[0, 2, 7] = np.nan
    np.testing.assert_array_equal(f(holed), out)  # the x of a point without y is not used either


@pytest.mark.filterwarnings("error")
def test_what_is_known_is_what_is_averaged_or_fitted():
    x = np.array([1.0, 4.0, np.nan, 16.0, 25.0])[:, None, None] * np.ones((25, 2))

    def at(spec):
        return get(spec)(x)[[0, 1, 3, 4], 4, 1]

    # of points one and two frames away
    near, far = math.exp(-0.5 / 1.5**2), math.exp(-0.5 * 4 / 1.5**2)
    gaussian = (near * 1 + 4 + far * 16) / (near + 1 + far)
    np.testing.assert_allclose(at("mean:reach=2"), [2.5, 7, 15, 20.5], rtol=1e-6)
    np.testing.assert_allclose(at("median:reach=2"), [2.5, 4, 16, 20.5], rtol=1e-6)
    np.testing.assert_allclose(at("gaussian:reach=2,sigma=1.5")[1], gaussian, rtol=1e-6)
    # a parabola is kept
    np.testing.assert_allclose(at("savitzky_golay:reach=2,order=2"), [1, 4, 16, 25], rtol=1e-6)
    line = np.polyval(np.polyfit([0, 1, 3, 4], [1, 4, 16, 25], 1), [0, 1, 3, 4])
    np.testing.assert_allclose(at("savitzky_golay:reach=2,order=1"), line, rtol=1e-6)
    # 5 unknowns, 4 points
    np.testing.assert_array_equal(at("savitzky_golay:reach=2,order=4"), [1, 4, 16, 25])


def test_specs_name_filters_and_defaults():
    assert get("one_euro") == FILTERS["one_euro"] == get("one_euro: beta=80 , d_cutoff=1")
    assert get("gaussian:sigma=0.5")["sigma"] == 0.5 and get("gaussian:sigma=0.5")["reach"] == 3
    assert (
        set(GRIDS) == set(FILTERS)
        and all(get(f.spec) == f for f in EVERY)
        and len(set(EVERY)) == len(EVERY)
    )
    assert FILTERS["one_euro"].delay == 0 and get("mean:reach=3").delay == 3


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("guassian", r"found 'guassian'; did you mean gaussian"),
        ("one_euro:betta=1", r"parameter of one_euro.*did you mean beta"),
        ("mean:reach=1.5", "a whole number > 0, found '1.5'"),
        ("mean:reach=0", "a whole number > 0, found '0'"),
        ("one_euro:beta=-1", "a number >= 0"),
        ("gaussian:sigma=nan", "found 'nan'"),
        ("gaussian:sigma=wide", "found 'wide'"),
        ("mean:reach", "each parameter once"),
        ("mean:reach=1,reach=2", "each parameter once"),
        ("savitzky_golay:reach=1,order=3", "at most 2 reach"),
        ("", "expected a filter, one of mean"),
    ],
)
def test_what_there_is_not_is_refused_by_name(spec, says):
    with pytest.raises(ClimbEdgeError, match=says):
        get(spec)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((WALK[..., :1],), "found .3, 40, 25, 1."),
        ((WALK[0, 0],), "expected points"),
        ((WALK, 0.0), "fps"),
        ((WALK, 30.0, [1, 0, 1]), "found 30.0 and"),
        ((WALK, 30.0, math.nan), "scale > 0"),
        ((WALK[:1], 30.0, [1, 2]), "shape .1,"),
    ],
)
def test_what_cannot_be_filtered_is_refused(arguments, says):
    with pytest.raises(ClimbEdgeError, match=says):
        Filter("one_euro")(*arguments)
