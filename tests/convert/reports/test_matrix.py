"""The table of several conversions: every cell says something."""

import json

import pytest

from convert.__main__ import main
from convert.quantization.recipes import RECIPES
from support.reports import example


@pytest.fixture
def paths(tmp_path):
    def written(name: str, **changes) -> str:
        report = example("float32", "float16")
        report["run"]["model"] = name
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(report | changes))
        return str(path)

    return written


def test_every_cell_of_the_matrix_says_something(paths, tmp_path):
    table = tmp_path / "m.md"
    assert main(["matrix", paths("conv3d"), paths("deciwatch"), "--out", str(table)]) == 0
    rows = [
        line.split(" | ")
        for line in table.read_text().splitlines()
        if line.startswith("| deciwatch")
    ]
    verdicts = {row[1]: row[2].split(" |")[0] for row in rows}
    assert list(verdicts) == list(RECIPES)
    assert (verdicts["float16"], verdicts["int8"], verdicts["dynamic_int8"]) == (
        "pass",
        "refused",
        "not run",
    )
    assert (verdicts["qat_int8"], verdicts["tfmot_int8"]) == ("not trained", "refused")
    (int8,) = [
        line for line in table.read_text().splitlines() if line.startswith("| deciwatch | int8 |")
    ]
    assert "aborts while it prepares" in int8
    figures = example("float32", "float16")["files"][1]["rows"][0]["drop"]["0.1"]
    assert f"{figures[0]:+.2f} ({figures[1]:+.2f} to {figures[2]:+.2f})" in table.read_text()


def test_what_has_no_place_in_a_matrix_is_refused(paths, capsys):
    assert main(["matrix", paths("conv3d"), paths("conv3d")]) == 2
    assert "two reports are of this model" in capsys.readouterr().err
    assert main(["matrix", paths("conv3d", run=None)]) == 2
    assert "somebody else's file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda r: r["test"].update(truth=0.5), "$.test.truth: 0.5 is not one of"),
        (lambda r: r["test"].pop("source"), "$.test: 'source' is a required"),
        (lambda r: r.update(generated={}), "$.generated: 'windows' is a required"),
        (lambda r: r["run"].pop("model"), "$.run: 'model' is a required"),
        (lambda r: r["files"][0].pop("form"), "$.files[0]: 'form' is a required"),
        (
            lambda r: r["files"][0]["rows"][0]["drop"].pop("0.1"),
            "$.files[0].rows[0].drop: '0.1' is a",
        ),
        (lambda r: r["files"][0].update(second=[]), "$.files[0].second: [] is not of type"),
    ],
)
def test_a_report_that_lacks_what_a_matrix_shows_is_damaged(paths, capsys, spoil, said):
    report = example("float32")
    spoil(report)
    assert main(["matrix", paths("x", **report)]) == 2
    assert said in capsys.readouterr().err
