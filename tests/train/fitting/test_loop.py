"""Fitting: the mask, the metric, the run folder, and runs that go on where they were stopped."""

import csv
import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.atomic import write_json
from climb_edge.files.clips import load_clips, save_clips
from climb_edge.pose.decode import decode
from train.__main__ import main
from train.cli import parse
from train.data.augment import Augmentation
from train.data.rendered import RenderedWindows
from train.data.sources import batch
from train.data.splits import split
from train.data.windows import targets
from train.fitting import initial_weights, run
from train.fitting.loop import Recipe, _Progress, fit, freeze, optimizer
from train.fitting.losses import LOSSES, cross_entropy, masked, mse
from train.fitting.run_folder import Run
from train.fitting.scoring import Judge
from train.models import deciwatch, registry
from train.noise.library import NOISES
from train.noise.simulators import StudyNoise
from train.synthesis.motion import generated_clips


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
    at, scaled, near, gone = (
        np.asarray(cross_entropy(target, p)) for p in (target, 1.1 * target, beside, 0 * target)
    )
    assert (at < near).all()
    assert (near < gone).all()
    np.testing.assert_allclose(at, scaled, atol=0.01)
    # entropy of a Gaussian of sigma 1
    np.testing.assert_allclose(at, np.log(2 * np.pi * np.e), atol=0.05)


# Judging
# ----------------------------------------------------------------------------------------------------------


def test_a_noisy_input_is_judged_by_pck_and_an_exact_one_is_perfect():
    source = RenderedWindows(generated_clips(3, 1, frames=30), NOISES["1.2"])
    indices = np.arange(0, 60, 5)
    noisy = Judge(source, Recipe(batch=5))(indices)
    # the study shifts by 2.95 cells; the threshold is about half a cell
    assert 0.005 < noisy.pck["0.05"] < 0.1
    assert noisy.pck["0.05"] < noisy.pck["0.1"] < noisy.pck["0.2"]
    exact = Judge(RenderedWindows(source.clips, StudyNoise("exact", 0.0, (1.0,))), Recipe(batch=5))(
        indices
    )
    assert exact.score("study").pooled()["0.05"][0] == 1
    # against exact truth whole cells are half a cell off
    assert noisy.pck["0.05"] < exact.pck["0.05"] < 1
    assert exact.pck["0.1"] == 1


def test_a_judge_keeps_every_windows_points_and_truth_by_clip():
    source = RenderedWindows(generated_clips(3, 1, frames=30), NOISES["blazepose"])
    indices = np.array([0, 3, 30, 31, 32, 60])
    measured = Judge(source, Recipe(batch=4))(indices)
    assert [len(t) for t in measured.truth] == [2, 3, 1]
    windows = batch(source, indices)
    np.testing.assert_array_equal(np.concatenate(measured.truth), windows.cells)
    for reading, subpixel in (("ours", True), ("study", False)):
        np.testing.assert_allclose(
            np.concatenate(measured.points[reading]), decode(windows.inputs, subpixel)[0], atol=5e-3
        )
        assert [p.shape for p in measured.points[reading]] == [t.shape for t in measured.truth]


def test_what_is_judged_is_not_augmented():
    clips, indices = generated_clips(2, 1, frames=20), np.arange(6)
    plain, changed = (
        RenderedWindows(clips, NOISES["blazepose"], augmentation=a)
        for a in (Augmentation(), Augmentation(60, 0.5, True))
    )
    for left, right in zip(
        *(Judge(s, Recipe(batch=4))(indices).truth for s in (plain, changed)), strict=True
    ):
        np.testing.assert_array_equal(left, right)


def test_what_is_not_trusted_is_not_judged():
    clips = generated_clips(2, 1, frames=20)
    trust = np.ones(clips.visible.shape, np.float32)
    trust[:, 4], trust[:, 9] = 0, 0.5
    source = RenderedWindows(dataclasses.replace(clips, weight=trust), NOISES["blazepose"])
    measured = Judge(source, Recipe(batch=4, loss="mse"))(np.arange(6))
    assert np.isnan(measured.truth[0][:, :, 4]).all()
    assert np.isfinite(np.delete(measured.truth[0], 4, axis=2)).all()
    windows = batch(source, np.arange(6))
    each = np.square(targets(windows.cells, 2.0) - windows.inputs).mean((2, 3))
    assert measured.loss == pytest.approx(
        (each * windows.weight).sum() / windows.weight.sum(), rel=1e-4
    )


