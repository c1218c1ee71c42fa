"""Windows: what a source gives, simulated or recorded, in either box."""

import dataclasses

import keras
import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.estimators.recording import Recording, record
from climb_edge.pose.boxes import STICKY
from climb_edge.pose.decode import decode
from climb_edge.pose.render import MASS
from climb_edge.refiners.base import WindowState
from climb_edge.streaming.stream import Stream
from train.data.recorded import RecordedWindows, _medians
from train.data.rendered import RenderedWindows
from train.data.sources import batch
from train.data.windows import heatmaps, targets
from train.noise.library import NOISES
from train.synthesis.motion import generated_clips


@pytest.fixture(scope="module")
def source():
    return RenderedWindows(generated_clips(12, 5, frames=40), NOISES["blazepose"])


def test_a_window_is_made_of_maps_of_mass_255_and_cells_inside_the_box(source):
    window = source.window(7)
    assert window.inputs.shape == (5, 56, 56, 25)
    assert window.inputs.dtype == np.float32
    np.testing.assert_allclose(window.inputs.sum((1, 2)), MASS, rtol=1e-3)
    assert (window.cells > 0).all()
    assert (window.cells < 56).all()
    np.testing.assert_allclose(decode(targets(window.cells))[0], window.cells, atol=0.02)


def test_a_window_depends_on_seed_epoch_and_index_alone(source):
    again = RenderedWindows(source.clips, source.noise, source.seed)
    np.testing.assert_array_equal(source.window(3, 1).inputs, again.window(3, 1).inputs)
    assert not np.array_equal(source.window(3, 1).inputs, source.window(3, 2).inputs)


def test_half_the_frame_rate_takes_every_second_frame(source):
    slow = RenderedWindows(source.clips, NOISES["1.3"])
    assert len(slow) == 12 * (40 - 8)
    assert len(source) == 12 * (40 - 4)
    assert slow.rate == source.rate / 2 == 15


def test_a_batch_is_its_windows_stacked(source):
    indices = np.array([4, 100, 7])
    together = batch(source, indices, epoch=2)
    assert set(together.given) == {"points", "sigma", "background"}
    for row, index in enumerate(indices):
        window = source.window(int(index), 2)
        np.testing.assert_array_equal(together.inputs[row], window.inputs)
        np.testing.assert_array_equal(together.cells[row], window.cells)
        np.testing.assert_array_equal(together.weight[row], window.weight)


def test_a_window_is_given_little_and_its_maps_are_made_of_that(source):
    given = source.window(3).given
    assert {name: (array.shape, array.dtype) for name, array in given.items()} == {
        "points": ((5, 25, 3), np.float32),
        "sigma": ((5, 25), np.float32),
        "background": ((5, 25), np.float32),
    }
    places = decode(source.window(3).inputs, subpixel=False)[0]
    np.testing.assert_array_equal(places, np.floor(np.clip(given["points"][..., :2], 0, 55) + 0.5))


def test_a_background_takes_its_share_of_the_mass_and_a_missing_keypoint_has_no_map(source):
    given = {name: array.copy() for name, array in source.window(3).given.items()}
    given["background"][:] = 0.5
    given["points"][:, 4] = np.nan
    maps = heatmaps(given)
    assert not maps[..., 4].any()
    rest = np.delete(maps, 4, axis=-1)
    np.testing.assert_allclose(rest.sum((1, 2)), MASS, rtol=1e-4)
    np.testing.assert_allclose(rest.min((1, 2)), 0.5 * MASS / 56**2, rtol=1e-4)


def test_recorded_maps_are_normalised_whoever_asks():
    native = np.random.default_rng(0).uniform(-1, 1, (5, 56, 56, 25)).astype(np.float32)
    maps = heatmaps({"maps": native})
    np.testing.assert_allclose(maps.sum((1, 2)), MASS, rtol=1e-4)
    assert (maps[native <= 0] == 0).all()
    np.testing.assert_allclose(
        np.asarray(heatmaps({"maps": native}, keras.ops)), maps, rtol=1e-4, atol=1e-6
    )


def test_the_studys_box_is_each_frames_own_extent_and_hidden_keypoints_do_not_count(source):
    clips = source.clips
    visible = clips.visible.copy()
    visible[:, [9, 10]] = 0
    study = RenderedWindows(dataclasses.replace(clips, visible=visible), NOISES["1.2"], box="frame")
    window = study.window(5)
    assert np.isnan(window.cells[:, [9, 10]]).all() and (window.weight[:, [9, 10]] == 0).all()
    shown = np.delete(window.cells, [9, 10], axis=1)
    low, high = np.nanmin(shown, axis=1), np.nanmax(shown, axis=1)
    # 55 cells over an extent that is grown by a tenth and rounded to whole pixels
    np.testing.assert_allclose(low, 55 * 0.05 / 1.1, atol=0.2)
    np.testing.assert_allclose(high, 55 * 1.05 / 1.1, atol=0.2)
    assert np.nanmax(np.abs(source.window(5).cells - window.cells)) > 3


