"""Names of keypoints as other tools and skeletons spell them, as data, and which of ours each is.

A name is taken apart into a side and a part of the body: leftShoulder, LShoulder, shoulder_left,
"Left Shoulder" and lsho are all left_shoulder. What no table names is unknown; nothing is ever told
by its place in the list.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from climb_edge.errors import ClimbEdgeError
from climb_edge.pose.skeleton import INDEX, KEYPOINTS, K

SIDES = {
    "left": ("left", "l", "lt"),
    "right": ("right", "r", "rt"),
}
# Part of the body here -> its spellings elsewhere, without side, spaces and capitals; the first one
# that a list holds counts. Fingers are BlazePose's knuckles, foot_index is the tip of the big toe.
PARTS = {
    "nose": ("nose", "nosetip"),
    "ear": ("ear",),
    "shoulder": ("shoulder", "shldr", "sho"),
    "elbow": ("elbow", "elb"),
    "wrist": ("wrist", "wri", "handroot"),
    "pinky": ("pinky", "pinky1", "pinkyfinger1", "pinkyfinger", "littlefinger"),
    "index": ("index", "index1", "forefinger1", "indexfinger1", "indexfinger", "forefinger"),
    "thumb": ("thumb", "thumb2"),
    "hip": ("hip",),
    "knee": ("knee", "kne"),
    "ankle": ("ankle", "ank"),
    "heel": ("heel",),
    "foot_index": ("footindex", "bigtoe", "bigtoetip", "toe", "toes", "toebase", "toetip"),
}
# Words that stand for the first of these parts that nothing else in the list names: Human3.6M's
# foot is the ankle; where there are ankles as well (SMPL, Kinect) it is the tip.
EITHER = {"foot": ("ankle", "foot_index")}
# Known, but none of the 25 keypoints: patterns of names without side.
WITHOUT = (
    r"(upper|lower|mid)?(neck|head|chest|thorax|torso|spine|back|belly|abdomen)\d*",
    r"head(top|bottom)|top(of)?head|neckbase|baseneck|(mid|center|centre|c)?(hips?|pelvis)",
    r"sternum|midshoulder|root|center|centre|bodycenter|navel|waist|site|background|bkg",
    r"(face|eye|eyebrow|brow|mouth|lip|jaw|chin|cheek|forehead|tooth|tongue)\d*",
    r"eye(inner|outer|lid)|mouthcorner|collar(bone)?|clavicle|scapula|palm|hand\d*",
    r"(thumb|index|indexfinger|forefinger|middle|middlefinger|ring|ringfinger|pinky|pinkyfinger)\d",
    r"(smalltoe|littletoe|pinkytoe)(tip)?|middlefinger|ringfinger|(hand)?tip|thigh|shin|calf|forearm",
)
# Orders of the usual skeletons, for files that carry no names: `skeleton=NAME`.
_COCO17 = """nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow
    right_elbow left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle
    right_ankle"""
_OPENPOSE8 = "Nose Neck RShoulder RElbow RWrist LShoulder LElbow LWrist"
_HAND = " ".join(
    f"{{side}}_{finger}{joint}"
    for finger in ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger")
    for joint in range(1, 5)
)
SKELETONS = {
    name: tuple(order.split())
    for name, order in {
        "climb25": " ".join(KEYPOINTS),
        "coco17": _COCO17,
        "openpose18": f"""{_OPENPOSE8} RHip RKnee RAnkle LHip LKnee LAnkle REye LEye REar LEar""",
        "body25": f"""{_OPENPOSE8} MidHip RHip RKnee RAnkle LHip LKnee LAnkle REye LEye REar LEar
            LBigToe LSmallToe LHeel RBigToe RSmallToe RHeel""",
        "h36m17": """Hip RHip RKnee RFoot LHip LKnee LFoot Spine Thorax Neck Head LShoulder LElbow
            LWrist RShoulder RElbow RWrist""",
        "mpii16": """r_ankle r_knee r_hip l_hip l_knee l_ankle pelvis thorax upper_neck head_top
            r_wrist r_elbow r_shoulder l_shoulder l_elbow l_wrist""",
        "halpe26": """Nose LEye REye LEar REar LShoulder RShoulder LElbow RElbow LWrist RWrist LHip
            RHip LKnee RKnee LAnkle RAnkle Head Neck Hip LBigToe RBigToe LSmallToe RSmallToe LHeel
            RHeel""",
        "wholebody133": f"""{_COCO17} left_big_toe left_small_toe left_heel right_big_toe
            right_small_toe right_heel {" ".join(f"face-{i}" for i in range(68))}
            left_hand_root {_HAND.format(side="left")}
            right_hand_root {_HAND.format(side="right")}""",
    }.items()
}
UNNAMED = {17: "coco17", K: "climb25"}  # what a file without names holds, by their number
NONE = "none"  # --map THEIRS=none leaves a keypoint out
_NOISE = {"joint", "point", "keypoint", "kp", "marker", "landmark"}


@dataclass(frozen=True)
class Mapping:
    """Which keypoint of a list is which of ours."""

    pairs: tuple[tuple[int, int], ...]  # (index there, index here), as `to_25` takes them
    without: tuple[str, ...]  # known names that have no counterpart, or a better one in the list
    unknown: tuple[str, ...]  # names of no table


def taken_apart(name: str) -> tuple[str, str]:
    """Side ("left", "right" or "") and the rest of a name in small letters without spaces."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    words = [w for w in re.findall(r"[a-z0-9]+", spaced.lower()) if w not in _NOISE]
    sides = [(side, w) for w in words for side, spelt in SIDES.items() if w in spelt]
    if len(sides) == 1:
        words.remove(sides[0][1])
        return sides[0][0], "".join(words)
    whole = "".join(words)
    for side, spelt in SIDES.items():  # leftshoulder, lsho, shoulderl
        for word in spelt:
            for rest in (whole.removeprefix(word), whole.removesuffix(word)):
                if rest != whole and (rest in EITHER or _part(rest) or rest.startswith("eye")):
                    return side, rest
    return "", whole


