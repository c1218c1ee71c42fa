"""Exports of finished results: read back by the csv module, the project's own COCO importer, pandas
and supervision.
"""

import csv
import json
import sys
import types

import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.pose.skeleton import BONES, INDEX, KEYPOINTS
from climb_edge.streaming.result import Result
from climb_edge.tracking.exports import COLUMNS, as_rows, as_supervision, write_coco, write_csv
from climb_edge.tracking.track_file import as_results, from_line, line
from train.layouts import read

SIZE = (640, 480)


@pytest.fixture
def results():
    """Frames 3 to 0: person 0 in all but the second; person 4 in the last, with an unknown wrist,
    an unsure nose and an ankle outside the frame.
    """
    rng = np.random.default_rng(0)

    def pose():
        return np.c_[rng.uniform(20, 400, (25, 2)), rng.uniform(0.3, 1, 25)].astype(np.float32)

    every = [
        Result(i, i / 30, 0, "tracking", 0, np.array([1.0, 2, 3, 4]), pose(), pose())
        for i in (3, 2, 0)
    ]
    other = pose()
    other[INDEX["left_wrist"]] = np.nan
    other[INDEX["nose"], 2] = 0.1
    other[INDEX["left_ankle"], 0] = 700
    return [*every, Result(3, 0.1, 4, "warming up", 0, None, None, other), Result(1, 1 / 30)]


def test_a_line_is_read_back_as_it_was(results):
    for result in results:
        again = from_line(json.loads(json.dumps(line(result))))
        assert (again.frame, again.person, again.state) == (
            result.frame,
            result.person,
            result.state,
        )
        assert again.time == pytest.approx(result.time, abs=1e-6)
        for name in ("bbox", "raw", "refined"):
            one, two = getattr(again, name), getattr(result, name)
            assert (one is None) == (two is None)
            assert one is None or one == pytest.approx(two, abs=1e-3, nan_ok=True)
    assert [(r.frame, r.person) for r in as_results(results)] == [
        (0, 0),
        (1, None),
        (2, 0),
        (3, 0),
        (3, 4),
    ]


@pytest.mark.parametrize("row", [{}, {"frame": 1}, "text", 3])
def test_a_row_that_is_none_is_an_error(row):
    with pytest.raises(ClimbEdgeError, match="expected a row of a track"):
        as_rows([row])


def test_rows_are_flat_and_name_every_keypoint(results):
    rows = as_rows(results)
    assert len(rows) == 4 * 25 + 1 and all(tuple(r) == COLUMNS for r in rows)
    assert [r["keypoint"] for r in rows[:25]] == list(KEYPOINTS)
    first = results[2]
    assert [rows[7][n] for n in ("refined_x", "refined_y", "refined_score")] == pytest.approx(
        first.refined[7], abs=1e-4
    )
    assert [rows[7][n] for n in ("raw_x", "raw_y", "raw_score")] == pytest.approx(
        first.raw[7], abs=1e-4
    )
    lost = rows[25]
    assert (lost["frame"], lost["state"], lost["person"], lost["keypoint"]) == (
        1,
        "lost",
        None,
        None,
    )
    wrist = rows[-25 + INDEX["left_wrist"]]
    assert (wrist["person"], wrist["refined_x"], wrist["raw_x"]) == (4, None, None)
    assert as_rows([]) == [] and as_rows([line(r) for r in results])[7].keys() == rows[7].keys()
    json.dumps(rows, allow_nan=False)


def test_rows_make_a_data_frame(results):
    table = pytest.importorskip("pandas").DataFrame(as_rows(results))
    assert table.shape == (101, 11) and tuple(table.columns) == COLUMNS
    assert table.refined_x.dtype == float and table.refined_x.isna().sum() == 2


def test_csv_holds_the_rows(tmp_path, results):
    write_csv(tmp_path / "t.csv", results)
    with open(tmp_path / "t.csv", encoding="utf-8", newline="") as stream:
        found = list(csv.DictReader(stream))
    expected = [
        {k: "" if v is None else str(v) for k, v in row.items()} for row in as_rows(results)
    ]
    assert found == expected


def test_coco_is_what_the_importer_reads(tmp_path, results):
    write_coco(tmp_path / "t.json", results, SIZE, "folder/climb.mp4")
    clips = read("coco", tmp_path / "t.json", strict=True).clips
    assert clips.clip.tolist() == ["climb.mp4"] and clips.frame_size.tolist() == [list(SIZE)]
    assert clips.keypoints.shape == (4, 25, 2) and np.isnan(clips.keypoints[1]).all()
    for frame, result in ((3, results[0]), (2, results[1]), (0, results[2])):
        assert clips.keypoints[frame] == pytest.approx(result.refined[:, :2], abs=1e-3)
        assert clips.visible[frame].all()


