"""The commands that train: splits and weights of other runs, losses, and bad input."""

import dataclasses
import json

import keras
import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.clips import load_clips, save_clips
from train.__main__ import main
from train.cli import PROGRAM
from train.data.rendered import RenderedWindows
from train.data.splits import split
from train.fitting import run
from train.models import registry
from train.noise.library import NOISES
from train.synthesis.motion import generated_clips


def test_an_unknown_model_names_the_nearest():
    with pytest.raises(ClimbEdgeError, match="did you mean conv3d"):
        registry.get("conv3")


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
                "--test-windows",
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
    options = PROGRAM.parse(
        ["pretrain", *tiny, *(["--loss", asked] if asked else []), "--out", "OUT"]
    )
    assert run._hyperparameters(options, registry.get(model)).loss == loss


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