@pytest.mark.parametrize("name", ["conv3d", "deciwatch"])
def test_the_studys_loss_is_the_squared_error_against_whole_cells(name, shallow):
    source = RenderedWindows(generated_clips(2, 1, frames=20), NOISES["1.1"], box="frame")
    described, windows = registry.get(name), batch(source, np.arange(5))
    model = initial_weights.initial(described, "none", seed=1)
    cells = np.clip(np.floor(windows.cells + 0.5), 0, 55)
    outputs = np.asarray(model(windows.inputs))
    if name == "conv3d":
        each = np.square(targets(cells, 1.0) - outputs).mean((2, 3))
    else:
        each = np.square(cells - outputs).mean(-1)
    recipe = Recipe(
        batch=2,
        loss={"conv3d": "mse", "deciwatch": "coordinate_mse"}[name],
        target_sigma=1.0,
        whole=True,
    )
    measured = Judge(source, recipe, described, model)(np.arange(5))
    assert measured.loss == pytest.approx(each[np.isfinite(windows.cells).all(-1)].mean(), rel=1e-3)


def test_conv3d_has_its_parameters_and_passes_its_input_through_when_told():
    model = registry.get("conv3d").build()
    assert model.count_params() == registry.get("conv3d").parameters == 78_150
    identity = initial_weights.initial(registry.get("conv3d"), "identity")
    window = np.random.default_rng(0).random((1, 5, 56, 56, 25)).astype(np.float32)
    np.testing.assert_allclose(identity(window), window, atol=1e-5)


def test_an_unknown_model_names_the_nearest():
    with pytest.raises(ClimbEdgeError, match="did you mean conv3d"):
        registry.get("conv3")


# Runs
# -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> list[str]:
    """Options of a run that is over in seconds: 12 clips of 12 frames, 2 steps of 2 windows."""
    path = tmp_path_factory.mktemp("tiny") / "clips.npz"
    save_clips(path, generated_clips(12, 5, frames=12))
    return ["--data", str(path), "--steps", "2", "--batch", "2"]


@pytest.fixture
def shallow(monkeypatch):
    """Deciwatch with one layer instead of five of each kind: its graph takes seconds to trace."""
    monkeypatch.setattr(deciwatch, "LAYERS", 1)


def history(path):
    with open(path / "history.csv") as stream:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(stream)]


def figures_of(path) -> dict:
    metrics = json.loads((path / "metrics.json").read_text())
    return {
        name: value for name, value in metrics.items() if name not in ("minutes", "ms_per_window")
    }


def variables_of(path) -> dict[str, np.ndarray]:
    """Every variable of a run's state: of the model, its dropout and its optimizer."""
    with np.load(path / "state.npz") as arrays:
        return {name: arrays[name] for name in arrays.files if name != "state"}


def assert_same_run(left, right, model: str) -> None:
    """Two run folders: history, figures, best weights and the state in which they ended."""
    assert history(left) == history(right)
    assert figures_of(left) == figures_of(right)
    a, b = (
        Run.open(p).load_weights(registry.get(model).build()).get_weights() for p in (left, right)
    )
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)
    there, here = variables_of(left), variables_of(right)
    assert there.keys() == here.keys()
    for name in there:
        np.testing.assert_array_equal(there[name], here[name])


