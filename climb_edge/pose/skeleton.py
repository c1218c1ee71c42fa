"""The 25 keypoints as data: names, pairs, bones, report groups, and where other skeletons put them.

The order is fixed and equals BlazePose's 33 landmarks without the six eye and two mouth points.
"""

from __future__ import annotations

import numpy as np

KEYPOINTS = (
    "nose",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_pinky",
    "right_pinky",
    "left_index",
    "right_index",
    "left_thumb",
    "right_thumb",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
    "left_heel",
    "right_heel",
    "left_foot_index",
    "right_foot_index",
)
K = len(KEYPOINTS)
INDEX = {name: i for i, name in enumerate(KEYPOINTS)}
# score from which on a keypoint counts as seen: drawn in full, visible in COCO, part of a move
SHOWN = 0.2

LEFT_SHOULDER, RIGHT_SHOULDER, LEFT_HIP, RIGHT_HIP = (
    INDEX[n] for n in ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
)

# Left-right exchange: keypoints[MIRROR] is the skeleton seen in a mirror.
MIRROR = np.array(
    [
        INDEX[
            n.replace("left_", "right_") if n.startswith("left_") else n.replace("right_", "left_")
        ]
        for n in KEYPOINTS
    ]
)

BONES = tuple(
    (INDEX[a], INDEX[b])
    for a, b in (
        ("nose", "left_ear"),
        ("nose", "right_ear"),
        ("left_shoulder", "right_shoulder"),
        ("left_hip", "right_hip"),
        *(
            (f"{s}_{a}", f"{s}_{b}")
            for s in ("left", "right")
            for a, b in (
                ("shoulder", "elbow"),
                ("elbow", "wrist"),
                ("wrist", "pinky"),
                ("wrist", "index"),
                ("wrist", "thumb"),
                ("shoulder", "hip"),
                ("hip", "knee"),
                ("knee", "ankle"),
                ("ankle", "heel"),
                ("heel", "foot_index"),
                ("ankle", "foot_index"),
            )
        ),
    )
)

# Report groups: a group's figure is the mean of its left and right.
GROUPS = {
    "nose": (0,),
    **{
        group: (INDEX[f"left_{part}"], INDEX[f"right_{part}"])
        for group, part in (
            ("ear", "ear"),
            ("shoulder", "shoulder"),
            ("elbow", "elbow"),
            ("wrist", "wrist"),
            ("pinky", "pinky"),
            ("index finger", "index"),
            ("thumb", "thumb"),
            ("hip", "hip"),
            ("knee", "knee"),
            ("ankle", "ankle"),
            ("heel", "heel"),
            ("toes", "foot_index"),
        )
    },
}

# BlazePose landmark of each keypoint.
FROM_BLAZEPOSE33 = np.array([0, 7, 8, *range(11, 33)])

# Other skeletons: (index there, keypoint here).
FROM_COCO17 = tuple(
    (i, INDEX[name])
    for i, name in enumerate(
        (
            "nose",
            None,
            None,
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
    )
    if name
)
_LIMBS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
FROM_PENN13 = ((0, 0),) + tuple(  # Penn Action's head serves as nose
    (1 + 2 * j + side, INDEX[f"{name}_{part}"])
    for j, part in enumerate(_LIMBS)
    for side, name in enumerate(("left", "right"))
)
FROM_JHMDB15 = tuple(  # neck, belly and face have no counterpart; right comes first there
    (3 + 2 * j + side, INDEX[f"{name}_{part}"])
    for j, part in enumerate(("shoulder", "hip", "elbow", "knee", "wrist", "ankle"))
    for side, name in enumerate(("right", "left"))
)


def to_25(points: np.ndarray, mapping: tuple[tuple[int, int], ...]) -> np.ndarray:
    """Rearrange (..., J, D) points of another skeleton into (..., 25, D); keypoints it lacks are
    NaN.
    """
    points = np.asarray(points, np.float32)
    result = np.full((*points.shape[:-2], K, points.shape[-1]), np.nan, np.float32)
    for there, here in mapping:
        result[..., here, :] = points[..., there, :]
    return result
