"""A graph from elsewhere runs in a child process before it runs here: what kills its process does
not kill ours.
"""

import io
import json
import zipfile
from dataclasses import replace

import pytest

from climb_edge.__main__ import main
from climb_edge.refiners.tflite import TFLiteRefiner, default_path
from climb_edge.runtime import proof
from climb_edge.runtime.model_file import ENTRY, append_contract, read_model
from support.foreign import deadly_graph
from support.graphs import window_contract, window_graph
from support.paths import CONV3D
from support.scene import write_shapes


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CLIMB_EDGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "proved"


@pytest.fixture
def deadly(tmp_path):
    """A refiner's file whose hash is right and whose graph kills the process that loads it."""
    path = tmp_path / "deadly.tflite"
    path.write_bytes(append_contract(deadly_graph(), replace(read_model(CONV3D)[1], sha256=None)))
    return path


def test_inspect_and_track_refuse_a_graph_that_kills_its_process(
    deadly, own_cache, refused, heatmaps, tmp_path
):
    said = [deadly, "crashed: SIGSEGV while loading", "copy the file again"]
    refused("inspect", deadly, said=said)
    video = write_shapes(tmp_path / "v.mp4", 2)
    out = tmp_path / "o"
    refused("track", video, "--refiner", deadly, "--estimator", heatmaps, "--out", out, said=said)
    assert not out.exists() and not own_cache.exists()


def test_a_graph_that_passed_is_not_tried_again(tmp_path, own_cache, monkeypatch):
    path = tmp_path / "good.tflite"
    path.write_bytes(append_contract(window_graph("newest"), window_contract("newest")))
    TFLiteRefiner(path)
    (passed,) = own_cache.iterdir()
    assert read_model(path)[1].sha256 in passed.name
    monkeypatch.setattr(proof, "run_on_cpu", lambda *_: pytest.fail("it was tried again"))
    TFLiteRefiner(path)


def test_the_shipped_refiner_needs_no_child(own_cache, monkeypatch):
    monkeypatch.setattr(proof, "run_on_cpu", lambda *_: pytest.fail("it was tried"))
    TFLiteRefiner(default_path())
    assert main(["inspect", str(default_path())]) == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"form": ["step"]}, "form"),
        ({"emits": {}}, "emits"),
        ({"fps": 10**300}, "beyond 64 bits"),
        ({"model": float("nan")}, "NaN is no number"),
        ({"state": [{"name": f"s{i}", "shape": [1, 2048, 2048, 4]} for i in range(8)]}, "state"),
    ],
    ids=["list", "object", "digits", "nan", "two gigabytes of state"],
)
def test_a_hostile_contract_is_one_error(tmp_path, refused, changes, said):
    graph, contract = read_model(CONV3D)
    stream = io.BytesIO(graph)
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr(ENTRY, json.dumps(contract.to_json() | changes))
    (tmp_path / "m.tflite").write_bytes(stream.getvalue())
    refused("inspect", tmp_path / "m.tflite", said=[tmp_path / "m.tflite", said])


def test_a_contract_that_unpacks_to_gigabytes_is_not_unpacked(tmp_path, refused):
    stream = io.BytesIO(read_model(CONV3D)[0])
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(ENTRY, b" " * (5 << 20))
    (tmp_path / "m.tflite").write_bytes(stream.getvalue())
    refused("inspect", tmp_path / "m.tflite", said="claims 5242880 bytes")
