"""Augmentation: maps and truth are changed alike, by what was drawn, and by nothing where nothing
is asked for.
"""

from dataclasses import replace

import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.evaluation.pck import torso
from climb_edge.pose.boxes import compose, transform
from climb_edge.pose.decode import decode
from climb_edge.pose.render import SIZE
from climb_edge.pose.skeleton import INDEX, MIRROR, K
from support.augmentation import (
    ALL,
    MIRRORED,
    REVERSED,
    ROTATE,
    SCALE,
    drawn,
    every_augmentation,
    every_box,
    rendered,
    some,
)
from train.config import Augmentation
from train.data.augment import Change, draw
from train.data.recorded import RecordedWindows
from train.data.sources import unchanged
from train.noise.library import NOISES
from train.synthesis.motion import generated_clips


def test_nothing_is_changed_by_default():
    assert not Augmentation()
    assert all([ROTATE, SCALE, MIRRORED, REVERSED, ALL])
    assert draw(Augmentation(), np.random.default_rng(0)) == Change()
    np.testing.assert_array_equal(Change().cells, [[1, 0, 0], [0, 1, 0]])


def test_changes_are_as_wide_as_asked_for():
    rng = np.random.default_rng(0)
    changes = [draw(ALL, rng) for _ in range(2000)]
    angles, scales = np.rad2deg([c.angle for c in changes]), np.log([c.scale for c in changes])
    for values, reach in ((angles, 45), (scales, 0.3)):
        assert np.abs(values).max() < reach
        assert values.std() == pytest.approx(reach / np.sqrt(3), rel=0.05)  # uniform
        assert abs(values.mean()) < 0.05 * reach
    for share in (np.mean([c.mirrored for c in changes]), np.mean([c.reversed for c in changes])):
        assert share == pytest.approx(0.5, abs=0.04)
    assert not any(c.mirrored or c.reversed for c in (draw(ROTATE, rng) for _ in range(50)))


def test_boxes_are_shifted_and_keypoints_hidden_as_often_as_asked_for():
    changes = [drawn(Augmentation(shift=0.04, keypoint_dropout=0.1), 0, i) for i in range(400)]
    assert np.std([c.shift for c in changes], axis=0) == pytest.approx([0.04, 0.04], rel=0.15)
    hidden = np.stack([c.hidden for c in changes])
    assert hidden.all(1).mean() == pytest.approx(0.1, rel=0.15)  # for the whole window
    assert hidden.mean() == pytest.approx(1 - 0.9**2, rel=0.1)
    assert not drawn(ALL, 0, 0).hidden.any()


@pytest.mark.parametrize("kind", ["simulated", "recorded"])
def test_what_is_hidden_shows_nothing_and_keeps_its_truth(kind, scripted):
    augmentation = Augmentation(shift=0.1, keypoint_dropout=0.2)
    source = (
        rendered(augmentation)
        if kind == "simulated"
        else RecordedWindows(*scripted, augmentation=augmentation)
    )
    plain = unchanged(source)
    assert not plain.augmentation
    for index in some(source)[:4]:
        window, change, before = (
            source.window(index, 1),
            drawn(augmentation, 1, index),
            plain.window(index, 1),
        )
        assert change.hidden.any()
        assert not window.inputs.max((1, 2))[change.hidden].any()
        assert not window.peaks[change.hidden].any()
        seen = ~change.hidden & (before.peaks > 0)
        np.testing.assert_array_equal(window.peaks[seen], before.peaks[seen])
        moved = before.cells - SIZE * np.array(change.shift)
        np.testing.assert_allclose(window.cells, moved, atol=1e-3)
        if kind == "recorded":
            points = before.given["points"][..., :2] - SIZE * np.array(change.shift)
            np.testing.assert_allclose(
                window.given["points"][seen][..., :2], points[seen], atol=1e-3
            )


def test_a_change_mirrored_twice_is_no_change():
    mirror = Change(mirrored=True)
    np.testing.assert_allclose(compose(mirror.cells, mirror.cells), Change().cells, atol=1e-9)
    np.testing.assert_allclose(mirror.turn @ mirror.turn, np.eye(2), atol=1e-12)
    np.testing.assert_array_equal(mirror.order[mirror.order], np.arange(K))
    back = Change(reversed=True).frames
    np.testing.assert_array_equal(back[back], np.arange(5))


