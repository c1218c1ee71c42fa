"""The loop: rates, averages, frozen layers, half precision and several devices."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from support.runs import history
from train.__main__ import main
from train.config import Hyperparameters
from train.data.rendered import RenderedWindows
from train.data.splits import split
from train.fitting import initial_weights
from train.fitting.loop import fit, freeze, optimizer
from train.fitting.losses import LOSSES, mse
from train.fitting.run_folder import Run
from train.models import registry
from train.noise.library import NOISES
from train.synthesis.motion import generated_clips


def test_a_cycle_rises_for_a_tenth_of_all_steps_and_falls_to_nothing():
    rate = optimizer(
        Hyperparameters(learning_rate=0.1, epochs=10, schedule="one-cycle"), 10
    ).learning_rate
    assert rate == 0
    made = optimizer(Hyperparameters(learning_rate=0.1, epochs=10, schedule="one-cycle"), 10)
    rates = []
    for step in range(101):
        made.iterations.assign(step)
        rates.append(float(made.learning_rate))
    assert np.argmax(rates) == 10
    assert rates[10] == pytest.approx(0.1)
    assert rates[5] == pytest.approx(0.05)
    assert rates[55] == pytest.approx(0.05, rel=1e-3)
    assert rates[100] == pytest.approx(0, abs=1e-6)


def test_what_is_judged_and_saved_is_the_average_of_the_weights(tmp_path, tiny):
    """With a momentum near 1 it stays where the first step led, wherever the weights go."""
    options = [*tiny, "--model", "joint_mixer", "--epochs", "2", "--learning-rate", "0.1", "--out"]
    for name, average in (("plain", "0"), ("average", "0.9999")):
        assert main(["pretrain", *options, str(tmp_path / name), "--ema", average]) == 0
    (_, *plain), (_, *averaged) = (history(tmp_path / name) for name in ("plain", "average"))
    # training itself is the same
    assert [row["loss"] for row in plain] == [row["loss"] for row in averaged]
    first, last = (float(row["val_loss"]) for row in averaged)
    assert abs(first - last) < 1e-2
    assert abs(float(plain[0]["val_loss"]) - float(plain[1]["val_loss"])) > 3 * abs(first - last)


def tiny_run(tmp_path, name: str, **recipe):
    """Fit a model on 12 short clips, by the recipe; returns its weights before and after, by layer,
    and the run.
    """
    source = RenderedWindows(generated_clips(12, 5, frames=12), NOISES["blazepose"])
    definition, run = registry.get(name), Run.start(tmp_path / "run", {"model": name})
    model = initial_weights.initial(definition, "none", 2)
    before = {v.path: np.array(v) for v in model.weights}
    fit(
        definition,
        model,
        source,
        split(source),
        run,
        Hyperparameters(**{"batch": 2, "steps_per_epoch": 2, "epochs": 1} | recipe),
    )
    return before, {v.path: np.array(v) for v in model.weights}, run


@pytest.mark.parametrize(
    ("name", "last"),
    [("conv3d", "conv3d"), ("deciwatch", "refine"), ("convlstm_concat", "out")],
)
def test_freezing_leaves_the_last_layer_alone_to_train(name, last, shallow):
    model = registry.get(name).build(**registry.get(name).switches)
    freeze(model)
    assert sorted(v.path.split("/")[-2:] for v in model.trainable_variables) == [
        [last, "bias"],
        [last, "kernel"],
    ]


@pytest.mark.slow
def test_of_a_frozen_model_only_the_last_layer_changes(tmp_path, shallow):
    before, after, _ = tiny_run(tmp_path, "deciwatch", freeze=True, loss="coordinate_mse")
    changed = {
        path.split("/")[-2] for path in before if not np.array_equal(before[path], after[path])
    }
    assert changed == {"refine"}


@pytest.mark.slow
def test_the_rate_falls_and_training_ends_where_the_loss_does_not_fall(tmp_path):
    rates = {"learning_rate": 1e-12, "plateau": 1, "patience": 3, "epochs": 9}
    before, after, run = tiny_run(tmp_path, "conv3d", **rates)
    rows = run.history()
    assert [row["epoch"] for row in rows] == [0, 1, 2, 3]
    np.testing.assert_allclose(
        [row["learning_rate"] for row in rows], [1e-12, 1e-12, 1e-13, 1e-14], rtol=1e-3
    )
    for path, value in before.items():
        np.testing.assert_allclose(after[path], value, atol=1e-9)


@pytest.mark.slow
def test_a_loss_that_is_no_number_ends_the_run(tmp_path, monkeypatch):
    monkeypatch.setitem(LOSSES, "mse", lambda target, predicted: np.nan * mse(target, predicted))
    with pytest.raises(
        ClimbEdgeError,
        match="the loss became nan in epoch 1; start again with a lower --learning-rate",
    ):
        tiny_run(tmp_path, "conv3d", loss="mse")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "precision"),
    [("conv3d", "mixed_bfloat16"), ("deciwatch", "mixed_float16")],
)
def test_a_run_in_half_precision_has_whole_weights(tmp_path, tiny, shallow, model, precision):
    plain, half = tmp_path / "plain", tmp_path / "half"
    command = ["pretrain", *tiny, "--model", model]
    assert main([*command, "--epochs", "2", "--precision", precision, "--out", str(half)]) == 0
    assert keras.config.dtype_policy().name == "float32"
    weights = Run.open(half).load_weights(registry.get(model).build()).get_weights()
    assert all(w.dtype == np.float32 and np.isfinite(w).all() for w in weights)
    rows = history(half)
    assert all(np.isfinite(float(value)) for row in rows for value in row.values())
    assert float(rows[2]["val_loss"]) < float(rows[0]["val_loss"])
    assert main([*command, "--epochs", "0", "--out", str(plain)]) == 0
    before = float(history(plain)[0]["val_loss"])
    assert float(rows[0]["val_loss"]) == pytest.approx(before, rel=0.02)
    assert float(rows[0]["val_loss"]) != before, "it was not half the precision"


MIRRORED = """
import sys
import train.backend
import tensorflow as tf
one = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(one, [tf.config.LogicalDeviceConfiguration()] * 2)
from train.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def assert_like(left, right) -> None:
    """Two histories, but for the order in which sums are made."""
    for a, b in zip(history(left), history(right), strict=True):
        for name in ("loss", "val_loss"):
            assert float(a[name]) == pytest.approx(float(b[name]), rel=1e-3)


@pytest.fixture(scope="module")
def plain(tmp_path_factory, tiny):
    """A run of two epochs on one device."""
    path = tmp_path_factory.mktemp("plain") / "run"
    assert main(["pretrain", *tiny, "--epochs", "2", "--out", str(path)]) == 0
    return path


@pytest.mark.slow
@pytest.mark.parametrize("devices", [1, 2])
def test_a_mirrored_run_does_what_a_plain_one_does(tmp_path, tiny, plain, devices):
    command = [
        "pretrain",
        *tiny,
        "--epochs",
        "2",
        "--distribute",
        "mirrored",
        "--out",
        str(tmp_path / "mirrored"),
    ]
    if devices == 1:
        assert main(command) == 0
    else:
        two = [sys.executable, "-c", MIRRORED, *command]
        child = subprocess.run(two, capture_output=True, text=True, timeout=300, check=False)
        assert child.returncode == 0, child.stderr[-2000:]
    assert_like(tmp_path / "mirrored", plain)
