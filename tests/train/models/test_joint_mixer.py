"""Joint mixer: what it does with keypoints that nobody saw or nobody taught it, with NaN, and with
real heatmaps.
"""

import functools

import numpy as np
import pytest

from climb_edge.estimators.recording import Recording, record
from climb_edge.files.clips import ClipSet
from climb_edge.pose.decode import decode
from climb_edge.pose.layout import WINDOW
from climb_edge.pose.render import CENTRE, render
from climb_edge.pose.skeleton import LEFT_HIP, LEFT_SHOULDER, MIRROR, RIGHT_HIP, RIGHT_SHOULDER
from train.backend import keras
from train.config import Hyperparameters
from train.data.recorded import RecordedWindows
from train.data.rendered import RenderedWindows
from train.data.splits import split
from train.fitting.loop import fit, with_truth
from train.fitting.run_folder import Run
from train.layers.float import decoded
from train.models import registry
from train.models.joint_mixer import FRAME
from train.noise.library import NOISES
from train.synthesis.motion import generated_clips

MIXER = registry.get("joint_mixer")


@pytest.fixture(scope="module")
def model():
    """Random weights that move every keypoint; all are taught but the last two."""
    form, rng = MIXER.build(), np.random.default_rng(0)
    form.set_weights([w + 0.2 * rng.standard_normal(w.shape) for w in form.get_weights()])
    form.get_layer("mixer").taught.set_weights(
        [np.r_[np.ones(23), np.zeros(2)].reshape(1, 1, 1, 25)]
    )
    return form


@pytest.fixture(scope="module")
def scene():
    """(maps, peaks, decoded cells) of a window in which everything is seen."""
    rng = np.random.default_rng(1)
    cells = rng.uniform(5, 50, (1, 1, 25, 2)) + rng.normal(0, 1, (1, 5, 25, 2))
    maps = render(cells.astype(np.float32), 1.5, subcell=True).astype(np.float32)
    return maps, rng.uniform(0.2, 1, (1, 5, 25)).astype(np.float32), decode(maps)[0]


def untrained():
    """A model as it is built, told that all keypoints have truth."""
    form = MIXER.build()
    MIXER.teach(form, np.ones(25, bool))
    return form


def points_of(model, cells: np.ndarray, peaks: np.ndarray) -> np.ndarray:
    """What the training path makes of decoded points."""
    points = np.concatenate([cells, peaks[..., None]], axis=-1).astype(np.float32)
    return np.asarray(MIXER.outputs(model, {"points": keras.ops.convert_to_tensor(points)}))


def test_points_and_maps_are_refined_alike(model, scene):
    maps, peaks, cells = scene
    np.testing.assert_allclose(points_of(model, cells, peaks), model([maps, peaks]), atol=1e-3)


def test_an_untrained_model_hardly_moves_a_keypoint(scene):
    maps, peaks, cells = scene
    moved = np.linalg.norm(np.asarray(untrained()([maps, peaks]))[..., :2] - cells, axis=-1)
    assert 0 < moved.max() < 1


def test_a_joint_that_was_never_taught_passes_through_and_tells_nothing(model, scene):
    maps, peaks, cells = scene
    refined = np.asarray(model([maps, peaks]))
    np.testing.assert_allclose(refined[..., 23:, :2], cells[..., 23:, :], atol=1e-4)
    np.testing.assert_allclose(refined[..., 23:, 2], peaks[..., 23:], atol=1e-6)
    assert (np.linalg.norm(refined[..., :23, :2] - cells[..., :23, :], axis=-1) > 0.05).mean() > 0.9
    other = maps.copy()
    other[..., 23:] = np.roll(other[..., 23:], 9, axis=2)
    np.testing.assert_array_equal(
        np.asarray(model([other, peaks]))[..., :23, :], refined[..., :23, :]
    )


def test_nor_does_one_whose_other_side_was_taught_where_the_mirror_image_is_asked_too(model, scene):
    maps, peaks, cells = scene
    both = MIXER.build(mirrored=True)
    both.set_weights(model.get_weights())
    (taught,) = both.get_layer("mixer").taught.weights
    taught.assign(
        (np.arange(25) < 20).astype(np.float32).reshape(taught.shape) * (np.arange(25) != LEFT_HIP)
    )
    refined = np.asarray(both([maps, peaks]))
    np.testing.assert_allclose(refined[..., LEFT_HIP, :2], cells[..., LEFT_HIP, :], atol=1e-4)
    np.testing.assert_allclose(refined[..., LEFT_HIP, 2], peaks[..., LEFT_HIP], atol=1e-6)


