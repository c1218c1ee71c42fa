"""Readers of foreign layouts, on files made in exactly those layouts; Penn Action, J-HMDB and CMU
also round trip.
"""

import json
import re
import struct
import zipfile
from dataclasses import fields

import numpy as np
import pytest
from scipy.io import savemat

from climb_edge.errors import ClimbEdgeError
from climb_edge.estimators.heatmap_file import HeatmapFile
from climb_edge.files.clips import load_clips
from climb_edge.media.frame import Frame
from climb_edge.media.video import VideoWriter
from climb_edge.pose.skeleton import FROM_JHMDB15, FROM_PENN13, INDEX, KEYPOINTS
from train.layouts import LAYOUTS, asfamc, coco, defaults, parse, read
from train.layouts.imported import FAR
from train.synthesis.motion import load_motion, mocap_clips

COCO17 = (
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
)


def same(got, wanted, *but):
    """Assert that two clip sets are equal in everything except the fields named."""
    for field in fields(wanted):
        if field.name in but:
            continue
        a, b = getattr(got, field.name), getattr(wanted, field.name)
        if isinstance(b, np.ndarray):
            assert a.dtype.kind == b.dtype.kind and (a.dtype == b.dtype or b.dtype.kind == "U"), (
                field.name
            )
            np.testing.assert_array_equal(a, b, err_msg=field.name)
        else:
            assert a == b, field.name


def some(clips, chosen):
    """A clip set of the clips with the numbers `chosen` alone."""
    rows = np.concatenate([np.arange(clips.offsets[i], clips.offsets[i + 1]) for i in chosen])
    lengths = [clips.offsets[i + 1] - clips.offsets[i] for i in chosen]
    return type(clips)(
        clips.keypoints[rows],
        clips.visible[rows],
        np.cumsum([0, *lengths]),
        *(getattr(clips, n)[chosen] for n in ("frame_size", "fps", "clip", "group", "split")),
        clips.source,
    )


