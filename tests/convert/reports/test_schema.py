"""Reports are as their schema says, on a run and on somebody else's file."""

import copy
import json
import shutil

import pytest

from climb_edge.pose.boxes import RULES
from climb_edge.pose.layout import EMITS
from climb_edge.runtime.contract import FORMS
from convert.__main__ import main
from convert.checks.verdict import NAMES
from convert.reports.schema import SCHEMA
from support.paths import CONV3D
from support.reports import example, measured_report, refused
from support.schemas import load, problems
from train.models import registry


def test_the_reports_schema_is_that_of_the_code():
    schema = load("report")
    file = schema["$defs"]["file"]["properties"]
    assert schema["properties"]["schema"]["const"] == SCHEMA
    assert file["checks"]["items"]["properties"]["name"]["enum"] == list(NAMES)
    assert file["form"]["enum"] == [*FORMS, None] and file["emits"]["enum"] == [*EMITS, None]
    assert file["rows"]["items"]["properties"]["box"]["enum"] == list(RULES)
    assert {form.split("-")[0] for form in registry.FORMS} == set(FORMS)


def test_the_example_of_these_tests_is_as_the_schema_says():
    report = example("float16", "int8", form="window", emits="all")
    assert not problems("report", report)
    report["files"].append(refused(report["files"][0]))
    assert not problems("report", report)


@pytest.mark.parametrize(
    ("spoil", "where"),
    [
        (lambda r: r.update(schema="climb-edge/report/1"), "$.schema"),
        (lambda r: r.pop("claims"), "$"),
        (lambda r: r.update(remark="none"), "$"),
        (lambda r: r["test"].update(truth="guessed"), "$.test.truth"),
        (lambda r: r["files"][0].update(verdict="good"), "$.files[0].verdict"),
        (lambda r: r["files"][0]["rows"][1]["pck"].pop("0.1"), "$.files[0].rows[1].pck"),
        (
            lambda r: r["files"][0]["speed"][0].update(median_ms="1"),
            "$.files[0].speed[0].median_ms",
        ),
        (lambda r: r["files"][0]["cpu"]["test"].pop("gain"), "$.files[0].cpu.test"),
    ],
)
def test_another_report_is_refused(spoil, where):
    report = copy.deepcopy(example())
    spoil(report)
    assert any(problem.startswith(f"{where}:") for problem in problems("report", report))


@pytest.mark.slow
def test_a_measured_report_is_as_the_schema_says():
    assert not problems("report", measured_report())


@pytest.mark.slow
def test_a_report_on_somebody_elses_file_is_as_the_schema_says(tmp_path):
    path = shutil.copy(CONV3D, tmp_path / "theirs.tflite")
    assert main(["check", str(path), "--out", str(tmp_path)]) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["run"] is None and not problems("report", report)
