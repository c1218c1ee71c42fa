"""--out of every command: what cannot be written is refused before any work, and a full disk, or a
killed run's remains, do no more harm than they must.
"""

import json
import os
import subprocess
from dataclasses import replace

import numpy as np
import pytest

import climb_edge.__main__
import convert.__main__
import train.__main__
from climb_edge.cli import PROGRAM as EDGE
from climb_edge.files.clips import save_clips
from climb_edge.options import dashed, kinds_of
from convert.cli import PROGRAM as CONVERT
from train.cli import PROGRAM as TRAIN
from train.data.store import load_store
from train.synthesis.motion import generated_clips

MAINS = {"climb-edge": climb_edge.__main__.main, "climb-edge train": train.__main__.main}
MAINS["climb-edge convert"] = convert.__main__.main

# What each command needs beside its outputs; none of it is there, so work cannot have begun.
GIVEN = {
    ("climb-edge", "track"): ["none.mp4"],
    ("climb-edge", "plot"): ["none.jsonl"],
    ("climb-edge", "evaluate"): ["none.npz", "--videos", "none"],
    ("climb-edge", "benchmark"): ["none.mp4"],
    ("climb-edge train", "finetune"): ["--data", "none"],
    ("climb-edge train", "pretrain"): ["--data", "none"],
    ("climb-edge train", "annotate"): ["none.mp4"],
    ("climb-edge train", "extract"): ["none.npz", "--videos", "none"],
    ("climb-edge train", "import"): ["penn", "none"],
    ("climb-edge train", "fit-noise"): ["none"],
    ("climb-edge train", "study"): ["--config", "none"],
    ("climb-edge train", "tables"): ["none", "--out", "there"],
    ("climb-edge train", "look"): ["none"],
    ("climb-edge train", "models"): ["--data", "none"],
    ("climb-edge convert", "run"): ["none", "--out", "there"],
    ("climb-edge convert", "check"): ["none.tflite"],
    ("climb-edge convert", "matrix"): ["none.json"],
    ("climb-edge convert", "models"): ["--model", "none"],
}
# Paths that a command only reads, by the names that outputs have elsewhere.
READ = {("climb-edge convert", "show", "out")}


def outputs():
    """(program, command, option) of everything that commands write."""
    for program in (EDGE, TRAIN, CONVERT):
        for config in program.commands:
            for name, kind in kinds_of(config).items():
                place = (program.name, config.command, name)
                if place not in READ and (
                    kind.option.writes or name in ("out", "json", "plot", "bundle")
                ):
                    yield place


@pytest.mark.parametrize(("program", "command", "option"), outputs())
def test_an_output_that_cannot_be_written_is_refused_before_any_work(
    tmp_path, capsys, monkeypatch, program, command, option
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()

    def refused(path) -> bool:
        words = [command, *GIVEN[program, command], f"--{dashed(option)}", path]
        assert MAINS[program](words) == 2
        said = capsys.readouterr().err
        return said.startswith(f"error: --{dashed(option)} {path}: ") and said.count("\n") == 1

    assert refused("file/below") and refused("file/below/deeper")
    # of the right kind, it passes, and what is missing stops the command
    assert refused("file") != refused("folder")
    assert os.listdir(tmp_path / "folder") == [] and (tmp_path / "file").read_text() == "mine"


def test_a_device_is_no_file_to_replace(tmp_path, capsys):
    device = tmp_path / "pipe"
    os.mkfifo(device)
    assert MAINS["climb-edge"](["plot", "none.jsonl", "--out", str(device)]) == 2
    assert "expected a file, found a device" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["config.json", "store.json"])
def test_a_folder_with_a_killed_runs_remains_is_no_other_folder(tmp_path, name):
    from train.data.store import _claim
    from train.fitting.run_folder import Run

    (tmp_path / f".abc.{name}").touch()
    if name == "config.json":
        Run.start(tmp_path, {"seed": 0})
    else:
        _claim(tmp_path, "blazepose-full")
    assert json.loads((tmp_path / name).read_text())


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MB that `grow` makes larger; skipped where this user may mount none."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small file system (root)")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.network
def test_a_full_disk_ends_an_extraction_which_goes_on_when_there_is_space(
    small_disk, tmp_path, capsys, demo_frames
):
    from climb_edge.media.video import VideoWriter

    videos = tmp_path / "videos"
    for i in range(4):
        with VideoWriter(videos / f"{i}.mp4") as writer:
            for frame in demo_frames[:4]:
                writer.write(np.roll(frame.image[::4, ::4], 3 * i, 1), frame.time)
    clips = generated_clips(4, 0, frames=4)
    names, size = np.array([f"{i}.mp4" for i in range(4)]), np.full((4, 2), (442, 248), np.int32)
    clips = replace(clips, clip=names, frame_size=size, source="made for a test")
    save_clips(tmp_path / "clips.npz", clips)
    command = ["extract", str(tmp_path / "clips.npz"), "--videos", str(videos)]
    command += ["--out", str(small_disk / "store")]
    assert train.__main__.main(command) == 2
    said = capsys.readouterr().err
    assert "skipped" not in said and "no space is left on the device" in said
    kept = {p: p.stat().st_mtime_ns for p in (small_disk / "store").iterdir()}
    assert 1 < len(kept) < 5 and not any(p.name.startswith(".") for p in kept)
    subprocess.run(["mount", "-o", "remount,size=9m", str(small_disk)], check=True)
    assert train.__main__.main(command) == 0
    assert len(load_store(small_disk / "store")[1]) == 4
    shards = [p for p in kept if p.suffix == ".zip"]
    assert [p.stat().st_mtime_ns for p in shards] == [kept[p] for p in shards]
