"""Foreign data sets in small: a folder of each layout, and clips compared."""

import json
from dataclasses import fields, replace

import cv2
import numpy as np
from scipy.io import savemat

from climb_edge.pose.skeleton import FROM_JHMDB15, FROM_PENN13

COCO17 = (
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


def same(got, wanted, *but):
    """Assert that two clip sets are equal in everything except the fields named."""
    for field in fields(wanted):
        if field.name in but:
            continue
        a, b = getattr(got, field.name), getattr(wanted, field.name)
        if isinstance(b, np.ndarray):
            assert a.dtype.kind == b.dtype.kind and (a.dtype == b.dtype or b.dtype.kind == "U"), (
                field.name
            )
            np.testing.assert_array_equal(a, b, err_msg=field.name)
        else:
            assert a == b, field.name


def some(clips, chosen):
    """A clip set of the clips with the numbers `chosen` alone."""
    rows = np.concatenate([np.arange(clips.offsets[i], clips.offsets[i + 1]) for i in chosen])
    lengths = [clips.offsets[i + 1] - clips.offsets[i] for i in chosen]
    return replace(
        clips,
        keypoints=clips.keypoints[rows],
        visible=clips.visible[rows],
        offsets=np.cumsum([0, *lengths]),
        **{n: getattr(clips, n)[chosen] for n in ("frame_size", "fps", "clip", "group", "split")},
    )


def damage(path):
    """Cut a file in half."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


# --- Penn Action ---


def write_penn(folder, name, points, seen, size, action, side):
    """labels/<name>.mat of points (N, 25, 2) and seen (N, 25), with all nine variables of the real
    files.
    """
    there = [here for _, here in sorted(FROM_PENN13)]
    labels = folder / "labels"
    labels.mkdir(parents=True, exist_ok=True)
    savemat(
        labels / f"{name}.mat",
        {
            "action": action,
            "pose": "front",
            "x": points[:, there, 0].astype(float),
            "y": points[:, there, 1].astype(float),
            "visibility": seen[:, there].astype(float),
            "train": 1 if side == "train" else -1,
            "bbox": np.zeros((len(points), 4)),
            "dimensions": np.array([size[1], size[0], len(points)], float),
            "nframes": len(points),
        },
        do_compression=True,
    )


def penn_folder(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("0001", "0002"):
        write_penn(
            tmp_path,
            name,
            rng.uniform(10, 200, (6, 25, 2)),
            np.ones((6, 25)),
            (320, 240),
            "situp",
            "train",
        )
    return tmp_path


# --- J-HMDB ---


def write_jhmdb(folder, action, clip, points, sides):
    """joint_positions.mat of points (N, 25, 2), counted from 1; sides: split number -> 1 or 2."""
    position = np.zeros((2, 15, len(points)))
    for there, here in FROM_JHMDB15:
        position[:, there] = points[:, here].astype(float).T + 1
    place = folder / "joint_positions" / action / clip
    place.mkdir(parents=True)
    savemat(
        place / "joint_positions.mat",
        {
            "pos_img": position,
            "pos_world": position / 320,
            "scale": np.ones((1, len(points))),
            "viewpoint": "S",
        },
    )
    (folder / "splits").mkdir(exist_ok=True)
    for number, side in sides.items():
        with open(folder / "splits" / f"{action}_test_split{number}.txt", "a") as stream:
            stream.write(f"{clip}.avi {side} \n")


def jhmdb_folder(tmp_path):
    rng = np.random.default_rng(0)
    for clip in ("a_#_b", "c"):
        write_jhmdb(tmp_path, "catch", clip, rng.uniform(20, 200, (5, 25, 2)), {1: 1, 2: 2})
    return tmp_path


# --- BRACE ---

VIDEO = "-m_T5x-j"


def write_brace(folder, frames, start=100, end=109, move="powermove", video=VIDEO, key=None):
    """One segment: frames is number -> (17, 2)."""
    place = folder / "dataset" / "2013" / video
    place.mkdir(parents=True, exist_ok=True)
    path = place / f"{video}_{start}-{end}_{move}.json"
    path.write_text(
        json.dumps(
            {
                key or f"{video}/img-{n:06d}.png": {
                    "box": [1, 2, 3, 4, 1],
                    "keypoints": [[x, y, 1] for x, y in p.tolist()],
                }
                for n, p in frames.items()
            }
        )
    )
    return path


def brace_folder(tmp_path):
    rng = np.random.default_rng(0)
    write_brace(tmp_path, {n: rng.uniform(100, 900, (17, 2)) for n in range(100, 110)})
    write_brace(
        tmp_path,
        {n: rng.uniform(100, 900, (17, 2)) for n in range(200, 205)},
        200,
        204,
        "toprock",
        "abc",
    )
    return tmp_path


# --- heatmaps: ClimbAlong and anybody's ---


def maps(frames):
    return np.random.default_rng(3).normal(0.2, 0.3, (frames, 25, 56, 56)).astype(np.float32)


def boxes(frames):
    return np.tile(np.array([100.0, 200, 400, 800]), (frames, 1))


def targets(frames):
    points = np.random.default_rng(4).uniform(100, 800, (frames, 1, 25, 3))
    points[..., 2] = 1
    return points


def write_climbalong(folder, stem, bboxes, keypoints, observed=None):
    for name in ("inputs", "targets"):
        (folder / name).mkdir(exist_ok=True)
    if bboxes is not None:
        heatmaps = maps(len(bboxes)) if observed is None else observed
        np.savez(folder / "inputs" / f"{stem}.npz", bboxes=bboxes, heatmaps=heatmaps)
    if keypoints is not None:
        np.savez(folder / "targets" / f"{stem}.npz", keypoints=keypoints)


def climbalong_folder(tmp_path):
    for stem in ("a", "b"):
        write_climbalong(tmp_path, stem, boxes(3), targets(3))
    return tmp_path


def heatmaps_folder(tmp_path):
    (tmp_path / "sub").mkdir()
    np.savez(
        tmp_path / "a.npz", bboxes=boxes(3), heatmaps=maps(3), keypoints=targets(3)[:, 0, :, :2]
    )
    np.savez(
        tmp_path / "sub" / "b.npz",
        bboxes=boxes(3),
        heatmaps=maps(3),
        keypoints=targets(4)[:, 0],
        frame_size=np.array([640, 900]),
    )
    return tmp_path


# --- COCO ---


def image(i, name, size=(640, 480)):
    return {"id": i, "file_name": name, "width": size[0], "height": size[1]}


def label(i, image_id, points, flags=None, category=1, **more):
    flags = np.full(len(points), 2) if flags is None else flags
    flat = np.concatenate([points, np.asarray(flags)[:, None]], 1).ravel().tolist()
    return {
        "id": i,
        "image_id": image_id,
        "category_id": category,
        "keypoints": flat,
        "num_keypoints": 1,
        **more,
    }


def write_coco(path, images, annotations, names=COCO17):
    path.parent.mkdir(parents=True, exist_ok=True)
    category = {"id": 1, "name": "person", "skeleton": [[1, 2]]} | (
        {"keypoints": list(names)} if names else {}
    )
    path.write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": [category]})
    )
    return path


def people(count, joints=17, seed=5):
    return np.random.default_rng(seed).uniform(20, 400, (count, joints, 2))


def yolo_line(points, flags=None, kind=0):
    """A person of points (J, 2) in fractions of the picture; visibility where flags are given."""
    columns = points if flags is None else np.concatenate([points, np.array(flags)[:, None]], 1)
    return f"{kind} 0.5 0.5 0.2 0.4 " + " ".join(f"{v:.9g}" for v in columns.ravel()) + "\n"


def write_yolo(folder, labels, shape=(17, 3), size=(640, 480), more=""):
    """data.yaml, a picture and a text file for each of `labels`, path below images/ -> text."""
    folder.mkdir(exist_ok=True)
    (folder / "data.yaml").write_text(
        f"path: ../x  # of the set\ntrain: images/train\nkpt_shape: [{shape[0]}, {shape[1]}]\n"
        f"names:\n  0: person\n{more}"
    )
    for name, text in labels.items():
        for kind, suffix in (("images", ".png"), ("labels", ".txt")):
            path = folder / kind / f"{name}{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            if kind == "labels":
                path.write_text(text)
            elif size:
                cv2.imwrite(str(path), np.zeros((size[1], size[0], 3), np.uint8))


def yolo_folder(tmp_path):
    line = yolo_line(people(1)[0] / 500, [2] * 17)
    write_yolo(tmp_path, {"train/x_0000": line, "train/y_0000": line})
    return tmp_path


def coco_folder(tmp_path):
    write_coco(tmp_path / "x.json", [image(1, "x/000000.jpg")], [label(1, 1, people(1)[0])])
    write_coco(tmp_path / "y.json", [image(1, "y/000000.jpg")], [label(1, 1, people(1)[0])])
    return tmp_path
