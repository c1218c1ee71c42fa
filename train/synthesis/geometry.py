"""The geometry of smooth movement: filters over time, limbs of two bones, vectors, the axes of a
torso.
"""

import numpy as np

from climb_edge.pose.skeleton import LEFT_HIP, LEFT_SHOULDER, RIGHT_HIP, RIGHT_SHOULDER

LONGEST, SHORTEST = 0.985, 0.2  # of a limb: nearly straight, fully folded


def smooth(values: np.ndarray, sigma: float) -> np.ndarray:
    """values (T, D) -> (T, D), each column filtered by a Gaussian of `sigma` frames, ends held."""
    reach = int(np.ceil(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    held = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
    return np.stack([np.convolve(column, kernel / kernel.sum(), "valid") for column in held.T], 1)


def slow_noise(rng: np.random.Generator, frames: int, columns: int, sigma: float) -> np.ndarray:
    """(frames, columns) of noise with unit deviation that wanders over about `sigma` frames."""
    reach = int(np.ceil(3 * sigma))
    noise = smooth(rng.standard_normal((frames + 2 * reach, columns)), sigma)[
        reach : reach + frames
    ]
    return noise * np.sqrt(2 * np.sqrt(np.pi) * sigma)


def give_way(line: np.ndarray, length: np.ndarray) -> np.ndarray:
    """How the body moves (T, 3) so that no limb is over-stretched or over-folded.

    line (T, 4, 3): from each joint to its end; length (4,). Each round is smooth, so that no joint
    jerks.
    """
    moved = np.zeros((len(line), 3))
    for _ in range(20):
        gap = line - moved[:, None]
        away = np.linalg.norm(gap, axis=-1)
        over, under = np.maximum(away - 0.93 * length, 0), np.maximum(0.4 * length - away, 0)
        pull = over**2 / (over + 0.02 * length) - under**2 / (under + 0.02 * length)
        moved = moved + 0.6 * (gap * (pull / away)[..., None]).sum(1)
    return moved


def two_bones(
    joints: np.ndarray, ends: np.ndarray, bones: np.ndarray, pole: np.ndarray, swivel: np.ndarray
):
    """Elbows and knees (T, 4, 3), and the ends as reached, by the law of cosines.

    joints, ends (T, 4, 3); bones (2, 4) upper and lower; pole (4, 3) is where a joint bends to,
    swivel (T, 4) turns it about the line to the end.
    """
    away = np.linalg.norm(ends - joints, axis=-1)
    line = (ends - joints) / away[..., None]
    away = np.clip(away, SHORTEST * bones.sum(0), LONGEST * bones.sum(0))
    along = (bones[0] ** 2 - bones[1] ** 2 + away**2) / (2 * away)
    aside = np.sqrt(bones[0] ** 2 - along**2)
    first = unit(pole - (pole * line).sum(-1, keepdims=True) * line)
    bend = np.cos(swivel)[..., None] * first + np.sin(swivel)[..., None] * np.cross(line, first)
    return (
        joints + along[..., None] * line + aside[..., None] * bend,
        joints + away[..., None] * line,
    )


def across(spine: np.ndarray, turn: np.ndarray, rise: np.ndarray) -> np.ndarray:
    """Unit vectors (T, 3) to the right, square to spine (T, 3), for one who faces -z; turn, rise
    (T,) in radians.
    """
    right = np.stack([np.cos(turn), np.tan(rise), -np.sin(turn)], 1)
    return unit(right - (right * spine).sum(-1, keepdims=True) * spine)


def unit(v: np.ndarray) -> np.ndarray:
    """v (..., 3) at length 1."""
    return v / np.linalg.norm(v, axis=-1, keepdims=True)


def ease(x: np.ndarray) -> np.ndarray:
    """Minimum-jerk course: 0 up to x = 0, 1 from x = 1."""
    x = np.clip(x, 0, 1)
    return x**3 * (10 - 15 * x + 6 * x**2)


def torso_up(points: np.ndarray) -> np.ndarray:
    """Unit vectors (T, 1, 2) from hips to shoulders of (T, 25, 2) points; up in the image where
    there are none.
    """
    up = points[:, [LEFT_SHOULDER, RIGHT_SHOULDER]].mean(1) - points[:, [LEFT_HIP, RIGHT_HIP]].mean(
        1
    )
    length = np.linalg.norm(up, axis=1, keepdims=True)
    known = np.isfinite(length) & (length > 0)
    return np.where(known, up / np.where(known, length, 1), (0.0, -1.0))[:, None]


def along_torso(points: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Errors (T, 25, 2) given as (up, side) of the torso of `points` -> (x, y)."""
    up = torso_up(points)
    return error[..., :1] * up + error[..., 1:] * np.stack([-up[..., 1], up[..., 0]], axis=-1)
