"""ASF / AMC motion capture (CMU): a skeleton, and per frame the angles of its joints, to joint
positions in 3D.

The readers on PyPI are unmaintained, so the format is read here; it is small. Each bone turns, in
its own axes, by the frame's angles, after its parent: rotation = parent * C * R * C^-1, end =
parent's end + length * rotation(direction).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from climb_edge.errors import ClimbEdgeError
from climb_edge.pose.skeleton import INDEX, KEYPOINTS, K
from train.layouts.formats.asfamc_files import AMC, Skeleton, read_amc, read_asf
from train.layouts.formats.reading import existing_folder, find, sane
from train.layouts.imported import Imported, Log, Motion

_ARM = {"humerus": "elbow", "radius": "wrist", "fingers": "index", "thumb": "thumb"}
_LEG = {"hipjoint": "hip", "femur": "knee", "tibia": "ankle", "toes": "foot_index"}
# Keypoint <- joint, the bone's end. The shoulder is where the clavicle ends, the hip where the hip
# bone does.
MEASURED = {
    f"{side}_{keypoint}": side[0] + bone
    for side in ("left", "right")
    for bone, keypoint in ({"clavicle": "shoulder"} | _ARM | _LEG).items()
}
_STANDS_IN = (
    "head",
    "upperneck",
    *(s + b for s in "lr" for b in ("clavicle", "hand", "thumb", "femur", "tibia", "foot")),
)


def read(
    folder: str | Path, *, rate: float = 120.0, fps: float = 30.0, strict: bool = False
) -> Imported:
    """Every <subject>_<take>.amc anywhere below `folder`, with <subject>.asf (or the only .asf)
    beside it, as takes.

    `rate` is the files' frame rate, `fps` that of the result, which keeps every (rate / fps)-th
    frame from the first. The result has `motion`, no clips: virtual cameras make clips of it.
    Raises ClimbEdgeError when nothing is usable or, if `strict`, a file is not.
    """
    step = round(rate / fps) if fps > 0 and np.isfinite([rate, fps]).all() else 0
    if step < 1 or abs(rate / fps - step) > 1e-6:
        raise ClimbEdgeError(
            f"rate {rate:g}, fps {fps:g}: expected a rate that is a whole multiple of fps"
        )
    log, takes, skeletons = Log(strict), [], {}
    existing_folder(folder, AMC)
    for path in find(folder, "**/*.[aA][mM][cC]", AMC):
        with log.part():
            asf = _skeleton_of(path)
            if asf not in skeletons:
                skeletons[asf] = read_asf(asf)
            values = read_amc(path, skeletons[asf], step)
            joints = sane(path, "joints", solve(skeletons[asf], values))
            if any(path.stem == name for name, _, _ in takes):
                raise ClimbEdgeError(
                    f"{path}: a take named {path.stem} was read already; rename or remove one"
                )
            if takes and takes[0][1] != skeletons[asf].names:
                raise ClimbEdgeError(
                    f"{asf}: other joints than the first skeleton's; import it on its own"
                )
            takes.append(
                (
                    path.stem,
                    skeletons[asf].names,
                    (joints, keypoints(joints, skeletons[asf].names, path)),
                )
            )
    if not takes:
        raise ClimbEdgeError(f"{folder}: no take could be read; the first reason: {log.skipped[0]}")
    lengths = [len(joints) for _, _, (joints, _) in takes]
    motion = Motion(
        kp25_3d=np.concatenate([points for _, _, (_, points) in takes]).astype(np.float32),
        joints3d=np.concatenate([joints for _, _, (joints, _) in takes]).astype(np.float32),
        joint_names=takes[0][1],
        measured=np.array([n in MEASURED for n in KEYPOINTS], np.uint8),
        offsets=np.cumsum([0] + lengths).astype(np.int32),
        sequence=tuple(name for name, _, _ in takes),
        description=("",) * len(takes),
        fps=fps,
    )
    return Imported(None, None, tuple(log.skipped), tuple(log.warnings), motion)


def _skeleton_of(amc: Path) -> Path:
    beside = sorted(p for p in amc.parent.iterdir() if p.suffix.lower() == ".asf")
    named = [p for p in beside if p.stem == amc.stem.rsplit("_", 1)[0]] or (
        beside if len(beside) == 1 else []
    )
    if not named:
        raise ClimbEdgeError(
            f"{amc}: expected {amc.stem.rsplit('_', 1)[0]}.asf beside it, found none; copy it there"
        )
    return named[0]


def solve(skeleton: Skeleton, values: dict[str, np.ndarray]) -> np.ndarray:
    """Joint positions (T, J, 3) in metres from each bone's values (T, channels): forward
    kinematics.
    """
    frames = len(values["root"])
    positions, turned = np.zeros((frames, len(skeleton.bones), 3)), []
    for i, bone in enumerate(skeleton.bones):
        turns = [c for c, channel in enumerate(bone.channels) if channel[0] == "r"]
        order = "".join(bone.channels[c][1] for c in turns)
        own = (
            bone.axes * Rotation.from_euler(order, values[bone.name][:, turns]) * bone.axes.inv()
            if turns
            else None
        )
        if bone.parent < 0:
            turned.append(own if own is not None else Rotation.identity(frames))
            places = [bone.channels.index(c) for c in ("tx", "ty", "tz")]
            positions[:, i] = values[bone.name][:, places] * skeleton.scale
        else:
            above = turned[bone.parent]
            turned.append(above * own if own is not None else above)
            positions[:, i] = positions[:, bone.parent] + turned[i].apply(bone.offset)
    return positions


def keypoints(
    joints: np.ndarray, names: tuple[str, ...], path: Path | str = "joints"
) -> np.ndarray:
    """The 25 keypoints (T, 25, 3) of joints (T, J, 3) of a skeleton with CMU's joint names, y up,
    metres.

    Ears, nose, pinkies and heels are no joints there: ears 7.5 cm to the sides of the head's
    middle, nose 10 cm before it, pinky beyond the hand away from the thumb, heel 5 cm behind and 6
    cm below the ankle along foot and shin. Raises ClimbEdgeError naming the joints that are
    missing.
    """
    if missing := sorted({*MEASURED.values(), *_STANDS_IN} - set(names)):
        raise ClimbEdgeError(
            f"{path}: expected CMU's joints, found none named {', '.join(missing)}; rename the"
            " skeleton's"
        )
    at = {name: joints[:, i] for i, name in enumerate(names)}
    result = np.empty((len(joints), K, 3))
    for keypoint, joint in MEASURED.items():
        result[:, INDEX[keypoint]] = at[joint]
    head, left = (at["head"] + at["upperneck"]) / 2, _unit(at["lclavicle"] - at["rclavicle"])
    result[:, INDEX["left_ear"]], result[:, INDEX["right_ear"]] = (
        head + 0.075 * left,
        head - 0.075 * left,
    )
    result[:, INDEX["nose"]] = head + 0.1 * _unit(np.cross(left, at["head"] - at["upperneck"]))
    for side in ("left", "right"):
        hand, thumb, knee, ankle, foot = (
            at[side[0] + n] for n in ("hand", "thumb", "femur", "tibia", "foot")
        )
        result[:, INDEX[f"{side}_pinky"]] = hand + (hand - thumb) / 2
        result[:, INDEX[f"{side}_heel"]] = (
            ankle + 0.05 * _unit(ankle - foot) + 0.06 * _unit(ankle - knee)
        )
    return result


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
