"""COCO: labels of a few frames, names, people, and what is left out."""

import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.clips import load_clips
from climb_edge.pose.skeleton import INDEX, KEYPOINTS
from support.layout_folders import (
    COCO17,
    brace_folder,
    coco_folder,
    image,
    label,
    people,
    same,
    write_coco,
)
from train.layouts import read
from train.layouts.formats.image_names import locate


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
    assert locate(file_name, "default", ".mp4") == wanted


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
    with pytest.raises(ClimbEdgeError, match=r"13 keypoints without names.*skeleton=NAME"):
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


def test_two_files_with_other_labels_of_one_frame_are_both_named_and_neither_is_taken(tmp_path):
    coco_folder(tmp_path)
    write_coco(tmp_path / "z.json", [image(1, "x/000000.jpg")], [label(1, 1, people(1, seed=9)[0])])
    got = read("coco", tmp_path)
    assert got.clips.clip.tolist() == ["y"]
    assert all(said in got.skipped[0] for said in ("frame 0", "x.json", "z.json"))
