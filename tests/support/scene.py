"""What many tests are made of: poses, an estimator that draws them, small videos, heatmap files and
clip sets.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from climb_edge.estimators.base import Observation
from climb_edge.files.clips import ClipSet, save_clips
from climb_edge.files.truth import Truth
from climb_edge.media.frame import NO_PICTURE, Frame
from climb_edge.media.video import VideoWriter
from climb_edge.pose.boxes import box_affine, invert, pose_box, transform
from climb_edge.pose.render import PEAK, render
from climb_edge.pose.skeleton import INDEX, K
from climb_edge.refiners.base import WindowState, to_keypoints
from climb_edge.streaming.result import Result

BLANK = NO_PICTURE


def standing(x: float = 200.0, y: float = 180.0, height: float = 200.0) -> np.ndarray:
    """(25, 2) a standing person around the hip centre (x, y), nose to heel `height` pixels."""
    rows = {
        "nose": (0, -0.48),
        "ear": (0.04, -0.47),
        "shoulder": (0.11, -0.32),
        "elbow": (0.16, -0.16),
        "wrist": (0.17, 0.0),
        "pinky": (0.19, 0.04),
        "index": (0.17, 0.05),
        "thumb": (0.15, 0.03),
        "hip": (0.07, 0.0),
        "knee": (0.08, 0.24),
        "ankle": (0.08, 0.46),
        "heel": (0.07, 0.5),
        "foot_index": (0.12, 0.5),
    }
    points = np.zeros((K, 2))
    for name, index in INDEX.items():
        part = name.removeprefix("left_").removeprefix("right_")
        across, down = rows[part]
        points[index] = (
            x + (across if name.startswith("left_") else -across) * height,
            y + down * height,
        )
    return points


def observe(points: np.ndarray, person: int = 0, angle: float = 0.2, grid: int = 64) -> Observation:
    """What an estimator with a rotated crop says of (25, 2) points: Gaussians of sigma 1.5 cells on
    its own grid.
    """
    x0, y0, x1, y1 = pose_box(points, grow=0.6)
    scale, c, s = (x1 - x0) / grid, np.cos(angle), np.sin(angle)
    linear = scale * np.array([[c, -s], [s, c]])
    centre = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
    affine = np.hstack([linear, (centre - linear @ np.full(2, grid / 2))[:, None]])
    cells = transform(invert(affine), points)
    at = np.arange(grid)
    gaussian = [np.exp(-((at[:, None] - cells[:, axis]) ** 2) / (2 * 1.5**2)) for axis in (0, 1)]
    native = (gaussian[1][:, None] * gaussian[0][None]).astype(np.float32)
    return Observation.of(native, affine, person=person)


class Scripted:
    """An estimator that reads a script: frame number -> {person: (25, 2) points}; nobody
    elsewhere.
    """

    name = "scripted"

    def __init__(self, script):
        self.script = script

    def __call__(self, frame: Frame) -> list[Observation]:
        script = (
            self.script(frame.index) if callable(self.script) else self.script.get(frame.index, {})
        )
        return [observe(points, person) for person, points in script.items()]

    def reset(self) -> None:
        """Nothing to forget: frames are looked up by their number."""


class Late:
    """A refiner with a delay of 2 frames that changes nothing; keeps the windows it was given."""

    name, delay, rate, contract = "late", 2, None, None
    runtime, backend, reason = "none", "cpu", "it is a test"

    def __init__(self):
        self.windows = []

    def start(self) -> WindowState:
        return WindowState(self.refine)

    def refine(self, window: np.ndarray) -> np.ndarray:
        self.windows.append(window.copy())
        return to_keypoints(window[2:])


def through(refiner, window: np.ndarray, seen=None) -> np.ndarray:
    """Keypoints (T, 25, 3) after the frames of `window` (5, 56, 56, 25), pushed one by one with
    what was `seen` (5, 25, 3), or else as they decode.
    """
    state = refiner.start()
    return [
        state.push(*given)
        for given in zip(window, to_keypoints(window) if seen is None else seen, strict=True)
    ][-1]


def frames_at(*times: float) -> list[Frame]:
    """Frames without a picture at these times."""
    return [Frame(i, t, BLANK) for i, t in enumerate(times)]


def steady(count: int, fps: float = 30.0) -> list[Frame]:
    """`count` frames without a picture at a steady rate."""
    return frames_at(*(i / fps for i in range(count)))


def shapes(index: int, width: int = 96, height: int = 64) -> np.ndarray:
    """A picture (height, width, 3) with a red square that moves 4 pixels a frame over dark blue."""
    image = np.full((height, width, 3), (0, 0, 60), np.uint8)
    image[20:36, 8 + 4 * index : 24 + 4 * index] = (220, 20, 20)
    return image


def write_video(path: Path, images, times=None, fps: float = 30.0) -> Path:
    """Pictures as an H.264 file, at `times` or at a steady rate."""
    with VideoWriter(path, fps) as video:
        for i, image in enumerate(images):
            video.write(image, times[i] if times is not None else i / fps)
    return path


def write_shapes(path: Path, count: int) -> Path:
    """A video of `count` frames without anybody in it."""
    return write_video(path, [shapes(i) for i in range(count)])


def write_heatmaps(path: Path, poses: list[np.ndarray | None]) -> Path:
    """Poses (25, 2) in pixels as somebody's own heatmaps (climb_edge.HeatmapFile); None = a frame
    without a person.
    """
    maps, boxes = np.zeros((len(poses), K, 56, 56), np.float32), np.zeros((len(poses), 4))
    for i, points in enumerate(poses):
        if points is not None:
            boxes[i] = pose_box(points)
            cells = transform(invert(box_affine(boxes[i])), points)
            maps[i] = np.moveaxis(render(cells, subcell=True), -1, 0) / PEAK
    np.savez_compressed(path, heatmaps=maps, bboxes=boxes)
    return path


def clip_set(lengths=(6, 4), source: str = "somebody's labels", **changes) -> ClipSet:
    """A small clip set: standing persons that walk right, one clip per length."""
    keypoints = np.concatenate([[standing(200 + 2 * t) for t in range(n)] for n in lengths]).astype(
        np.float32
    )
    count, clips = len(keypoints), len(lengths)
    fields = {
        "keypoints": keypoints,
        "visible": np.ones((count, K), np.uint8),
        "offsets": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        "frame_size": np.full((clips, 2), 400, np.int32),
        "fps": np.full(clips, 30, np.float32),
        "clip": np.array([f"clip{i}.mp4" for i in range(clips)]),
        "group": np.array(["walk"] * clips),
        "split": np.array(["test"] * clips),
        "source": source,
        "truth": Truth.HUMAN,
    }
    return ClipSet(**{**fields, **changes})


def write_clips(path: Path, clips: ClipSet | None = None) -> Path:
    """A clip set as a file."""
    save_clips(path, clips or clip_set())
    return path


def result(frame: int = 0, person: int | None = 0, shift: float = 0.0) -> Result:
    points = np.concatenate([standing(), np.full((25, 1), 0.9)], axis=1)
    moved = points + [shift, 0, 0]
    return Result(frame, frame / 30, person, "tracking", 0, np.array([0.0, 1, 2, 3]), points, moved)


def moving(t: int) -> np.ndarray:
    """A person who walks, and raises the left arm: not the same in a mirror."""
    points = standing(x=200 + 3 * t)
    for n, part in enumerate(("elbow", "wrist", "pinky", "index", "thumb")):
        points[INDEX[f"left_{part}"]] += (8 * n, -(30 + 12 * n) - t)
    return points


def walking(index: int) -> dict:
    """Who is seen in a frame of this number: one person, who walks right."""
    return {0: standing(200 + 1.5 * index)}
