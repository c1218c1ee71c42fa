"""Penn Action: real clips make the round trip; labels and files that cannot be are left out."""

import re
import struct

import numpy as np
import pytest
from scipy.io import savemat

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.clips import load_clips
from climb_edge.pose.skeleton import INDEX
from support.layout_folders import penn_folder, same, some, write_penn
from train.layouts import read
from train.layouts.imported import FAR


def test_penn_action_round_trip_of_real_clips(tmp_path, data_folder):
    clips = load_clips(data_folder / "penn_action.npz")
    chosen = [0, 1, 700, int(np.flatnonzero(clips.group == "situp")[0]), len(clips) - 1]
    wanted = some(clips, chosen)
    assert {"train", "test"} == set(wanted.split) and len(set(wanted.group)) > 2
    for i, name in enumerate(wanted.clip):
        rows = wanted.rows(i)
        write_penn(
            tmp_path,
            name,
            wanted.keypoints[rows],
            wanted.visible[rows],
            wanted.frame_size[i],
            wanted.group[i],
            wanted.split[i],
        )
    got = read("penn", tmp_path)
    same(got.clips, wanted)
    assert got.skipped == () and got.warnings == () and got.heatmaps is None and got.motion is None
    got.save(tmp_path / "clips.npz")
    same(load_clips(tmp_path / "clips.npz"), wanted)


def test_penn_action_joints_are_left_first(tmp_path):
    """Independent of the mapping's own table: the published order, written out."""
    labels = tmp_path / "labels"
    labels.mkdir()
    x = np.arange(13, dtype=float)[None] * 10 + 5
    savemat(
        labels / "0007.mat",
        {
            "x": x,
            "y": x + 1,
            "visibility": np.ones((1, 13)),
            "dimensions": [[240, 320, 1]],
            "action": "squat",
            "train": -1,
        },
    )
    clips = read("penn", tmp_path).clips
    assert clips.keypoints[0, INDEX["nose"]].tolist() == [5, 6]
    assert clips.keypoints[0, INDEX["left_shoulder"]].tolist() == [15, 16]
    assert clips.keypoints[0, INDEX["right_wrist"]].tolist() == [65, 66]
    assert clips.keypoints[0, INDEX["left_ankle"]].tolist() == [115, 116]
    assert clips.frame_size.tolist() == [[320, 240]] and clips.split.tolist() == ["test"]


def test_penn_action_labels_that_cannot_be_are_left_out_and_named(tmp_path):
    penn_folder(tmp_path)
    good = {
        "x": np.full((6, 13), 9.0),
        "y": np.full((6, 13), 9.0),
        "visibility": np.ones((6, 13)),
        "dimensions": [[240, 320, 6]],
        "action": "squat",
        "train": 1,
    }
    wrong = [
        ({}, None),
        ({"x": np.zeros((6, 12))}, "x expected"),
        ({"y": np.zeros((5, 13))}, "y expected"),
        ({"x": np.full((6, 13), np.inf)}, "infinite"),
        ({"x": np.full((6, 13), np.nan)}, "no keypoint"),
        ({"x": np.full((6, 13), 320 * FAR + 1.0)}, "image pixels"),
        ({"x": np.full((6, 13), 1e300)}, "1e\\+300"),
        ({"x": np.full((6, 13), 0.5), "y": np.full((6, 13), 0.5)}, "fractions"),
        ({"dimensions": [[1e8, 1e8, 6]]}, "sides"),
        ({"dimensions": [[np.nan, 240, 6]]}, "dimensions"),
        ({"train": 0}, "train"),
        ({"x": "text"}, "x expected"),
        ({"action": {"struct": 1}}, "action"),
        ({"action": 5}, "action"),
        ({"visibility": np.ones((6, 25))}, "visibility"),
    ]
    for i, (change, _) in enumerate(wrong):
        savemat(tmp_path / "labels" / f"1{i:03d}.mat", good | change)
    got = read("penn", tmp_path)
    assert (
        got.clips.clip.tolist() == ["0001", "0002", "1000"] and len(got.skipped) == len(wrong) - 1
    )
    for i, (_, says) in enumerate(wrong[1:], 1):
        line = next(line for line in got.skipped if f"1{i:03d}" in line)
        assert re.search(says, line)
    with pytest.raises(ClimbEdgeError, match="1001"):
        read("penn", tmp_path, strict=True)


def test_a_file_that_ends_scipys_reader_is_left_out_and_named(tmp_path):
    """SciPy 1.17 takes the type of an array's numbers as a place in a table: 8 is an empty one."""
    penn_folder(tmp_path)
    for name in ("0000", "0003"):
        savemat(
            tmp_path / "labels" / f"{name}.mat",
            {
                "x": np.ones((6, 13)),
                "y": 1,
                "visibility": 1,
                "dimensions": 1,
                "action": "a",
                "train": 1,
            },
        )
        content, tag = (
            (tmp_path / "labels" / f"{name}.mat").read_bytes(),
            struct.pack("<II", 9, 6 * 13 * 8),
        )
        assert content.count(tag) == 1
        (tmp_path / "labels" / f"{name}.mat").write_bytes(
            content.replace(tag, struct.pack("<II", 8, 6 * 13 * 8))
        )
    got = read("penn", tmp_path)
    assert got.clips.clip.tolist() == ["0001", "0002"] and len(got.skipped) == 2
    assert (
        "0000.mat" in got.skipped[0]
        and "0003.mat" in got.skipped[1]
        and "damaged" in got.skipped[0]
    )
