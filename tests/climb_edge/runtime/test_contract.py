"""The contract: written, printed, read, refused."""

import contextlib
import hashlib
import json
import subprocess
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.pose.skeleton import KEYPOINTS
from climb_edge.refiners.tflite import TFLiteRefiner, default_path
from climb_edge.runtime.model_file import append_contract, read_model, write_model
from climb_edge.runtime.session import Session
from support.graphs import shipped, window_contract, window_graph


def test_what_is_appended_is_read_and_the_graph_stays_in_front(tmp_path):
    graph, contract = window_graph("newest"), window_contract("newest")
    write_model(tmp_path / "m.tflite", graph, contract)
    content = (tmp_path / "m.tflite").read_bytes()
    assert content.startswith(graph)
    read, found = read_model(tmp_path / "m.tflite")
    assert read == graph and found == replace(contract, sha256=hashlib.sha256(graph).hexdigest())
    assert append_contract(graph, contract) == content  # the same bytes on every day
    assert [f.name for f in tmp_path.iterdir()] == ["m.tflite"]
    np.testing.assert_array_equal(
        *(Session(g, 1).run(np.ones((1, 56, 56, 125), np.float32))[0] for g in (graph, content))
    )


def test_unzip_prints_the_contract():
    done = subprocess.run(
        ["unzip", "-p", str(default_path()), "contract.json"], capture_output=True, timeout=20
    )
    assert json.loads(done.stdout) == read_model(default_path())[1].to_json()
    with zipfile.ZipFile(default_path()) as archive:
        assert archive.getinfo("contract.json").compress_type == zipfile.ZIP_STORED


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
        ({"golden": {**GOLDEN, "samples": [[0, 0, float("nan")]]}}, "NaN is no number"),
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
        append_contract(window_graph("newest"), replace(window_contract("centre"), emits="newest"))
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