def test_clips_that_are_too_short_are_refused():
    with pytest.raises(ClimbEdgeError, match="5 frames"):
        RenderedWindows(generated_clips(2, 5, frames=4), NOISES["blazepose"])


class Capture:
    """A refiner that keeps the windows a stream gives it."""

    name, delay, contract, rate = "capture", 0, None, None

    def __init__(self):
        self.windows = []

    def start(self):
        return WindowState(self.refine)

    def refine(self, window):
        self.windows.append(window.copy())
        return np.concatenate([decode(window[-1:])[0], np.ones((1, 25, 1))], axis=-1)


@pytest.mark.network
def test_recorded_windows_are_what_a_stream_builds(tmp_path, person_video):
    """In the sticky box of streams; without maps there are the same points."""
    from climb_edge.estimators.blazepose import BlazePose

    record(person_video, BlazePose("full"), tmp_path / "r.zip")
    recording = Recording(tmp_path / "r.zip")
    clips = generated_clips(1, 0, frames=len(recording))
    points = recording.keypoints[:, :, :2]
    clips = dataclasses.replace(
        clips, keypoints=points.astype(np.float32), source="pseudo ground truth: itself"
    )
    source = RecordedWindows(clips, [recording])
    capture = Capture()
    stream = Stream(recording, capture, STICKY)
    for frame in recording.frames():
        stream.push(frame)
    assert len(capture.windows) == len(source) > 3
    for i, window in enumerate(capture.windows):
        made = source.window(i)
        np.testing.assert_allclose(made.inputs, window, rtol=5e-5, atol=1e-5)
        assert set(source.window(i, maps=False).given) == {"points"}
        np.testing.assert_array_equal(
            source.window(i, maps=False).given["points"], made.given["points"]
        )
    cells = decode(source.window(0).inputs)[0]
    assert np.median(np.abs(cells - source.window(0).cells)) < 0.5
    np.testing.assert_allclose(
        source.window(0).given["points"][..., :2], source.window(0).cells, atol=1e-4
    )


def test_the_studys_subset_of_penn_action_has_the_published_counts(data_folder):
    from climb_edge.evaluation.pck import torso
    from train.data.sources import open_source

    config = {
        "data": [str(data_folder / "penn_action.npz")],
        "group": ["baseball_pitch", "bench_press"],
    }
    source = open_source(config | {"noise": "1.1", "seed": 0, "box": "frame"})
    assert (len(source.clips), len(source.clips.keypoints), len(source)) == (307, 26_036, 24_808)
    assert 0.05 * np.nanmean(torso(source._in_frame)) == pytest.approx(0.924, abs=0.001)


@pytest.mark.slow
def test_the_studys_noise_alone_gives_the_known_figures_of_its_subset(data_folder):
    from climb_edge.evaluation.pck import Score
    from train.data.sources import open_source
    from train.fitting.scoring import whole

    config = {
        "data": [str(data_folder / "penn_action.npz")],
        "group": ["baseball_pitch", "bench_press"],
    }
    source = open_source(config | {"noise": "1.1", "seed": 0, "box": "frame"})
    windows = [source.window(i, maps=False) for i in range(len(source))]
    points = np.concatenate([w.given["points"][..., :2] for w in windows])
    truth = np.concatenate([w.cells for w in windows])
    for given, known in ((whole(truth), (3.78, 17.36, 53.78)), (truth, (4.86, 17.39, 53.42))):
        found = [100 * value for value, *_ in Score.of([points], [given]).pooled().values()]
        # one draw of 26,036 frames is within 0.3 or so
        np.testing.assert_allclose(found, known, atol=0.5)


def test_medians_are_those_of_numpy():
    rng = np.random.default_rng(0)
    rows = rng.random((100, 25))
    rows[rng.random(rows.shape) < rng.random((100, 1))] = np.nan
    rows[:, 3] = rng.random(100)
    rows[:2] = [[1.0], [np.nan]]
    rows[1, 7] = 3.0
    np.testing.assert_array_equal(_medians(rows), np.nanmedian(rows, axis=1))
    assert np.isnan(_medians(np.full((1, 25), np.nan))).all()
