"""What tables are made of: studies, runs by themselves, and what is damaged or no run."""

import json
import math
import re

import pytest

from climb_edge.errors import ClimbEdgeError
from support.studies import metrics, run, study, table
from train.__main__ import main
from train.studies.tables import read, write


def test_finetuning_stands_by_itself_with_its_held_out_video(tmp_path):
    fine = metrics(
        command="finetune",
        data="a store",
        data_sha256="e",
        split={"rule": "mission", "sha256": "h"},
    )
    fine["parts"]["held_out"] = fine["parts"]["test"]
    fine["windows"]["held_out"] = 7
    cells = [
        {
            "model": "conv3d",
            "setup": "1.1",
            "seed": 0,
            "phases": ["pretrain", "finetune"],
            "metrics": {"pretrain": metrics(), "finetune": fine},
        },
        {
            "model": "deciwatch",
            "setup": "1.1",
            "seed": 0,
            "phases": ["pretrain", "finetune"],
            "state": "failed",
            "reason": "no disk",
        },
    ]
    found = read([study(tmp_path / "s", cells)])
    assert [s.phase for s in found.sections] == ["pretrain", "finetune"]
    write([tmp_path / "s"], tmp_path / "out")
    text = (tmp_path / "out" / "tables.md").read_text()
    test, held = (text.split(f"## Finetuning, {part}\n")[1] for part in ("test", "held-out video"))
    assert "also stands in training windows" in test and "ClimbAlong, test" in test
    assert table(test, "### Table 1")["*identity (published, other data; mission)*"][0] == "*19.4*"
    best = table(held, "### Best setup")
    assert best["conv3d"][0].endswith("(1.1)") and best["conv3d"][3:] == [
        "*61.7*",
        "*99.0*",
        "*99.8*",
    ]
    assert (
        "7 windows" in held
        and "deciwatch 1.1, seed 0: failed: no disk" in text.split("## Finetuning")[0]
    )
    assert "deciwatch 1.1, seed 0: not run: its pretrain was not done" in test
    fine["truth"] = "generated"
    run(tmp_path / "s" / "conv3d.1.1.0" / "finetune", fine)
    write([tmp_path / "s" / "conv3d.1.1.0" / "finetune"], tmp_path / "again")
    assert "19.4" not in (tmp_path / "again" / "tables.md").read_text()  # of another kind


def test_runs_by_themselves_form_one_grid_and_other_data_another(tmp_path):
    run(tmp_path / "a", metrics())
    run(tmp_path / "b", metrics("deciwatch", "1.2"))
    run(tmp_path / "c", metrics("deciwatch", data_sha256="another"))
    run(
        tmp_path / "d",
        metrics("conv3d", "/x/blazepose-lite.json", data="generated, seed 3", data_sha256="3"),
    )
    run(
        tmp_path / "e",
        metrics("deciwatch", "blazepose-lite", 4, data="generated, seed 4", data_sha256="4"),
    )
    run(tmp_path / "f", metrics("conv3d"))
    study = read([tmp_path / n for n in "abcdefa"])
    assert [[c.path.name for c in s.cells] for s in study.sections] == [
        ["a", "b", "f"],
        ["c"],
        ["d", "e"],
    ]
    assert study.sections[0].models == ("conv3d", "deciwatch", f"conv3d ({tmp_path / 'f'})")
    assert study.sections[2].setups == ("blazepose-lite",)
    write([tmp_path / "d"], tmp_path / "out")
    assert (
        "not shown: none of the study's six setups" in (tmp_path / "out" / "tables.md").read_text()
    )


def test_rows_measured_on_different_windows_are_said_not_to_compare(tmp_path):
    run(tmp_path / "a", metrics())
    run(tmp_path / "b", metrics("deciwatch", split={"rule": "by-video", "sha256": "other"}))
    write([tmp_path / "a", tmp_path / "b"], tmp_path / "out")
    assert "different windows and do not compare" in (tmp_path / "out" / "tables.md").read_text()


