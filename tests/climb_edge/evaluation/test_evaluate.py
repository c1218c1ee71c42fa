"""`evaluate`: what counts as predicted, several refiners side by side, and the command."""

import json
import shutil

import numpy as np
import pytest

from climb_edge.__main__ import main
from climb_edge.cli import PROGRAM
from climb_edge.estimators.recording import Recording, record
from climb_edge.evaluation.evaluate import evaluate, jitter
from climb_edge.evaluation.videos import VideoFolder, recordings
from climb_edge.files.clips import load_clips
from climb_edge.media.video import read_video
from climb_edge.refiners.base import Identity
from climb_edge.refiners.load import load_refiner
from climb_edge.tracking.track import track
from support.scene import (
    Late,
    Scripted,
    clip_set,
    standing,
    write_clips,
    write_heatmaps,
    write_shapes,
)


def test_jitter_is_the_second_difference_of_the_error():
    truth = np.random.default_rng(0).normal(0, 50, (9, 25, 2))
    # drift is none
    assert jitter([truth + 7 + np.arange(9)[:, None, None]], [truth]) == pytest.approx(0, abs=1e-9)
    shaken = truth + np.where(np.arange(9) % 2, 1.0, -1.0)[:, None, None] * [3, 4]
    assert jitter([shaken], [truth]) == pytest.approx(4 * 5)
    assert np.isnan(jitter([truth[:2]], [truth[:2]]))


@pytest.fixture
def walk(tmp_path):
    """Clips of walking persons, their recordings by an estimator that is 10 pixels off to the
    right.
    """
    clips = load_clips(write_clips(tmp_path / "c.npz", clip_set((8, 7))))
    sources = []
    for i, (name, keypoints) in enumerate(clips):
        video = write_shapes(tmp_path / name, len(keypoints))
        script = {t: {0: p + [10, 0]} for t, p in enumerate(keypoints) if not (i == 1 and t == 6)}
        record(video, Scripted(script), tmp_path / f"{i}.zip")
        sources.append(Recording(tmp_path / f"{i}.zip"))
    return clips, sources


@pytest.mark.parametrize("refiner", [Identity(), Late()])
def test_evaluate_counts_what_was_predicted(walk, refiner):
    clips, sources = walk
    metrics = evaluate(clips, sources, refiner)
    torso = 200 * np.hypot(0.04, 0.32)
    # 64.5: 10 px are wrong at 0.05 and 0.1, right at 0.2
    assert metrics["torso"] == pytest.approx(torso, rel=1e-4)
    assert [metrics["pck"]["pooled"][a][0] for a in ("0.05", "0.1")] == [0, 0]
    assert (
        metrics["pck"]["pooled"]["0.2"][0]
        == pytest.approx(14 / 15)
        == metrics["raw"]["pooled"]["0.2"][0]
    )
    assert (metrics["missing"], metrics["frames"], metrics["clips"]) == (1, 15, 2)
    assert (
        metrics["raw_jitter"] < 0.1
        and metrics["space"] == "image pixels"
        and metrics["delay"] == refiner.delay
    )
    assert set(metrics) >= {
        "schema",
        "data",
        "estimator",
        "refiner",
        "truth",
        "keypoints",
        "jitter",
        "box",
    }


def test_a_video_shorter_or_longer_than_its_truth_is_counted_as_annotated(walk, tmp_path):
    clips, sources = walk
    for i, count in enumerate((12, 5)):
        video = write_shapes(tmp_path / "v.mp4", count)
        record(video, Scripted(lambda t: {0: standing(200 + 2 * t)}), tmp_path / f"{i}.zip")
        sources[i] = Recording(tmp_path / f"{i}.zip")
    metrics = evaluate(clips, sources, Identity())
    assert metrics["frames"] == 15 and metrics["missing"] == 2
    assert metrics["pck"]["pooled"]["0.2"][0] == pytest.approx(13 / 15)


