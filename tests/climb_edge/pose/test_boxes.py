"""Boxes and affines: inverse, order, when a held box moves, and maps warped into a box."""

import numpy as np
import pytest

from climb_edge.pose.boxes import (
    GROW,
    OUTER,
    STICKY,
    STUDY,
    box_affine,
    compose,
    extent,
    invert,
    pose_box,
    transform,
)
from climb_edge.pose.decode import decode
from climb_edge.pose.render import normalise, to_cells, to_pixels, warp
from support.scene import observe, standing

RNG = np.random.default_rng(0)


def test_box_affine_is_the_cell_rule():
    box = np.array([10.0, -20.0, 66.0, 120.0])
    cells = RNG.uniform(0, 56, (30, 2))
    np.testing.assert_allclose(transform(box_affine(box), cells), to_pixels(cells, box))
    np.testing.assert_allclose(
        transform(box_affine(box), [[0, 0], [56, 56]]), [[10, -20], [66, 120]]
    )


def test_invert_undoes_and_compose_applies_the_inner_first():
    a, b = RNG.normal(size=(2, 2, 3))
    points = RNG.normal(size=(4, 5, 2))
    np.testing.assert_allclose(transform(invert(a), transform(a, points)), points, atol=1e-9)
    np.testing.assert_allclose(
        transform(compose(a, b), points), transform(a, transform(b, points)), atol=1e-9
    )


def test_extent_skips_what_is_not_finite():
    points = np.array([[1.0, 9.0], [np.nan, 50.0], [4.0, np.inf], [3.0, 2.0]])
    np.testing.assert_array_equal(extent(points), [1, 2, 3, 9])
    assert np.isnan(extent(np.full((25, 2), np.nan))).all()


def test_pose_box_is_square_centred_and_a_quarter_longer():
    box = pose_box(np.array([[100.0, 50.0], [140.0, 150.0]]))
    np.testing.assert_allclose(box, [120 - 62.5, 100 - 62.5, 120 + 62.5, 100 + 62.5])
    assert GROW == 0.25


def test_study_box_is_of_the_frame_and_not_square():
    points = np.array([[100.0, 50.0], [140.0, 150.0]])
    held = np.array([0.0, 0.0, 500.0, 500.0])
    np.testing.assert_allclose(STUDY.update(held, points), [98, 45, 142, 155])


def test_sticky_box_holds_while_the_pose_stays_inside():
    points = standing()
    box = STICKY.update(None, points)
    assert STICKY.update(box, points) is box
    side = box[2] - box[0]
    # margin 10 %, of which 8 % are the rim
    assert STICKY.update(box, points + [0.015 * side, -0.015 * side]) is box


@pytest.mark.parametrize(("axis", "low"), [(0, True), (0, False), (1, True), (1, False)])
def test_sticky_box_moves_when_one_keypoint_enters_the_rim(axis, low):
    points = standing()
    box = STICKY.update(None, points)
    side = box[2] - box[0]
    edge = box[axis] + OUTER * side if low else box[2 + axis] - OUTER * side
    inward = 1 if low else -1
    wrist = points.copy()
    wrist[7, axis] = edge + inward * 0.5
    assert STICKY.update(box, wrist) is box
    wrist[7, axis] = edge - inward * 0.5
    np.testing.assert_allclose(STICKY.update(box, wrist), pose_box(wrist))


def test_sticky_box_moves_when_the_pose_falls_under_half_of_it():
    points = standing()
    box = STICKY.update(None, points)
    centre = (box[:2] + box[2:]) / 2
    longest, side = np.ptp(points, axis=0).max(), box[2] - box[0]
    for share, holds in ((0.51, True), (0.49, False)):
        small = centre + (points - centre) * share * side / longest
        assert (STICKY.update(box, small) is box) is holds


def test_a_pose_without_points_leaves_the_box():
    box = STICKY.update(None, standing())
    assert STICKY.update(box, np.full((25, 2), np.nan)) is box


@pytest.mark.parametrize("angle", [0.0, 0.4, -1.2, np.pi])
def test_warp_brings_a_rotated_map_to_the_right_cells_of_the_box(angle):
    points = standing()
    seen, box = observe(points, angle=angle), pose_box(points)
    cells, peaks = decode(normalise(warp(seen.native, seen.affine, box_affine(box))))
    error = cells - to_cells(points, box)
    # bilinear sampling bends a peak: 0.06 cells on average, measured
    assert np.abs(error).max() < 0.25
    assert np.abs(error.mean(0)).max() < 0.05
    assert (peaks > 0).all()


def test_warp_outside_the_native_map_is_zero():
    seen = observe(standing())
    assert not warp(
        seen.native, seen.affine, box_affine(np.array([900.0, 900.0, 1000.0, 1000.0]))
    ).any()


def test_bad_box_of_zero_width_is_never_made():
    assert (np.diff(pose_box(np.full((25, 2), 7.0)).reshape(2, 2), axis=0) >= 4).all()
