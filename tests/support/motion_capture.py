"""Motion capture in small: skeletons (.asf), motion (.amc), and takes of random joints."""

import numpy as np

PARENTS = {
    **dict.fromkeys(("lhipjoint", "rhipjoint", "lowerback"), "root"),
    "upperback": "lowerback",
    "thorax": "upperback",
    **dict.fromkeys(("lowerneck", "lclavicle", "rclavicle"), "thorax"),
    "upperneck": "lowerneck",
    "head": "upperneck",
    **{
        s + bone: s + parent
        for s in "lr"
        for bone, parent in (
            ("femur", "hipjoint"),
            ("tibia", "femur"),
            ("foot", "tibia"),
            ("toes", "foot"),
            ("humerus", "clavicle"),
            ("radius", "humerus"),
            ("wrist", "radius"),
            ("hand", "wrist"),
            ("fingers", "hand"),
            ("thumb", "wrist"),
        )
    },
}


def write_asf(path, bones, orientation=(0, 0, 0)):
    """bones: name -> (direction, length, axis, dof); as CMU's files look, oddities of spacing
    included.
    """
    lines = [
        "# AST/ASF file generated using VICON BodyLanguage",
        "# ------",
        ":version 1.10",
        ":name VICON",
        ":units",
        "  mass 1.0",
        "  length 0.45",
        "  angle deg",
        ":documentation",
        "   .ast/.asf automatically generated from VICON data using",
        "   VICON BodyBuilder and BodyLanguage model FoxedUp or BRILLIANT.MOD",
        ":root",
        "   order TX TY TZ RX RY RZ",
        "   axis XYZ",
        "   position 0 0 0  ",
        "   orientation {} {} {} ".format(*orientation),
        ":bonedata",
    ]
    for i, (name, (direction, length, axis, dof)) in enumerate(bones.items()):
        lines += ["  begin", f"     id {i + 1} ", f"     name {name}"]
        lines.append("     direction {:.9g} {:.9g} {:.9g}  ".format(*direction))
        lines += [
            f"     length {length:.9g}   ",
            "     axis {:.9g} {:.9g} {:.9g}   XYZ".format(*axis),
        ]
        if dof:
            lines.append(f"    dof {' '.join('r' + d for d in dof)}")
            lines += [f"    {'limits' if d == dof[0] else '      '} (-160.0 20.0)" for d in dof]
        lines.append(" end" if i == 7 else "  end")
    lines += [":hierarchy", "  begin"]
    for parent in dict.fromkeys(PARENTS.values()):
        lines.append("    " + " ".join([parent, *(b for b, p in PARENTS.items() if p == parent)]))
    path.write_text("\n".join([*lines, "  end", ""]))


def write_amc(path, frames):
    """frames: list of name -> values, in degrees and raw units."""
    lines = ["#!OML:ASF H:\\01.ASF", ":FULLY-SPECIFIED", ":DEGREES"]
    for i, frame in enumerate(frames):
        lines += [
            str(i + 1),
            *(" ".join([n, *(f"{v:.12g}" for v in vs)]) for n, vs in frame.items()),
        ]
    path.write_text("\n".join([*lines, ""]))


def turn(order, degrees):
    """Rotation matrix of angles about fixed axes, the first of `order` applied first: written out,
    no library.
    """
    result = np.eye(3)
    for axis, angle in zip(order, np.deg2rad(degrees), strict=True):
        c, s = np.cos(angle), np.sin(angle)
        about = {
            "x": [[1, 0, 0], [0, c, -s], [0, s, c]],
            "y": [[c, 0, s], [0, 1, 0], [-s, 0, c]],
            "z": [[c, -s, 0], [s, c, 0], [0, 0, 1]],
        }
        result = np.array(about[axis]) @ result
    return result


def random_take(seed, frames):
    """A random skeleton of CMU's bones, random motion of it, and its joints (T, 31, 3) in metres by
    plain matrices.
    """
    rng = np.random.default_rng(seed)
    order = list(rng.permutation(list(PARENTS)))  # children may come before parents
    dofs = {n: ["", "x", "xz", "yz", "xyz"][rng.integers(5)] for n in order}
    bones = {}
    for name in order:
        direction = rng.normal(size=3)
        bones[name] = (
            direction / np.linalg.norm(direction),
            rng.uniform(1, 8),
            rng.uniform(-180, 180, 3),
            dofs[name],
        )
    motion = [
        {
            "root": [*rng.uniform(-20, 20, 3), *rng.uniform(-180, 180, 3)],
            **{n: rng.uniform(-90, 90, len(d)) for n, d in dofs.items() if d},
        }
        for _ in range(frames)
    ]
    joints = []
    for frame in motion:
        at, turned = {"root": np.array(frame["root"][:3])}, {"root": turn("xyz", frame["root"][3:])}

        def place(name, at=at, turned=turned, frame=frame):
            if name not in at:
                parent = PARENTS[name]
                place(parent)
                direction, length, axis, dof = bones[name]
                own = turn("xyz", axis)
                turned[name] = turned[parent] @ own @ turn(dof, frame.get(name, [])) @ own.T
                at[name] = at[parent] + length * turned[name] @ direction

        for name in PARENTS:
            place(name)
        joints.append(at)
    scale = 0.0254 / 0.45
    return bones, motion, [{n: p * scale for n, p in at.items()} for at in joints]


def asfamc_folder(tmp_path):
    bones, motion, _ = random_take(0, 5)
    write_asf(tmp_path / "07.asf", bones)
    for take in ("07_01", "07_02"):
        write_amc(tmp_path / f"{take}.amc", motion)
    return tmp_path
