"""Virtual cameras: the pinhole rule, and people who stay in front of the lens and in the
picture.
"""

import numpy as np

from train.synthesis.cameras import (
    DISTANCE,
    HIPS,
    NEAREST,
    Camera,
    direction,
    look_at,
    project,
    random_camera,
)
from train.synthesis.climber import climb
from train.synthesis.motion import BEHIND


def test_project_equals_a_pinhole_worked_out_by_hand():
    # From (0, 0, 4) towards -z with focal length 1000, a point 0.5 to the right and 0.25 up, 5 m
    # away, lands 1000 * 0.5 / 5 = 100 px right of and 1000 * 0.25 / 5 = 50 px above the middle
    # (539.5, 959.5).
    points = np.broadcast_to(np.array([0.5, 0.25, -1.0]), (1, 25, 3))
    position = np.array([[0.0, 0.0, 4.0]])
    pixels = project(points, Camera(position, look_at(position, np.zeros((1, 3))), focal=1000.0))
    assert pixels.dtype == np.float32 and pixels.shape == (1, 25, 2)
    np.testing.assert_allclose(pixels[0, 7], [639.5, 909.5], atol=1e-3)
    # From the +x side (azimuth 90 degrees) world -z is right: 1 m to the right, 4.5 - 0.5 = 4 m
    # away.
    position = np.array([[4.5, 0.0, 0.0]])
    pixels = project(points, Camera(position, look_at(position, np.zeros((1, 3))), focal=1000.0))
    np.testing.assert_allclose(pixels[0, 0], [539.5 + 250, 959.5 - 62.5], atol=1e-3)


def test_axes_are_a_rotation_also_with_roll():
    axes = look_at(3 * direction(1.1, 0.4)[None], np.zeros((1, 3)), roll=0.3)
    np.testing.assert_allclose(axes[0] @ axes[0].T, np.eye(3), atol=1e-12)
    assert np.isclose(np.linalg.det(axes[0]), 1)


def test_random_cameras_show_the_person_from_behind_at_a_plausible_size():
    inside, tall = [], []
    for seed in range(40):
        points = climb(seed, frames=60)
        camera = random_camera(points, np.random.default_rng(seed), BEHIND)
        seen = np.einsum("tj,tkj->tk", camera.axes[:, 2], points - camera.position[:, None])
        assert seen.min() > min(0.49, NEAREST)
        away = np.linalg.norm(camera.position - points[:, HIPS].mean(1), axis=1)
        assert DISTANCE[0] - 1.5 < away.min() and away.max() < DISTANCE[1] + 1.5
        pixels = project(points, camera)
        assert np.isfinite(pixels).all()
        inside.append(((pixels >= 0) & (pixels < camera.frame_size)).all(-1).mean())
        tall.append(np.median(np.ptp(pixels[..., 1], axis=1)) / 1920)
        shoulders = pixels[:, 4, 0] - pixels[:, 3, 0]
        assert np.median(shoulders) > 0, "from behind, the right shoulder is on the right"
    assert np.mean(inside) > 0.95
    assert 0.3 < np.median(tall) < 0.8 and min(tall) > 0.12


def test_a_camera_moves_smoothly():
    points = climb(3)
    for seed in range(20):
        camera = random_camera(points, np.random.default_rng(seed), BEHIND)
        # metres a frame a frame
        assert np.linalg.norm(np.diff(camera.position, 2, axis=0), axis=-1).max() < 0.01
