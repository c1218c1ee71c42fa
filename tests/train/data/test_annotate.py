"""The offline teacher's smoothing, and targets from a real clip."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from train.data.annotate import smooth


def test_smoothing_keeps_a_quadratic_motion_and_quietens_noise():
    t = np.arange(40.0)
    path = np.stack([3 + 2 * t - 0.04 * t**2, 10 - t + 0.02 * t**2], axis=-1)[:, None]
    smoothed, confidence = smooth(path, np.ones((40, 1)))
    np.testing.assert_allclose(smoothed, path, atol=1e-5)
    assert confidence == pytest.approx(1)
    noise = np.random.default_rng(0).normal(0, 1, path.shape)
    assert np.abs(smooth(path + noise, np.ones((40, 1)))[0] - path).std() < 0.75 * noise.std()


def test_an_outlier_without_confidence_counts_nothing():
    points, trust = np.zeros((21, 1, 2)), np.ones((21, 1))
    points[10], trust[10] = 100.0, 1e-6
    smoothed, confidence = smooth(points, trust)
    assert np.abs(smoothed).max() < 0.01
    assert confidence[10] < confidence[3]


def test_holes_are_bridged_only_where_enough_is_known():
    points, trust = np.ones((30, 1, 2)), np.ones((30, 1))
    points[12:24] = np.nan
    smoothed, confidence = smooth(points, trust)
    assert np.isnan(smoothed[17:19]).all()
    assert (confidence[17:19] == 0).all()
    np.testing.assert_allclose(smoothed[:12], 1, atol=1e-6)


@pytest.mark.network
@pytest.mark.slow
def test_annotate_extract_and_finetune_on_a_real_clip(tmp_path, person_video, capsys):
    from climb_edge.files.clips import load_clips
    from climb_edge.media.clock import rate_of
    from climb_edge.media.video import read_video
    from train.__main__ import main

    clips, store = str(tmp_path / "clips.npz"), str(tmp_path / "store")
    assert main(["annotate", str(person_video), "--out", clips]) == 0
    made = load_clips(clips)
    assert made.truth == "pseudo"
    assert made.visible.mean() > 0.3
    assert made.fps[0] == pytest.approx(rate_of(f.time for f in read_video(person_video)))
    videos = str(person_video.parent)
    assert main(["extract", clips, "--videos", videos, "--out", store]) == 0
    shards = {p: p.stat().st_mtime_ns for p in (tmp_path / "store").glob("*.zip")}
    assert len(shards) == 1
    assert main(["extract", clips, "--videos", videos, "--out", store]) == 0
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "store").glob("*.zip")} == shards, (
        "finished shards are not made again"
    )
    assert (
        main(
            [
                "--data",
                store,
                "--epochs",
                "1",
                "--batch",
                "2",
                "--init",
                "identity",
                "--out",
                str(tmp_path / "run"),
            ]
        )
        == 0
    )
    assert "pseudo ground truth" in capsys.readouterr().out
    shard = next(iter(shards))
    shard.write_bytes(shard.read_bytes()[:-500])
    assert main(["--data", store, "--epochs", "1", "--out", str(tmp_path / "run2")]) == 2
    assert shard.name in capsys.readouterr().err
    assert main(["extract", clips, "--videos", videos, "--out", store]) == 0, (
        "a damaged shard is made anew"
    )


@pytest.mark.network
@pytest.mark.slow
def test_a_video_that_cannot_be_used_is_left_out_and_told_of_unless_strict(
    tmp_path, person_video, capsys
):
    from climb_edge.files.clips import join_clips, load_clips, save_clips
    from train.__main__ import main

    broken, clips = tmp_path / "broken.mp4", str(tmp_path / "clips.npz")
    broken.write_bytes(b"no video at all")
    shutil.copy(person_video, tmp_path / "good.mp4")
    videos = [str(broken), str(tmp_path / "good.mp4")]
    assert main(["annotate", *videos, "--out", clips]) == 0
    assert "skipped: " in (said := capsys.readouterr().err) and "broken.mp4" in said
    made = load_clips(clips)
    assert made.clip.tolist() == ["good.mp4"]
    assert main(["annotate", *videos, "--strict", "--out", str(tmp_path / "none.npz")]) == 2
    assert main(["annotate", videos[0], "--out", str(tmp_path / "none.npz")]) == 2
    assert "broken.mp4" in capsys.readouterr().err and not (tmp_path / "none.npz").exists()

    save_clips(
        tmp_path / "both.npz", join_clips([made, replace(made, clip=np.array(["broken.mp4"]))])
    )
    run = [
        "--data",
        str(tmp_path / "both.npz"),
        "--videos",
        str(tmp_path),
        "--model",
        "conv3d",
        "--epochs",
        "0",
    ]
    assert main([*run, "--out", str(tmp_path / "run")]) == 0
    told = capsys.readouterr()
    assert "skipped: " in told.err and "broken.mp4" in told.err and " of 1 clips" in told.out
    assert main([*run, "--strict", "--out", str(tmp_path / "strict")]) == 2
    assert "broken.mp4" in capsys.readouterr().err
