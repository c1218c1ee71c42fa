"""The generated climber: rigid bones, one limb at a time, the same for the same seed, real enough
in its speeds.
"""

import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.truth import Truth
from climb_edge.pose.skeleton import BONES
from train.synthesis.body import Y, manner_of, person
from train.synthesis.climber import animate, climb, plan
from train.synthesis.motion import clip_set, generated_clips, mocap_clips

SEEDS = range(24)
SIDES = {(3, 15), (4, 16)}  # shoulder to hip is no bone: the trunk twists
RIGID = [b for b in BONES if b not in SIDES] + [(1, 2), (9, 11), (10, 12)]
GRIPS = ((9, 11), (10, 12), (23, 23), (24, 24))  # each limb's contact is the middle of these two


@pytest.fixture(scope="module")
def takes():
    return [climb(seed) for seed in SEEDS]


def test_every_value_is_finite_and_float32(takes):
    for take in takes:
        assert take.shape == (120, 25, 3) and take.dtype == np.float32 and np.isfinite(take).all()


def test_bones_keep_their_length_and_are_human(takes):
    for take in takes:
        a, b = np.array(RIGID).T
        lengths = np.linalg.norm(take[:, a] - take[:, b], axis=-1)
        assert np.ptp(lengths, axis=0).max() < 1e-5
        trunk = np.linalg.norm(take[:, 3:5].mean(1) - take[:, 15:17].mean(1), axis=-1)
        neck = np.linalg.norm(take[:, 3:5].mean(1) - take[:, 1:3].mean(1), axis=-1)
        assert np.ptp(trunk) < 1e-5 and np.ptp(neck) < 1e-5
        assert 0.35 < trunk[0] < 0.66


def test_people_differ(takes):
    thighs = [np.linalg.norm(take[0, 15] - take[0, 17]) for take in takes]
    assert np.std(thighs) > 0.01


def test_limbs_move_one_at_a_time_and_contacts_stay_still():
    still, moved = 0, 0
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        who, manner = person(rng), manner_of(rng)
        route = plan(rng, who, manner, 4.0)
        take = animate(rng, who, manner, route, 120, 30.0)
        t = np.arange(120) / 30
        grips = np.stack([(take[:, a] + take[:, b]) / 2 for a, b in GRIPS], 1)
        speed = np.linalg.norm(np.diff(grips, axis=0), axis=-1)  # (119, 4) metres a frame
        active = np.stack(
            [
                ((t[1:, None] > route.begin) & (t[:-1, None] < route.end))[
                    :, route.limb == limb
                ].any(1)
                for limb in range(4)
            ],
            1,
        )
        loose = ((t[1:, None] > route.loose[:, 0]) & (t[:-1, None] < route.loose[:, 1])).any(1)
        # A frame in which one move ends and the next begins may see two limbs; no two move for
        # longer.
        both = (active.sum(1) > 1) & ~loose
        assert not (both[1:] & both[:-1]).any()
        quiet = ~active & ~loose[:, None]
        assert np.quantile(speed[quiet], 0.999) < 1e-4
        still += quiet.sum()
        moved += (speed[active] > 0.005).sum()
    assert still > 3000 and moved > 500


def test_speeds_are_a_climbers(takes):
    speed = (
        np.concatenate(
            [np.linalg.norm(np.diff(take[:, [7, 8]], axis=0), axis=-1).ravel() for take in takes]
        )
        * 30
    )
    # metres a second
    assert np.median(speed) < 0.3 and 0.4 < np.quantile(speed, 0.95) < 3 and speed.max() < 12
    jump = np.concatenate(
        [np.linalg.norm(np.diff(take, 2, axis=0), axis=-1).ravel() for take in takes]
    )
    assert np.quantile(jump, 0.99) < 0.06  # metres a frame a frame


def test_the_climber_faces_the_wall(takes):
    for take in takes:
        ears_to_nose = take[:, 0] - take[:, 1:3].mean(1)
        assert np.median(ears_to_nose[:, 2]) < 0
        assert np.median((take[:, 4] - take[:, 3])[:, 0]) > 0.1  # his right is +x
        assert np.median((take[:, 3:5].mean(1) - take[:, 15:17].mean(1)) @ Y) > 0.2


def test_the_same_seed_gives_the_same_bytes_and_another_does_not():
    assert climb(5).tobytes() == climb(5).tobytes() != climb(6).tobytes()


@pytest.mark.parametrize(("frames", "fps"), [(1, 30.0), (5, 25.0), (300, 60.0)])
def test_any_length_and_rate(frames, fps):
    take = climb(1, frames, fps)
    assert take.shape == (frames, 25, 3) and np.isfinite(take).all()


def test_a_clip_does_not_depend_on_how_many_are_made():
    few, many = generated_clips(2, seed=9, frames=40), generated_clips(6, seed=9, frames=40)
    assert few.keypoints.tobytes() == many.keypoints[: 2 * 40].tobytes()
    assert many.keypoints.shape == (240, 25, 2) and many.offsets.tolist() == [
        0,
        40,
        80,
        120,
        160,
        200,
        240,
    ]
    assert len(set(many.clip.tolist())) == 6 and list(few.clip) == list(many.clip[:2])
    assert many.truth == "generated" and many.visible.mean() > 0.9
    assert (
        generated_clips(1, seed=10, frames=40).keypoints.tobytes() != few.keypoints[:40].tobytes()
    )


def test_motion_capture_gives_one_clip_per_take_and_camera(tmp_path):
    path = tmp_path / "mocap.npz"
    points = np.concatenate([climb(0, 30), climb(1, 20)])
    np.savez(path, kp25_3d=points, offsets=np.array([0, 30, 50]), fps=np.float32(30))
    clips = mocap_clips(path, cameras=3)
    assert (
        len(set(clips.clip.tolist())) == 6
        and np.diff(clips.offsets).tolist() == [30] * 3 + [20] * 3
    )
    assert np.isfinite(clips.keypoints).all() and (clips.fps == 30).all()
    assert mocap_clips(path, cameras=3).keypoints.tobytes() == clips.keypoints.tobytes()
    np.savez(path, kp25_3d=points, offsets=np.array([0, 30, 51]), fps=np.float32(30))
    with pytest.raises(ClimbEdgeError, match="offsets"):
        mocap_clips(path)


def test_motion_through_virtual_cameras_is_generated_whoever_moved(tmp_path):
    assert generated_clips(1, frames=5).truth is Truth.GENERATED
    assert clip_set([], 30.0, "human: not by its words").truth is Truth.GENERATED
    body = np.zeros((5, 25, 3)) + np.linspace(0, 1.7, 25)[:, None]
    path = tmp_path / "mocap.npz"
    np.savez(path, kp25_3d=body, offsets=np.array([0, 5]), fps=np.float32(30))
    assert mocap_clips(path, cameras=1).truth is Truth.GENERATED