def test_maps_without_anything_give_the_middle_and_no_score(model, scene):
    maps, peaks, _ = scene
    for given in ([0 * maps, peaks], [maps, 0 * peaks]):
        refined = np.asarray(model(given))
        assert not refined[..., 2].any()
    np.testing.assert_array_equal(
        np.asarray(model([0 * maps, peaks]))[..., :2], np.full((1, 5, 25, 2), CENTRE)
    )


@pytest.mark.parametrize("shown", range(5))
def test_one_frame_of_five_is_enough(model, scene, shown):
    """The others are filled in from it: what stands in their empty maps' stead does not matter."""
    maps, peaks, cells = scene
    only = maps.copy()
    only[:, np.arange(5) != shown, ..., :4] = 0
    refined = np.asarray(model([only, peaks]))
    assert np.isfinite(refined).all()
    np.testing.assert_allclose(
        np.asarray(untrained()([only, peaks]))[0, :, :4, :2],
        np.repeat(cells[:, shown, :4], 5, axis=0),
        atol=1e-2,
    )
    elsewhere = cells.copy()
    elsewhere[:, np.arange(5) != shown, :4] = 3.0
    hidden = peaks.copy()
    hidden[:, np.arange(5) != shown, :4] = 0
    np.testing.assert_allclose(points_of(model, elsewhere, hidden), refined, atol=1e-3)


def test_points_of_nan_are_points_nobody_saw(model, scene):
    _, peaks, cells = scene
    broken, hidden = cells.copy(), peaks.copy()
    broken[0, 4], hidden[0, 4] = np.nan, 0  # a whole frame
    broken[0, :, 7], hidden[0, :, 7] = np.nan, 0  # a keypoint all the time
    expected = points_of(model, np.nan_to_num(broken, nan=CENTRE), hidden)
    found = points_of(model, broken, peaks)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found, expected)


def test_the_place_of_the_box_does_not_matter_to_a_gate_without_a_trunk(scene):
    """Positions enter and leave by one rule: moved by whole cells, a window's keypoints move as
    far.
    """
    _, peaks, cells = scene
    there, here = (points_of(untrained(), cells + by, peaks)[..., :2] for by in (0.0, 5.0))
    np.testing.assert_allclose(there + 5.0, here, atol=1e-4)


def test_a_correction_goes_along_and_across_the_torso_in_its_lengths_and_nowhere_without_one(scene):
    _, peaks, cells = scene
    told = untrained()
    start = np.array(told.get_layer("mixer").start.value)
    # newest frame: along, across
    start[..., 4 * FRAME + WINDOW + 3], start[..., 4 * FRAME + WINDOW + 4] = 1.0, 0.5
    told.get_layer("mixer").start.set_weights([start])
    for turn in (np.eye(2), np.array([[0, -1], [1, 0]])):
        seen = CENTRE + 0.4 * (cells - CENTRE) @ turn.T
        mean = seen.mean(axis=1)[0]
        up = (mean[LEFT_SHOULDER] + mean[RIGHT_SHOULDER] - mean[LEFT_HIP] - mean[RIGHT_HIP]) / 2
        moved = (points_of(told, seen, peaks) - points_of(untrained(), seen, peaks))[0, 4, :, :2]
        np.testing.assert_allclose(
            moved, np.tile(0.1 * (up + 0.5 * np.array([-up[1], up[0]])), (25, 1)), atol=1e-4
        )
        hidden = peaks * (np.arange(25) != LEFT_HIP)
        found, plain = (points_of(form, seen, hidden) for form in (told, untrained()))
        np.testing.assert_allclose(found, plain, atol=1e-5)


@functools.cache
def switched(**switches: bool):
    """The fixture's random weights in a model with other switches."""
    form, rng = MIXER.build(**switches), np.random.default_rng(0)
    form.set_weights([w + 0.2 * rng.standard_normal(w.shape) for w in form.get_weights()])
    form.get_layer("mixer").taught.set_weights([np.ones((1, 1, 1, 25))])
    return form


