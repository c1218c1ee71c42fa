"""Clip sets: what is written is read, what is wrong is named."""

import io
import zipfile
from dataclasses import fields

import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.clips import join_clips, load_clips, save_clips
from climb_edge.pose.skeleton import KEYPOINTS
from support.scene import clip_set, write_clips


def assert_same(a, b):
    for f in fields(a):
        x, y = getattr(a, f.name), getattr(b, f.name)
        assert (x is None) == (y is None), f.name
        if x is not None:
            np.testing.assert_array_equal(x, y, err_msg=f.name)


@pytest.mark.parametrize("weighted", [False, True])
def test_round_trip(tmp_path, weighted):
    weight = np.linspace(0, 1, 250, dtype=np.float32).reshape(10, 25) if weighted else None
    clips = clip_set(weight=weight)
    clips.keypoints[3, 4] = np.nan
    save_clips(tmp_path / "c.npz", clips)
    assert_same(load_clips(tmp_path / "c.npz"), clips)
    assert [f.name for f in tmp_path.iterdir()] == ["c.npz"]


def test_rows_truth_and_weights_of_one_clip():
    clips = clip_set(weight=np.full((10, 25), 0.5, np.float32))
    clips.visible[7, 3] = 0
    clips.keypoints[8, 5] = np.nan
    assert len(clips) == 2 and clips.rows(1) == slice(6, 10)
    truth = clips.visible_truth(1)
    assert truth.shape == (4, 25, 2)
    assert np.isnan(truth[1, 3]).all() and np.isnan(truth).sum() == 4
    weights = clips.weights(clips.rows(1))
    assert weights[2, 5] == 0 and weights[1, 3] == 0.5 and weights.sum() == pytest.approx(99 * 0.5)
    assert clip_set().weights(clip_set().rows(0)).sum() == 150
    assert [name for name, _ in clips] == ["clip0.mp4", "clip1.mp4"]


def test_join_shifts_offsets_renames_doubles_and_fills_weights():
    a, b = clip_set(), clip_set((3,), "other", weight=np.full((3, 25), 0.25, np.float32))
    both = join_clips([a, b])
    np.testing.assert_array_equal(both.offsets, [0, 6, 10, 13])
    assert both.clip.tolist() == ["0/clip0.mp4", "0/clip1.mp4", "1/clip0.mp4"]
    assert both.source == "somebody's labels; other"
    np.testing.assert_array_equal(both.keypoints[both.rows(2)], b.keypoints)
    assert both.weights(both.rows(0)).min() == 1 and both.weights(both.rows(2)).max() == 0.25
    assert join_clips([a]) is a
    named = join_clips([a, clip_set((3,), clip=np.array(["z"]))])
    assert named.clip.tolist() == ["clip0.mp4", "clip1.mp4", "z"] and named.weight is None


def written(tmp_path, **changes):
    """A clip set file with some arrays replaced (None = left out), past all checks of
    `save_clips`.
    """
    clips = clip_set()
    arrays = {
        f.name: getattr(clips, f.name) for f in fields(clips) if getattr(clips, f.name) is not None
    }
    arrays = {"keypoint_names": np.array(KEYPOINTS), **arrays, **changes}
    np.savez(tmp_path / "bad.npz", **{k: v for k, v in arrays.items() if v is not None})
    return tmp_path / "bad.npz"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"keypoints": None}, "keypoints missing"),
        ({"keypoints": np.zeros((10, 24, 2), np.float32)}, "keypoints expected shape"),
        ({"keypoints": np.full((10, 25, 2), np.nan, np.float32)}, "all are NaN"),
        ({"keypoints": np.full((10, 25, 2), np.inf, np.float32)}, "no keypoint is annotated"),
        ({"keypoints": np.full((10, 25, 2), 2e6, np.float32)}, "million"),
        ({"keypoints": np.zeros((10, 25, 2), int)}, "expected of kind"),
        ({"keypoints": np.float32(3)}, "keypoints expected shape"),
        ({"visible": np.ones((9, 25), np.uint8)}, "visible expected shape"),
        ({"offsets": np.array([0, 6, 11])}, "offsets must rise"),
        ({"offsets": np.array([0, 11, 10])}, "offsets must rise"),
        ({"offsets": np.array([0, 2**64 - 1, 10], np.uint64)}, "offsets must rise"),
        ({"clip": np.array(["a", "a"])}, "same name, a; give"),
        ({"clip": np.array([b"a", b"b"])}, "expected of kind"),
        ({"keypoint_names": np.array(KEYPOINTS[::-1])}, "keypoint_names differ"),
        ({"weight": np.full((10, 25), 1.5, np.float32)}, "0..1"),
        ({"weight": np.full((10, 25), np.nan, np.float32)}, "0..1"),
    ],
)
def test_wrong_content_is_named(tmp_path, changes, said):
    with pytest.raises(ClimbEdgeError, match=said) as caught:
        load_clips(written(tmp_path, **changes))
    assert str(tmp_path / "bad.npz") in str(caught.value)


@pytest.mark.parametrize(
    "header",
    [
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (1,",
        b"((((",
        b"'''",
        b"\x00\xff",
        b"[" * 5000,
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 25, 2)}",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (True, 25, 2)}",
        b"{'descr': ('<f4', (1000,)), 'fortran_order': False, 'shape': (1, 25, 2)}",
        b"{}",
        b"",
    ],
)
def test_hostile_headers(tmp_path, header):
    source = zipfile.ZipFile(io.BytesIO(write_clips(tmp_path / "good.npz").read_bytes()))
    with zipfile.ZipFile(tmp_path / "bad.npz", "w") as target:
        for name in source.namelist():
            hostile = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
            target.writestr(name, hostile if name == "keypoints.npy" else source.read(name))
    with pytest.raises(ClimbEdgeError, match=r"bad\.npz"):
        load_clips(tmp_path / "bad.npz")


def test_every_flipped_byte_is_refused_or_harmless(tmp_path):
    """Nothing but ClimbEdgeError comes out of a damaged file; one byte in eleven, from a fixed
    seed.
    """
    good = write_clips(tmp_path / "good.npz").read_bytes()
    rng, refused = np.random.default_rng(0), 0
    path = tmp_path / "bad.npz"
    places = range(0, len(good), 11)
    for place in places:
        damaged = bytearray(good)
        damaged[place] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        try:
            load_clips(path)
        except ClimbEdgeError:
            refused += 1
    assert refused > 0.6 * len(places)


def test_real_clip_sets_load(data_folder):
    clips = load_clips(data_folder / "jhmdb_train.npz")
    assert len(clips) == 199 and len(clips.keypoints) == 7146 and clips.truth == "human"
