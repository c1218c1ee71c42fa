"""The golden test: input that any language repeats, and outputs that another graph does not give."""

import numpy as np

from climb_edge.pose.layout import to_channels, to_frames
from climb_edge.refiners.tflite import default_path
from climb_edge.runtime.golden import golden_error, golden_frames, golden_test, hash32
from climb_edge.runtime.model_file import read_model
from climb_edge.runtime.session import Session
from support.graphs import window_graph


def fmix32(h: int) -> int:
    """MurmurHash3's finaliser as Appleby wrote it in C."""
    h ^= h >> 16
    h = h * 0x85EBCA6B & 0xFFFFFFFF
    h ^= h >> 13
    h = h * 0xC2B2AE35 & 0xFFFFFFFF
    return h ^ h >> 16


def test_hash32_is_murmurs_finaliser():
    assert hash32(0) == 0 and hash32(1) == 0x514E28B7  # known values of fmix32
    indices = [2, 3, 599, 2**31, 2**32 - 1]
    assert hash32(np.array(indices)).tolist() == [fmix32(i) for i in indices]
    assert hash32(2**32 + 7) == hash32(7)


def test_golden_frames_are_integer_pyramids_of_mass_255():
    frames = golden_frames()
    assert frames.shape == (12, 56, 56, 25) and frames.dtype == np.float32
    whole = frames.astype(np.float64) * 256 / 255
    np.testing.assert_allclose(whole, np.round(whole), atol=1e-4)
    np.testing.assert_array_equal(np.round(whole).sum((1, 2)), 256)
    f, k = 3, 11
    n = 25 * f + k
    column, row = 4 + fmix32(2 * n) % 48, 4 + fmix32(2 * n + 1) % 48
    assert np.unravel_index(frames[f, :, :, k].argmax(), (56, 56)) == (row, column)
    assert frames[f, row, column, k] == np.float32(16 * 255 / 256)
    assert frames[f, row + 1, column - 2, k] == np.float32(3 * 2 * 255 / 256)


def test_a_window_enters_frame_by_frame():
    window = np.arange(5 * 4 * 3 * 25, dtype=np.float32).reshape(5, 4, 3, 25)
    channels = to_channels(window)
    assert channels.shape == (1, 4, 3, 125) and channels.flags.c_contiguous
    for frame in range(5):
        np.testing.assert_array_equal(channels[0, ..., 25 * frame : 25 * frame + 25], window[frame])
    np.testing.assert_array_equal(to_frames(channels), window)
    np.testing.assert_array_equal(to_frames(channels[..., 100:]), window[4:])


def test_the_golden_test_holds_here_and_finds_another_graph():
    graph, contract = read_model(default_path())
    session = Session(graph, 1)
    assert golden_error(session, contract.golden) <= contract.golden.tolerance
    own = golden_test(session, 0.1)
    assert len(own.samples) == 64 and golden_error(session, own) == 0
    assert min(abs(v) for _, _, v in own.samples) >= 0.1 * own.scale
    assert (
        golden_error(Session(window_graph("newest"), 1), contract.golden)
        > contract.golden.tolerance
    )
