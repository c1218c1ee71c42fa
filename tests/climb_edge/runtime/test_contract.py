"""The contract: written, printed, read, refused; and the golden input that any language repeats."""

import contextlib
import json
import subprocess
import zipfile

import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.pose.layout import to_channels, to_frames
from climb_edge.pose.skeleton import KEYPOINTS
from climb_edge.refiners.tflite import TFLiteRefiner, default_path
from climb_edge.runtime.contract import append_contract, read_model, write_model
from climb_edge.runtime.golden import golden_error, golden_frames, golden_test, hash32
from climb_edge.runtime.session import Session
from support.graphs import shipped, window_contract, window_graph


def test_what_is_appended_is_read_and_the_graph_stays_in_front(tmp_path):
    graph, contract = window_graph("newest"), window_contract("newest")
    write_model(tmp_path / "m.tflite", graph, contract)
    content = (tmp_path / "m.tflite").read_bytes()
    assert content.startswith(graph)
    read, found = read_model(tmp_path / "m.tflite")
    assert read == graph and found["emits"] == "newest" and found["skeleton"] == list(KEYPOINTS)
    assert append_contract(graph, contract) == content  # the same bytes on every day
    assert [f.name for f in tmp_path.iterdir()] == ["m.tflite"]
    np.testing.assert_array_equal(
        *(Session(g, 1).run(np.ones((1, 56, 56, 125), np.float32))[0] for g in (graph, content))
    )


def test_unzip_prints_the_contract():
    done = subprocess.run(
        ["unzip", "-p", str(default_path()), "contract.json"], capture_output=True, timeout=20
    )
    assert json.loads(done.stdout) == read_model(default_path())[1]
    with zipfile.ZipFile(default_path()) as archive:
        assert archive.getinfo("contract.json").compress_type == zipfile.ZIP_STORED


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
    assert golden_error(session, contract["golden"]) <= contract["golden"]["tolerance"]
    own = golden_test(session, 0.1)
    assert len(own["samples"]) == 64 and golden_error(session, own) == 0
    assert min(abs(v) for _, _, v in own["samples"]) >= 0.1 * own["scale"]
    assert (
        golden_error(Session(window_graph("newest"), 1), contract["golden"])
        > contract["golden"]["tolerance"]
    )


GOLDEN = {"steps": 8, "tolerance": 0.1, "scale": 1.0, "samples": [[0, 0, 0.5]]}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"version": 2}, "version 3"),
        ({"skeleton": list(KEYPOINTS[:17])}, "skeleton"),
        ({"form": "stride"}, "form"),
        ({"form": "window"}, "state"),
        ({"emits": "all"}, "emits"),
        ({"output": "poses"}, "output"),
        ({"output": "keypoints"}, "decode"),
        ({"state": [{"name": "past", "shape": [1, 56, 56, 25]}]}, "inputs"),
        ({"state": [{"name": "past", "shape": [1, 1 << 20, 1 << 20, 25]}]}, "state"),
        ({"emits": "oldest"}, "emits"),
        ({"emits": []}, "emits"),
        ({"decode": "argmax"}, "decode"),
        ({"peak": 0}, "peak"),
        ({"io": "int16"}, "io"),
        ({"checks": None}, "checks"),
        ({"normalisation": {"sum": 1, "negatives": 0}}, "normalisation"),
        ({"inputs": [[1, 64, 64, 125]]}, "inputs"),
        ({"outputs": [[1, 56, 56, 75]]}, "outputs"),
        ({"golden": None}, "golden"),
        ({"golden": {**GOLDEN, "samples": []}}, "golden"),
        ({"golden": {**GOLDEN, "samples": [[8, 0, 0.5]]}}, "golden"),
        ({"golden": {**GOLDEN, "samples": [[0, 78400, 0.5]]}}, "golden"),
        ({"golden": {**GOLDEN, "samples": [[0, 0, float("nan")]]}}, "golden"),
        ({"golden": {**GOLDEN, "samples": [["0", 0, 0.5]]}}, "golden"),
        ({"golden": {**GOLDEN, "tolerance": "small"}}, "golden"),
        ({"golden": {**GOLDEN, "scale": None}}, "golden"),
    ],
)
def test_a_contract_that_cannot_be_met_is_refused_with_its_reason(tmp_path, changes, said):
    (tmp_path / "m.tflite").write_bytes(shipped(**changes))
    with pytest.raises(ClimbEdgeError, match=said) as caught:
        read_model(tmp_path / "m.tflite")
    assert "m.tflite" in str(caught.value)


def test_a_graph_that_is_not_what_its_contract_promises_is_refused(tmp_path):
    path = tmp_path / "m.tflite"
    path.write_bytes(append_contract(window_graph("newest"), window_contract("all")))
    with pytest.raises(ClimbEdgeError, match="promises float32 outputs"):
        TFLiteRefiner(path, 1)
    path.write_bytes(append_contract(window_graph("all", size=64), window_contract("all")))
    with pytest.raises(ClimbEdgeError, match="promises float32 inputs"):
        TFLiteRefiner(path, 1)


def test_a_graph_that_computes_something_else_is_refused(tmp_path):
    path = tmp_path / "m.tflite"
    path.write_bytes(
        append_contract(window_graph("newest"), {**window_contract("centre"), "emits": "newest"})
    )
    with pytest.raises(ClimbEdgeError, match="golden input"):
        TFLiteRefiner(path, 1)


def test_damaged_files_are_refused(tmp_path):
    """Any flipped byte of the graph, and bytes of the ZIP around the contract."""
    good, path = default_path().read_bytes(), tmp_path / "m.tflite"
    graph = len(read_model(default_path())[0])
    rng = np.random.default_rng(0)
    for place in [
        *rng.integers(0, graph, 60).tolist(),
        *range(graph, graph + 30),
        *range(len(good) - 70, len(good)),
    ]:
        damaged = bytearray(good)
        damaged[place] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        if place < graph:
            with pytest.raises(ClimbEdgeError, match=r"m\.tflite"):
                read_model(path)
        else:  # a ZIP's date may change; nothing else comes out than what went in, or one error
            with contextlib.suppress(ClimbEdgeError):
                assert read_model(path) == read_model(default_path())
    for length in range(0, len(good), 1499):
        path.write_bytes(good[:length])
        with pytest.raises(ClimbEdgeError, match=r"m\.tflite"):
            read_model(path)


@pytest.mark.parametrize("method", [8, 9, 12, 14, 93])
def test_a_contract_packed_otherwise_is_read_or_refused(tmp_path, method):
    content = bytearray(default_path().read_bytes())
    for signature, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        place = content.rindex(signature) + offset
        content[place : place + 2] = method.to_bytes(2, "little")
    (tmp_path / "m.tflite").write_bytes(content)
    with pytest.raises(ClimbEdgeError, match=r"m\.tflite"):
        read_model(tmp_path / "m.tflite")


def test_a_graph_of_garbage_is_refused_by_the_runtime(tmp_path):
    (tmp_path / "m.tflite").write_bytes(
        append_contract(b"\x1c\0\0\0TFL3" + bytes(200), window_contract("newest"))
    )
    with pytest.raises(ClimbEdgeError, match="refuses this graph"):
        TFLiteRefiner(tmp_path / "m.tflite", 1)
