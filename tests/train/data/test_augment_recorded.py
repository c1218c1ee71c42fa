"""Augmentation of recorded windows: maps stay at their truth, and both are changed as drawn."""

from dataclasses import replace

import numpy as np
import pytest

from climb_edge.estimators.recording import Recording, record
from climb_edge.pose.decode import decode
from climb_edge.pose.render import SIZE
from climb_edge.pose.skeleton import MIRROR
from support.augmentation import MIRRORED, drawn, every_augmentation, every_box, some
from train.config import Augmentation
from train.data.augment import Change
from train.data.recorded import RecordedWindows
from train.synthesis.motion import generated_clips


def as_changed(cells: np.ndarray, change: Change) -> np.ndarray:
    """What a change makes of a window's cells (5, 25, 2), by hand: mirrored, turned and scaled
    about the middle.
    """
    x, y = ((cells - SIZE / 2) / change.scale)[..., 0], ((cells - SIZE / 2) / change.scale)[..., 1]
    x = -x if change.mirrored else x
    turned = np.stack(
        [
            x * np.cos(change.angle) - y * np.sin(change.angle),
            x * np.sin(change.angle) + y * np.cos(change.angle),
        ],
        -1,
    )
    turned = turned + SIZE / 2
    turned = turned[:, MIRROR] if change.mirrored else turned
    return turned[::-1] if change.reversed else turned


@every_box
@every_augmentation
def test_recorded_maps_stay_at_their_truth_and_both_are_changed_as_drawn(
    scripted, augmentation, box
):
    plain, source = (
        RecordedWindows(*scripted, box),
        RecordedWindows(*scripted, box, augmentation=augmentation),
    )
    for index in some(source):
        change = drawn(augmentation, 1, index)
        before, after = plain.window(index, 1), source.window(index, 1)
        np.testing.assert_allclose(after.cells, as_changed(before.cells, change), atol=1e-4)
        np.testing.assert_allclose(
            after.given["points"][..., :2],
            as_changed(before.given["points"][..., :2], change),
            atol=1e-4,
        )
        inside = ((after.cells > 2) & (after.cells < SIZE - 3)).all(-1)
        assert inside.mean() > 0.2
        error = (decode(after.inputs)[0] - after.cells)[inside]
        # Between its cells a map is sampled along straight lines; a box per frame is narrow: 3 of
        # its cells are one.
        assert np.abs(error).max() < {"sticky": 0.5, "frame": 1.5}[box]
        assert np.abs(error.mean(0)).max() < {"sticky": 0.1, "frame": 0.3}[box]


def test_a_mirrored_recorded_window_is_the_mirrored_map_of_the_other_side(scripted):
    plain, source = RecordedWindows(*scripted), RecordedWindows(*scripted, augmentation=MIRRORED)
    index = next(i for i in range(len(source)) if drawn(MIRRORED, 0, i).mirrored)
    before, after = plain.window(index), source.window(index)
    # column x of 1..55 is 56 - x of the mirrored one
    flipped = before.given["maps"][:, :, :0:-1][..., MIRROR]
    np.testing.assert_allclose(after.given["maps"][:, :, 1:], flipped, atol=0.02)
    assert np.abs(after.given["maps"] - before.given["maps"]).max() > 0.3
    np.testing.assert_array_equal(
        after.given["points"][..., 2], before.given["points"][:, MIRROR, 2]
    )


def test_recorded_windows_do_not_change_where_nothing_is_asked_for(scripted):
    plain, empty = (
        RecordedWindows(*scripted),
        RecordedWindows(*scripted, augmentation=Augmentation()),
    )
    for index in some(plain)[:4]:
        expected, found = plain.window(index, 5), empty.window(index, 5)
        np.testing.assert_array_equal(found.inputs, expected.inputs)
        np.testing.assert_array_equal(found.cells, expected.cells)
        np.testing.assert_array_equal(found.inputs, plain.window(index, 6).inputs)


@pytest.fixture(scope="module")
def real(tmp_path_factory, person_video):
    """(clips, recordings) of a short real clip; the truth is what the estimator's own maps say."""
    from climb_edge.estimators.blazepose import BlazePose

    path = tmp_path_factory.mktemp("real") / "r.zip"
    record(person_video, BlazePose("full"), path)
    recording = Recording(path)
    clips = generated_clips(1, 0, frames=len(recording))
    points = recording.keypoints[:, :, :2].astype(np.float32)
    return replace(clips, keypoints=points, source="pseudo ground truth: itself"), [recording]


@pytest.mark.network
@pytest.mark.slow
@every_augmentation
def test_maps_of_a_real_clip_stay_at_their_truth(real, augmentation):
    source = RecordedWindows(*real, augmentation=augmentation)
    for index in some(source):
        window = source.window(index)
        inside = ((window.cells > 1) & (window.cells < SIZE - 2)).all(-1)
        error = np.linalg.norm(decode(window.inputs)[0] - window.cells, axis=-1)[inside]
        assert np.median(error) < 0.3
        assert np.mean(error < 2) > 0.95


def test_a_window_that_is_scaled_out_of_its_box_loses_only_what_is_outside(scripted):
    source = RecordedWindows(*scripted, augmentation=Augmentation(scale=1.0))
    index = min(range(len(source)), key=lambda i: drawn(Augmentation(scale=1.0), 0, i).scale)
    window = source.window(index)
    outside = ((window.cells < -16) | (window.cells > SIZE + 15)).any(-1)
    assert outside.any()
    assert window.given["maps"].max((1, 2))[outside].max() < 0.05
    inside = ((window.cells > 6) & (window.cells < SIZE - 7)).all(-1)
    assert window.given["maps"].max((1, 2))[inside].min() > 0.5
