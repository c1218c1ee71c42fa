"""Clips of generated climbing, and of motion capture, through virtual cameras."""

from pathlib import Path

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.clips import ClipSet
from climb_edge.files.npz import expect_shape, read_npz
from climb_edge.files.truth import Truth
from climb_edge.pose.skeleton import K
from train.synthesis.cameras import FRAME_SIZE, project, random_camera
from train.synthesis.climber import climb

BEHIND = (-np.pi / 3, np.pi / 3)  # azimuth of cameras that see a climber


def generated_clips(count: int, seed: int = 0, frames: int = 120, fps: float = 30.0) -> ClipSet:
    """`count` climbers, seen from behind. Clip i depends on (seed, i) only, not on how many are
    made.
    """
    takes = []
    for i in range(count):
        points = climb(
            int(np.random.SeedSequence([seed, i]).generate_state(1, np.uint64)[0]), frames, fps
        )
        camera = random_camera(points, np.random.default_rng([seed, i, 1]), BEHIND)
        takes.append((f"generated/{seed}/{i:05d}", "climb", project(points, camera)))
    return clip_set(takes, fps, f"generated: kinematic climber, seed {seed}")


def mocap_clips(path: str | Path, cameras: int = 6, seed: int = 0) -> ClipSet:
    """Every take of a motion capture file (kp25_3d, offsets, fps), each through its own cameras
    from all sides.
    """
    (shots, fps), takes = load_motion(path), []
    for i, points in enumerate(shots):
        for c in range(cameras):
            camera = random_camera(points, np.random.default_rng([seed, i, c, 2]))
            takes.append(
                (
                    f"mocap/{Path(path).stem}/{seed}/{i:03d}/{c}",
                    f"take {i:03d}",
                    project(points, camera),
                )
            )
    return clip_set(
        takes, fps, f"generated: {Path(path).name} through virtual cameras, seed {seed}"
    )


def load_motion(path: str | Path) -> tuple[list[np.ndarray], float]:
    """Takes (T, 25, 3) metres, y up, and the frame rate of a motion capture file (kp25_3d, offsets,
    fps).
    """
    what = "motion capture (.npz with kp25_3d, offsets, fps)"
    arrays = read_npz(path, {"kp25_3d": "f", "offsets": "iu", "fps": "fiu"}, what)
    for name, shape in {"kp25_3d": ("N", K, 3), "offsets": ("C",), "fps": ()}.items():
        expect_shape(path, name, arrays[name], shape)
    points, offsets, fps = (
        arrays["kp25_3d"],
        arrays["offsets"].astype(np.int64),
        float(arrays["fps"]),
    )
    if (
        len(offsets) < 2
        or offsets[0] != 0
        or offsets[-1] != len(points)
        or (np.diff(offsets) < 1).any()
    ):
        raise ClimbEdgeError(
            f"{path}: offsets must rise from 0 to {len(points)} (the number of frames); correct"
            " them"
        )
    if not np.isfinite(points).all() or not 0 < fps < np.inf:
        raise ClimbEdgeError(
            f"{path}: kp25_3d and fps must be finite, fps above 0; cut out frames that are not"
        )
    return np.split(points, offsets[1:-1]), fps


def clip_set(takes: list[tuple[str, str, np.ndarray]], fps: float, source: str) -> ClipSet:
    """Takes of (name, group, pixels (T, 25, 2)) as one set; visible = inside the frame.

    Truth is `generated`, of captured motion too: no picture shows what the cameras here see.
    """
    keypoints = np.concatenate(
        [np.empty((0, K, 2), np.float32), *(pixels for _, _, pixels in takes)]
    )
    count, inside = len(takes), (keypoints >= 0) & (keypoints <= np.array(FRAME_SIZE) - 1)
    return ClipSet(
        keypoints=keypoints,
        visible=inside.all(-1).astype(np.uint8),
        offsets=np.cumsum([0] + [len(pixels) for _, _, pixels in takes]).astype(np.int64),
        frame_size=np.tile(np.array(FRAME_SIZE, np.int32), (count, 1)),
        fps=np.full(count, fps, np.float32),
        clip=np.array([name for name, _, _ in takes], str),
        group=np.array([group for _, group, _ in takes], str),
        split=np.full(count, "train"),
        source=source,
        truth=Truth.GENERATED,
    )
