"""A report's figures say what they are worth: truth, and whether an estimator saw the inputs."""

import json

import pytest

from climb_edge.errors import ClimbEdgeError
from convert.reports.build import tables, write
from convert.reports.matrix import markdown
from convert.reports.schema import read_report
from support.reports import example

WORTH = "pseudo ground truth, inputs recorded by blazepose-lite"


def test_every_rendering_names_truth_and_inputs_in_its_headings(tmp_path):
    report = example("float16")
    write(report, tmp_path)
    for name, least in (("report.md", 2), ("report.html", 2)):  # about the run, and the claims
        assert (tmp_path / name).read_text().count(WORTH) == least, name
    assert f"PCK in %, {WORTH}, 900 held-back frames" in tables(report)
    assert f"300 test windows of 12 clips ({WORTH}: mine.npz)" in markdown([report])


def test_a_report_of_before_is_read_and_claims_no_inputs(tmp_path):
    report = example("float16")
    del report["test"]["inputs"]
    (tmp_path / "old.json").write_text(json.dumps(report))
    read = read_report(tmp_path / "old.json")
    write(read, tmp_path)
    for name in ("report.md", "report.html"):
        text = (tmp_path / name).read_text()
        assert "pseudo ground truth" in text and "inputs" not in text
    assert "PCK in %, pseudo ground truth, 900 held-back frames" in tables(read)


def test_a_rendered_set_has_its_words(tmp_path):
    report = example("float16")
    report["test"]["truth"] = report["files"][0]["rows"][0]["truth"] = "rendered"
    assert "rendered truth, inputs recorded by" in tables(report)
    write(report, tmp_path)
    assert read_report(tmp_path / "report.json")["test"]["truth"] == "rendered"


@pytest.mark.parametrize("value", ["certain", None, ["human"]])
@pytest.mark.parametrize("place", ["test", "row"])
def test_an_unknown_truth_is_refused_with_its_place(tmp_path, place, value):
    report = example("float16")
    (report["test"] if place == "test" else report["files"][0]["rows"][0])["truth"] = value
    (tmp_path / "r.json").write_text(json.dumps(report))
    where = {"test": r"\$\.test\.truth", "row": r"\$\.files\[0\]\.rows\[0\]\.truth"}[place]
    with pytest.raises(ClimbEdgeError, match=rf"r\.json: damaged \({where}: .*'generated', 'rend"):
        read_report(tmp_path / "r.json")
