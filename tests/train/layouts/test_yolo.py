"""YOLO pose: folders as Ultralytics, CVAT and Roboflow lay them out, and labels that are none."""

import cv2
import numpy as np
import pytest
from PIL import Image

from climb_edge.errors import ClimbEdgeError
from climb_edge.pose.skeleton import INDEX
from support.layout_folders import people, write_yolo, yolo_line
from train.layouts import parse, read
from train.layouts.formats.keypoint_names import SKELETONS
from train.layouts.formats.yaml_values import read_yaml

SIZE = np.array([640, 480])
POINTS = people(3)[..., :2] / 500


def test_splits_are_joined_and_points_become_pixels(tmp_path):
    flags = [2] * 17
    flags[0], flags[5], flags[6] = 2, 0, 1
    write_yolo(
        tmp_path,
        {
            "train/climb_000004": yolo_line(POINTS[0], flags),
            "val/climb_000007": yolo_line(POINTS[1], [2] * 17),
            "val/climb_000009": "",  # nobody
            "val/climb_000010": "0 0.5 0.5 0.1 0.1\n",  # a box alone (label-studio 6754)
        },
    )
    got = read("yolo", tmp_path, video_suffix=".mp4", fps=30.0, strict=True)
    clips = got.clips
    assert clips.clip.tolist() == ["climb.mp4"] and clips.frame_size.tolist() == [[640, 480]]
    assert len(clips.keypoints) == 11 and got.left_out["boxes without keypoints"] == 1
    np.testing.assert_allclose(clips.keypoints[4, 0], POINTS[0, 0] * SIZE, rtol=1e-5)
    np.testing.assert_allclose(
        clips.keypoints[7, INDEX["right_ankle"]], POINTS[1, 16] * SIZE, rtol=1e-5
    )
    left, right = INDEX["left_shoulder"], INDEX["right_shoulder"]
    assert np.isnan(clips.keypoints[4, left]).all() and np.isfinite(clips.keypoints[4, right]).all()
    assert clips.visible[4, [0, left, right]].tolist() == [1, 0, 0]
    assert np.isnan(clips.keypoints[[9, 10]]).all() and clips.truth == "human"


def test_roboflows_folders_two_numbers_a_keypoint_and_names(tmp_path):
    names = ["RShoulder", "nose", "tail"]
    points = POINTS[0, :3].copy()
    points[1] = 0  # not labelled
    more = "kpt_names:\n  0:\n" + "".join(f"    - {n}\n" for n in names)
    stem = "climb_mp4-0012_jpg.rf.795b929e9a9a80fdea7b5bf55eb561a4"
    write_yolo(tmp_path / "x", {stem: yolo_line(points)}, (3, 2), more=more)
    for kind in ("images", "labels"):
        (tmp_path / "train").mkdir(exist_ok=True)
        (tmp_path / "x" / kind).rename(tmp_path / "train" / kind)
    (tmp_path / "x" / "data.yaml").rename(tmp_path / "data.yaml")
    got = read("yolo", tmp_path / "data.yaml")
    assert got.clips.clip.tolist() == ["climb.mp4"] and len(got.clips.keypoints) == 13
    assert np.isfinite(got.clips.keypoints[12, :, 0]).sum() == got.clips.visible.sum() == 1
    np.testing.assert_allclose(
        got.clips.keypoints[12, INDEX["right_shoulder"]], points[0] * SIZE, rtol=1e-5
    )
    assert "tail" in got.warnings[0]
    mapped = read("yolo", tmp_path, map=("tail=left_heel",)).clips
    assert np.isfinite(mapped.keypoints[12, INDEX["left_heel"]]).all()


def test_visibility_of_0_and_1_says_visible(tmp_path):  # ultralytics 3409
    write_yolo(tmp_path, {"climb_0": yolo_line(POINTS[0], [1] * 16 + [0])})
    assert read("yolo", tmp_path, strict=True).clips.visible.sum() == 14


def test_without_pictures_their_size_must_be_said(tmp_path):
    write_yolo(tmp_path, {"0": yolo_line(POINTS[0], [2] * 17)}, size=None)
    with pytest.raises(ClimbEdgeError, match=r"0\.txt: its picture is not in .*frame_size"):
        read("yolo", tmp_path)
    given = parse("yolo", ["frame_size=1000x100", "map=nose=left_heel,left_ear=none"])
    clips = read("yolo", tmp_path, **given).clips
    assert clips.clip.tolist() == [tmp_path.name]
    np.testing.assert_allclose(
        clips.keypoints[0, INDEX["left_heel"]], POINTS[0, 0] * [1000, 100], rtol=1e-5
    )
    assert np.isnan(clips.keypoints[0, [0, INDEX["left_ear"]]]).all()