def test_the_middle_of_the_box_stays_where_it_is():
    for change in (Change(0.7), Change(scale=1.3), Change(mirrored=True), Change(0.3, 0.8, True)):
        np.testing.assert_allclose(
            transform(change.cells, [[SIZE / 2, SIZE / 2]]), [[SIZE / 2, SIZE / 2]], atol=1e-9
        )


def off_truth(window) -> np.ndarray:
    """Distance in x and y of the maximum of each map from the truth, which stays within the map."""
    cells, _ = decode(window.inputs, subpixel=False)
    return np.abs(cells - np.clip(window.cells, 0, SIZE - 1))


@every_box
@every_augmentation
def test_simulated_maps_stay_at_their_truth(augmentation, box):
    source = rendered(augmentation, box)
    changed = 0
    for index in some(source):
        window = source.window(index, epoch=2)
        assert np.isfinite(window.cells).all()
        assert off_truth(window).max() < 0.501  # they are rendered at whole cells
        changed += not np.array_equal(window.cells, rendered(box=box).window(index, epoch=2).cells)
    # this box has the pose's extent, whatever the scale is
    if (augmentation, box) != (SCALE, "frame"):
        assert changed > 3


def by_turn(plain: np.ndarray, found: np.ndarray) -> complex:
    """The complex number by which centred points (5, 25, 2) are turned and scaled into others;
    asserts that it fits.
    """
    a, b = (
        (v - v.mean((0, 1))) @ np.array([1, 1j])
        for v in (plain.astype(np.float64), found.astype(np.float64))
    )
    turn = (a.conj() * b).sum() / (np.abs(a) ** 2).sum()
    np.testing.assert_allclose(b, turn * a, atol=1e-3)
    return turn


@every_augmentation
def test_truth_is_turned_scaled_mirrored_and_reversed_as_drawn(augmentation):
    plain, source = rendered(), rendered(augmentation)
    for index in some(source):
        change = drawn(augmentation, 1, index)
        before, after = plain.window(index, 1).cells, source.window(index, 1).cells
        if change.reversed:
            after = after[::-1]
        if change.mirrored:
            after = after[:, MIRROR]
            before = before * np.array([-1, 1])
        turn = by_turn(before, after)
        assert np.angle(turn) == pytest.approx(change.angle, abs=1e-4)
        if change.angle == 0:
            assert abs(turn) == pytest.approx(1 / change.scale, rel=1e-4)


def test_a_turned_window_fills_its_box_as_any_window_does():
    source = rendered(ROTATE)
    for index in some(source):
        low, high = (f(source.window(index).cells, axis=(0, 1)) for f in (np.min, np.max))
        assert (low > 0).all() and (high < SIZE).all()
        assert 0.55 * SIZE < (high - low).max() < 0.9 * SIZE


def test_a_mirror_exchanges_left_and_right():
    clips = generated_clips(3, 5, frames=40)
    keypoints, trust = clips.keypoints.copy(), np.ones(clips.visible.shape, np.float32)
    keypoints[:, INDEX["left_wrist"]] = np.nan
    trust[:, INDEX["left_knee"]] = 0.25
    source = rendered(MIRRORED, clips=replace(clips, keypoints=keypoints, weight=trust))
    seen = set()
    for index in some(source):
        mirrored, window = drawn(MIRRORED, 0, index).mirrored, source.window(index)
        seen.add(mirrored)
        side, other = ("right", "left") if mirrored else ("left", "right")
        assert np.isnan(window.cells[:, INDEX[f"{side}_wrist"]]).all()
        assert not window.inputs[..., INDEX[f"{side}_wrist"]].any()
        assert (window.weight[:, INDEX[f"{side}_wrist"]] == 0).all()
        assert (window.weight[:, INDEX[f"{other}_wrist"]] == 1).all()
        assert (window.weight[:, INDEX[f"{side}_knee"]] == 0.25).all()
        assert (window.weight[:, INDEX[f"{other}_knee"]] == 1).all()
        shoulders = (
            window.cells[:, INDEX["right_shoulder"], 0] - window.cells[:, INDEX["left_shoulder"], 0]
        )
        assert np.median(shoulders) > 0, "climbers are seen from behind, in a mirror as well"
    assert seen == {True, False}


