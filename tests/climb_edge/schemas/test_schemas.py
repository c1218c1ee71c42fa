"""What the program writes is as the schemas say, and the schemas are those of the program."""

import json

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from climb_edge.__main__ import main
from climb_edge.evaluation import evaluate
from climb_edge.pose.boxes import RULES
from climb_edge.pose.layout import EMITS, WINDOW
from climb_edge.pose.skeleton import KEYPOINTS
from climb_edge.refiners.load import load_refiner
from climb_edge.refiners.tflite import default_path
from climb_edge.runtime import contract
from climb_edge.runtime.contract_sections import GOLDEN_STEPS
from climb_edge.runtime.model_file import read_model
from climb_edge.streaming.result import Result
from climb_edge.streaming.stream import Stream
from climb_edge.tracking import track_file
from support.graphs import window_contract
from support.paths import CONV3D
from support.scene import (
    Scripted,
    clip_set,
    standing,
    steady,
    write_clips,
    write_heatmaps,
    write_shapes,
)
from support.schemas import NAMES, load, problems


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_one_and_tells_its_version_and_history(name):
    schema = load(name)
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:climb-edge:{name}:{schema['version']}"
    assert [row["version"] for row in schema["history"]] == list(range(1, schema["version"] + 1))


def test_the_contracts_schema_is_that_of_the_code():
    schema = load("contract")
    of = schema["properties"]
    assert schema["version"] == of["version"]["const"] == contract.VERSION
    assert (tuple(of["form"]["enum"]), tuple(of["emits"]["enum"])) == (
        tuple(contract.FORMS),
        tuple(EMITS),
    )
    assert (tuple(of["output"]["enum"]), tuple(of["io"]["enum"])) == (
        contract.OUTPUTS,
        contract.IO,
    )
    assert of["window"]["const"] == WINDOW and of["state"]["maxItems"] == contract.MAX_TENSORS
    assert {
        key: of["normalisation"]["properties"][key]["const"] for key in ("sum", "negatives")
    } == (contract.NORMALISATION)
    assert of["golden"]["properties"]["steps"]["const"] == GOLDEN_STEPS
    assert of["skeleton"]["maxItems"] == len(KEYPOINTS)
    assert of["box"]["properties"]["rule"]["enum"] == list(RULES)
    newest = schema["allOf"][0]["then"]["properties"]["emits"]["enum"]
    assert newest == list(contract.FORMS["step"])


@pytest.mark.parametrize("path", [CONV3D, default_path()], ids=lambda path: path.name)
def test_contracts_of_files_are_as_the_schema_says(path):
    assert not problems("contract", read_model(path)[1].to_json())


@pytest.mark.parametrize("emits", list(EMITS))
def test_the_leanest_contract_is_as_the_schema_says(emits):
    json_ = window_contract(emits).to_json() | {"sha256": "0" * 64}
    assert not problems("contract", json_)
    del json_["sha256"]
    assert problems("contract", json_) == ["$: 'sha256' is a required property"]


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"version": 2}, "$.version"),
        ({"form": "window"}, "$.state"),
        ({"emits": "all"}, "$.emits"),
        ({"output": "keypoints"}, "$.decode"),
        ({"decode": None}, "$.decode"),
        ({"io": "int16"}, "$.io"),
        ({"peaks": 1}, "$.peaks"),
        ({"fps": 0.5}, "$.fps"),
        ({"state": [{"name": "past", "shape": [1, 56, 56, 0]}]}, "$.state[0].shape[3]"),
        ({"normalisation": {"sum": 1, "negatives": 0}}, "$.normalisation.sum"),
        (
            {"golden": {"tolerance": 1, "scale": 1, "samples": [[8, 0, 1.0]]}},
            "$.golden.samples[0][0]",
        ),
        ({"checks": {"verdict": "good"}}, "$.checks.verdict"),
    ],
)
def test_the_schema_refuses_what_the_code_refuses(changes, where):
    json_ = read_model(CONV3D)[1].to_json() | changes
    assert any(problem.startswith(f"{where}:") for problem in problems("contract", json_))


def test_unknown_keys_are_as_the_schema_says_and_only_tests_refuse_them():
    json_ = read_model(CONV3D)[1].to_json() | {"licence": "MIT"}
    assert not problems("contract", json_, strict=False)
    assert problems("contract", json_)


@pytest.mark.parametrize("refiner", ["default", "identity"])
def test_every_line_of_a_track_is_as_the_schema_says(tmp_path, refiner):
    refiner = load_refiner(refiner, 1)
    script = {i: {0: standing(200 + 2 * i), 3: standing(300)} for i in range(8) if i != 6}
    results = list(Stream(Scripted(script), refiner).over(steady(8)))
    for size in ((400, 300), None):
        first = track_file.header(refiner, "scripted", "v.mp4", size, dropped=2)
        track_file.write_lines(tmp_path / "t.jsonl", first, results)
        lines = [json.loads(text) for text in (tmp_path / "t.jsonl").read_text().splitlines()]
        assert len(lines) == 1 + 2 * 7 + 1
        assert {row["state"] for row in lines[1:]} >= {"warming up", "tracking", "lost"}
        for line in lines:
            assert not problems("track", line)


@pytest.mark.parametrize(
    "changes",
    [
        {"raw": np.zeros((24, 3))},
        {"bbox": None},
        {"state": "asleep"},
        {"person": None},
        {"frame": -1},
    ],
)
def test_a_row_that_is_none_is_refused(changes):
    points = np.zeros((25, 3))
    good = {"person": 0, "state": "tracking", "bbox": np.zeros(4), "raw": points, "refined": points}
    assert not problems("track", track_file.line(Result(3, 0.1, **good)))
    wrong = {"frame": 3, "time": 0.1, **good, **changes}
    assert problems("track", track_file.line(Result(**wrong)))
    assert load("track")["$defs"]["header"]["properties"]["schema"]["const"] == track_file.SCHEMA


def test_metrics_are_as_the_schema_says(tmp_path, monkeypatch, capsys):
    """One clip, which gives no interval, through one refiner and through two."""
    monkeypatch.setenv("CLIMB_EDGE_CACHE", str(tmp_path / "cache"))
    write_clips(tmp_path / "c.npz", clip_set((8,), frame_size=np.array([[96, 64]])))
    write_shapes(tmp_path / "clip0.mp4", 8)
    heatmaps = write_heatmaps(
        tmp_path / "h.npz", [standing(200 + 2 * t) for t in range(7)] + [None]
    )
    command = ["evaluate", tmp_path / "c.npz", "--videos", tmp_path, "--estimator", heatmaps]
    for refiners in (["identity"], ["identity", "median:emits=newest"]):
        named = [text for refiner in refiners for text in ("--refiner", refiner)]
        assert main([*map(str, command), *named, "--out", str(tmp_path / "m.json")]) == 0
        found = json.loads((tmp_path / "m.json").read_text())
        assert not problems("metrics", found)
    assert problems("metrics", [found[0] | {"truth": "guessed"}, found[1]])
    assert problems("metrics", {k: v for k, v in found[0].items() if k != "lag_ms"})
    schema = load("metrics")["$defs"]["metrics"]["properties"]["schema"]
    assert schema["const"] == found[0]["schema"] == evaluate.SCHEMA
