"""Fitting: the mask, the metric, the run folder, and runs that go on where they were stopped."""

import csv
import json
import os
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from train import models
from train.__main__ import main
from train.fit import measure
from train.losses import cross_entropy, masked, mse
from train.motion import generated_clips
from train.noise import NOISES
from train.runs import Run
from train.windows import RenderedWindows, targets

SMALL = ["--data", "generated", "--clips", "12", "--steps", "3", "--batch", "2"]


def test_a_masked_keypoint_gives_no_gradient():
    import tensorflow as tf

    rng = np.random.default_rng(0)
    predicted = tf.Variable(rng.random((2, 5, 8, 8, 25)), dtype=tf.float32)
    weight = np.ones((2, 5, 25), np.float32)
    weight[:, :, 3] = 0
    with tf.GradientTape() as tape:
        loss = masked(mse, tf.zeros_like(predicted), predicted, weight)
    gradient = tape.gradient(loss, predicted).numpy()
    assert (gradient[..., 3] == 0).all()
    assert (np.delete(gradient, 3, axis=-1) != 0).all()
    expected = np.delete(predicted.numpy() ** 2, 3, axis=-1).mean()
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_the_cross_entropy_is_least_at_the_target_and_does_not_care_for_scale():
    rng = np.random.default_rng(1)
    target = targets(rng.uniform(5, 50, (1, 5, 25, 2)).astype(np.float32))
    beside = np.roll(target, 1, axis=3)
    at, scaled, near, gone = (np.asarray(cross_entropy(target, p)) for p in (target, 1.1 * target, beside, 0 * target))
    assert (at < near).all()
    assert (near < gone).all()
    np.testing.assert_allclose(at, scaled, atol=0.01)
    np.testing.assert_allclose(at, np.log(2 * np.pi * np.e), atol=0.05)  # entropy of a Gaussian of sigma 1


def test_measure_knows_a_perfect_and_a_noisy_prediction():
    source = RenderedWindows(generated_clips(3, 1, frames=30), NOISES["1.2"])
    indices = np.arange(0, 60, 5)
    noisy = measure(None, source, indices)
    assert 0.005 < noisy.pck["0.05"] < 0.1  # the study shifts by 2.95 cells; the threshold is about half a cell
    assert noisy.pck["0.05"] < noisy.pck["0.1"] < noisy.pck["0.2"]

    class Perfect:
        def predict_on_batch(self, inputs):
            from train.windows import batch

            return targets(batch(source, indices[: len(inputs)]).cells)

    assert measure(Perfect(), source, indices).pck["0.05"] == pytest.approx(1.0)


def test_conv3d_has_its_parameters_and_passes_its_input_through_when_told():
    model = models.get("conv3d").build()
    assert model.count_params() == models.get("conv3d").parameters == 78_150
    identity = models.initial(models.get("conv3d"), "identity")
    window = np.random.default_rng(0).random((1, 5, 56, 56, 25)).astype(np.float32)
    np.testing.assert_allclose(identity(window), window, atol=1e-5)


def test_an_unknown_model_names_the_nearest():
    with pytest.raises(ClimbEdgeError, match="did you mean conv3d"):
        models.get("conv3")


def history(path):
    with open(path / "history.csv") as stream:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(stream)]


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on_to_the_same_result(tmp_path):
    command = ["pretrain", *SMALL, "--epochs", "6"]
    assert main([*command, "--out", str(tmp_path / "whole")]) == 0
    process = subprocess.Popen(
        [sys.executable, "-m", "train", *command, "--out", str(tmp_path / "stopped")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell in the background ignores Ctrl-C
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / "stopped" / "state.npz").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors.decode()
    assert len(history(tmp_path / "stopped")) < 7
    assert not [p for p in os.listdir(tmp_path / "stopped") if p.startswith(".")], "half-written files"
    assert main([*command, "--out", str(tmp_path / "stopped")]) == 0
    assert history(tmp_path / "stopped") == history(tmp_path / "whole")
    a, b = (
        Run.open(tmp_path / n).load_weights(models.get("conv3d").build()).get_weights() for n in ("whole", "stopped")
    )
    for left, right in zip(a, b, strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.slow
def test_a_run_folder_holds_what_it_promises_and_is_not_mixed_up(tmp_path, capsys):
    out = tmp_path / "run"
    assert main(["pretrain", *SMALL, "--epochs", "2", "--init", "identity", "--out", str(out)]) == 0
    for name in ("config.json", "split.json", "history.csv", "curves.png", "best.weights.h5", "metrics.json"):
        assert (out / name).stat().st_size > 0
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["truth"] == "generated"
    assert 0 < metrics["identity"]["pooled"]["0.1"][0] < 1
    assert [int(r["epoch"]) for r in history(out)] == [0, 1, 2]
    capsys.readouterr()
    assert main(["pretrain", *SMALL, "--epochs", "2", "--seed", "7", "--out", str(out)]) == 2
    assert "another config" in capsys.readouterr().err
    (out / "best.weights.h5").write_bytes(b"damaged")
    with pytest.raises(ClimbEdgeError, match=r"best\.weights\.h5"):
        Run.open(out).load_weights(models.get("conv3d").build())


def test_nan_weights_are_refused(tmp_path):
    model = models.get("conv3d").build()
    model.set_weights([np.full_like(w, np.nan) for w in model.get_weights()])
    run = Run.start(tmp_path / "run", {"model": "conv3d"})
    run.save_weights(model)
    with pytest.raises(ClimbEdgeError, match="NaN"):
        Run.open(tmp_path / "run").load_weights(models.get("conv3d").build())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--data", "nowhere.npz", "--out", "OUT"], "nowhere.npz"),
        (["--data", "generated", "--learning-rate", "-1", "--out", "OUT"], "--learning-rate"),
        (["--data", "generated", "--noise", "3.1", "--clips", "2", "--out", "OUT"], "3.1"),
        (["--data", "generated", "--clips", "0", "--out", "OUT"], "--clips"),
        (["--data", "generated", "--clips", "2", "--init", "nowhere", "--out", "OUT"], "nowhere"),
        (["extract", "nowhere.npz", "--videos", ".", "--out", "OUT"], "nowhere.npz"),
        (["annotate", "nowhere.mp4", "--out", "OUT"], "nowhere.mp4"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(tmp_path, capsys, arguments, said):
    out = str(tmp_path / "out")
    assert main([out if a == "OUT" else a for a in arguments]) == 2
    lines = [x for x in capsys.readouterr().err.splitlines() if x.startswith("error:")]
    assert len(lines) == 1
    assert said in lines[0]


def test_training_needs_keras_3():
    assert int(keras.__version__.split(".")[0]) == 3
