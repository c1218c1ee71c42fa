"""The feed: the same windows in the same order on either backend, what travels, and what renders it
on the device.
"""

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from climb_edge.estimators.recording import Recording, record
from climb_edge.files.clips import save_clips
from climb_edge.pose.decode import decode
from climb_edge.pose.render import PEAK, SIZE
from support.scene import Scripted, standing, steady
from train.backend import keras
from train.config import Augmentation
from train.data.augment import Change, draw
from train.data.inputs import Maps, Points, given_to, inputs_named
from train.data.pipeline import dataset, made, order
from train.data.recorded import RecordedWindows
from train.data.rendered import RenderedWindows
from train.data.sources import batch
from train.data.windows import heatmaps
from train.models import registry
from train.noise.library import NOISES
from train.synthesis.motion import clip_set, generated_clips

SIMULATED = ("points", "sigma", "background")


@pytest.fixture(scope="module")
def source() -> RenderedWindows:
    return RenderedWindows(generated_clips(3, 5, frames=20), NOISES["blazepose"])


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> RecordedWindows:
    """A person who walks, and is not always there."""
    return walking(tmp_path_factory.mktemp("recorded"), 4)


def walking(folder, pace: int) -> RecordedWindows:
    """By so many pixels a frame; the estimator is never wrong."""
    poses = [standing(x=200 + pace * t) for t in range(20)]
    record(
        steady(20), Scripted({t: {0: p} for t, p in enumerate(poses) if t != 9}), folder / "r.zip"
    )
    clips = clip_set(
        [("video", "walk", np.stack(poses).astype(np.float32))], 30.0, "human: for a test"
    )
    return RecordedWindows(clips, [Recording(folder / "r.zip")])


def batches(source, names, count, **options) -> list:
    """The first batches of a dataset as NumPy arrays: given by name, cells, weight."""
    settings = {"batch_size": 4, "seed": 1, "first_epoch": 0, "steps": 3} | options
    stream = dataset(source, names, np.arange(10), **settings)
    return list(stream.take(count).as_numpy_iterator())


def assert_same(left, right) -> None:
    """Two batches: given by name, cells, weight."""
    assert left[0].keys() == right[0].keys()
    for a, b in zip([*left[0].values(), *left[1:]], [*right[0].values(), *right[1:]], strict=True):
        assert a.dtype == b.dtype == np.float32
        np.testing.assert_array_equal(a, b)


def expected(source, names, epoch: int, step: int, seed: int = 1):
    """A batch by hand: each epoch goes through a shuffle of its own."""
    shuffled = np.random.default_rng((seed, epoch)).permutation(np.arange(10))
    *given, cells, weight = made(
        source, names, np.concatenate([shuffled, shuffled])[4 * step : 4 * step + 4], epoch
    )
    return dict(zip(names, given, strict=True)), cells, weight


