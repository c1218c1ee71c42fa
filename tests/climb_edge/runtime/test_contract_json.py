"""The contract as JSON: files of today come back byte for byte, what is unknown or missing has a rule."""

import json
import math
import zipfile
from dataclasses import FrozenInstanceError, replace

import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.plain import from_plain, to_plain
from climb_edge.pose.boxes import STICKY, STUDY
from climb_edge.refiners.tflite import default_path
from climb_edge.runtime.contract import Contract
from climb_edge.runtime.contract_sections import Box, Checks, GoldenTest, StateTensor
from climb_edge.runtime.model_file import append_contract, read_model
from support.graphs import shipped
from support.paths import CONV3D

SHIPPED = pytest.mark.parametrize("path", [CONV3D, default_path()], ids=lambda path: path.name)


def entry(path) -> dict:
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("contract.json"))


@SHIPPED
def test_files_come_back_byte_for_byte(path):
    graph, contract = read_model(path)
    with zipfile.ZipFile(path) as archive:
        assert json.dumps(contract.to_json(), indent=1).encode() == archive.read("contract.json")
    assert append_contract(graph, contract) == path.read_bytes()


@SHIPPED
def test_the_fields_say_what_the_keys_say(path):
    contract, json_ = read_model(path)[1], entry(path)
    assert (contract.inputs, contract.outputs) == (json_["inputs"], json_["outputs"])
    assert (contract.decode, contract.peak) == (json_["decode"], json_["peak"])
    assert contract.stepping and contract.delay == 0 and contract.box == Box.of(STICKY)
    assert contract.golden.samples[3] == tuple(json_["golden"]["samples"][3])
    assert bool(contract.peaks) == json_.get("peaks", False)
    assert contract.training_data.truth == "generated" and contract.calibration is None
    with pytest.raises(FrozenInstanceError):
        contract.fps = 25.0


def test_the_box_of_the_study_is_not_square():
    assert not Box.of(STUDY).square


def test_a_window_in_its_middle_is_two_frames_late():
    contract = read_model(CONV3D)[1]
    assert replace(contract, emits="centre").delay == replace(contract, emits="all").delay == 2


def test_unknown_keys_are_kept_at_the_top_and_passed_over_below(tmp_path):
    json_ = entry(CONV3D)
    json_ |= {"licence": {"name": "MIT"}, "box": json_["box"] | {"unit": "share"}}
    contract = Contract.from_json(json_, "m.tflite")
    assert contract.additional == {"licence": {"name": "MIT"}} and contract.box == Box.of(STICKY)
    path = tmp_path / "m.tflite"
    path.write_bytes(append_contract(read_model(CONV3D)[0], contract))
    assert entry(path) == json_ | {"box": entry(CONV3D)["box"]}


def test_keys_that_a_file_lacks_stay_absent_and_null_stays_where_it_says_something():
    json_ = entry(CONV3D)
    lean = {k: v for k, v in json_.items() if k not in ("model", "box", "training_data", "tools")}
    lean["checks"] = {"verdict": "pass"}
    contract = Contract.from_json(lean, "m.tflite")
    assert contract.box is None and contract.checks == Checks("pass")
    assert contract.to_json() == lean
    assert contract.to_json()["estimator"] is None and "peaks" not in contract.to_json()
    del lean["estimator"], lean["calibration"]
    assert Contract.from_json(lean, "m.tflite") == contract


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"form": ["step"]}, "form = \"['step']\", this code has one of window, step"),
        ({"peaks": 1}, "peaks = '1', this code has true or false"),
        ({"window": 9}, "window = '9', this code has windows of 5 frames"),
        ({"fps": "30"}, "fps = '30', this code has frames a second of 1 to 1000, or null"),
        ({"fps": 0.5}, "fps = '0.5', this code has frames a second"),
        ({"fps": 10**400}, "beyond 64 bits"),
        ({"model": 7}, "model = '7', this code has text"),
        ({"switches": []}, "switches = '[]', this code has an object"),
        ({"left_in_float": "all"}, "left_in_float = 'all', this code has a list"),
        ({"box": {"rule": "sticky"}}, "this code has an object with grow"),
        ({"tools": {"keras": 3}}, "tools = \"{'keras': 3}\", this code has text"),
        ({"checks": {"verdict": "fail", "reasons": "none"}}, "the verdict of the checks"),
        ({"state": [{"name": "past", "shape": [1, 56, 56, 0]}]}, "named 4-D tensors"),
        ({"state": [{"name": "past", "shape": [1, 56, 2800]}]}, "named 4-D tensors"),
        ({"state": [{"name": 1, "shape": [1, 56, 56, 50]}]}, "named 4-D tensors"),
        ({"golden": {"tolerance": 1e-3, "scale": 10**400, "samples": [[0, 0, 1.0]]}}, "64 bits"),
        ({"golden": {"tolerance": 1e-3, "scale": 1.0, "samples": [[0, 0]]}}, "golden"),
        ({"golden": {"steps": 9, "tolerance": 1e-3, "scale": 1, "samples": [[0, 0, 1]]}}, "golden"),
        ({"sha256": 5}, "sha256 = '5', this code has text"),
        ({"sha256": None}, "its contract says None...: the file was changed"),
    ],
)
def test_keys_of_another_type_are_refused_by_name(tmp_path, changes, said):
    (tmp_path / "m.tflite").write_bytes(shipped(**changes))
    with pytest.raises(ClimbEdgeError) as caught:
        read_model(tmp_path / "m.tflite")
    assert said in str(caught.value)


@pytest.mark.parametrize("json_", [[], None, "3", {"version": "3"}, {"version": 2}])
def test_another_version_is_refused(json_):
    with pytest.raises(ClimbEdgeError, match=r"^m\.tflite: expected a contract of version 3"):
        Contract.from_json(json_, "m.tflite")


def test_numbers_keep_the_type_they_are_written_in():
    assert json.dumps([from_plain(float, 30), from_plain(float, 30.0)]) == "[30, 30.0]"
    for value in (True, "1", None, math.nan, math.inf, -(10**400)):
        with pytest.raises(ValueError, match="a finite number"):
            from_plain(float, value)
    with pytest.raises(ValueError, match="a whole number"):
        from_plain(int, True)
    with pytest.raises(ValueError, match=r"^text as name$"):
        from_plain(StateTensor, {"name": None, "shape": []})


def test_dataclasses_become_objects_and_come_back():
    golden = GoldenTest(tolerance=1e-3, scale=2.0, samples=((0, 5, 1.5), (7, 0, -2.0)))
    plain = {"steps": 8, "tolerance": 1e-3, "scale": 2.0, "samples": [[0, 5, 1.5], [7, 0, -2.0]]}
    assert to_plain(golden) == plain and from_plain(GoldenTest, plain) == golden