def half_written(path) -> list[str]:
    return [name for name in os.listdir(path) if name.startswith(".")]


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on_to_the_same_result(tmp_path, tiny):
    command = ["pretrain", *tiny, "--epochs", "4"]
    assert main([*command, "--out", str(tmp_path / "whole")]) == 0
    process = subprocess.Popen(
        [sys.executable, "-m", "train", *command, "--out", str(tmp_path / "stopped")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / "stopped" / "state.npz").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors.decode()
    assert len(history(tmp_path / "stopped")) < 5
    assert not half_written(tmp_path / "stopped")
    assert main([*command, "--out", str(tmp_path / "stopped")]) == 0
    assert_same_run(tmp_path / "whole", tmp_path / "stopped", "conv3d")


def test_a_cycle_rises_for_a_tenth_of_all_steps_and_falls_to_nothing():
    rate = optimizer(Recipe(learning_rate=0.1, epochs=10, schedule="one-cycle"), 10).learning_rate
    assert rate == 0
    made = optimizer(Recipe(learning_rate=0.1, epochs=10, schedule="one-cycle"), 10)
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
        assert main(["pretrain", *options, str(tmp_path / name), "--average", average]) == 0
    (_, *plain), (_, *averaged) = (history(tmp_path / name) for name in ("plain", "average"))
    # training itself is the same
    assert [row["loss"] for row in plain] == [row["loss"] for row in averaged]
    first, last = (float(row["val_loss"]) for row in averaged)
    assert abs(first - last) < 1e-2
    assert abs(float(plain[0]["val_loss"]) - float(plain[1]["val_loss"])) > 3 * abs(first - last)


def test_a_cycle_and_its_averages_go_on_where_they_were_stopped(tmp_path, tiny, monkeypatch):
    command = [
        "pretrain",
        *tiny,
        "--model",
        "joint_mixer",
        "--epochs",
        "3",
        "--schedule",
        "one-cycle",
    ]
    command += ["--average", "0.9", "--clip-norm", "1", "--drop", "0.1", "--shift", "0.1", "--out"]
    assert main([*command, str(tmp_path / "whole")]) == 0
    with monkeypatch.context() as patch:
        patch.setattr(_Progress, "on_train_batch_end", stopped_in_the_second_epoch)
        assert main([*command, str(tmp_path / "stopped")]) == 130
    assert len(history(tmp_path / "stopped")) == 2
    assert main([*command, str(tmp_path / "stopped")]) == 0
    assert_same_run(tmp_path / "whole", tmp_path / "stopped", "joint_mixer")


def stopped_in_the_second_epoch(progress, step, logs=None):
    if progress.epoch == 1:
        raise KeyboardInterrupt


KILLED = """
import os, signal, sys
from train.fitting import loop
from train.models import deciwatch

deciwatch.LAYERS = 1

after_batch = loop._Progress.on_train_batch_end

def killed(self, step, logs=None):
    after_batch(self, step, logs)
    if self.epoch == 2 and step == 1:
        os.kill(os.getpid(), signal.SIGKILL)

loop._Progress.on_train_batch_end = killed
from train.__main__ import main
main(sys.argv[1:])
"""


@pytest.mark.slow
@pytest.mark.parametrize("model", ["conv3d", "deciwatch", "joint_mixer"])
def test_a_run_that_was_killed_within_an_epoch_goes_on_to_the_same_result(
    tmp_path, tiny, shallow, model
):
    """Deciwatch has dropout: what is drawn for it is part of a run's state. So are averages, and
    where a cycle stands.
    """
    command = [
        "pretrain",
        *tiny,
        "--model",
        model,
        "--steps",
        "3",
        "--epochs",
        "4",
        "--mirror",
        "--rotate",
        "20",
    ]
    if model == "joint_mixer":
        command += [
            "--schedule",
            "one-cycle",
            "--average",
            "0.9",
            "--clip-norm",
            "1",
            "--drop",
            "0.1",
            "--shift",
            "0.1",
        ]
    killed = [sys.executable, "-c", KILLED, *command, "--out", str(tmp_path / "killed")]
    assert (
        subprocess.run(killed, capture_output=True, timeout=300, check=False).returncode
        == -signal.SIGKILL
    )
    assert [row["epoch"] for row in history(tmp_path / "killed")] == ["0", "1", "2"]
    assert main([*command, "--out", str(tmp_path / "killed")]) == 0
    assert main([*command, "--out", str(tmp_path / "whole")]) == 0
    assert_same_run(tmp_path / "whole", tmp_path / "killed", model)
    losses = [float(row["loss"]) for row in history(tmp_path / "whole")]
    assert len(set(losses)) == 5, "nothing was learned"


@pytest.mark.slow
def test_a_bi_convlstm_repeats_in_another_process(tmp_path, tiny):
    command = [
        "pretrain",
        *tiny[:2],
        "--model",
        "convlstm_sum",
        "--steps",
        "1",
        "--batch",
        "1",
        "--epochs",
        "1",
    ]
    command += ["--validation", "2", "--test", "2", "--seed", "5"]
    assert main([*command, "--out", str(tmp_path / "here")]) == 0
    apart = [sys.executable, "-m", "train", *command, "--out", str(tmp_path / "there")]
    assert subprocess.run(apart, capture_output=True, timeout=300, check=False).returncode == 0
    assert_same_run(tmp_path / "here", tmp_path / "there", "convlstm_sum")


@pytest.mark.slow
def test_a_run_folder_holds_what_it_promises_and_is_not_mixed_up(tmp_path, tiny, capsys):
    out = tmp_path / "run"
    assert main(["pretrain", *tiny, "--epochs", "2", "--init", "identity", "--out", str(out)]) == 0
    for name in (
        "config.json",
        "split.json",
        "history.csv",
        "curves.png",
        "best.weights.h5",
        "metrics.json",
    ):
        assert (out / name).stat().st_size > 0
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["truth"] == "generated" and metrics["schema"] == "climb-edge/run/2"
    assert list(metrics["parts"]) == ["test"] and list(metrics["parts"]["test"]) == [
        "identity",
        "refined",
    ]
    assert 0 < metrics["parts"]["test"]["identity"]["ours"]["pooled"]["0.1"][0] < 1
    assert [int(r["epoch"]) for r in history(out)] == [0, 1, 2]
    assert list((out / "tensorboard").rglob("events*"))
    assert re.search(r"4/4 .*epoch 2 .*PCK \d+\.\d/", capsys.readouterr().err), "the bar shows PCK"
    assert main(["pretrain", *tiny, "--epochs", "2", "--seed", "7", "--out", str(out)]) == 2
    assert "another config" in capsys.readouterr().err
    (out / "best.weights.h5").write_bytes(b"damaged")
    with pytest.raises(ClimbEdgeError, match=r"best\.weights\.h5"):
        Run.open(out).load_weights(registry.get("conv3d").build())


def test_clips_too_short_for_a_window_are_named(tmp_path, tiny, capsys):
    clips = generated_clips(12, 5, frames=12)
    # four frames of the last three
    long = np.flatnonzero((np.arange(144) < 108) | (np.arange(144) % 12 < 4))
    ends = np.concatenate([[0], np.cumsum([12] * 9 + [4] * 3)])
    short = {name: getattr(clips, name)[long] for name in ("keypoints", "visible")}
    save_clips(tmp_path / "short.npz", dataclasses.replace(clips, **short, offsets=ends))
    given = [
        "--data",
        str(tmp_path / "short.npz"),
        *tiny[2:],
        "--epochs",
        "0",
        "--out",
        str(tmp_path / "run"),
    ]
    assert main(["pretrain", "--model", "conv3d", *given]) == 0
    last = ", ".join(map(str, clips.clip[9:]))
    assert (
        "note: 3 of 12 clips give no window, they have no 5 frames in a row with somebody to see:"
        f" {last}\n" in capsys.readouterr().err
    )


def test_metrics_count_the_parameters_of_what_was_trained(tmp_path, tiny):
    wide = [
        "--model",
        "joint_mixer",
        "--switch",
        "wide=on",
        "--epochs",
        "0",
        "--out",
        str(tmp_path / "wide"),
    ]
    assert main(["pretrain", *tiny, *wide]) == 0
    assert (
        json.loads((tmp_path / "wide" / "metrics.json").read_text())["parameters"]
        == 38_084 + 88_080
    )


@pytest.mark.slow
def test_another_run_takes_a_runs_split_and_weights(tmp_path, tiny, capsys):
    first, second, other = (tmp_path / name for name in ("first", "second", "other"))
    assert main(["pretrain", *tiny, "--epochs", "1", "--seed", "3", "--out", str(first)]) == 0
    reused = ["--split", str(first / "split.json"), "--init", str(first), "--epochs", "1"]
    assert main([*tiny, *reused, "--seed", "4", "--out", str(second)]) == 0
    metrics = [json.loads((run / "metrics.json").read_text()) for run in (first, second)]
    assert metrics[0]["split"] == metrics[1]["split"]
    assert metrics[0]["windows"] == metrics[1]["windows"]
    assert [m["command"] for m in metrics] == ["pretrain", "finetune"]
    parts = [json.loads((run / "split.json").read_text()) for run in (first, second)]
    assert parts[0] == parts[1] and parts[0]["sha256"] == metrics[0]["split"]["sha256"]
    own = RenderedWindows(load_clips(tiny[1]), NOISES["blazepose"], 4)
    assert split(own, "auto", 4).sha256 != parts[0]["sha256"], "a split of seed 4 is another one"
    capsys.readouterr()
    assert (
        main(["pretrain", "--data", "generated", "--clips", "3", *reused, "--out", str(other)]) == 2
    )
    assert "split.json: made for" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_with_a_video_held_out_has_figures_of_both_parts(tmp_path, tiny):
    assert (
        main(
            [
                "pretrain",
                *tiny,
                "--epochs",
                "1",
                "--split",
                "final",
                "--test",
                "5",
                "--out",
                str(tmp_path),
            ]
        )
        == 0
    )
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["windows"]["test"] == 4  # of 8, every second
    assert metrics["split"]["rule"] == "final"
    assert list(metrics["parts"]) == ["test", "held_out"]
    assert metrics["windows"]["held_out"] == 4
    for rows in metrics["parts"].values():
        for row in rows.values():
            assert all(0 <= row["ours"]["pooled"][a][0] <= 1 for a in ("0.05", "0.1", "0.2"))
    test, held_out = (metrics["parts"][p]["identity"]["loss"] for p in ("test", "held_out"))
    assert test != held_out


def tiny_run(tmp_path, name: str, **recipe):
    """Fit a model on 12 short clips, by the recipe; returns its weights before and after, by layer,
    and the run.
    """
    source = RenderedWindows(generated_clips(12, 5, frames=12), NOISES["blazepose"])
    described, run = registry.get(name), Run.start(tmp_path / "run", {"model": name})
    model = initial_weights.initial(described, "none", 2)
    before = {v.path: np.array(v) for v in model.weights}
    fit(
        described,
        model,
        source,
        split(source),
        run,
        Recipe(**{"batch": 2, "steps": 2, "epochs": 1} | recipe),
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
    rates = {"learning_rate": 1e-12, "plateau": 1, "stop": 3, "epochs": 9}
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


@pytest.mark.parametrize(
    ("model", "asked", "loss"),
    [
        ("conv3d", None, "cross_entropy"),
        ("conv3d", "study", "mse"),
        ("convlstm_sum", "study", "mse"),
        ("deciwatch", None, "coordinate_mse"),
        ("deciwatch", "study", "coordinate_mse"),
        ("deciwatch", "coordinate_mae", "coordinate_mae"),
    ],
)
def test_the_loss_is_one_of_the_models_output(tiny, model, asked, loss):
    options = parse(["pretrain", *tiny, *(["--loss", asked] if asked else []), "--out", "OUT"])
    assert run._recipe(options, registry.get(model)).loss == loss


@pytest.mark.parametrize(
    ("model", "loss"),
    [("deciwatch", "cross_entropy"), ("deciwatch", "mse"), ("conv3d", "coordinate_mae")],
)
def test_a_loss_of_another_output_is_refused(tmp_path, tiny, capsys, model, loss):
    assert (
        main(["pretrain", *tiny, "--model", model, "--loss", loss, "--out", str(tmp_path / "run")])
        == 2
    )
    said = capsys.readouterr().err
    assert f"--loss {loss}: {model} gives" in said and not (tmp_path / "run").exists()


def test_a_model_without_weights_is_not_trained(tmp_path, tiny, capsys):
    assert main(["pretrain", *tiny, "--model", "identity", "--out", str(tmp_path / "run")]) == 2
    assert "has nothing to train" in capsys.readouterr().err


def test_nan_weights_are_refused(tmp_path):
    model = registry.get("conv3d").build()
    model.set_weights([np.full_like(w, np.nan) for w in model.get_weights()])
    run = Run.start(tmp_path / "run", {"model": "conv3d"})
    run.save_weights(model)
    with pytest.raises(ClimbEdgeError, match="NaN"):
        Run.open(tmp_path / "run").load_weights(registry.get("conv3d").build())


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


def test_a_run_knows_its_files_by_any_way_of_writing_their_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    write_json(
        tmp_path / "out" / "config.json",
        {"init": str(tmp_path / "pre"), "data": ["a", "b"], "seed": 0},
    )
    (tmp_path / "out" / "state.npz").touch()
    Run.start("out", {"init": "pre", "data": ["./a", str(tmp_path / "b")], "seed": 0})
    for other in ({"init": "pre2"}, {"data": ["a"]}, {"data": ["b", "a"]}, {"seed": 1}):
        with pytest.raises(ClimbEdgeError, match="another config"):
            Run.start("out", {"init": "pre", "data": ["a", "b"], "seed": 0} | other)


def test_a_run_that_was_refused_does_not_keep_its_folder(tmp_path, tiny, capsys):
    out = str(tmp_path / "run")
    assert (
        main(["pretrain", *tiny, "--epochs", "1", "--init", str(tmp_path / "none"), "--out", out])
        == 2
    )
    assert (
        main(
            ["pretrain", *tiny, "--epochs", "1", "--init", "identity", "--seed", "3", "--out", out]
        )
        == 0
    )
    assert Run.open(out).config()["seed"] == 3
