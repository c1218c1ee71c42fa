"""Names of keypoints: the tables of usual skeletons and spellings, and what they do not hold."""

import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.pose.skeleton import FROM_COCO17, INDEX, KEYPOINTS
from train.layouts.formats.keypoint_names import PARTS, SKELETONS, checked, mapping, names_of

BODY = tuple(
    f"{side}_{part}"
    for side in ("left", "right")
    for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
)
SPELLINGS = {
    "camel": lambda side, part: f"{side}{part.capitalize()}",
    "initial": lambda side, part: f"{side[0].upper()}{part.capitalize()}",
    "small initial": lambda side, part: f"{side[0]}{part.capitalize()}",
    "side last": lambda side, part: f"{part}_{side}",
    "initial last": lambda side, part: f"{part.capitalize()}.{side[0].upper()}",
    "words": lambda side, part: f"{side.capitalize()} {part.capitalize()}",
    "dashes": lambda side, part: f"{side}-{part}",
    "capitals": lambda side, part: f"{side}_{part}".upper(),
    "one word": lambda side, part: f"{side}{part}",
    "glued": lambda side, part: f"{side[0]}{PARTS[part][-1]}",  # lsho, rank
    "joint": lambda side, part: f"{side}_{part}_joint",
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_usual_spelling_of_a_limb_is_known(spelling):
    names = [SPELLINGS[spelling](*name.split("_")) for name in BODY]
    found = mapping(names)
    assert {names[there]: KEYPOINTS[here] for there, here in found.pairs} == dict(
        zip(names, BODY, strict=True)
    )
    assert found.without == found.unknown == ()


@pytest.mark.parametrize(
    ("skeleton", "count", "some"),
    [
        ("climb25", 25, {"left_pinky": "left_pinky"}),
        ("coco17", 15, {"left_ear": "left_ear"}),
        ("openpose18", 15, {"RWrist": "right_wrist", "LHip": "left_hip"}),
        ("body25", 19, {"LBigToe": "left_foot_index", "RHeel": "right_heel"}),
        ("h36m17", 12, {"RFoot": "right_ankle", "LHip": "left_hip"}),
        ("mpii16", 12, {"r_ankle": "right_ankle", "l_wrist": "left_wrist"}),
        ("halpe26", 19, {"RBigToe": "right_foot_index", "Nose": "nose"}),
        (
            "wholebody133",
            25,
            {"left_forefinger1": "left_index", "right_pinky_finger1": "right_pinky"},
        ),
    ],
)
def test_the_usual_skeletons_are_read_by_name(skeleton, count, some):
    names = SKELETONS[skeleton]
    found = mapping(names)
    assert len(found.pairs) == count and found.unknown == ()
    ours = {names[there]: KEYPOINTS[here] for there, here in found.pairs}
    assert ours.items() >= some.items()
    assert len(found.pairs) + len(found.without) == len(names)


def test_the_table_of_coco_agrees_with_the_skeletons():
    assert mapping(SKELETONS["coco17"]).pairs == FROM_COCO17


def test_a_foot_is_the_tip_where_there_are_ankles():
    assert mapping(["LFoot"]).pairs == ((0, INDEX["left_ankle"]),)
    found = mapping(["left_foot", "left_ankle"])
    assert found.pairs == ((0, INDEX["left_foot_index"]), (1, INDEX["left_ankle"]))
    assert mapping(["left_foot", "left_ankle", "left_big_toe"]).without == ("left_foot",)


def test_unknown_names_are_refused_with_the_known_ones_and_mapped_on_request(tmp_path):
    for names in (
        [str(i) for i in range(1, 18)],
        [f"kp{i}" for i in range(17)],
        ["nose", "a", "b"],
    ):
        with pytest.raises(ClimbEdgeError, match=r"left_foot_index, right_foot_index.*--map"):
            checked(tmp_path, names)
    found = checked(tmp_path, ["1", "2", "nose"], {"1": "left_heel", "nose": "none"})
    assert found.pairs == ((0, INDEX["left_heel"]),)
    assert found.without == ("nose",) and found.unknown == ("2",)
    with pytest.raises(ClimbEdgeError, match=r"--map heel: expected one of .* 1, 2"):
        checked(tmp_path, ["1", "2"], {"heel": "left_heel"})
    with pytest.raises(ClimbEdgeError, match=r"=heel: expected none or one of nose"):
        checked(tmp_path, ["1", "2"], {"1": "heel"})


def test_keypoints_without_names_are_told_by_the_skeleton_that_is_named(tmp_path):
    assert names_of(tmp_path, None, 17) == SKELETONS["coco17"]
    assert names_of(tmp_path, ["a"] * 25, 25, "body25") == SKELETONS["body25"]
    with pytest.raises(ClimbEdgeError, match=r"16 keypoints without names.*mpii16"):
        names_of(tmp_path, None, 16)
    with pytest.raises(ClimbEdgeError, match="which has 17"):
        names_of(tmp_path, None, 16, "h36m17")
    with pytest.raises(ClimbEdgeError, match="skeleton=coco: expected one of climb25, coco17"):
        names_of(tmp_path, None, 16, "coco")
