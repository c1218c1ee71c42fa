"""J-HMDB: real clips make the round trip; sizes, rates and splits."""

import zipfile

import numpy as np
import pytest
from scipy.io import savemat

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.clips import load_clips
from climb_edge.media.video import VideoWriter
from climb_edge.pose.skeleton import INDEX
from support.layout_folders import damage, jhmdb_folder, same, some, write_jhmdb
from train.layouts import read


def test_jhmdb_round_trip_of_real_clips(tmp_path, data_folder):
    wanted = some(load_clips(data_folder / "jhmdb_train.npz"), [0, 1, 60, 150, 198])
    assert not wanted.visible[:, INDEX["left_ankle"]].all()  # some lie outside the image
    for i, name in enumerate(wanted.clip):
        action, file = name.split("/")
        write_jhmdb(
            tmp_path, action, file.removesuffix(".avi"), wanted.keypoints[wanted.rows(i)], {1: 1}
        )
    got = read("jhmdb", tmp_path)
    same(got.clips, wanted, "keypoints")
    np.testing.assert_allclose(got.clips.keypoints, wanted.keypoints, atol=1e-4)
    assert got.skipped == () and got.warnings == ()


def test_jhmdb_reads_the_size_of_a_real_video(tmp_path, data_folder):
    name = "catch/Ballfangen_catch_u_cm_np1_fr_goo_0.avi"
    jhmdb_folder(tmp_path)
    write_jhmdb(tmp_path, "catch", name[6:-4], np.full((5, 25, 2), 50.0), {1: 2})
    with zipfile.ZipFile(data_folder / "jhmdb_train_videos.zip") as archive:
        archive.extract(name, tmp_path / "ReCompress_Videos")
    got = read("jhmdb", tmp_path)
    i = got.clips.clip.tolist().index(name)
    assert (
        got.clips.frame_size[i].tolist() == [320, 240]
        # 30 frames of its 36 thirtieths of a second are there
        and got.clips.fps[i] == pytest.approx(24.86, abs=0.01)
        and got.clips.split[i] == "test"
    )


def test_jhmdb_counts_from_one_and_has_right_first(tmp_path):
    """Independent of the mapping's own table: joint 3 is the right shoulder, 14 the left ankle."""
    jhmdb_folder(tmp_path)
    place = tmp_path / "joint_positions" / "catch" / "c" / "joint_positions.mat"
    position = (
        np.arange(15, dtype=float)[None, :, None] * 10
        + np.array([1.0, 101.0])[:, None, None]
        + np.zeros((2, 15, 4))
    )
    savemat(place, {"pos_img": position})
    clips = read("jhmdb", tmp_path, split=2).clips
    i = clips.clip.tolist().index("catch/c.avi")
    first = clips.keypoints[clips.rows(i)][0]
    assert first[INDEX["right_shoulder"]].tolist() == [30, 130] and first[
        INDEX["left_shoulder"]
    ].tolist() == [40, 140]
    assert first[INDEX["right_hip"]].tolist() == [50, 150] and first[
        INDEX["left_ankle"]
    ].tolist() == [140, 240]
    # row 240 is below a frame of 240
    assert clips.visible[clips.rows(i)][0, INDEX["left_ankle"]] == 0
    assert (
        np.isnan(first[INDEX["nose"]]).all()
        and clips.split[i] == "test"
        and len(clips.keypoints[clips.rows(i)]) == 4
    )


def test_jhmdb_takes_size_and_rate_from_another_video(tmp_path):
    jhmdb_folder(tmp_path)
    video = tmp_path / "ReCompress_Videos" / "catch" / "c.avi"
    with VideoWriter(video, 25.0) as writer:
        for i in range(5):
            writer.write(np.zeros((48, 64, 3), np.uint8), i / 25)
    got = read("jhmdb", tmp_path).clips
    assert got.frame_size.tolist() == [[320, 240], [64, 48]] and got.fps.tolist() == [30, 25]
    damage(video)
    assert "c.avi" in read("jhmdb", tmp_path).skipped[0]


def test_jhmdb_without_or_with_damaged_splits_is_kept_as_unknown(tmp_path):
    jhmdb_folder(tmp_path)
    got = read("jhmdb", tmp_path, split=3)
    assert (
        got.clips.split.tolist() == ["unknown"] * 2 and "catch_test_split3.txt" in got.warnings[0]
    )
    (tmp_path / "splits" / "catch_test_split1.txt").write_text("c.avi 7\n")
    got = read("jhmdb", tmp_path)
    assert (
        len(got.clips) == 2 and "catch_test_split1.txt" in got.skipped[0] and len(got.skipped) == 1
    )
    with pytest.raises(ClimbEdgeError, match="split 4"):
        read("jhmdb", tmp_path, split=4)
