"""Windows: what a source gives, the tf.data wrapper, and splits in which no frame stands twice."""

import dataclasses

import keras
import numpy as np
import pytest

from climb_edge.boxes import STICKY
from climb_edge.errors import ClimbEdgeError
from climb_edge.heatmaps import MASS, decode
from climb_edge.recording import Recording, record
from climb_edge.refiner import WindowTrack
from climb_edge.stream import Stream
from train.motion import generated_clips
from train.noise import NOISES
from train.windows import RecordedWindows, RenderedWindows, Split, batch, dataset, split, targets


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


def test_tf_data_gives_the_same_windows_in_a_new_order_each_epoch(source):
    indices = np.arange(12)

    def wide(cells):
        return targets(cells, 2.0, keras.ops)

    batches = list(dataset(source, indices, 4, seed=1, first_epoch=0, steps=3, target=wide).take(6).as_numpy_iterator())
    inputs, target, weight = batches[0]
    assert inputs.shape == target.shape == (4, 5, 56, 56, 25)
    assert weight.shape == (4, 5, 25)
    order = np.random.default_rng((1, 0)).permutation(indices)
    expected = batch(source, order[:4], epoch=0)
    np.testing.assert_array_equal(inputs, expected.inputs)
    np.testing.assert_allclose(target, targets(expected.cells, 2.0), atol=1e-4)
    later = list(dataset(source, indices, 4, seed=1, first_epoch=1, steps=3, target=wide).take(3).as_numpy_iterator())
    np.testing.assert_array_equal(later[2][0], batches[5][0])


def frames_of(source, indices):
    return [(int(source.clip[i]), int(source.position[i]) + t) for i in indices for t in range(5)]


@pytest.mark.parametrize("clips", [12, 2])
def test_no_frame_is_shared_between_parts_nor_repeated_in_validation_and_test(clips):
    source = RenderedWindows(generated_clips(clips, 5, frames=60), NOISES["blazepose"])
    parts = split(source)
    assert parts.rule == ("by clip" if clips >= 10 else "by time")
    train, val, test = (frames_of(source, p) for p in (parts.train, parts.val, parts.test))
    assert min(map(len, (train, val, test))) > 0
    assert not set(train) & set(val)
    assert not set(train) & set(test)
    assert not set(val) & set(test)
    assert len(set(val)) == len(val)
    assert len(set(test)) == len(test)


def test_a_split_is_read_back_and_refused_for_other_data(tmp_path, source):
    parts = split(source)
    parts.save(tmp_path / "split.json", source)
    again = Split.load(tmp_path / "split.json", source)
    np.testing.assert_array_equal(again.test, parts.test)
    other = RenderedWindows(generated_clips(3, 5, frames=40), NOISES["blazepose"])
    with pytest.raises(ClimbEdgeError, match="the data has"):
        Split.load(tmp_path / "split.json", other)


def test_clips_that_are_too_short_are_refused():
    with pytest.raises(ClimbEdgeError, match="5 frames"):
        RenderedWindows(generated_clips(2, 5, frames=4), NOISES["blazepose"])


class Capture:
    """A refiner that keeps the windows a stream gives it."""

    name, delay, contract = "capture", 0, None

    def __init__(self):
        self.windows = []

    def start(self):
        return WindowTrack(self.refine)

    def refine(self, window):
        self.windows.append(window.copy())
        return np.concatenate([decode(window[-1:])[0], np.ones((1, 25, 1))], axis=-1)


@pytest.mark.network
def test_recorded_windows_are_what_a_stream_builds(tmp_path, person_video):
    from climb_edge.blazepose import BlazePose

    record(person_video, BlazePose("full"), tmp_path / "r.zip")
    recording = Recording(tmp_path / "r.zip")
    clips = generated_clips(1, 0, frames=len(recording))
    points = recording.keypoints[:, :, :2]
    clips = dataclasses.replace(clips, keypoints=points.astype(np.float32), source="pseudo ground truth: itself")
    source = RecordedWindows(clips, [recording])
    capture = Capture()
    stream = Stream(recording, capture, STICKY)
    for frame in recording.frames():
        stream.push(frame)
    assert len(capture.windows) == len(source) > 3
    for i, window in enumerate(capture.windows):
        made = source.window(i)
        np.testing.assert_allclose(made.inputs, window, atol=1e-5)
    cells = decode(source.window(0).inputs)[0]
    assert np.median(np.abs(cells - source.window(0).cells)) < 0.5
