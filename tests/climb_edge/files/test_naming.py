"""The nearest file to a misspelt path, and names that tell files apart."""

import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.atomic import existing_file
from climb_edge.files.naming import told_apart


@pytest.mark.parametrize(
    ("asked", "near"),
    [
        ("runs/mine/track.jsnl", "runs/mine/track.jsonl"),
        ("runs/mien/track.jsonl", "runs/mine/track.jsonl"),
        ("runs/mien/else.npz", "runs/mine"),
        ("Runs/mine/track.jsonl", "runs/mine/track.jsonl"),
    ],
)
def test_a_misspelt_path_names_the_nearest(tmp_path, asked, near):
    (tmp_path / "runs/mine").mkdir(parents=True)
    (tmp_path / "runs/mine/track.jsonl").touch()
    with pytest.raises(ClimbEdgeError) as caught:
        existing_file(tmp_path / asked, "a track")
    assert str(caught.value).endswith(f"did you mean {tmp_path / near}?")


def test_a_path_like_no_other_says_to_check_it(tmp_path):
    (tmp_path / "climb.mp4").touch()
    for name in ("zzz", "q" * 5000):
        with pytest.raises(ClimbEdgeError, match="found no such file; check the path"):
            existing_file(tmp_path / name, "a video")


@pytest.mark.parametrize(
    ("paths", "labels"),
    [
        (["a/m.tflite", "b/n.tflite"], ["m.tflite", "n.tflite"]),
        (["a/m.tflite", "b/m.tflite", "n"], ["a/m.tflite", "b/m.tflite", "n"]),
        (["a/models/m", "b/models/m"], ["a/m", "b/m"]),
        (["a/p/m", "a/q/m", "b/p/m"], ["a/p/m", "a/q/m", "b/p/m"]),
        (["mean:reach=1"] * 3, ["mean:reach=1", "mean:reach=1 (2)", "mean:reach=1 (3)"]),
    ],
)
def test_the_same_names_are_told_apart(paths, labels):
    assert told_apart([p.rpartition("/")[2] for p in paths], paths) == labels