def test_a_picture_on_its_side_has_the_size_that_it_is_shown_in(tmp_path):
    write_yolo(tmp_path, {"climb_0": yolo_line(POINTS[0], [2] * 17)}, size=None)
    turned = Image.Exif()
    turned[274] = 6
    Image.new("RGB", (64, 48)).save(tmp_path / "images" / "climb_0.jpg", exif=turned)
    shown = cv2.imread(str(tmp_path / "images" / "climb_0.jpg")).shape[1::-1]
    assert read("yolo", tmp_path).clips.frame_size.tolist() == [list(shown)] == [[48, 64]]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (yolo_line(POINTS[0, :4], [2] * 4), "17 numbers, expected 5 and 17 x 3"),  # hub 886
        (yolo_line(POINTS[0], [0.87] * 17), "predictions"),  # ultralytics 6657
        (yolo_line(POINTS[0] * 640, [2] * 17), "fractions of the picture"),
        (yolo_line(POINTS[0], [2] * 17).replace(" 2", " two"), "expected numbers"),
        (yolo_line(POINTS[0], [2] * 17).replace("0 0.5", "nan 0.5", 1), "a class"),
    ],
)
def test_lines_that_are_no_labels_are_named(tmp_path, text, says):
    write_yolo(tmp_path, {"x_0": yolo_line(POINTS[0], [2] * 17), "y_0": text})
    got = read("yolo", tmp_path)
    assert got.clips.clip.tolist() == ["x"]
    assert "y_0.txt: line 1" in got.skipped[0] and says in got.skipped[0]


def test_sleaps_names_and_its_splits_that_count_anew(tmp_path):
    more = "node_names:\n- RWrist\n- LFoot\n"
    labels = {"train/0000000": yolo_line(POINTS[0, :2], [2, 2])}
    write_yolo(tmp_path, labels, (2, 3), more=more)
    clips = read("yolo", tmp_path, strict=True).clips
    at = [INDEX["right_wrist"], INDEX["left_ankle"]]
    np.testing.assert_allclose(clips.keypoints[0, at], POINTS[0, :2] * SIZE, rtol=1e-5)
    write_yolo(tmp_path, {"val/0000000": yolo_line(POINTS[1, :2], [2, 2])}, (2, 3), more=more)
    with pytest.raises(ClimbEdgeError, match=r"train/0000000\.png .*val/0000000\.png"):
        read("yolo", tmp_path)


def test_boxes_alone_are_no_pose_labels(tmp_path):
    write_yolo(tmp_path, {"x_0": "0 0.5 0.5 0.1 0.1\n"})
    with pytest.raises(ClimbEdgeError, match="none of 1 labels has keypoints"):
        read("yolo", tmp_path)


@pytest.mark.parametrize("shape", ["", "kpt_shape: 17", "kpt_shape: [17, 4]", "kpt_shape: [a, 3]"])
def test_a_data_set_that_does_not_say_its_keypoints_is_refused(tmp_path, shape):
    write_yolo(tmp_path, {"x_0": yolo_line(POINTS[0], [2] * 17)})
    (tmp_path / "data.yaml").write_text(f"{shape}\n")
    with pytest.raises(ClimbEdgeError, match="kpt_shape=17x3"):
        read("yolo", tmp_path)
    assert len(read("yolo", tmp_path, kpt_shape=(17, 3)).clips) == 1


def test_sixteen_unnamed_keypoints_need_a_skeleton(tmp_path):
    write_yolo(tmp_path, {"x_0": yolo_line(POINTS[0, :16], [2] * 16)}, (16, 3))
    with pytest.raises(ClimbEdgeError, match="16 keypoints without names"):
        read("yolo", tmp_path)
    clips = read("yolo", tmp_path, skeleton="mpii16").clips
    at = SKELETONS["mpii16"].index("l_wrist")
    np.testing.assert_allclose(
        clips.keypoints[0, INDEX["left_wrist"]], POINTS[0, at] * SIZE, rtol=1e-5
    )


def test_yaml_as_data_sets_write_it(tmp_path):
    path = tmp_path / "data.yaml"
    path.write_text(
        "# a data set\npath: C:\\data # here\nnames:\n- person\nkpt_shape:\n  - 17\n  - 3\n"
        "kpt_names:\n  0: [nose,\n    'left_ear']\ndownload: |\n  from x import y\n"
    )
    assert read_yaml(path, "it") == {
        "path": "C:\\data",
        "names": ["person"],
        "kpt_shape": [17, 3],
        "kpt_names": {"0": ["nose", "left_ear"]},
        "download": "|",
    }
    path.write_text("a:\n" + "".join(f"{' ' * i}a:\n" for i in range(1, 5000)))
    with pytest.raises(ClimbEdgeError, match="too deep"):
        read_yaml(path, "it")
