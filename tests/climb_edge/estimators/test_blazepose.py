"""BlazePose with its real weights on the demo clip."""

import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.estimators.blazepose import BlazePose
from climb_edge.estimators.detector import anchors
from climb_edge.estimators.people import FORGET
from climb_edge.estimators.region import Region
from climb_edge.media.frame import Frame
from climb_edge.pose.boxes import transform
from climb_edge.pose.skeleton import INDEX

MAN = (470, 20, 830, 480)  # x0, y0, x1, y1 of him in frames 60 to 77


def inside(points: np.ndarray, area: tuple) -> float:
    """Share of (25, 2+) points inside an area."""
    low, high = np.array(area[:2]) - 60, np.array(area[2:]) + 60
    return float(((points[:, :2] > low) & (points[:, :2] < high)).all(1).mean())


def test_anchors_are_the_detectors():
    found = anchors()
    assert found.shape == (2254, 2) and found.min() > 0 and found.max() < 1
    np.testing.assert_allclose(found[0], [0.5 / 28, 0.5 / 28])
    np.testing.assert_allclose(found[1], found[0])  # two per cell
    np.testing.assert_allclose(found[2], [1.5 / 28, 0.5 / 28])  # x runs first
    np.testing.assert_allclose(found[28 * 28 * 2], [0.5 / 14, 0.5 / 14])
    np.testing.assert_allclose(found[-6:], np.full((6, 2), 6.5 / 7))


def test_a_region_stands_on_the_hips_and_points_to_the_rim():
    upright = Region.around(np.array([100.0, 200.0]), np.array([100.0, 120.0]))
    assert (upright.x, upright.y, upright.side) == (
        100,
        200,
        200,
    ) and upright.angle == pytest.approx(0)
    # head to the right: turned clockwise
    lying = Region.around(np.array([100.0, 200.0]), np.array([180.0, 200.0]))
    assert lying.angle == pytest.approx(np.pi / 2)
    np.testing.assert_allclose(transform(lying.affine(256), [128, 128]), [100, 200], atol=1e-9)
    # crop's top = head
    np.testing.assert_allclose(transform(lying.affine(256), [128, 0]), [200, 200], atol=1e-9)
    assert Region.around(np.zeros(2), np.zeros(2)) is None
    assert Region.around(np.zeros(2), np.array([np.nan, 1])) is None


def test_a_crop_is_cut_where_its_affine_says():
    image = np.zeros((200, 200, 3), np.uint8)
    image[80:90, 120:130] = 255
    region = Region(110, 100, 120, 0.5)
    crop = region.crop(image, 256, 0)
    rows, columns = np.nonzero(crop[..., 0] > 128)
    centre = transform(region.affine(256), [columns.mean(), rows.mean()])
    np.testing.assert_allclose(centre, [124.5, 84.5], atol=0.5)


def test_an_unknown_variant_names_the_known_ones():
    with pytest.raises(ClimbEdgeError, match="lite, full, heavy"):
        BlazePose("huge")


@pytest.mark.network
def test_it_finds_and_follows_the_man(demo_frames, weights_folder):
    estimator = BlazePose("full", weights_folder)
    image = demo_frames[0].image[:520, 380:900]
    previous = None
    for frame in demo_frames[:8]:
        image = frame.image[:520, 380:900]
        (seen,) = estimator(Frame(frame.index, frame.time, image))
        points = seen.keypoints + [380, 0, 0]
        assert seen.person == 0 and seen.score > 0.5 and inside(points, MAN) > 0.9
        assert seen.native.shape == (64, 64, 25) and seen.native.dtype == np.float32
        assert seen.native.min() >= 0 and seen.native.max() <= 1
        ys = {
            n: points[INDEX[n], 1]
            for n in ("nose", "left_shoulder", "left_hip", "left_knee", "left_ankle")
        }
        assert sorted(ys, key=ys.get) == list(ys)  # he stands upright
        moved = 0 if previous is None else np.linalg.norm(points - previous, axis=1).mean()
        assert moved < 30  # the tracked region follows him; no jump to somebody else
        previous = points
    # the heatmaps and the regression head of the network agree on where he is
    assert np.median(np.linalg.norm(seen.landmarks - seen.keypoints[:, :2], axis=1)) < 12


def side_by_side(frame: Frame) -> Frame:
    """The man on the left, the woman on the right, each in 500 x 500 pixels (in the whole picture
    they are small).
    """
    man, woman = frame.image[10:510, 400:900], frame.image[494:994, 1050:1550]
    return Frame(frame.index, frame.time, np.ascontiguousarray(np.hstack([man, woman])))


@pytest.mark.network
def test_two_people_keep_their_own_number(demo_frames, weights_folder):
    estimator = BlazePose("full", weights_folder, people=2)
    sides = []
    for frame in demo_frames[:8]:
        seen = estimator(side_by_side(frame))
        sides.append(
            {o.person: "left" if o.keypoints[:, 0].mean() < 500 else "right" for o in seen}
        )
        for o in seen:
            assert np.ptp(o.keypoints[:, 0]) < 500 and np.median(o.peaks) > 0.3
    assert sorted(sides[0].values()) == ["left", "right"] and len(sides[0]) == 2
    assert all(row == sides[0] for row in sides)
    estimator.reset()
    assert estimator(side_by_side(demo_frames[0]))[0].person == 0


@pytest.mark.network
def test_one_person_is_asked_for_one_is_given(demo_frames, weights_folder):
    assert len(BlazePose("full", weights_folder, people=1)(side_by_side(demo_frames[0]))) == 1


@pytest.mark.network
def test_an_empty_picture_holds_nobody_and_a_lost_person_keeps_his_number_until_he_is_forgotten(
    demo_frames, weights_folder
):
    estimator = BlazePose("full", weights_folder)
    man = Frame(0, 0.0, np.ascontiguousarray(demo_frames[0].image[:520, 380:900]))
    grey = Frame(1, 0.1, np.full_like(man.image, 128))
    assert [o.person for o in estimator(man)] == [0]
    assert estimator(grey) == []
    assert [o.person for o in estimator(man)] == [0]
    assert [estimator(grey) for _ in range(FORGET + 1)] == [[]] * (FORGET + 1)
    assert [o.person for o in estimator(man)] == [1]


@pytest.mark.network
@pytest.mark.parametrize("size", [(1, 1), (2, 900), (900, 2), (16, 16)])
def test_odd_picture_sizes_do_not_crash(weights_folder, size):
    estimator = BlazePose("full", weights_folder)
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    assert len(estimator(Frame(0, 0.0, image))) <= 1