def test_a_reversed_window_has_its_trust_reversed_too():
    clips = generated_clips(1, 5, frames=12)
    trust = np.repeat(np.linspace(0.1, 1, 12, dtype=np.float32)[:, None], K, axis=1)
    source = rendered(REVERSED, clips=replace(clips, weight=trust))
    flags = [drawn(REVERSED, 0, i).reversed for i in range(len(source))]
    assert set(flags) == {True, False}
    for index, flag in enumerate(flags):
        rows = trust[index : index + 5]
        np.testing.assert_array_equal(source.window(index).weight, rows[::-1] if flag else rows)


@every_augmentation
@pytest.mark.parametrize("noise", ["1.1", "blazepose"])
def test_the_noise_of_a_window_is_the_same_with_and_without_augmentation(augmentation, noise):
    plain, source = rendered(noise=NOISES[noise]), rendered(augmentation, noise=NOISES[noise])
    moved = 0
    for index in some(source):
        before, after = plain.window(index, 3), source.window(index, 3)
        for name in ("sigma", "background"):
            np.testing.assert_array_equal(after.given[name], before.given[name])
        if noise == "1.1":
            shifts = [np.round(w.given["points"][..., :2] - w.cells) for w in (before, after)]
            inside = [(w.given["points"][..., :2] % (SIZE - 1) > 0) for w in (before, after)]
            far = (np.abs(shifts[0] - shifts[1]) > 1) & inside[0] & inside[1]
            assert not far.any()
            moved += np.abs(shifts[0]).max() > 3
    assert noise != "1.1" or moved > 6


@every_box
@pytest.mark.parametrize("noise", ["1.3", "blazepose"])
def test_simulated_windows_do_not_change_where_nothing_is_asked_for(noise, box):
    plain, empty = (rendered(a, box, NOISES[noise]) for a in (None, Augmentation()))
    rarely = rendered(MIRRORED, box, NOISES[noise])
    kept = 0
    for index in some(plain):
        expected = plain.window(index, 1)
        unchanged = drawn(MIRRORED, 1, index) == Change()
        kept += unchanged
        for found in (empty.window(index, 1), *([rarely.window(index, 1)] if unchanged else [])):
            np.testing.assert_array_equal(found.cells, expected.cells)
            np.testing.assert_array_equal(found.weight, expected.weight)
            for name in expected.given:
                np.testing.assert_array_equal(found.given[name], expected.given[name])
    assert 0 < kept < len(some(plain))


def test_displaced_keypoints_take_their_truth_along_and_stay_there_for_the_window():
    plain, source = rendered(), rendered(Augmentation(deform=0.4))
    reach = []
    for index in some(source):
        window, change = source.window(index, 1), drawn(Augmentation(deform=0.4), 1, index)
        away = window.cells - plain.window(index, 1).cells
        np.testing.assert_allclose(away, np.repeat(away[:1], 5, axis=0), atol=1e-4)
        size = np.nanmean(torso(plain.window(index, 1).cells))
        np.testing.assert_allclose(away[0], size * change.displaced, atol=1e-3)
        assert off_truth(window).max() < 0.501
        reach.append(change.displaced.std())
    assert 0.02 < min(reach) < 0.2 < max(reach) < 0.5


def test_a_hastened_window_has_every_second_or_third_frame_and_ends_with_its_clip():
    clips = generated_clips(1, 5, frames=12)
    # moves by equal steps
    clips.keypoints[:] = np.linspace(0, 1, 12)[:, None, None] * 0.01 + clips.keypoints[:1]
    source, paces = rendered(Augmentation(speed_up=3), clips=clips), set()
    for index in range(len(source)):
        pace, room = (
            drawn(Augmentation(speed_up=3), 0, index).faster,
            (11 - source.position[index]) // 4,
        )
        steps = np.diff(source.window(index).cells[:, 7], axis=0)
        one = np.diff(rendered(clips=clips).window(index).cells[:, 7], axis=0)
        np.testing.assert_allclose(steps, min(pace, room) * one, rtol=0.05, atol=2e-5)
        paces.add(min(pace, room))
    assert paces == {1, 2}


def test_augmentation_does_not_make_windows_where_there_are_none():
    with pytest.raises(ClimbEdgeError, match="no clip has 5 frames"):
        rendered(ALL, clips=generated_clips(1, 0, frames=4))