def test_several_refiners_see_the_same_estimate_and_stand_side_by_side(tmp_path):
    asked = []

    class Counted(Scripted):
        def __call__(self, frame):
            asked.append(frame.index)
            return super().__call__(frame)

    script = {i: {0: standing(50 + 4 * i, 34, 50)} for i in range(9)}
    video = write_shapes(tmp_path / "v.mp4", 9)
    names = ["identity", "median", "median:emits=newest", "one-euro"]
    done = track(
        read_video(video),
        Counted(script),
        [load_refiner(n) for n in names],
        tmp_path / "o",
        "v.mp4",
    )
    assert asked == list(range(9))
    assert [p.name for p in done.tracks] == [
        "track.jsonl",
        "track-median-reach-1-emits-centre.jsonl",
        "track-median-reach-1-emits-newest.jsonl",
        "track-one_euro-min_cutoff-0.05-beta-80.0-d_cutoff-1.0-emits-newest.jsonl",
    ]
    for name, path in zip(names, done.tracks, strict=True):
        alone = track(
            read_video(video), Scripted(script), [load_refiner(name)], tmp_path / "alone", "v.mp4"
        )
        assert path.read_text() == alone.tracks[0].read_text()
    drawn = [f.image for f in read_video(done.overlay)]
    assert len(drawn) == 9 and drawn[0].shape == (2 * 64, 3 * 96, 3)  # five panels and a black one
    assert drawn[8][64:, 192:].max() < 20 < drawn[8][64:, 96:192].max()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("default", ["default"]),
        ("a.tflite,one-euro", ["a.tflite", "one-euro"]),
        ("gaussian:sigma=2,reach=1,identity", ["gaussian:sigma=2,reach=1", "identity"]),
    ],
)
def test_names_between_commas(text, names):
    assert PROGRAM.parse(["track", "v.mp4", "--compare", text]).compare == tuple(names)


@pytest.mark.parametrize("packed", [False, True])
def test_the_evaluate_command(tmp_path, monkeypatch, capsys, packed):
    monkeypatch.setenv("CLIMB_EDGE_CACHE", str(tmp_path / "cache"))
    write_clips(tmp_path / "c.npz", clip_set((8,), frame_size=np.array([[96, 64]])))
    videos = tmp_path / "videos"
    videos.mkdir()
    write_shapes(videos / "clip0.mp4", 8)
    if packed:
        videos = shutil.make_archive(str(tmp_path / "videos"), "zip", videos)
    heatmaps = write_heatmaps(tmp_path / "h.npz", [standing(200 + 2 * t) for t in range(8)])
    arguments = [
        "evaluate",
        str(tmp_path / "c.npz"),
        "--videos",
        str(videos),
        "--estimator",
        str(heatmaps),
    ]
    assert main([*arguments, "--refiner", "identity", "--out", str(tmp_path / "m.json")]) == 0

    def no_constant(name):
        raise AssertionError(f"{name} is no JSON")

    metrics = json.loads((tmp_path / "m.json").read_text(), parse_constant=no_constant)
    assert metrics["pck"]["pooled"]["0.05"] == [1, None, None]  # one clip: no interval
    assert "100.0" in capsys.readouterr().out
    several = [
        *arguments,
        "--refiner",
        "identity",
        "--refiner",
        "median:emits=newest",
        "--limit",
        "1",
    ]
    assert main([*several, "--out", str(tmp_path / "several.json")]) == 0
    rows = json.loads((tmp_path / "several.json").read_text())
    assert [row["refiner"] for row in rows] == ["identity", "median:reach=1,emits=newest"] and rows[
        0
    ] == metrics
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in said[2:]] == [
        "estimator",
        "identity",
        "median:reach=1,emits=newest",
    ]


@pytest.mark.network
def test_real_clips_keep_a_plausible_figure(data_folder, weights_folder, tmp_path):
    """The first J-HMDB clips in one piece: human truth, real video, real estimator, the shipped
    refiner.
    """
    from climb_edge.estimators.blazepose import BlazePose

    clips = load_clips(data_folder / "jhmdb_train.npz")
    videos = VideoFolder(data_folder / "jhmdb_train_videos.zip")
    one = clip_set(
        (int(clips.offsets[1]),),
        clips.source,
        **{k: getattr(clips, k)[clips.rows(0)] for k in ("keypoints", "visible")},
        clip=clips.clip[:1],
    )
    metrics = evaluate(one, recordings(one, videos, BlazePose("full", weights_folder)), Identity())
    assert metrics["truth"] == "human" and metrics["frames"] == clips.offsets[1]
    assert metrics["raw"]["pooled"]["0.2"][0] > 0.5
    assert metrics["pck"]["pooled"]["0.2"][0] == pytest.approx(
        metrics["raw"]["pooled"]["0.2"][0], abs=0.05
    )