def broken(change):
    told = json.loads(json.dumps(metrics(ms_per_window=None)))
    change(told)
    return json.dumps(told)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "damaged file"),
        ("[]", "a JSON list where an object belongs"),
        (broken(lambda t: t.update(schema="climb-edge/run/1")), "found 'climb-edge/run/1'"),
        (broken(lambda t: t.pop("parts")), "'parts'"),
        (broken(lambda t: t.update(parts=[1])), "AttributeError"),
        (broken(lambda t: t.update(best_epoch=None)), "null where a count"),
        (
            broken(
                lambda t: t["parts"]["test"]["refined"]["ours"]["pooled"].update(
                    {"0.1": [55.0, 1, 1]}
                )
            ),
            "share of 0 to 1",
        ),
        (broken(lambda t: t["parts"]["test"]["refined"].update(jitter="fast")), "found 'fast'"),
        (broken(lambda t: t.update(data={})), "data: expected text"),
        (
            broken(lambda t: t.update(model="deciwatch")),
            "expected pretrain of conv3d, found pretrain of deciwatch",
        ),
        ("\xff" * 9 + "[" * 100000, "damaged file"),
    ],
)
def test_a_damaged_cell_of_many_is_a_line_and_alone_an_error(tmp_path, content, said):
    run(tmp_path / "a", metrics())
    (tmp_path / "a" / "metrics.json").write_text(content, encoding="latin-1")
    with pytest.raises(ClimbEdgeError, match=re.escape(said)) as error:
        read([tmp_path / "a"])
    assert str(tmp_path / "a" / "metrics.json") in str(error.value)
    run(tmp_path / "b", metrics("deciwatch"))
    cells = {c.model: c for c in read([tmp_path / "a", tmp_path / "b"]).cells}
    assert (
        cells["conv3d"].state == "failed"
        and said in cells["conv3d"].reason
        and cells["deciwatch"].state == "done"
    )


def test_nothing_known_is_a_dash_and_never_the_best(tmp_path):
    told = metrics(ms_per_window=None)
    empty = {a: [math.nan] * 3 for a in ("0.05", "0.1", "0.2")}
    refined = told["parts"]["test"]["refined"]
    refined.update(
        jitter=math.nan,
        lag_ms=math.nan,
        ours=refined["ours"] | {"pooled": empty, "keypoints": {}, "threshold": math.nan},
    )
    run(tmp_path / "a", told)
    (tmp_path / "a" / "history.csv").write_text("epoch,loss\n0,x\n")
    write([tmp_path / "a"], tmp_path / "out")
    text = (tmp_path / "out" / "tables.md").read_text()
    rows = table(text, "### Table 1")
    assert rows["conv3d"][0] == "no figure" and rows["identity"][0].startswith("**")
    assert "| 1.1 | conv3d | 0 | – | – | – | – |" in text and "nan" not in text.lower().replace(
        "finan", ""
    )
    assert "no curves: " in text and table(text, "cost and curves")["conv3d"][1] == "–"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "damaged file"),
        ('{"schema": "x"}', "found 'x'"),
        ('{"schema": "climb-edge/study/1", "cells": [3]}', "expected cells"),
        ('{"schema": "climb-edge/study/1"}', "expected cells"),
    ],
)
def test_a_damaged_study_is_refused(tmp_path, content, said):
    (tmp_path / "study.json").write_text(content)
    with pytest.raises(ClimbEdgeError, match=said) as error:
        read([tmp_path])
    assert "study.json" in str(error.value)


def test_what_is_no_run_is_refused(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    for name, found in (
        ("empty", "found a folder without either"),
        ("file", "found a file"),
        ("none", "found no such folder"),
    ):
        with pytest.raises(
            ClimbEdgeError, match=f"{name}: expected the folder of a study .* {found}"
        ):
            read([tmp_path / name])
    (tmp_path / "empty" / "config.json").write_text("[]")
    with pytest.raises(ClimbEdgeError, match=r"config.json: expected what a run is"):
        read([tmp_path / "empty"])
    assert main(["tables", str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == 2
    assert "no such folder" in capsys.readouterr().err and not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_real_run_is_read(tmp_path):
    told = [
        "--data",
        "generated",
        "--clips",
        "12",
        "--split",
        "by-video",
        "--batch",
        "2",
        "--steps-per-epoch",
        "1",
        "--epochs",
        "1",
    ]
    folder = tmp_path / "conv3d.1.1.0" / "pretrain"
    assert (
        main(
            [
                "pretrain",
                "--model",
                "conv3d",
                "--noise",
                "1.1",
                *told,
                "--validation-windows",
                "4",
                "--out",
                str(folder),
            ]
        )
        == 0
    )
    assert main(["tables", str(folder), "--out", str(tmp_path / "out")]) == 0
    kept = json.loads((folder / "metrics.json").read_text())
    value = 100 * kept["parts"]["test"]["refined"]["ours"]["pooled"]["0.2"][0]
    assert (
        table((tmp_path / "out" / "tables.md").read_text(), "### Table 1")["conv3d"][6].strip("*")
        == f"{value:.1f}"
    )
    assert len(read([folder]).cells[0].history) == 2
    assert metrics().keys() <= kept.keys()  # what these tests make by hand is what runs write