def test_coco_says_what_is_hidden_and_what_is_unknown(tmp_path, results):
    write_coco(tmp_path / "t.json", [results[3]], SIZE, "climb.mp4")
    content = json.loads((tmp_path / "t.json").read_text())
    (one,), (image,), (category,) = content["annotations"], content["images"], content["categories"]
    points = np.array(one["keypoints"]).reshape(25, 3)
    assert points[INDEX["left_wrist"]].tolist() == [0, 0, 0] and one["num_keypoints"] == 24
    assert (
        points[INDEX["nose"], 2] == points[INDEX["left_ankle"], 2] == 1
        and (points[:, 2] == 2).sum() == 22
    )
    known = np.delete(results[3].refined, INDEX["left_wrist"], 0)
    low, high = known[:, :2].min(0), np.minimum(known[:, :2].max(0), SIZE)
    assert one["bbox"] == pytest.approx([*low, *(high - low)], abs=2e-3)
    assert one["area"] == pytest.approx(np.prod(high - low), rel=1e-4)
    assert one["score"] == pytest.approx(known[:, 2].mean(), abs=1e-4)
    assert (one["track_id"], one["image_id"], one["category_id"]) == (
        4,
        image["id"],
        category["id"],
    )
    assert image == {"id": 4, "file_name": "climb.mp4/000003.jpg", "width": 640, "height": 480}
    assert category["keypoints"] == list(KEYPOINTS) and category["skeleton"] == [
        [a + 1, b + 1] for a, b in BONES
    ]
    assert np.min(category["skeleton"]) >= 1 and np.max(category["skeleton"]) <= 25


def test_coco_without_anybody_or_with_unknown_points_alone_has_no_annotation(tmp_path):
    unknown = Result(0, 0.0, 0, "tracking", refined=np.full((25, 3), np.nan))
    write_coco(tmp_path / "t.json", [unknown, Result(1, 0.1)], SIZE, "0")
    content = json.loads((tmp_path / "t.json").read_text())
    assert content["annotations"] == [] and [i["file_name"] for i in content["images"]] == [
        "0/000000.jpg",
        "0/000001.jpg",
    ]


def test_files_are_whole_or_as_they_were(tmp_path, results):
    def broken():
        yield results[0]
        raise RuntimeError("camera gone")

    writers = {"t.csv": write_csv, "t.json": lambda p, r: write_coco(p, r, SIZE, "v.mp4")}
    for name, write in writers.items():
        (tmp_path / name).write_text("old")
        with pytest.raises(RuntimeError):
            write(tmp_path / name, broken())
        assert (tmp_path / name).read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(writers)
    with pytest.raises(ClimbEdgeError, match="could not be written"):
        write_csv(tmp_path / "t.csv" / "in.csv", results)


def test_without_supervision_the_error_says_how_to_get_it(monkeypatch, results):
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(ClimbEdgeError, match="pip install supervision"):
        as_supervision(results)


@pytest.mark.parametrize("scores", ["confidence", "keypoint_confidence"])
def test_supervision_gets_its_own_shapes_under_the_name_its_release_knows(
    monkeypatch, results, scores
):
    scope = {}
    exec(
        f"def KeyPoints(xy, class_id=None, {scores}=None, data=None): return dict(locals())", scope
    )
    monkeypatch.setitem(
        sys.modules, "supervision", types.SimpleNamespace(KeyPoints=scope["KeyPoints"])
    )
    points = as_supervision(results)
    assert (
        points["xy"].shape == (4, 25, 2)
        and points[scores].shape == (4, 25)
        and points["class_id"].tolist() == [0] * 4
    )
    assert points["data"]["frame"].tolist() == [0, 2, 3, 3] and points["data"][
        "person"
    ].tolist() == [0, 0, 0, 4]
    assert points["xy"][0] == pytest.approx(results[2].refined[:, :2])
    assert as_supervision([])["xy"].shape == (0, 25, 2)


def test_the_real_supervision_takes_it(results):
    pytest.importorskip("supervision")
    points = as_supervision(results)
    assert len(points) == 4 and len(points[points.data["frame"] == 3]) == 2