def test_without_time_a_frame_is_refined_alone(scene):
    _, peaks, cells = scene
    moved = cells.copy()
    moved[:, :4] += 3.0
    for time in (False, True):
        here, there = (points_of(switched(time=time), c, peaks)[0, 4] for c in (cells, moved))
        assert np.array_equal(here, there) == (not time)


def test_without_peaks_a_height_says_only_that_there_is_one(scene):
    _, peaks, cells = scene
    hidden = peaks * (np.arange(25) != 9)
    for told in (False, True):
        full, half, less = (
            points_of(switched(peaks=told), cells, p) for p in (peaks, peaks / 2, hidden)
        )
        assert np.allclose(full, half, atol=1e-5) == (not told)
        assert not np.allclose(full, less, atol=1e-5)


def test_a_gate_that_is_off_stays_where_it_starts(scene):
    _, peaks, cells = scene
    for gate in (False, True):
        plain, other = (MIXER.build(gate=gate) for _ in range(2))
        MIXER.teach(plain, np.ones(25, bool))
        other.set_weights(plain.get_weights())
        start = other.get_layer("mixer").start
        logits = np.arange(5 * FRAME) % FRAME <= WINDOW
        start.set_weights([np.array(start.value) + 2.0 * np.arange(5 * FRAME) / FRAME * logits])
        here, there = (points_of(form, cells, peaks) for form in (plain, other))
        assert np.array_equal(here, there) == (not gate)


def test_a_mirrored_model_refines_a_mirror_image_to_the_mirror_image(scene):
    _, peaks, cells = scene
    for both in (False, True):
        refined = points_of(switched(mirrored=both), cells, peaks)
        turned = points_of(
            switched(mirrored=both),
            (cells * [-1, 1] + [2 * CENTRE, 0])[:, :, MIRROR],
            peaks[:, :, MIRROR],
        )
        expected = (refined * [-1, 1, 1] + [2 * CENTRE, 0, 0])[:, :, MIRROR]
        assert np.allclose(turned, expected, atol=1e-3) == both


def partly_labelled(seed: int, known: slice) -> ClipSet:
    clips = generated_clips(12, seed, frames=12)
    clips.keypoints[:, np.setdiff1d(np.arange(25), np.arange(25)[known])] = np.nan
    return clips


def test_training_teaches_the_joints_that_have_truth_and_forgets_none(tmp_path):
    clips = partly_labelled(1, slice(0, 20))
    np.testing.assert_array_equal(with_truth(clips), np.arange(25) < 20)
    model = MIXER.build()
    for number, (known, taught) in enumerate(
        ((slice(8, 20), range(8, 20)), (slice(3, 18), range(3, 20)))
    ):
        source = RenderedWindows(partly_labelled(number, known), NOISES["blazepose"])
        recipe = Hyperparameters(
            epochs=1, steps_per_epoch=2, batch=2, loss="soft_pck", validation_windows=4
        )
        fit(MIXER, model, source, split(source), Run(tmp_path / str(number)), recipe)
        held = np.asarray(model.get_layer("mixer").taught.weights[0]).ravel()
        np.testing.assert_array_equal(held, np.isin(np.arange(25), taught))


@pytest.mark.network
@pytest.mark.slow
def test_the_graphs_decode_is_the_runtimes_on_real_heatmaps(tmp_path, person_video):
    from climb_edge.estimators.blazepose import BlazePose

    record(person_video, BlazePose("full"), tmp_path / "r.zip")
    recording = Recording(tmp_path / "r.zip")
    clips = generated_clips(1, 0, frames=len(recording))
    source, compared = RecordedWindows(clips, [recording]), 0
    for i in range(0, len(source), 3):
        window = source.window(i).frames
        cells, heights = decode(window.maps)
        for maps, expected, height in zip(window.maps, cells, heights, strict=True):
            x, y, peak = (
                np.asarray(part)[0, 0, 0]
                for part in decoded(keras.ops.convert_to_tensor(maps[None]))
            )
            assert np.abs(np.stack([x, y], axis=-1) - expected).max() < 0.02
            np.testing.assert_allclose(peak, height, rtol=1e-5)
            compared += 25
    assert compared > 1000