def _part(word: str) -> str | None:
    return next((part for part, spelt in PARTS.items() if word in spelt), None)


def mapping(names: Sequence[str], given: dict[str, str] | None = None) -> Mapping:
    """Which of ours each of `names` is; `given` (theirs -> ours, or "none") comes first.

    Raises ClimbEdgeError for a name in `given` that the list has not, or that is none of ours.
    """
    given = given or {}
    if strangers := sorted(set(given) - set(names)):
        raise ClimbEdgeError(
            f"--map {strangers[0]}: expected one of the file's keypoints, {', '.join(names)[:400]};"
            " correct it"
        )
    taken: dict[int, tuple[int, int]] = {}  # keypoint here -> (rank of its spelling, index there)
    without, unknown, either = [], [], []
    for i, name in enumerate(names):
        if name in given:
            if given[name] != NONE:
                taken[_ours(given[name])] = (-1, i)
            continue
        side, word = taken_apart(name)
        part = _part(word)
        here = INDEX.get(f"{side}_{part}" if side else str(part))
        if here is not None and part is not None:
            taken[here] = min(taken.get(here, (99, i)), (PARTS[part].index(word), i))
        elif side and word in EITHER:
            either.append((i, side, word))
        elif not any(re.fullmatch(pattern, word) for pattern in WITHOUT):
            unknown.append(name)
    for i, side, word in either:
        free = [INDEX[f"{side}_{p}"] for p in EITHER[word] if INDEX[f"{side}_{p}"] not in taken]
        if free:
            taken[free[0]] = (0, i)
    used = {there for _, there in taken.values()}
    without = [n for i, n in enumerate(names) if i not in used and n not in unknown]
    pairs = sorted((there, here) for here, (_, there) in taken.items())
    return Mapping(tuple(pairs), tuple(without), tuple(unknown))


def _ours(name: str) -> int:
    if name not in INDEX:
        raise ClimbEdgeError(
            f"--map ...={name}: expected {NONE} or one of {', '.join(KEYPOINTS)}; correct it"
        )
    return INDEX[name]


def names_of(
    path: Path, names: Sequence[str] | None, count: int, skeleton: str = ""
) -> tuple[str, ...]:
    """The names of a file's `count` keypoints: its own, or those of `skeleton`, in order.

    Without either, 17 are COCO's and 25 this project's. Raises ClimbEdgeError for another number,
    for a skeleton that is none or of another number.
    """
    if skeleton and skeleton not in SKELETONS:
        raise ClimbEdgeError(f"skeleton={skeleton}: expected one of {', '.join(SKELETONS)}")
    if names and not skeleton:
        return tuple(names)
    known = SKELETONS.get(skeleton or UNNAMED.get(count, ""), ())
    if len(known) != count:
        raise ClimbEdgeError(
            f"{path}: {count} keypoints without names; expected {skeleton or 'names'}"
            f"{f', which has {len(known)}' if known else ''}; export names, or say which they are"
            f" with --option skeleton=NAME ({', '.join(SKELETONS)})"
        )
    return known


def checked(path: Path, names: Sequence[str], given: dict[str, str] | None = None) -> Mapping:
    """`mapping`, where at least half of the names that may be ours are known.

    Raises ClimbEdgeError with both lists otherwise: a skeleton of other names is never guessed.
    """
    found = mapping(names, given)
    if not found.pairs or (not given and len(found.unknown) > len(found.pairs)):
        raise ClimbEdgeError(
            f"{path}: keypoints {', '.join(found.unknown or names)[:300]} are unknown; expected"
            f" names as {', '.join(KEYPOINTS)}, in any usual spelling; rename them, say"
            " --map THEIRS=OURS (or =none) for each, or, where their order is a usual one, --option"
            f" skeleton=NAME ({', '.join(SKELETONS)})"
        )
    return found
