"""Runs that go on where they were stopped, to the same result."""

import os
import signal
import subprocess
import sys
import time

import pytest

from support.runs import assert_same_run, history
from train.__main__ import main
from train.fitting.progress import Progress


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
    command += [
        "--ema",
        "0.9",
        "--clip-norm",
        "1",
        "--keypoint-dropout",
        "0.1",
        "--shift",
        "0.1",
        "--out",
    ]
    assert main([*command, str(tmp_path / "whole")]) == 0
    with monkeypatch.context() as patch:
        patch.setattr(Progress, "on_train_batch_end", stopped_in_the_second_epoch)
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

after_batch = loop.Progress.on_train_batch_end

def killed(self, step, logs=None):
    after_batch(self, step, logs)
    if self.epoch == 2 and step == 1:
        os.kill(os.getpid(), signal.SIGKILL)

loop.Progress.on_train_batch_end = killed
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
        "--steps-per-epoch",
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
            "--ema",
            "0.9",
            "--clip-norm",
            "1",
            "--keypoint-dropout",
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
        "--steps-per-epoch",
        "1",
        "--batch",
        "1",
        "--epochs",
        "1",
    ]
    command += ["--validation-windows", "2", "--test-windows", "2", "--seed", "5"]
    assert main([*command, "--out", str(tmp_path / "here")]) == 0
    apart = [sys.executable, "-m", "train", *command, "--out", str(tmp_path / "there")]
    assert subprocess.run(apart, capture_output=True, timeout=300, check=False).returncode == 0
    assert_same_run(tmp_path / "here", tmp_path / "there", "convlstm_sum")
