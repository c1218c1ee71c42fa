"""Commands that are killed go on to what they would have made undisturbed."""

import json
import os
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from climb_edge.files.clips import save_clips
from climb_edge.media.video import read_video
from climb_edge.runtime.model_file import read_model
from support.kills import kill_at_random
from support.runs import assert_same_run
from support.scene import standing, write_heatmaps, write_video
from train.data.store import load_store
from train.synthesis.motion import generated_clips

KILLS = 10
# of train, study and convert, which take seconds to begin: CLIMB_EDGE_KILLS=10 does as many of them
SLOW_KILLS = int(os.environ.get("CLIMB_EDGE_KILLS", 1))
SEED = int(os.environ.get("CLIMB_EDGE_SEED", 1))

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def videos(tmp_path_factory, demo_clip) -> Path:
    """A folder with three videos of 4 small frames, and clips.npz beside it."""
    folder = tmp_path_factory.mktemp("made") / "videos"
    frames = [f.image[::4, ::4] for f in islice(read_video(demo_clip), 4)]
    for i in range(3):
        write_video(folder / f"{i}.mp4", [np.roll(image, 3 * i, 1) for image in frames])
    clips, names = generated_clips(3, 0, frames=4), np.array([f"{i}.mp4" for i in range(3)])
    size = np.full((3, 2), (442, 248), np.int32)
    clips = replace(clips, clip=names, frame_size=size, source="made for a test")
    save_clips(folder.parent / "clips.npz", clips)
    return folder


def test_track(tmp_path):
    video = write_video(tmp_path / "v.mp4", np.zeros((40, 64, 96, 3), np.uint8))
    maps = write_heatmaps(tmp_path / "maps.npz", [standing(180 + 3 * t) for t in range(40)])
    given = ["track", str(video), "--estimator", str(maps), "--refiner", "one_euro", "--out"]

    def same(left: Path, right: Path) -> None:
        for name in ("track.jsonl", "overlay.mp4"):
            assert (left / name).read_bytes() == (right / name).read_bytes()

    def command(out: Path) -> tuple:
        return "climb_edge.__main__", [*given, str(out)]

    kill_at_random(command, tmp_path, same, KILLS, SEED)


@pytest.mark.network
def test_extract(tmp_path, videos, weights_folder):
    given = ["extract", str(videos.parent / "clips.npz"), "--videos", str(videos)]
    given += ["--weights", str(weights_folder), "--out"]

    def same(left: Path, right: Path) -> None:
        (clips, seen), (others, found) = load_store(left), load_store(right)
        np.testing.assert_array_equal(clips.keypoints, others.keypoints)
        for a, b in zip(seen, found, strict=True):
            np.testing.assert_array_equal(a.keypoints, b.keypoints)
            assert a.whole() and b.whole() and a.about == b.about

    def command(out: Path) -> tuple:
        return "train.__main__", [*given, str(out)]

    kill_at_random(command, tmp_path, same, KILLS, SEED)


@pytest.mark.network
def test_annotate(tmp_path, videos, weights_folder):
    def same(left: Path, right: Path) -> None:
        assert (left / "c.npz").read_bytes() == (right / "c.npz").read_bytes()

    def command(out: Path) -> tuple:
        words = ["annotate", str(videos), "--weights", str(weights_folder)]
        cache = {"CLIMB_EDGE_CACHE": str(out / "cache")}
        return "train.__main__", [*words, "--out", str(out / "c.npz")], cache

    kill_at_random(command, tmp_path, same, KILLS, SEED)


TINY = {"model": "conv3d", "data": ["generated"], "clips": 4, "init": "identity", "epochs": 1}
TINY |= {"steps_per_epoch": 1, "batch": 1, "validation_windows": 2, "test_windows": 2}


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A run that was killed and went on, the same as the undisturbed one beside it, which this
    is.
    """
    words = [w for k, v in TINY.items() for w in (f"--{k.replace('_', '-')}", *_texts(v))]

    def same(left: Path, right: Path) -> None:
        assert_same_run(left, right, "conv3d")

    def command(out: Path) -> tuple:
        return "train.__main__", ["pretrain", *words, "--noise", "1.1", "--out", str(out)]

    return kill_at_random(command, tmp_path_factory.mktemp("trained"), same, SLOW_KILLS, SEED)


def _texts(value) -> list[str]:
    return [str(v) for v in (value if isinstance(value, list) else [value])]


def test_train(trained):
    assert (trained / "metrics.json").is_file()


def test_study(tmp_path, trained):
    """Its cell is the run that `trained` is."""
    options = {k: v for k, v in TINY.items() if k != "model"}
    table = "\n".join(f"{k} = {json.dumps(v)}" for k, v in options.items())
    config = tmp_path / "tiny.toml"
    config.write_text(f'models = ["conv3d"]\nsetups = ["1.1"]\nseeds = [0]\n[pretrain]\n{table}\n')

    def same(_: Path, right: Path) -> None:
        assert_same_run(trained, right / "conv3d.1.1.0" / "pretrain", "conv3d")
        (cell,) = json.loads((right / "study.json").read_text())["cells"]
        assert cell["state"] == "done"
        assert (right / "filters.1.1.0" / "pretrain" / "metrics.json").is_file()

    def command(out: Path) -> tuple:
        return "train.__main__", ["study", "--config", str(config), "--out", str(out)]

    kill_at_random(command, tmp_path, same, SLOW_KILLS, SEED, trained, 12.0)


def test_convert(tmp_path, trained):
    words = ["run", str(trained), "--form", "window-newest", "--recipe", "float16", "--force"]
    words += [w for check in ("gpu", "stream", "second", "speed") for w in ("--skip", check)]
    fewer = {"convert.pipeline.run:GENERATED_CLIPS": 2, "convert.pipeline.run:PER_CLIP": 1}

    def same(left: Path, right: Path) -> None:
        (a,), (b,) = ((p / "models").glob("*.tflite") for p in (left, right))
        assert a.name == b.name and read_model(a)[0] == read_model(b)[0]
        reports = [json.loads((p / "report.json").read_text()) for p in (left, right)]
        assert reports[0]["files"][0]["rows"] == reports[1]["files"][0]["rows"]

    def command(out: Path) -> tuple:
        return "convert.__main__", [*words, "--out", str(out)], fewer

    kill_at_random(command, tmp_path, same, SLOW_KILLS, SEED)
