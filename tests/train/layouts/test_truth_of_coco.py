"""Truth of an imported COCO file: what its info states, or who made it."""

import json

import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.clips import load_clips
from climb_edge.files.truth import TRACKED, Truth
from climb_edge.streaming.result import Result
from climb_edge.tracking.exports import write_coco
from support.scene import standing
from train.layouts import read


def exported(path, about: dict | None = None, video: str = "v.mp4"):
    """A COCO file as `track --also` writes it; `about` replaces its info, None leaves it out."""
    points = np.column_stack([standing(200), np.ones(25)]).astype(np.float32)
    seen = [Result(t, t / 30, 1, "tracking", raw=points, refined=points) for t in range(6)]
    write_coco(path, seen, (400, 400), video)
    if about is not ...:
        content = {k: v for k, v in json.loads(path.read_text()).items() if k != "info"}
        path.write_text(json.dumps(content | ({} if about is None else {"info": about})))
    return path


@pytest.mark.parametrize(
    ("about", "truth"),
    [
        (..., "pseudo"),
        ({"description": f"v.mp4: {TRACKED}"}, "pseudo"),  # exported by the release before
        ({"description": "Wall 3, labelled in CVAT"}, "human"),
        ({"description": ["not", "text"]}, "human"),
        ([], "human"),
        (None, "human"),
        ({"truth": "rendered"}, "rendered"),
        ({"truth": "human", "description": f"v.mp4: {TRACKED}"}, "human"),  # corrected by hand
    ],
)
def test_a_coco_files_info_says_what_its_labels_are_worth(tmp_path, about, truth):
    got = read("coco", exported(tmp_path / "c.json", about), strict=True)
    assert got.clips.truth is Truth(truth) and len(got.clips.keypoints) == 6
    got.save(tmp_path / "c.npz")
    assert load_clips(tmp_path / "c.npz").truth is Truth(truth)


def test_a_coco_file_of_unknown_truth_is_refused(tmp_path):
    path = exported(tmp_path / "c.json", {"truth": "certain"})
    with pytest.raises(ClimbEdgeError, match=r"c\.json: info: truth expected one of .*'certain'"):
        read("coco", path, strict=True)


def test_one_tracked_file_among_labelled_ones_makes_them_pseudo(tmp_path):
    exported(tmp_path / "a.json", None, "a.mp4")
    assert read("coco", tmp_path, strict=True).clips.truth is Truth.HUMAN
    exported(tmp_path / "b.json", ..., "b.mp4")
    both = read("coco", tmp_path, strict=True).clips
    assert both.truth is Truth.PSEUDO and len(both) == 2
