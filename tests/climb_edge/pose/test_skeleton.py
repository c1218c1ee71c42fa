"""The 25 keypoints: pairs, bones, groups, and where other skeletons put them."""

import numpy as np
import pytest

from climb_edge.pose.skeleton import (
    BONES,
    FROM_BLAZEPOSE33,
    FROM_COCO17,
    FROM_JHMDB15,
    FROM_PENN13,
    GROUPS,
    KEYPOINTS,
    MIRROR,
    K,
    to_25,
)

COCO = (
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
PENN = (
    "nose",
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
JHMDB = (
    "neck",
    "belly",
    "face",
    "right_shoulder",
    "left_shoulder",
    "right_hip",
    "left_hip",
    "right_elbow",
    "left_elbow",
    "right_knee",
    "left_knee",
    "right_wrist",
    "left_wrist",
    "right_ankle",
    "left_ankle",
)


def test_mirror_is_an_involution_that_swaps_sides():
    assert (MIRROR[MIRROR] == np.arange(K)).all()
    swapped = {"left_": "right_", "right_": "left_"}
    for i, name in enumerate(KEYPOINTS):
        side = next((s for s in swapped if name.startswith(s)), None)
        assert KEYPOINTS[MIRROR[i]] == (name.replace(side, swapped[side]) if side else name)


def test_bones_join_different_keypoints_of_one_side_once():
    assert len({frozenset(b) for b in BONES}) == len(BONES) == 26
    for a, b in BONES:
        assert a != b and 0 <= a < K and 0 <= b < K
        mirrored = frozenset((int(MIRROR[a]), int(MIRROR[b])))
        assert mirrored in {frozenset(bone) for bone in BONES}
    assert {i for bone in BONES for i in bone} == set(range(K))


def test_groups_hold_every_keypoint_once():
    assert sorted(i for members in GROUPS.values() for i in members) == list(range(K))
    for members in GROUPS.values():
        assert {int(MIRROR[i]) for i in members} == set(members)


@pytest.mark.parametrize(
    ("names", "mapping"), [(COCO, FROM_COCO17), (PENN, FROM_PENN13), (JHMDB, FROM_JHMDB15)]
)
def test_mappings_land_on_the_same_name(names, mapping):
    points = np.arange(2 * len(names), dtype=np.float32).reshape(1, -1, 2)
    mapped = to_25(points, mapping)
    assert mapped.shape == (1, K, 2)
    for i, name in enumerate(KEYPOINTS):
        expected = points[0, names.index(name)] if name in names else [np.nan, np.nan]
        np.testing.assert_array_equal(mapped[0, i], expected, err_msg=name)


def test_blazepose_landmarks_without_eyes_and_mouth():
    assert sorted(set(range(33)) - set(FROM_BLAZEPOSE33.tolist())) == [1, 2, 3, 4, 5, 6, 9, 10]
    left = [i for i, name in enumerate(KEYPOINTS) if name.startswith("left_")]
    # BlazePose numbers the left odd from the ears on
    assert all(FROM_BLAZEPOSE33[i] % 2 == 1 for i in left)
