"""COCO files as annotation tools write them: splits, ids, visibility, persons, and frames of videos.

Sources are issues of the tools' own projects, named where a test stands for one.
"""

import json
import tracemalloc

import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.pose.skeleton import INDEX
from support.layout_folders import image, label, people, write_coco
from train.layouts import labelled, parse, read

NOSE = INDEX["nose"]


def labelled_rows(clips, i=0):
    return np.flatnonzero(np.isfinite(clips.keypoints[clips.rows(i)]).any((1, 2))).tolist()


def test_a_video_in_train_and_valid_is_one_clip(tmp_path):
    p = people(3)
    for part, row in (("train", 3), ("valid", 6), ("test", 0)):
        write_coco(
            tmp_path / part / "_annotations.coco.json",
            [image(1, f"000{row}_jpg.rf.{row}23456789abcdef.jpg")],
            [label(1, 1, p[row // 3])],
        )
    got = read("coco", tmp_path, strict=True)
    assert got.clips.clip.tolist() == ["_annotations.coco"] and labelled_rows(got.clips) == [
        0,
        3,
        6,
    ]
    np.testing.assert_allclose(got.clips.keypoints[[0, 3, 6], NOSE], p[:, 0], rtol=1e-6)
    assert "train" in got.warnings[0] and "valid" in got.warnings[0]


def test_jobs_in_folders_of_their_own_are_videos_of_their_own(tmp_path):
    for job in ("wall3", "wall4"):
        path = tmp_path / job / "annotations" / "person_keypoints_default.json"
        write_coco(path, [image(1, "frame_000000.PNG")], [label(1, 1, people(1)[0])])
    got = read("coco", tmp_path, strict=True)
    assert got.clips.clip.tolist() == [
        f"{job}/annotations/person_keypoints_default" for job in ("wall3", "wall4")
    ]
    given = parse("coco", [f"rename={got.clips.clip[0]}=a.mp4"])
    assert read("coco", tmp_path, **given).clips.clip[0] == "a.mp4"


def test_the_same_labels_in_two_files_are_taken_once(tmp_path):
    for part in ("train", "all"):
        write_coco(tmp_path / f"{part}.json", [image(1, "v/0.jpg")], [label(1, 1, people(1)[0])])
    got = read("coco", tmp_path, strict=True)
    assert labelled_rows(got.clips) == [0] and not got.left_out.get("labels of further persons")


@pytest.mark.parametrize(
    "names",
    [
        ("frame000066.png", "frame000066.png"),  # geti 7496, cvat 4993: two videos
        (
            "climb_mp4-66_jpg.rf.0123456789ab.jpg",
            "climb_mp4-66_jpg.rf.ba9876543210.jpg",
        ),  # augmented
    ],
)
def test_two_pictures_of_one_frame_are_refused_and_both_named(tmp_path, names):
    images = [image(1, names[0]), image(51, names[1]), image(3, "other/000001.jpg")]
    annotations = [label(i, i, people(1, seed=i)[0]) for i in (1, 51, 3)]
    write_coco(tmp_path / "a.json", images, annotations)
    got = read("coco", tmp_path)
    assert got.clips.clip.tolist() == ["other"] and len(got.skipped) == 1
    assert got.skipped[0].count(names[0]) + got.skipped[0].count(names[1]) >= 2
    with pytest.raises(ClimbEdgeError, match="two pictures of frame 66"):
        read("coco", tmp_path, strict=True)


def test_ids_are_numbers_floats_or_text(tmp_path):  # cvat 298
    p = people(1)[0]
    one = {"images": [image(1.0, "v/0.jpg")], "annotations": [label(1.0, "1", p, category=2.0)]}
    category = {"id": "2", "keypoints": ["nose", *["left_eye"] * 16]}
    (tmp_path / "a.json").write_text(json.dumps({**one, "categories": [category]}))
    got = read("coco", tmp_path, strict=True)
    np.testing.assert_allclose(got.clips.keypoints[0, NOSE], p[0], rtol=1e-6)
    write_coco(tmp_path / "a.json", [image(1, "v/0.jpg"), image(1.0, "w/0.jpg")], [label(1, 1, p)])
    with pytest.raises(ClimbEdgeError, match=r"its id 1 is that of v/0\.jpg as well"):
        read("coco", tmp_path, strict=True)


def test_visibility_of_0_and_1_says_visible_or_missing(tmp_path):  # sleap-io 260
    flags = [1] * 16 + [0]
    write_coco(tmp_path / "a.json", [image(1, "v/0.jpg")], [label(1, 1, people(1)[0], flags)])
    got = read("coco", tmp_path, strict=True)
    assert got.clips.visible.sum() == 14 and np.isfinite(got.clips.keypoints[0, :, 0]).sum() == 14
    assert "1 for visible" in got.warnings[0]


@pytest.mark.parametrize("missing", [[None, None, 0], [float("nan"), float("nan"), 0], [0, 0, -1]])
def test_what_is_not_labelled_is_null_nan_or_minus_one(tmp_path, missing):
    """fiftyone 3309, DeepLabCut 2995."""
    annotation = label(1, 1, people(1)[0])
    annotation["keypoints"][:3] = missing
    write_coco(tmp_path / "a.json", [image(1, "v/0.jpg")], [annotation])
    got = read("coco", tmp_path, strict=True).clips
    assert np.isnan(got.keypoints[0, NOSE]).all() and np.isfinite(got.keypoints[0]).sum() == 28


def test_two_datasets_with_the_same_file_names_are_two_clips(tmp_path):  # coco-annotator 209
    images = [
        image(i, "frame_4.jpg") | {"path": f"/datasets/{name}/frame_4.jpg"}
        for i, name in enumerate(("wall", "roof"))
    ]
    p = people(2)
    write_coco(tmp_path / "a.json", images, [label(i, i, p[i]) for i in range(2)])
    got = read("coco", tmp_path, strict=True).clips
    assert got.clip.tolist() == ["wall", "roof"]
    np.testing.assert_allclose(got.keypoints[[4, 9], NOSE], p[:, 0], rtol=1e-6)


def test_the_person_that_sleap_tracks_is_followed(tmp_path):  # sleap-io 260
    p = people(4)
    annotations = [label(i, i % 2, p[i], attributes={"object_id": 1 + i // 2}) for i in range(4)]
    annotations[0]["keypoints"][2::3] = [2] * 6 + [0] * 11
    write_coco(tmp_path / "a.json", [image(i, f"v/{i}.jpg") for i in range(2)], annotations)
    got = read("coco", tmp_path)
    np.testing.assert_allclose(got.clips.keypoints[:, NOSE], p[2:, 0], rtol=1e-6)
    assert got.left_out["labels of further persons"] == 2


def test_pictures_taken_every_so_many_frames(tmp_path):  # cvat 1294, 1334
    images = [image(i, f"v/{i:06d}.jpg") for i in range(1, 4)]
    annotations = [label(i, i, people(1)[0]) for i in range(1, 4)]
    write_coco(tmp_path / "a.json", images, annotations)
    got = read("coco", tmp_path, every=5, first_frame=1, strict=True)
    assert labelled_rows(got.clips) == [0, 5, 10] and got.warnings == ()
    assert "first_frame=1" in read("coco", tmp_path, every=5).warnings[0]
    with pytest.raises(ClimbEdgeError, match="every=0"):
        read("coco", tmp_path, every=0)


def test_numbers_instead_of_names_are_refused_until_they_are_mapped(tmp_path):  # cvat 5048
    names = [str(i) for i in range(1, 18)]
    p = people(1)[0]
    write_coco(tmp_path / "a.json", [image(1, "v/0.jpg")], [label(1, 1, p)] * 3, names)
    with pytest.raises(ClimbEdgeError, match=r"keypoints 1, 2, .* are unknown.*left_foot_index"):
        read("coco", tmp_path)
    got = read("coco", tmp_path, map=("17=nose",)).clips
    np.testing.assert_allclose(got.keypoints[0, NOSE], p[16], rtol=1e-6)
    got = read("coco", tmp_path, skeleton="h36m17").clips
    np.testing.assert_allclose(got.keypoints[0, INDEX["left_shoulder"]], p[11], rtol=1e-6)


def test_few_frames_of_huge_numbers_stay_out_of_memory(tmp_path):
    images = [image(i, f"v{i}/0499999.jpg") for i in range(40)]
    write_coco(tmp_path / "a.json", images, [label(i, i, people(1)[0]) for i in range(40)])
    tracemalloc.start()
    with pytest.raises(ClimbEdgeError, match=r"20,000,000 frames.*40 of them labelled"):
        read("coco", tmp_path)
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


def test_as_many_frames_as_are_allowed_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(labelled, "MOST_ROWS", 20)
    images = [image(i, f"v{i}/9.jpg") for i in range(2)]
    write_coco(tmp_path / "a.json", images, [label(i, i, people(1)[0]) for i in range(2)])
    assert len(read("coco", tmp_path, strict=True).clips.keypoints) == 20
