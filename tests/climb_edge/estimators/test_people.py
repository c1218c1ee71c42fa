"""Who is who: two who cross, who is hidden for a while, who leaves; in numbers, and in a real
video.
"""

from itertools import islice

import cv2
import numpy as np
import pytest

from climb_edge.estimators.blazepose import BlazePose
from climb_edge.estimators.people import FORGET, People
from climb_edge.media.frame import Frame
from climb_edge.media.video import read_video
from climb_edge.pose.skeleton import LEFT_HIP, RIGHT_HIP
from climb_edge.refiners.load import load_refiner
from climb_edge.streaming.stream import Stream
from support.scene import standing


def crossing(index: int) -> list[np.ndarray]:
    """One walks right, one left, 8 pixels a frame; they meet in frame 20."""
    return [standing(240 + 8 * index, 180), standing(560 - 8 * index, 190)]


def test_numbers_follow_the_motion_and_not_the_order():
    who = People()
    for i in range(41):
        poses = crossing(i)
        turn = [0, 1] if i % 3 else [1, 0]
        assert who([poses[t] for t in turn], [None, None]) == (
            [0, 1] if i == 0 else [1 - t for t in turn]
        )


def test_who_is_hidden_while_they_cross_gets_his_number_again():
    who = People()
    for i in range(41):
        hidden = 16 <= i <= 24
        poses = crossing(i)[: 1 if hidden else 2]
        assert who(poses, [None] * len(poses)) == ([0] if hidden else [0, 1])


@pytest.mark.parametrize(
    ("gone", "number"), [(1, 0), (5, 0), (FORGET, 0), (FORGET + 1, 1), (50, 1)]
)
def test_who_is_gone_too_long_is_forgotten(gone, number):
    who = People()
    assert [who([standing()], [None]) for _ in range(5)] == [[0]] * 5
    for _ in range(gone):
        assert who([], []) == []
    assert who([standing(205)], [None]) == [number]


def test_a_jump_beyond_any_forecast_is_decided_by_the_estimators_tracking():
    who = People()
    assert who([standing(200)], [None]) == [0]
    assert who([standing(600)], [0]) == [0]
    assert who([standing(200)], [None]) == [1]


def test_of_two_near_forecasts_the_tracked_one_is_taken():
    who = People()
    assert who([standing(200), standing(230)], [None, None]) == [0, 1]
    assert who([standing(216)], [0]) == [0] and who([standing(216)], [1]) == [1]


def test_numbers_are_never_given_twice():
    who, seen = People(forget=0), []
    for i in range(5):
        seen += who([standing(200), standing(400)], [None, None])
        assert who([], []) == []
        assert len(set(seen)) == 2 * (i + 1)


@pytest.mark.slow
def test_a_man_and_a_woman_whose_ways_cross_keep_their_numbers_and_windows(demo_clip):
    """The demo clip as it is: she walks left under the roof on which he walks right; in frame 128
    they pass.
    """
    frames = islice(read_video(demo_clip), 55, 165)
    results = list(Stream(BlazePose("full", people=2), load_refiner("default")).over(frames))
    hips = {
        person: np.stack(
            [r.refined[[LEFT_HIP, RIGHT_HIP], :2].mean(0) for r in results if r.person == person]
        )
        for person in {r.person for r in results}
    }
    assert sorted(hips) == [0, 1] and min(map(len, hips.values())) > 95
    man, woman = hips[0], hips[1]
    assert man[:, 1].max() < 480 < 600 < woman[:, 1].min()  # each always where only one of them is
    assert man[0, 0] < woman[0, 0] - 500 and man[-1, 0] > woman[-1, 0] + 300
    for path in (man, woman):
        # nobody jumps to the other, 300 pixels away
        assert np.linalg.norm(np.diff(path, axis=0), axis=1).max() < 60
    begun = [r.frame for r in results if r.state == "warming up"]
    assert len(begun) == 8  # each four times: no window began anew


@pytest.fixture(scope="module")
def mirrored(demo_clip) -> list[Frame]:
    """The walker of the demo clip and her mirror image, cut out of the still background: they cross
    in frame 55.
    """
    images = [
        cv2.resize(f.image, (884, 497), interpolation=cv2.INTER_AREA)
        for f in islice(read_video(demo_clip), 170)
    ]
    background = np.median(np.stack(images[::8]), axis=0)
    frames = []
    for i, image in enumerate(images[80:]):
        image = image[225:]
        moving = (np.abs(image - background[225:]).max(-1) > 28).astype(np.uint8)
        moving[:25] = 0  # a man's feet
        moving = cv2.morphologyEx(moving, cv2.MORPH_CLOSE, np.ones((9, 9)))
        moving = cv2.morphologyEx(moving, cv2.MORPH_OPEN, np.ones((5, 5)))[:, ::-1]
        frames.append(Frame(i, i / 30, np.where(moving[..., None] > 0, image[:, ::-1], image)))
    return frames


@pytest.mark.slow
def test_two_who_cross_in_a_video_do_not_exchange_states(mirrored):
    stream = Stream(BlazePose("lite", people=2), load_refiner("default"))
    results = [r for frame in mirrored for r in stream.push(frame)] + stream.flush()
    assert {r.person for r in results} == {0, 1}
    for person, direction in ((0, 1), (1, -1)):
        own = [r for r in results if r.person == person]
        before, after = [
            [r for r in own if part(r.frame)] for part in (lambda f: f < 28, lambda f: f > 45)
        ]
        assert len(before) > 10 and len(after) > 30
        for keypoints in ("raw", "refined"):
            hips = np.array([getattr(r, keypoints)[:, 0].mean() for r in own])
            assert (np.sign(hips[len(before) :] - hips[0]) == direction).all()
            steps = np.diff([getattr(r, keypoints)[:, 0].mean() for r in after]) * direction
            # goes on in the direction it came in, and is not drawn back by the other
            assert np.median(steps) > 2
            assert np.abs(np.diff(hips)).max() < 130