def damage(path):
    """Cut a file in half."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


# --- Penn Action ---


def write_penn(folder, name, points, seen, size, action, side):
    """labels/<name>.mat of points (N, 25, 2) and seen (N, 25), with all nine variables of the real
    files.
    """
    there = [here for _, here in sorted(FROM_PENN13)]
    labels = folder / "labels"
    labels.mkdir(parents=True, exist_ok=True)
    savemat(
        labels / f"{name}.mat",
        {
            "action": action,
            "pose": "front",
            "x": points[:, there, 0].astype(float),
            "y": points[:, there, 1].astype(float),
            "visibility": seen[:, there].astype(float),
            "train": 1 if side == "train" else -1,
            "bbox": np.zeros((len(points), 4)),
            "dimensions": np.array([size[1], size[0], len(points)], float),
            "nframes": len(points),
        },
        do_compression=True,
    )


def penn_folder(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("0001", "0002"):
        write_penn(
            tmp_path,
            name,
            rng.uniform(10, 200, (6, 25, 2)),
            np.ones((6, 25)),
            (320, 240),
            "situp",
            "train",
        )
    return tmp_path


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


# --- J-HMDB ---


def write_jhmdb(folder, action, clip, points, sides):
    """joint_positions.mat of points (N, 25, 2), counted from 1; sides: split number -> 1 or 2."""
    position = np.zeros((2, 15, len(points)))
    for there, here in FROM_JHMDB15:
        position[:, there] = points[:, here].astype(float).T + 1
    place = folder / "joint_positions" / action / clip
    place.mkdir(parents=True)
    savemat(
        place / "joint_positions.mat",
        {
            "pos_img": position,
            "pos_world": position / 320,
            "scale": np.ones((1, len(points))),
            "viewpoint": "S",
        },
    )
    (folder / "splits").mkdir(exist_ok=True)
    for number, side in sides.items():
        with open(folder / "splits" / f"{action}_test_split{number}.txt", "a") as stream:
            stream.write(f"{clip}.avi {side} \n")


def jhmdb_folder(tmp_path):
    rng = np.random.default_rng(0)
    for clip in ("a_#_b", "c"):
        write_jhmdb(tmp_path, "catch", clip, rng.uniform(20, 200, (5, 25, 2)), {1: 1, 2: 2})
    return tmp_path


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
        and got.clips.fps[i] == 30
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


# --- BRACE ---

VIDEO = "-m_T5x-j"


def write_brace(folder, frames, start=100, end=109, move="powermove", video=VIDEO, key=None):
    """One segment: frames is number -> (17, 2)."""
    place = folder / "dataset" / "2013" / video
    place.mkdir(parents=True, exist_ok=True)
    path = place / f"{video}_{start}-{end}_{move}.json"
    path.write_text(
        json.dumps(
            {
                key or f"{video}/img-{n:06d}.png": {
                    "box": [1, 2, 3, 4, 1],
                    "keypoints": [[x, y, 1] for x, y in p.tolist()],
                }
                for n, p in frames.items()
            }
        )
    )
    return path


def brace_folder(tmp_path):
    rng = np.random.default_rng(0)
    write_brace(tmp_path, {n: rng.uniform(100, 900, (17, 2)) for n in range(100, 110)})
    write_brace(
        tmp_path,
        {n: rng.uniform(100, 900, (17, 2)) for n in range(200, 205)},
        200,
        204,
        "toprock",
        "abc",
    )
    return tmp_path


def test_brace_overrides_splits_runs_and_keeps_the_official_split(tmp_path):
    rng = np.random.default_rng(1)
    # 103 and 106 to 108 missing
    points = {n: rng.uniform(100, 900, (17, 2)) for n in (109, 100, 101, 102, 104, 105)}
    points[101] = np.zeros((17, 2))  # no annotation
    write_brace(tmp_path, points)
    write_brace(tmp_path, {5: rng.uniform(100, 900, (17, 2))}, 5, 5, "toprock", "abc")
    by_hand = rng.uniform(100, 900, (17, 3))
    by_hand[5, 0], by_hand[6, 1] = 1920.5, -3
    place = tmp_path / "manual" / "2013" / VIDEO
    place.mkdir(parents=True)
    np.savez(place / "img-000104.npz", coco_joints2d=by_hand)
    np.savez(place / "img-000105.npz", coco_joints2d=np.zeros((17, 3)))
    notes = tmp_path / "annotations"
    notes.mkdir()
    (notes / "segments.csv").write_text(
        f"video_id,seq_idx,start_frame,end_frame,dance_type,dance_type_id,dancer,dancer_id,year,uid\n{VIDEO},3,100,109,powermove,1,el"
        f" niño,10,2013,{VIDEO}.100.109\nabc,0,5,5,toprock,0,x,1,2013,abc.5.5\n"
    )
    (notes / "sequences_train.csv").write_text(f"video_id,seq_idx,uid\n{VIDEO},2,a\nabc,0,b\n")
    (notes / "sequences_test.csv").write_text(f"video_id,seq_idx\n{VIDEO},3\nabc,3\n")
    (tmp_path / "videos_info.csv").write_text(
        f"video_id,video_url,year,duration,fps,resolution\n{VIDEO},u,2013,2.5,29.97,1920x1080\n"
    )

    got = read("brace", tmp_path, strict=True)
    clips = got.clips
    names = [
        f"{VIDEO}_100-102_powermove",
        f"{VIDEO}_104-105_powermove",
        f"{VIDEO}_109-109_powermove",
        "abc_5-5_toprock",
    ]
    assert clips.clip.tolist() == names and np.diff(clips.offsets).tolist() == [3, 2, 1, 1]
    assert clips.group.tolist() == ["powermove"] * 3 + ["toprock"]
    assert clips.split.tolist() == ["test"] * 3 + ["train"] and got.warnings == ()
    assert (
        np.allclose(clips.fps[:3], 29.97)
        and np.isnan(clips.fps[3])
        and (clips.frame_size == (1920, 1080)).all()
    )
    for row, number in enumerate((100, 102)):
        for joint, name in enumerate(COCO17):
            if name in INDEX:
                np.testing.assert_allclose(
                    clips.keypoints[2 * row, INDEX[name]], points[number][joint], rtol=1e-6
                )
    assert np.isnan(clips.keypoints[1]).all() and not clips.visible[1].any()  # all 0
    for joint, name in enumerate(COCO17):
        if name in INDEX:
            wanted = np.full(2, np.nan) if joint in (5, 6) else by_hand[joint, :2]
            np.testing.assert_allclose(clips.keypoints[3, INDEX[name]], wanted, rtol=1e-6)
    assert np.isnan(clips.keypoints[4]).all()  # by hand, and all 0
    assert np.isnan(clips.keypoints[:, INDEX["left_thumb"]]).all()
    assert (
        clips.visible[0, INDEX["left_hip"]] == 1 and clips.visible[3, INDEX["left_shoulder"]] == 0
    )


def test_brace_without_tables_warns_and_a_damaged_manual_frame_leaves_the_interpolated_one(
    tmp_path,
):
    brace_folder(tmp_path)
    place = tmp_path / "2013" / "abc"
    place.mkdir(parents=True)
    plain = read("brace", tmp_path)
    assert "segments.csv" in plain.warnings[0] and set(plain.clips.split) == {"unknown"}
    np.savez(place / "img-000201.npz", coco_joints2d=np.full((17, 3), 7.0))
    assert (read("brace", tmp_path).clips.keypoints[11, 0] == 7).all()
    damage(place / "img-000201.npz")
    got = read("brace", tmp_path)
    same(got.clips, plain.clips)
    assert "img-000201.npz" in got.skipped[0]


@pytest.mark.parametrize(
    "key", ["other/img-000100.png", f"{VIDEO}/img-100.png", f"{VIDEO}/img-abcdef.png"]
)
def test_brace_segments_with_other_keys_are_left_out(tmp_path, key):
    brace_folder(tmp_path)
    write_brace(tmp_path, {100: np.ones((17, 2))}, key=key)
    got = read("brace", tmp_path)
    assert got.clips.clip.tolist() == ["abc_200-204_toprock"] and "powermove.json" in got.skipped[0]


# --- heatmaps: ClimbAlong and anybody's ---


def maps(frames):
    return np.random.default_rng(3).normal(0.2, 0.3, (frames, 25, 56, 56)).astype(np.float32)


def boxes(frames):
    return np.tile(np.array([100.0, 200, 400, 800]), (frames, 1))


def targets(frames):
    points = np.random.default_rng(4).uniform(100, 800, (frames, 1, 25, 3))
    points[..., 2] = 1
    return points


def write_climbalong(folder, stem, bboxes, keypoints, observed=None):
    for name in ("inputs", "targets"):
        (folder / name).mkdir(exist_ok=True)
    if bboxes is not None:
        heatmaps = maps(len(bboxes)) if observed is None else observed
        np.savez(folder / "inputs" / f"{stem}.npz", bboxes=bboxes, heatmaps=heatmaps)
    if keypoints is not None:
        np.savez(folder / "targets" / f"{stem}.npz", keypoints=keypoints)


def climbalong_folder(tmp_path):
    for stem in ("a", "b"):
        write_climbalong(tmp_path, stem, boxes(3), targets(3))
    return tmp_path


def test_climbalong_pairs_cuts_and_names_the_heatmaps(tmp_path):
    ends, wanted = boxes(6), targets(6)
    ends[4, 2] = ends[4, 0]  # zero width
    wanted[1, 0, 7] = 0  # no annotation
    wanted[2, 0, 8, 2] = 0  # hidden
    write_climbalong(tmp_path, "b.two", ends, wanted)
    write_climbalong(tmp_path, "a", boxes(3), targets(5))
    write_climbalong(tmp_path, "c", boxes(3), None)
    write_climbalong(tmp_path, "d", None, targets(2))
    got = read("climbalong", tmp_path)
    clips = got.clips
    assert clips.clip.tolist() == ["a", "b.two"] and np.diff(clips.offsets).tolist() == [3, 4]
    assert got.heatmaps == (tmp_path / "inputs" / "a.npz", tmp_path / "inputs" / "b.two.npz")
    assert any("3 frames of heatmaps, 5 of targets" in w for w in got.warnings)
    assert any("frame 4 has no box" in w for w in got.warnings) and len(got.warnings) == 2
    assert len(got.skipped) == 2 and "c.npz" in got.skipped[0] and "d.npz" in got.skipped[1]
    second = clips.keypoints[clips.rows(1)]
    np.testing.assert_allclose(second[0], wanted[0, 0, :, :2], rtol=1e-6)
    assert np.isnan(second[1, 7]).all() and np.isfinite(second[2, 8]).all()
    seen = clips.visible[clips.rows(1)]
    assert (seen[1, 7], seen[2, 8], seen[3, 8]) == (0, 0, 1)
    assert clips.frame_size.tolist() == [[1080, 1920]] * 2 and clips.fps.tolist() == [30, 30]
    assert len(HeatmapFile(got.heatmaps[0])(Frame(0, 0.0, None))) == 1
    with pytest.raises(ClimbEdgeError, match="same name"):
        read("climbalong", tmp_path, strict=True)


@pytest.mark.parametrize(
    ("kwargs", "says"),
    [
        ({"observed": maps(3)[:, :24]}, "heatmaps expected shape"),
        ({"observed": maps(2)}, "bboxes expected shape"),
        ({"keypoints": targets(3)[:, 0]}, "keypoints expected shape"),
        ({"bboxes": boxes(3) * 0}, "no frame with a box"),
    ],
)
def test_climbalong_videos_that_do_not_fit_are_left_out(tmp_path, kwargs, says):
    climbalong_folder(tmp_path)
    write_climbalong(tmp_path, "c", **({"bboxes": boxes(3), "keypoints": targets(3)} | kwargs))
    got = read("climbalong", tmp_path)
    assert (
        got.clips.clip.tolist() == ["a", "b"] and len(got.skipped) == 1 and says in got.skipped[0]
    )


def heatmaps_folder(tmp_path):
    (tmp_path / "sub").mkdir()
    np.savez(
        tmp_path / "a.npz", bboxes=boxes(3), heatmaps=maps(3), keypoints=targets(3)[:, 0, :, :2]
    )
    np.savez(
        tmp_path / "sub" / "b.npz",
        bboxes=boxes(3),
        heatmaps=maps(3),
        keypoints=targets(4)[:, 0],
        frame_size=np.array([640, 900]),
    )
    return tmp_path


def test_own_heatmaps_with_keypoints_are_clips_and_without_are_refused(tmp_path):
    heatmaps_folder(tmp_path)
    got = read("heatmaps", tmp_path)
    assert got.clips.clip.tolist() == ["a", "sub/b"] and got.clips.frame_size[1].tolist() == [
        640,
        900,
    ]
    # of keypoints and boxes
    reach = np.maximum(np.ceil(targets(3)[..., :2].max((0, 1, 2))), boxes(1)[0, 2:])
    assert got.clips.frame_size[0].tolist() == reach.tolist()
    np.testing.assert_allclose(got.clips.keypoints[:3], targets(3)[:, 0, :, :2], rtol=1e-6)
    assert got.clips.visible[:3].all() and len(got.clips.keypoints) == 6
    assert [p.name for p in got.heatmaps] == ["a.npz", "b.npz"] and len(got.warnings) == 2
    np.savez(tmp_path / "c.npz", bboxes=boxes(3), heatmaps=maps(3))
    np.savez(tmp_path / "d.npz", bboxes=boxes(3), heatmaps=maps(3), keypoints=np.zeros((3, 24, 2)))
    np.savez(tmp_path / "e.npz", bboxes=boxes(3), heatmaps=maps(3), keypoints=np.array([None] * 3))
    got = read("heatmaps", tmp_path, frame_size=(1000, 1000))
    assert got.clips.clip.tolist() == ["a", "sub/b"] and got.clips.frame_size[0].tolist() == [
        1000,
        1000,
    ]
    assert (
        "nothing to train towards" in got.skipped[0]
        and "25" in got.skipped[1]
        and "never unpickled" in got.skipped[2]
    )


def test_boxes_without_a_size_are_told_of(tmp_path):
    ends = boxes(3)
    ends[1, 3], ends[2, 0] = ends[1, 1], np.nan
    np.savez(
        tmp_path / "a.npz",
        bboxes=ends,
        heatmaps=maps(3),
        keypoints=targets(3)[:, 0],
        frame_size=[640, 900],
    )
    (said,) = read("heatmaps", tmp_path).warnings
    assert "a.npz: 2 boxes without a size, the first of frame 1; nobody is seen there" in said


# --- COCO ---


def image(i, name, size=(640, 480)):
    return {"id": i, "file_name": name, "width": size[0], "height": size[1]}


def label(i, image_id, points, flags=None, category=1, **more):
    flags = np.full(len(points), 2) if flags is None else flags
    flat = np.concatenate([points, np.asarray(flags)[:, None]], 1).ravel().tolist()
    return {
        "id": i,
        "image_id": image_id,
        "category_id": category,
        "keypoints": flat,
        "num_keypoints": 1,
        **more,
    }


def write_coco(path, images, annotations, names=COCO17):
    path.parent.mkdir(parents=True, exist_ok=True)
    category = {"id": 1, "name": "person", "skeleton": [[1, 2]]} | (
        {"keypoints": list(names)} if names else {}
    )
    path.write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": [category]})
    )
    return path


def people(count, joints=17, seed=5):
    return np.random.default_rng(seed).uniform(20, 400, (count, joints, 2))


def coco_folder(tmp_path):
    write_coco(tmp_path / "x.json", [image(1, "x/000000.jpg")], [label(1, 1, people(1)[0])])
    write_coco(tmp_path / "y.json", [image(1, "y/000000.jpg")], [label(1, 1, people(1)[0])])
    return tmp_path


def test_coco_labels_of_a_few_frames_become_sparse_clips(tmp_path):
    p = people(3)
    flags = [2] * 17
    flags[5], flags[6] = 0, 1
    path = write_coco(
        tmp_path / "annotations" / "person_keypoints_default.json",
        [
            image(10, "climb/000007.jpg"),
            image(11, "climb/000123.jpg"),
            image(12, "climb/000130.jpg"),
            image(13, "wall.mp4/frame_000004.PNG", (320, 900)),
        ],
        [
            label(1, 11, p[0], flags),
            label(2, 10, p[1]),
            label(3, 13, p[2]),
            {"id": 4, "image_id": 12, "category_id": 1, "bbox": [1, 2, 3, 4]},
        ],
    )
    for place in (tmp_path, path):
        got = read("coco", place, video_suffix=".mp4", fps=25.0, strict=True)
        clips = got.clips
        assert clips.clip.tolist() == ["climb.mp4", "wall.mp4"] and np.diff(
            clips.offsets
        ).tolist() == [131, 5]
        labelled = np.flatnonzero(np.isfinite(clips.keypoints).any((1, 2)))
        assert labelled.tolist() == [7, 123, 131 + 4]
        for joint, name in enumerate(COCO17):
            if name in INDEX:
                wanted = np.full(2, np.nan) if joint == 5 else p[0, joint]
                np.testing.assert_allclose(clips.keypoints[123, INDEX[name]], wanted, rtol=1e-6)
                np.testing.assert_allclose(clips.keypoints[7, INDEX[name]], p[1, joint], rtol=1e-6)
        assert clips.visible[
            123, [INDEX["left_shoulder"], INDEX["right_shoulder"], INDEX["left_elbow"]]
        ].tolist() == [0, 0, 1]
        assert np.isfinite(clips.keypoints[123, INDEX["right_shoulder"]]).all()
        assert (
            clips.frame_size.tolist() == [[640, 480], [320, 900]]
            and (clips.fps == 25).all()
            and got.warnings == ()
        )
        assert clips.truth == "human"
        got.save(tmp_path / "clips" / "c.npz")
        same(load_clips(tmp_path / "clips" / "c.npz"), clips)


@pytest.mark.parametrize(
    ("file_name", "wanted"),
    [
        ("climb.mp4/000123.jpg", ("climb.mp4", 123)),
        ("climb/000123.jpg", ("climb.mp4", 123)),
        ("climb_000123.jpg", ("climb.mp4", 123)),
        ("day 1/climb-12.png", ("day 1/climb.mp4", 12)),
        ("climb/frame_000000.PNG", ("climb.mp4", 0)),
        ("climb/climb_0001.jpg", ("climb.mp4", 1)),
        ("images/1f3870be-climb_000123.jpg", ("climb.mp4", 123)),
        ("images\\climb_7.jpg", ("climb.mp4", 7)),
        ("gym2/wall3_0042.jpeg", ("gym2/wall3.mp4", 42)),
        ("frame_000123", ("default.mp4", 123)),
        ("000123.jpg", ("default.mp4", 123)),
        ("climb.jpg", None),
        ("", None),
        ("climb_1234567890123.jpg", None),
    ],
)
def test_coco_file_names_say_video_and_frame(file_name, wanted):
    assert coco.locate(file_name, "default", ".mp4") == wanted


def test_coco_maps_keypoints_by_name_in_any_order(tmp_path):
    names = [
        "Right Wrist",
        "left_big_toe",
        "l_shoulder",
        "nose",
        "tail",
        "left-heel",
        "left_index_finger",
    ]
    wanted = [
        "right_wrist",
        "left_foot_index",
        "left_shoulder",
        "nose",
        None,
        "left_heel",
        "left_index",
    ]
    p = people(1, 7)
    write_coco(tmp_path / "a.json", [image("i", "v/0.jpg")], [label(1, "i", p[0])], names)
    got = read("coco", tmp_path)
    for joint, name in enumerate(wanted):
        if name:
            np.testing.assert_allclose(got.clips.keypoints[0, INDEX[name]], p[0, joint], rtol=1e-6)
    assert np.isfinite(got.clips.keypoints[0, :, 0]).sum() == 6 and "tail" in got.warnings[0]


def test_coco_without_names_takes_17_or_25_in_order_and_nothing_else(tmp_path):
    for count, names in ((17, COCO17), (25, KEYPOINTS)):
        p = people(1, count)
        write_coco(tmp_path / "a.json", [image(1, "v/0.jpg")], [label(1, 1, p[0])], None)
        got = read("coco", tmp_path).clips.keypoints[0]
        for joint, name in enumerate(names):
            if name in INDEX:
                np.testing.assert_allclose(got[INDEX[name]], p[0, joint], rtol=1e-6)
    write_coco(tmp_path / "a.json", [image(1, "v/0.jpg")], [label(1, 1, people(1, 13)[0])], None)
    with pytest.raises(ClimbEdgeError, match="13 keypoints has a known name"):
        read("coco", tmp_path)


def test_coco_keeps_the_person_with_the_most_labels(tmp_path):
    p, few = people(6), [2] * 3 + [0] * 14
    images = [image(i, f"v/{i}.jpg") for i in range(4)]
    tracked = [
        label(1, 0, p[0], track_id=7),
        label(2, 0, p[1], attributes={"track_id": 8}),
        label(3, 1, p[2], few, track_id=7),
        label(4, 1, p[3], attributes={"track_id": 8}),
        label(5, 2, p[4], attributes={"occluded": False}),
    ]
    write_coco(tmp_path / "a.json", images, tracked)
    got = read("coco", tmp_path)
    np.testing.assert_allclose(got.clips.keypoints[:3, 0], p[[1, 3, 4], 0], rtol=1e-6)
    assert (
        np.isnan(got.clips.keypoints[3]).all() and "2 labels of further persons" in got.warnings[0]
    )
    write_coco(
        tmp_path / "a.json",
        images,
        [label(1, 0, p[0], few), label(2, 0, p[1]), label(3, 0, p[2], few)],
    )
    np.testing.assert_allclose(read("coco", tmp_path).clips.keypoints[0, 0], p[1, 0], rtol=1e-6)


def test_coco_frame_numbers_from_one_are_asked_about_and_shifted(tmp_path):
    p = people(2)
    write_coco(
        tmp_path / "a.json",
        [image(1, "000001.jpg"), image(2, "000003.jpg")],
        [label(1, 1, p[0]), label(2, 2, p[1])],
    )
    got = read("coco", tmp_path)
    assert (
        got.clips.clip.tolist() == ["a"]
        and len(got.clips.keypoints) == 4
        and "first_frame=1" in got.warnings[0]
    )
    got = read("coco", tmp_path, first_frame=1, video="my/climb.mov", video_suffix=".mp4")
    assert got.clips.clip.tolist() == ["my/climb.mov"] and got.warnings == ()
    np.testing.assert_allclose(got.clips.keypoints[[0, 2], 0], p[:, 0], rtol=1e-6)
    with pytest.raises(ClimbEdgeError, match="before first_frame 2"):
        read("coco", tmp_path, first_frame=2, strict=True)


@pytest.mark.parametrize(
    ("images", "annotation", "says"),
    [
        ([image(2, "x/1.jpg")], {"keypoints": [1.0] * 50}, "x, y, visibility"),
        ([image(2, "x/1.jpg")], {"keypoints": [3.5] * 51}, "x, y, visibility"),
        ([image(2, "x/1.jpg")], {"keypoints": [1, 1, 2] * 4}, "fewer than"),
        ([image(2, "x/1.jpg")], {"keypoints": [10**400, 1, 2] * 17}, "numbers in keypoints"),
        ([image(2, "x/1.jpg")], {"keypoints": ["1", "1", "2"] * 17}, "numbers in keypoints"),
        ([image(2, "x/1.jpg")], {"keypoints": {"a": 1}}, "numbers in keypoints"),
        ([image(2, "x/1.jpg")], {"image_id": 99}, "image or its category"),
        ([image(2, "x/1.jpg")], {"image_id": [2]}, "image or its category"),
        ([image(2, "x/1.jpg")], {"category_id": 5}, "image or its category"),
        ([image(2, "still.jpg")], {}, "frame's number"),
        ([image(2, "x/999999999.jpg")], {}, "frames of a video"),
        ([image(2, "x/1.jpg", ("wide", 4))], {}, "numbers in size"),
        ([image(2, "x/1.jpg", (1e300, 4))], {}, "correct it"),
        ([image(2, "x/1.jpg", (99999, 4))], {}, "sides"),
        ([image(2, "x/1.jpg"), image(3, "x/2.jpg", (9, 9))], {}, "2 sizes"),
        ([image(2, None)], {}, "file_name"),
    ],
)
def test_coco_parts_that_cannot_be_are_left_out_and_named(tmp_path, images, annotation, says):
    p = people(2)
    write_coco(
        tmp_path / "a.json",
        [image(1, "y/0.jpg"), *images],
        [label(1, 1, p[0]), label(2, 2, p[1]) | annotation],
    )
    got = read("coco", tmp_path)
    assert "y" in got.clips.clip.tolist()
    np.testing.assert_allclose(got.clips.keypoints[0, 0], p[0, 0], rtol=1e-6)
    assert any(says in line for line in got.skipped), got.skipped
    with pytest.raises(ClimbEdgeError):
        read("coco", tmp_path, strict=True)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        '{"images": ' + "[" * 5000 + "]" * 5000 + "}",
        '{"images": 1' + "0" * 6000 + "}",
        "[]",
        "{}",
        "",
        "\x00",
        '{"images": [1], "annotations": [], "categories": []}',
        '{"images": [], "annotations": [], "categories": []}',
    ],
)
def test_hostile_json_is_left_out_or_refused(tmp_path, text):
    coco_folder(tmp_path)
    (tmp_path / "z.json").write_text(text)
    got = read("coco", tmp_path)
    assert (
        len(got.clips) == 2
        and len(got.skipped) == 1
        and "z.json" in got.skipped[0]
        and len(got.skipped[0]) < 1000
    )
    with pytest.raises(ClimbEdgeError, match=r"z\.json"):
        read("coco", tmp_path / "z.json")
    brace_folder(tmp_path)
    (tmp_path / "dataset" / "2013" / "q_1-2_toprock.json").write_text(text)
    got = read("brace", tmp_path)
    assert len(got.clips) == 2 and "q_1-2_toprock.json" in got.skipped[0]


def test_coco_second_clip_of_a_name_is_left_out(tmp_path):
    coco_folder(tmp_path)
    write_coco(tmp_path / "z.json", [image(1, "x/000000.jpg")], [label(1, 1, people(1, seed=9)[0])])
    got = read("coco", tmp_path)
    assert got.clips.clip.tolist() == ["x", "y"] and "named x was read already" in got.skipped[0]
    np.testing.assert_allclose(got.clips.keypoints[0, 0], people(1)[0, 0], rtol=1e-6)


# --- ASF / AMC ---

PARENTS = {
    **dict.fromkeys(("lhipjoint", "rhipjoint", "lowerback"), "root"),
    "upperback": "lowerback",
    "thorax": "upperback",
    **dict.fromkeys(("lowerneck", "lclavicle", "rclavicle"), "thorax"),
    "upperneck": "lowerneck",
    "head": "upperneck",
    **{
        s + bone: s + parent
        for s in "lr"
        for bone, parent in (
            ("femur", "hipjoint"),
            ("tibia", "femur"),
            ("foot", "tibia"),
            ("toes", "foot"),
            ("humerus", "clavicle"),
            ("radius", "humerus"),
            ("wrist", "radius"),
            ("hand", "wrist"),
            ("fingers", "hand"),
            ("thumb", "wrist"),
        )
    },
}


def write_asf(path, bones, orientation=(0, 0, 0)):
    """bones: name -> (direction, length, axis, dof); as CMU's files look, oddities of spacing
    included.
    """
    lines = [
        "# AST/ASF file generated using VICON BodyLanguage",
        "# ------",
        ":version 1.10",
        ":name VICON",
        ":units",
        "  mass 1.0",
        "  length 0.45",
        "  angle deg",
        ":documentation",
        "   .ast/.asf automatically generated from VICON data using",
        "   VICON BodyBuilder and BodyLanguage model FoxedUp or BRILLIANT.MOD",
        ":root",
        "   order TX TY TZ RX RY RZ",
        "   axis XYZ",
        "   position 0 0 0  ",
        "   orientation {} {} {} ".format(*orientation),
        ":bonedata",
    ]
    for i, (name, (direction, length, axis, dof)) in enumerate(bones.items()):
        lines += ["  begin", f"     id {i + 1} ", f"     name {name}"]
        lines.append("     direction {:.9g} {:.9g} {:.9g}  ".format(*direction))
        lines += [
            f"     length {length:.9g}   ",
            "     axis {:.9g} {:.9g} {:.9g}   XYZ".format(*axis),
        ]
        if dof:
            lines.append(f"    dof {' '.join('r' + d for d in dof)}")
            lines += [f"    {'limits' if d == dof[0] else '      '} (-160.0 20.0)" for d in dof]
        lines.append(" end" if i == 7 else "  end")
    lines += [":hierarchy", "  begin"]
    for parent in dict.fromkeys(PARENTS.values()):
        lines.append("    " + " ".join([parent, *(b for b, p in PARENTS.items() if p == parent)]))
    path.write_text("\n".join([*lines, "  end", ""]))


def write_amc(path, frames):
    """frames: list of name -> values, in degrees and raw units."""
    lines = ["#!OML:ASF H:\\01.ASF", ":FULLY-SPECIFIED", ":DEGREES"]
    for i, frame in enumerate(frames):
        lines += [
            str(i + 1),
            *(" ".join([n, *(f"{v:.12g}" for v in vs)]) for n, vs in frame.items()),
        ]
    path.write_text("\n".join([*lines, ""]))


def turn(order, degrees):
    """Rotation matrix of angles about fixed axes, the first of `order` applied first: written out,
    no library.
    """
    result = np.eye(3)
    for axis, angle in zip(order, np.deg2rad(degrees), strict=True):
        c, s = np.cos(angle), np.sin(angle)
        about = {
            "x": [[1, 0, 0], [0, c, -s], [0, s, c]],
            "y": [[c, 0, s], [0, 1, 0], [-s, 0, c]],
            "z": [[c, -s, 0], [s, c, 0], [0, 0, 1]],
        }
        result = np.array(about[axis]) @ result
    return result


def random_take(seed, frames):
    """A random skeleton of CMU's bones, random motion of it, and its joints (T, 31, 3) in metres by
    plain matrices.
    """
    rng = np.random.default_rng(seed)
    order = list(rng.permutation(list(PARENTS)))  # children may come before parents
    dofs = {n: ["", "x", "xz", "yz", "xyz"][rng.integers(5)] for n in order}
    bones = {}
    for name in order:
        direction = rng.normal(size=3)
        bones[name] = (
            direction / np.linalg.norm(direction),
            rng.uniform(1, 8),
            rng.uniform(-180, 180, 3),
            dofs[name],
        )
    motion = [
        {
            "root": [*rng.uniform(-20, 20, 3), *rng.uniform(-180, 180, 3)],
            **{n: rng.uniform(-90, 90, len(d)) for n, d in dofs.items() if d},
        }
        for _ in range(frames)
    ]
    joints = []
    for frame in motion:
        at, turned = {"root": np.array(frame["root"][:3])}, {"root": turn("xyz", frame["root"][3:])}

        def place(name, at=at, turned=turned, frame=frame):
            if name not in at:
                parent = PARENTS[name]
                place(parent)
                direction, length, axis, dof = bones[name]
                own = turn("xyz", axis)
                turned[name] = turned[parent] @ own @ turn(dof, frame.get(name, [])) @ own.T
                at[name] = at[parent] + length * turned[name] @ direction

        for name in PARENTS:
            place(name)
        joints.append(at)
    scale = 0.0254 / 0.45
    return bones, motion, [{n: p * scale for n, p in at.items()} for at in joints]


def asfamc_folder(tmp_path):
    bones, motion, _ = random_take(0, 5)
    write_asf(tmp_path / "07.asf", bones)
    for take in ("07_01", "07_02"):
        write_amc(tmp_path / f"{take}.amc", motion)
    return tmp_path


def test_asf_and_amc_give_the_joints_that_plain_matrices_give(tmp_path):
    bones, motion, wanted = random_take(1, 9)
    write_asf(tmp_path / "07.asf", bones)
    write_amc(tmp_path / "07_01.amc", motion)
    write_amc(tmp_path / "07_02.amc", motion[:4])
    got = read("asfamc", tmp_path, strict=True)
    motion3 = got.motion
    assert (
        motion3.sequence == ("07_01", "07_02")
        and motion3.offsets.tolist() == [0, 3, 4]
        and got.clips is None
    )
    assert set(motion3.joint_names) == {"root", *PARENTS}
    for row, frame in enumerate((0, 4, 8, 0)):  # every fourth, from the first
        for i, name in enumerate(motion3.joint_names):
            np.testing.assert_allclose(
                motion3.joints3d[row, i], wanted[frame][name], atol=2e-6, err_msg=name
            )
    full = read("asfamc", tmp_path, fps=120.0).motion
    assert len(full.kp25_3d) == 13 and full.fps == 120
    got.save(tmp_path / "motion.npz")
    takes, fps = load_motion(tmp_path / "motion.npz")
    assert fps == 30 and [len(t) for t in takes] == [3, 1]
    np.testing.assert_array_equal(takes[0], motion3.kp25_3d[:3])
    with pytest.raises(ClimbEdgeError, match="whole multiple"):
        read("asfamc", tmp_path, fps=50.0)


def test_keypoints_of_real_joints_are_those_of_the_data_folder(data_folder):
    with np.load(data_folder / "cmu_climb.npz") as real:
        names, joints = tuple(real["joint_names"].tolist()), real["joints3d"][::7].astype(float)
        got = asfamc.keypoints(joints, names)
        assert np.abs(got - real["kp25_3d"][::7]).max() < 1e-6
        assert [n in asfamc.MEASURED for n in KEYPOINTS] == (real["kp25_is_measured"] == 1).tolist()


def test_asf_and_amc_made_of_real_joints_give_the_data_folders_motion(tmp_path, data_folder):
    """Two real takes as one skeleton and its angles, the three frames between each kept two filled
    with others.
    """
    from scipy.spatial.transform import Rotation

    with np.load(data_folder / "cmu_climb.npz") as real:
        real = dict(real)
    names, scale = real["joint_names"].tolist(), 0.0254 / 0.45
    index = {n: i for i, n in enumerate(names)}
    rng = np.random.default_rng(2)
    first = real["joints3d"][0].astype(float)
    # A thumb's length changes a little in float32; every bone's rest direction is random, the
    # angles make up for it.
    rest = {n: rng.normal(size=3) for n in PARENTS}
    bones = {
        n: (
            d / np.linalg.norm(d),
            np.linalg.norm(first[index[n]] - first[index[PARENTS[n]]]) / scale,
            rng.uniform(-90, 90, 3),
            "xyz",
        )
        for n, d in rest.items()
    }
    write_asf(tmp_path / "01.asf", bones)
    kept = []
    for take in (0, 3):
        rows = np.arange(real["offsets"][take], real["offsets"][take] + 25)
        kept.append(rows)
        frames = []
        for row in rows:
            joints, turned, frame = (
                real["joints3d"][row].astype(float),
                {"root": Rotation.identity()},
                {},
            )
            frame["root"] = [*joints[0] / scale, 0, 0, 0]
            for name in names[1:]:
                parent = PARENTS[name]
                along = joints[index[name]] - joints[index[parent]]
                turned[name] = Rotation.align_vectors(
                    [along / np.linalg.norm(along)], [bones[name][0]]
                )[0]
                own = Rotation.from_matrix(turn("xyz", bones[name][2]))
                local = own.inv() * turned[parent].inv() * turned[name] * own
                frame[name] = local.as_euler("xyz", degrees=True)
            frames += [
                frame,
                *({n: rng.uniform(-9, 9, len(v)) for n, v in frame.items()} for _ in range(3)),
            ]
        write_amc(tmp_path / f"{real['sequence'][take]}.amc", frames)
    motion = read("asfamc", tmp_path).motion
    rows = np.concatenate(kept)
    order = [motion.joint_names.index(n) for n in names]
    assert np.abs(motion.joints3d[:, order] - real["joints3d"][rows]).max() < 1e-5
    assert np.abs(motion.kp25_3d - real["kp25_3d"][rows]).max() < 2e-5
    assert motion.sequence == tuple(real["sequence"][[0, 3]].tolist())
    motion.save(tmp_path / "motion.npz")
    with np.load(tmp_path / "motion.npz", allow_pickle=False) as saved:
        assert {k: (v.dtype.kind, v.ndim) for k, v in saved.items()} == {
            k: (v.dtype.kind, v.ndim) for k, v in real.items()
        }
        for name in ("kp25_names", "kp25_is_measured", "fps", "offsets"):
            assert saved[name].dtype == real[name].dtype
        np.testing.assert_array_equal(saved["kp25_is_measured"], real["kp25_is_measured"])
    assert len(mocap_clips(tmp_path / "motion.npz", cameras=1)) == 2


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("07_02.amc", "\n3\n", "\n4\n", "frame 3 expected"),
        ("07_02.amc", "root ", "boot ", "boot"),
        ("07_02.amc", r"root \S+ ", "root nan ", "root"),
        ("07_02.amc", "\nroot ", "\nroot 1 ", "root"),
        ("07_02.amc", "\n1\n", "\n1\ntail 4\n", "tail"),
        ("07_02.amc", r"\nlowerneck .*\n", "\n", "bones of the last missing"),
        ("07_02.amc", r"\n5\nroot .*\n", "\n5\n", "frame 5: 1 bones missing"),
        ("07.asf", "  end\n:hierarchy", "  end\n:hierarch", "hierarchy"),
        ("07.asf", "    root lhipjoint", "    root", "way to the root"),
        ("07.asf", "    lfemur ltibia", "    ltibia ltibia", "way to the root"),
        ("07.asf", "name head", "name hat", "hat"),
        ("07.asf", "length 0.45", "length 0", "ZeroDivisionError"),
        ("07.asf", "order TX TY TZ", "order TX TY", "tx, ty and tz"),
        ("07.asf", "direction", "direction nan", "not understood"),
    ],
)
def test_damaged_motion_capture_is_named(tmp_path, file, old, new, says):
    asfamc_folder(tmp_path)
    path = tmp_path / file
    text, changes = re.subn(old, new, path.read_text(), count=1)
    assert changes
    path.write_text(text)
    if file == "07_02.amc":
        got = read("asfamc", tmp_path)
        assert (
            got.motion.sequence == ("07_01",) and says in got.skipped[0] and file in got.skipped[0]
        )
    with pytest.raises(ClimbEdgeError, match=rf"{file}.*{says}"):
        read("asfamc", tmp_path, strict=True)


def test_motion_without_its_skeleton_or_with_other_joints_is_named(tmp_path):
    asfamc_folder(tmp_path)
    (tmp_path / "08_01.amc").write_text("x")
    assert "08_01.amc" in read("asfamc", tmp_path).skipped[0]
    (tmp_path / "07.asf").unlink()
    with pytest.raises(ClimbEdgeError, match=r"07\.asf beside it"):
        read("asfamc", tmp_path)
    with pytest.raises(ClimbEdgeError, match="head, lclavicle"):
        asfamc.keypoints(np.zeros((1, 1, 3)), ("root",))


# --- all layouts ---

FOLDERS = {
    "penn": (penn_folder, "labels/0002.mat"),
    "jhmdb": (jhmdb_folder, "joint_positions/catch/c/joint_positions.mat"),
    "brace": (brace_folder, "dataset/2013/abc/abc_200-204_toprock.json"),
    "climbalong": (climbalong_folder, "inputs/b.npz"),
    "heatmaps": (heatmaps_folder, "sub/b.npz"),
    "coco": (coco_folder, "y.json"),
    "asfamc": (asfamc_folder, "07_02.amc"),
}


def test_every_layout_is_tested_here():
    assert set(FOLDERS) == set(LAYOUTS)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_one_damaged_file_is_left_out_and_named(tmp_path, layout):
    make, victim = FOLDERS[layout]
    make(tmp_path)
    whole = read(layout, tmp_path, strict=True)
    count = len(whole.motion.sequence) if whole.motion else len(whole.clips)
    assert count == 2 and whole.skipped == () and str(whole).startswith("2 ")
    damage(tmp_path / victim)
    got = read(layout, tmp_path)
    assert (len(got.motion.sequence) if got.motion else len(got.clips)) == 1
    assert len(got.skipped) == 1 and victim.rsplit("/", 1)[-1] in got.skipped[0]
    with pytest.raises(ClimbEdgeError, match=victim.rsplit("/", 1)[-1]):
        read(layout, tmp_path, strict=True)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_files_of_noise_zeros_or_nothing_never_end_in_a_traceback(tmp_path, layout):
    make, victim = FOLDERS[layout]
    make(tmp_path)
    path = tmp_path / victim
    content, rng = path.read_bytes(), np.random.default_rng(0)
    for i in range(6 if victim.endswith(".mat") else 30):  # a process of its own reads .mat files
        bad = bytearray(content)
        for place in rng.integers(0, min(len(bad), 2000), 1 + i):
            bad[place] = rng.integers(256)
        path.write_bytes((b"", b"\0" * 500, rng.bytes(500), bytes(bad))[min(i, 3)])
        got = read(layout, tmp_path)
        assert got.skipped or i > 2, "an empty or foreign file must be named"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_folder_an_empty_one_and_a_file_are_named(tmp_path, layout):
    empty, file = tmp_path / "empty", tmp_path / "file.txt"
    empty.mkdir()
    file.write_text("text")
    for place in (tmp_path / "nowhere", empty, file, tmp_path / ("x" * 400)):
        with pytest.raises(ClimbEdgeError, match=place.name[:50]):
            read(layout, place)


def test_layouts_and_their_options_have_names():
    assert defaults("jhmdb") == {"split": 1, "strict": False}
    assert parse("climbalong", ["frame_size=720x1280", "fps=25", "strict=yes", "inputs=in=1"]) == {
        "frame_size": (720, 1280),
        "fps": 25.0,
        "strict": True,
        "inputs": "in=1",
    }
    assert parse("jhmdb", ["split=2"]) == {"split": 2}
    for settings in (["split=two"], ["splits=2"], ["strict=maybe"], ["strict"]):
        with pytest.raises(ClimbEdgeError, match="jhmdb"):
            parse("jhmdb", settings)
    with pytest.raises(ClimbEdgeError, match="no option fps"):
        read("jhmdb", ".", fps=3)
    with pytest.raises(ClimbEdgeError, match="expected one of penn, jhmdb"):
        read("coco2", ".")


def long_coco(folder):
    points = people(6)
    named = [image(i, f"x/{i:06d}.jpg") for i in range(6)]
    write_coco(folder / "x.json", named, [label(i, i, points[i]) for i in range(6)])


@pytest.mark.parametrize(
    ("layout", "make"),
    [
        ("penn", penn_folder),
        ("coco", long_coco),
        (
            "asfamc",
            lambda folder: [
                write_asf(folder / "07.asf", random_take(0, 40)[0]),
                write_amc(folder / "07_01.amc", random_take(0, 40)[1]),
            ],
        ),
        ("climbalong", lambda folder: write_climbalong(folder, "a", boxes(7), targets(7))),
    ],
)
def test_what_is_imported_can_be_trained_on(tmp_path, capsys, layout, make):
    from train.__main__ import main
    from train.data.sources import open_source

    folder, store = tmp_path / "in", layout == "climbalong"
    folder.mkdir()
    make(folder)
    out = str(tmp_path / ("store" if store else "out.npz"))
    assert main(["import", layout, str(folder), "--out", out]) == 0
    assert "frames" in capsys.readouterr().out
    config = {
        "data": [out],
        "noise": "1.1",
        "seed": 0,
        "box": "frame" if store else "sticky",
        "clips": 1,
    }
    window = open_source(config).window(0)
    assert window.inputs.shape == (5, 56, 56, 25)
    assert store or window.weight.any()  # the maps written here show another place than the targets
    assert main(["import", layout, str(folder), "--option", "colour=red", "--out", out]) == 2
    assert "colour" in capsys.readouterr().err
    assert main(["import", layout, str(tmp_path / "nowhere"), "--out", out]) == 2
