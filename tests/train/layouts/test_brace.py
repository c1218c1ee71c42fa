"""BRACE: manual over interpolated, runs, and the official split."""

import numpy as np
import pytest

from climb_edge.pose.skeleton import INDEX
from support.layout_folders import COCO17, VIDEO, brace_folder, damage, same, write_brace
from train.layouts import read


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
