"""Virtual phone cameras: points in metres -> pixels of a portrait frame.

One camera function serves the generated climber and motion capture. World axes: x right, y up, z
towards the camera of azimuth 0 (behind a climber who faces the wall z = 0). Image axes: x right, y
down.
"""

from dataclasses import dataclass

import numpy as np

from train.synthesis.geometry import slow_noise, smooth, unit

FRAME_SIZE = (1080, 1920)  # width, height of a phone held upright
DISTANCE = (2.5, 7.0)  # metres from camera to the person
ELEVATION = (-0.3, 0.6)  # radians; below zero the camera looks up
ROLL = 0.04  # standard deviation, radians: nobody holds a phone level
FILL = (0.35, 0.7)  # of the frame's height, taken by the median person
SMALLEST_FILL = 0.2  # a standing camera that would show less follows instead
NEAREST = 1.3  # metres; a standing camera that a person would run into follows instead
FOCAL = (900.0, 5000.0)  # pixels, from an ultra-wide lens to a telephoto
HIPS = (15, 16)


@dataclass(frozen=True)
class Camera:
    """A pinhole camera over T frames."""

    position: np.ndarray  # (T, 3) metres
    # (T, 3, 3) rows: the image's right, its down and the view direction, in world axes
    axes: np.ndarray
    focal: float  # pixels
    frame_size: tuple[int, int] = FRAME_SIZE  # width, height


def project(points: np.ndarray, camera: Camera) -> np.ndarray:
    """points (T, 25, 3) metres -> (T, 25, 2) float32 pixels, pixel centres at integers.

    The optical axis hits the frame's middle, ((width - 1) / 2, (height - 1) / 2).
    """
    seen = np.einsum("tij,tkj->tki", camera.axes, points - camera.position[:, None])
    centre = (np.asarray(camera.frame_size) - 1) / 2
    return (camera.focal * seen[..., :2] / seen[..., 2:] + centre).astype(np.float32)


def random_camera(points: np.ndarray, rng: np.random.Generator, azimuth=(-np.pi, np.pi)) -> Camera:
    """A camera for points (T, 25, 3), finite: it stands, pans from where it stands, or follows.

    It keeps every point in front of it. `azimuth` = (lo, hi) in radians, 0 = on the +z side.
    """
    frames = len(points)
    hips = points[:, HIPS].mean(1)
    turn, rise = rng.uniform(*azimuth), rng.uniform(*ELEVATION)
    offset = rng.uniform(*DISTANCE) * direction(turn, rise)
    fill, roll = rng.uniform(*FILL), rng.normal(0, ROLL)
    kind = rng.choice(["stand", "pan", "follow"], p=[0.5, 0.2, 0.3])
    lag = rng.uniform(8, 20)  # frames; how tightly a hand follows the climber
    shake = rng.choice([0.0, 1.0], p=[0.25, 0.75]) * rng.uniform(0.3, 1.0)  # 0: a tripod
    aim_shift = rng.normal(0, 0.12, 3)  # nobody centres exactly
    wobble = shake * (0.004 * slow_noise(rng, frames, 3, 4) + 0.03 * slow_noise(rng, frames, 3, 25))
    drift = shake * 0.02 * slow_noise(rng, frames, 3, 12)

    middle = np.broadcast_to((points.min((0, 1)) + points.max((0, 1))) / 2, (frames, 3))
    path = smooth(hips, lag)
    # stands by, aims at
    ways = {"stand": (middle, middle), "pan": (middle, path), "follow": (path, path)}
    for way in dict.fromkeys([kind, "follow"]):
        by, aim = ways[way]
        position = by + offset + drift
        axes = look_at(position, aim + aim_shift + wobble, roll)
        seen = np.einsum("tij,tkj->tki", axes, points - position[:, None])
        if seen[..., 2].min() < NEAREST and way != "follow":
            continue
        near = np.maximum(seen[..., 2:], 0.3)
        flat = seen[..., :2] / near
        tall = np.median(np.ptp(flat, axis=1).max(1))
        focal = fill * FRAME_SIZE[1] / tall
        # from the optical axis, right and down
        spread = np.quantile(np.abs(flat), 0.99, axis=(0, 1))
        widest = 0.48 * np.min(np.asarray(FRAME_SIZE) / spread)
        if way == "follow" or min(focal, widest) * tall >= SMALLEST_FILL * FRAME_SIZE[1]:
            break
    # A following camera in a crowded moment (a jump at it) steps back rather than through the
    # person.
    back = max(0.0, 0.5 - float(seen[..., 2].min()))
    position = position - back * axes[:, 2]
    return Camera(position, axes, float(np.clip(min(focal, widest), *FOCAL)))


def direction(azimuth: float, elevation: float) -> np.ndarray:
    """Unit vector (3,) from the person to a camera at these angles in radians."""
    return np.array(
        [
            np.sin(azimuth) * np.cos(elevation),
            np.sin(elevation),
            np.cos(azimuth) * np.cos(elevation),
        ]
    )


def look_at(position: np.ndarray, target: np.ndarray, roll: float = 0.0) -> np.ndarray:
    """Axes (T, 3, 3) of cameras at position (T, 3) that see target (T, 3) in the middle; y
    is up.
    """
    view = unit(target - position)
    right = unit(np.cross(view, [0.0, 1.0, 0.0]))
    down = np.cross(view, right)
    cos, sin = np.cos(roll), np.sin(roll)
    return np.stack([cos * right + sin * down, cos * down - sin * right, view], 1)
