"""The text of .asf (a skeleton) and .amc (its motion) files, as bones and angles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from train.layouts.formats.reading import read_text, reading

MAX_BONES = 1000
INCH = 0.0254  # raw length / unit length = inches
_ASF, AMC = "a skeleton (.asf)", "motion of a skeleton (.amc)"


@dataclass(frozen=True)
class Bone:
    """One bone (or the root) of a skeleton."""

    name: str
    parent: int  # index of a bone before it; -1 for the root
    offset: np.ndarray  # (3,) metres from the parent's end to its own, in the skeleton's rest pose
    axes: Rotation  # its own axes, in which its angles count
    # of a frame's values, in order: rx, ry, rz and for the root tx, ty, tz
    channels: tuple[str, ...]


@dataclass(frozen=True)
class Skeleton:
    """Bones, parents first; the root is bone 0."""

    bones: tuple[Bone, ...]
    scale: float  # metres per raw unit of length
    degrees: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each bone, and of the joint at its end."""
        return tuple(b.name for b in self.bones)


def read_asf(path: Path) -> Skeleton:
    """The skeleton of an .asf file. Raises ClimbEdgeError for a file that is none, or whose bones
    do not hang together.
    """
    sections: dict[str, list[list[str]]] = {}
    for line in read_text(path, _ASF).splitlines():
        words = line.split("#", 1)[0].split()
        if words and words[0].startswith(":"):
            section = sections.setdefault(words[0].lower(), [])
        elif words and sections:
            section.append(words)
    with reading(path, _ASF):
        units = {w[0]: w[1] for w in sections[":units"]}
        degrees = units.get("angle", "deg").startswith("deg")
        scale = INCH / float(units.get("length", 1))
        root = {w[0]: w[1:] for w in sections[":root"]}
        parents = {
            child: w[0]
            for w in sections[":hierarchy"]
            if w[0] not in ("begin", "end")
            for child in w[1:]
        }
        bones = [
            Bone(
                "root",
                -1,
                np.zeros(3),
                _axes(root.get("orientation", ["0"] * 3), root.get("axis", ["XYZ"])[0], degrees),
                tuple(c.lower() for c in root["order"]),
            )
        ]
        waiting = list(_blocks(sections[":bonedata"]))
        if len(waiting) > MAX_BONES:
            raise ValueError(f"{len(waiting)} bones")
        while waiting:
            index = {b.name: i for i, b in enumerate(bones)}
            ready = [block for block in waiting if parents.get(block["name"][0]) in index]
            if not ready:
                raise ValueError(
                    f"bones without a way to the root: {', '.join(b['name'][0] for b in waiting)}"
                )
            for block in ready:
                *angles, order = block["axis"]
                offset = np.array(block["direction"], float) * (float(block["length"][0]) * scale)
                channels = tuple(c.lower() for c in block.get("dof", ()))
                bones.append(
                    Bone(
                        block["name"][0],
                        index[parents[block["name"][0]]],
                        offset,
                        _axes(angles, order, degrees),
                        channels,
                    )
                )
            waiting = [block for block in waiting if block not in ready]
        wrong = [
            b.name
            for b in bones
            if not np.isfinite([*b.offset, *b.axes.as_quat()]).all() or b.offset.shape != (3,)
        ]
        odd = sorted({c for b in bones for c in b.channels} - {"rx", "ry", "rz", "tx", "ty", "tz"})
        if wrong or odd or not np.isfinite(scale) or len({b.name for b in bones}) != len(bones):
            raise ValueError(
                f"bones {wrong} or channels {odd} are not understood, or a bone comes twice"
            )
        if any(c[0] == "t" for b in bones[1:] for c in b.channels) or not {"tx", "ty", "tz"} <= set(
            bones[0].channels
        ):
            raise ValueError("the root, and nothing else, must have tx, ty and tz")
    return Skeleton(tuple(bones), scale, degrees)


def _axes(angles: list[str], order: str, degrees: bool) -> Rotation:
    """Axes turned by `angles` (as named by `order`) about fixed axes, in that order."""
    return Rotation.from_euler(order.lower(), [float(a) for a in angles], degrees=degrees)


def _blocks(lines: list[list[str]]):
    """Each begin ... end of :bonedata as a dict of its lines by their first word."""
    block: dict[str, list[str]] = {}
    for words in lines:
        if words[0] == "begin":
            block = {}
        elif words[0] == "end":
            yield block
        else:
            block.setdefault(words[0], words[1:])


def read_amc(path: Path, skeleton: Skeleton, step: int = 1) -> dict[str, np.ndarray]:
    """Values (T, channels) of each bone that moves, of every `step`-th frame from the first; angles
    in radians.

    Raises ClimbEdgeError for a file that is none, lacks a bone's values somewhere, or holds values
    that are not finite.
    """
    widths = {b.name: len(b.channels) for b in skeleton.bones if b.channels}
    values: dict[str, list[list[str]]] = {name: [] for name in widths}
    degrees, number, kept, left = skeleton.degrees, 0, 0, 0
    with reading(path, AMC):
        for line in read_text(path, AMC).splitlines():
            words = line.split("#", 1)[0].split()
            if not words:
                continue
            if words[0].startswith(":"):
                degrees = {":DEGREES": True, ":RADIANS": False}.get(words[0].upper(), degrees)
            elif len(words) == 1 and words[0].isdecimal():
                if left or int(words[0]) != number + 1:
                    raise ValueError(
                        f"frame {number + 1} expected, {words[0]} found, {left} bones of the last"
                        " missing"
                    )
                number, left = number + 1, len(widths)
                kept += (number - 1) % step == 0
            elif number:
                left -= 1
                if len(words) != widths[words[0]] + 1:
                    raise ValueError(
                        f"frame {number}, {words[0]}: {widths[words[0]]} numbers expected"
                    )
                if (number - 1) % step == 0:
                    values[words[0]].append(words[1:])
        if left:
            raise ValueError(f"frame {number}: {left} bones missing")
        if not kept:
            raise ValueError("no frame")
        found = {}
        for bone in skeleton.bones:
            if bone.channels:
                rows = np.array(values[bone.name], np.float64)
                if rows.shape != (kept, widths[bone.name]) or not np.isfinite(rows).all():
                    raise ValueError(
                        f"{bone.name}: {kept} x {widths[bone.name]} finite numbers expected,"
                        f" {rows.shape}"
                    )
                turns = [c[0] == "r" for c in bone.channels]
                found[bone.name] = np.where(turns, np.deg2rad(rows), rows) if degrees else rows
    return found