def test_batches_are_the_windows_in_the_order_of_seed_and_epoch(source):
    found = batches(source, SIMULATED, 7)
    for n, each in enumerate(found):
        assert_same(each, expected(source, SIMULATED, n // 3, n % 3))
    shapes = {name: array.shape for name, array in found[0][0].items()}
    assert shapes == {"points": (4, 5, 25, 3), "sigma": (4, 5, 25), "background": (4, 5, 25)}
    assert (found[0][1].shape, found[0][2].shape) == ((4, 5, 25, 2), (4, 5, 25))


@pytest.mark.parametrize("names", [("maps",), ("points",)])
def test_batches_of_recorded_windows_are_the_windows(recorded, names):
    for n, each in enumerate(batches(recorded, names, 4)):
        assert_same(each, expected(recorded, names, n // 3, n % 3))


@pytest.mark.parametrize(
    "augmentation",
    [Augmentation(), Augmentation(40, 0.3, True, True, 0.05, 0.2)],
    ids=["as it is", "changed"],
)
def test_windows_read_together_are_those_read_alone(recorded, tmp_path, augmentation):
    """Of two recordings of other lengths, in any order, twice the same; weights count."""
    both = recorded, walking(tmp_path, -3)
    takes = [
        (f"clip {n}", "walk", b.clips.keypoints[:n]) for n, b in zip((20, 14), both, strict=True)
    ]
    clips = clip_set(takes, 30.0, "human: for a test")
    clips = replace(
        clips,
        weight=np.linspace(0.1, 1, clips.keypoints[..., 0].size, dtype=np.float32).reshape(-1, 25),
    )
    source = RecordedWindows(clips, [b.recordings[0] for b in both], augmentation=augmentation)
    chosen = np.random.default_rng(0).permutation(len(source))[[0, 3, 3, *range(5, len(source))]]
    together = batch(source, chosen, epoch=2)
    assert len(set(source.clip[chosen])) == 2 and together.given["maps"].shape == (
        len(chosen),
        5,
        56,
        56,
        25,
    )
    for b, index in enumerate(chosen):
        alone = source.window(int(index), epoch=2)
        for name, values in alone.given.items():
            np.testing.assert_array_equal(together.given[name][b], values)
        np.testing.assert_array_equal(together.cells[b], alone.cells)
        np.testing.assert_array_equal(together.weight[b], alone.weight)
        seen = alone.given["points"][..., :2]
        np.testing.assert_allclose(seen, np.where(np.isnan(seen), seen, alone.cells), atol=1e-3)
        frames = source.clips.offsets[source.clip[index]] + source.position[index] + np.arange(5)
        change = (
            draw(augmentation, np.random.default_rng((0, 2, int(index), 1)))
            if augmentation
            else Change()
        )
        np.testing.assert_array_equal(
            alone.weight, clips.weight[frames][change.frames][:, change.order]
        )


def test_every_epoch_sees_every_window_and_another_noise(source):
    chunks = [
        chunk for (chunk, _), _ in zip(order(np.arange(12), 4, 0, 0, 3), range(6), strict=False)
    ]
    first, second = np.concatenate(chunks[:3]), np.concatenate(chunks[3:])
    assert sorted(first) == sorted(second) == list(range(12))
    assert list(first) != list(second)
    (points, *_), (later, *_) = (made(source, SIMULATED, np.array([3]), epoch) for epoch in (0, 1))
    assert not np.array_equal(points, later)


def test_an_epoch_longer_than_the_data_begins_again(source):
    chunks = [
        chunk for (chunk, _), _ in zip(order(np.arange(5), 4, 0, 0, 3), range(3), strict=False)
    ]
    flat = np.concatenate(chunks)
    np.testing.assert_array_equal(flat[:5], flat[5:10])
    assert sorted(flat[:5]) == list(range(5))


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_run_that_goes_on_sees_what_it_would_have_seen(source, epoch):
    whole = batches(source, SIMULATED, 9)
    resumed = batches(source, SIMULATED, 9 - 3 * epoch, first_epoch=epoch)
    for left, right in zip(resumed, whole[3 * epoch :], strict=True):
        assert_same(left, right)


def test_another_seed_is_another_order(source):
    first, other = (batches(source, SIMULATED, 1, seed=seed)[0] for seed in (1, 2))
    assert not np.array_equal(first[1], other[1])


# What travels, and what is made of it on the device
# ---------------------------------------------------------------


def test_each_kind_of_model_is_given_what_it_reads_and_no_more(source, recorded):
    assert given_to("heatmaps", source) == given_to("keypoints", source) == SIMULATED
    assert given_to("heatmaps", recorded) == ("maps",)
    assert given_to("keypoints", recorded) == ("points",)


def test_a_model_of_coordinates_reads_no_maps(recorded, monkeypatch):
    monkeypatch.setattr(Recording, "observation", lambda *_: pytest.fail("a map was read"))
    names = given_to(registry.get("deciwatch").reads, recorded)
    given, cells, _ = batches(recorded, names, 1)[0]
    assert set(given) == {"points"}
    np.testing.assert_allclose(given["points"][..., :2], cells, atol=0.5)


def test_a_batch_of_any_source_is_small_unless_it_is_of_maps(source, recorded):
    size = {
        names: sum(a.nbytes for a in made(of, names, np.arange(2)))
        for of, names in ((source, SIMULATED), (recorded, ("points",)), (recorded, ("maps",)))
    }
    assert size[SIMULATED] < 2 * 10_000 and size[("points",)] < 2 * 10_000 < size[("maps",)]


def missing_some(source) -> dict:
    """What three windows are given, with a keypoint missing and one outside of its box."""
    given = {
        name: array.copy() for name, array in batch(source, np.array([0, 5, 9]), 2).given.items()
    }
    given["points"][0, 2, 7] = np.nan
    given["points"][1, :, 3, :2] = -4, 70
    given["background"][2] = 0.6
    return given


def test_the_layer_renders_what_numpy_renders(source):
    given = missing_some(source)
    rendered = np.asarray(Maps()({k: keras.ops.convert_to_tensor(v) for k, v in given.items()}))
    assert rendered.shape == (3, 5, SIZE, SIZE, 25) and rendered.dtype == np.float32
    np.testing.assert_allclose(rendered, heatmaps(given), atol=1e-5 * PEAK)
    assert not rendered[0, 2, :, :, 7].any()


def test_the_layer_normalises_recorded_maps_as_numpy_does(recorded):
    given = batch(recorded, np.array([0, 3])).given
    maps = np.asarray(Maps()({"maps": keras.ops.convert_to_tensor(given["maps"])}))
    np.testing.assert_allclose(maps, batch(recorded, np.array([0, 3])).inputs, atol=1e-5 * PEAK)


@pytest.mark.parametrize("subpixel", [True, False])
def test_the_layer_decodes_without_maps_what_is_decoded_from_them(source, subpixel):
    given = missing_some(source)
    places = np.asarray(
        Points(subpixel)({k: keras.ops.convert_to_tensor(v) for k, v in given.items()})
    )
    np.testing.assert_allclose(places, decode(heatmaps(given), subpixel)[0], atol=5e-3)


@pytest.mark.parametrize("subpixel", [True, False])
def test_the_layer_gives_recorded_points_as_they_are_or_as_whole_cells(recorded, subpixel):
    points = batch(recorded, np.array([0, 3]), maps=False).given["points"].copy()
    points[0, 1, 2] = np.nan
    points[1, 1, 2, :2] = -3, 99
    found = np.asarray(Points(subpixel)({"points": keras.ops.convert_to_tensor(points)}))
    assert (found[0, 1, 2] == SIZE / 2).all()
    points[0, 1, 2] = SIZE / 2
    shown = points[..., :2] if subpixel else np.clip(np.round(points[..., :2]), 0, SIZE - 1)
    np.testing.assert_array_equal(found, shown)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_maps_and_places_stay_in_single_precision(source, policy):
    given, before = missing_some(source), keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        inputs = inputs_named(SIMULATED)
        maps, places = (
            keras.Model(inputs, layer(inputs)).predict_on_batch(given)
            for layer in (Maps(), Points())
        )
    finally:
        keras.config.set_dtype_policy(before)
    assert maps.dtype == places.dtype == np.float32
    np.testing.assert_allclose(maps, heatmaps(given), atol=1e-5 * PEAK)
    np.testing.assert_allclose(places, decode(heatmaps(given))[0], atol=5e-3)


@pytest.mark.parametrize("name", [n for n in registry.names() if n != "identity"])
def test_a_model_gives_the_same_from_what_is_given_as_from_the_maps(source, name):
    definition, given = registry.get(name), missing_some(source)
    keras.utils.set_random_seed(3)
    model = definition.build(**definition.switches)
    names = given_to(definition.reads, source)
    inputs = inputs_named(names)
    fed = np.asarray(
        keras.Model(inputs, definition.outputs(model, inputs))({n: given[n] for n in names})
    )
    maps, points = heatmaps(given), given["points"]
    peaks = np.where(np.isfinite(points).all(-1), points[..., 2], 0)
    plain = np.asarray(model(maps if len(model.inputs) == 1 else [maps, peaks]))
    np.testing.assert_allclose(fed, plain, atol=1e-3 * np.abs(plain).max())


# Keras on JAX, without TensorFlow
# ---------------------------------------------------------------------------------

ON_JAX = """
import hashlib, json, sys
sys.modules["tensorflow"] = None  # as where it is not installed
from itertools import islice
import numpy as np
from train.__main__ import main
from train.backend import keras
from train.data.pipeline import dataset
from train.synthesis.motion import generated_clips
from train.noise.library import NOISES
from train.data.rendered import RenderedWindows

assert keras.backend.backend() == "jax"
source = RenderedWindows(generated_clips(3, 5, frames=20), NOISES["blazepose"])
stream = dataset(source, ("points", "sigma", "background"), np.arange(10), 4, 1, 0, 3)
seen = hashlib.sha256()
for given, cells, weight in islice(stream, 7):
    for array in (*given.values(), cells, weight):
        seen.update(np.ascontiguousarray(array).tobytes())
run = ["pretrain", "--data", sys.argv[2], "--steps-per-epoch", "2", "--batch", "2", "--validation-windows", "4", "--epochs"]
codes = [main([*run, "1", "--out", sys.argv[1]]), main([*run, "1", "--distribute", "mirrored", "--out", sys.argv[1] + "2"])]
print(json.dumps({"seen": seen.hexdigest(), "codes": codes, "tensorflow": sys.modules["tensorflow"] is not None}))
"""


@pytest.mark.slow
def test_a_run_on_keras_with_jax_needs_no_tensorflow_and_sees_the_same_windows(tmp_path, source):
    """A run of two steps, and one that asks for TensorFlow's strategy."""
    if importlib.util.find_spec("jax") is None:
        pytest.skip("needs JAX, which no part of the project installs: pip install jax")
    save_clips(tmp_path / "clips.npz", generated_clips(10, 5, frames=12))
    child = subprocess.run(
        [sys.executable, "-c", ON_JAX, str(tmp_path / "run"), str(tmp_path / "clips.npz")],
        env={
            **os.environ,
            "KERAS_BACKEND": "jax",
            "JAX_PLATFORMS": "cpu",
            "XLA_FLAGS": "--xla_backend_optimization_level=0",
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert child.returncode == 0, child.stderr[-2000:]
    found = json.loads(child.stdout.splitlines()[-1])
    assert found["codes"] == [0, 2] and not found["tensorflow"]
    assert "--distribute mirrored: needs Keras on TensorFlow" in child.stderr
    seen = hashlib.sha256()
    for given, cells, weight in batches(source, SIMULATED, 7):
        for array in (*given.values(), cells, weight):
            seen.update(np.ascontiguousarray(array).tobytes())
    assert seen.hexdigest() == found["seen"]
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["epochs"] == 1 and metrics["parts"]["test"]["refined"]["loss"] > 0
