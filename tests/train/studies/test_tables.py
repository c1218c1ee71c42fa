"""Tables of studies: figures as the runs' metrics have them, the best in bold, theirs apart, and
what is missing said.
"""

import csv
import json
import math
import re

import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.atomic import write_json
from climb_edge.refiners.filters import FILTERS
from train.__main__ import main
from train.fitting.metrics import SCHEMA, figures, through
from train.fitting.run_folder import COLUMNS
from train.fitting.scoring import DECODES, Measured
from train.studies import published
from train.studies.grid import SCHEMA as STUDY
from train.studies.published import sentences
from train.studies.tables import read, rows_of, write

BODY = np.random.default_rng(0).uniform(8, 48, (25, 2))
# shoulders, hips: a torso of 18 cells
BODY[[11 - 8, 4]], BODY[[15, 16]] = ([20, 18], [32, 18]), ([22, 36], [30, 36])


def measured(seed: int, spread: float, clips: int = 4) -> Measured:
    """A body that drifts, and predictions that are off by `spread` cells; pinkies have no truth."""
    dice = np.random.default_rng(seed)
    truth = [
        BODY + dice.normal(0, 1, (4, 1, 1, 2)) + np.cumsum(dice.normal(0, 0.3, (4, 5, 1, 2)), 1)
        for _ in range(clips)
    ]
    truth = [np.where(np.isin(np.arange(25), (9, 10))[:, None], np.nan, t) for t in truth]
    points = {d: tuple(t + dice.normal(0, spread, t.shape) for t in truth) for d in DECODES}
    return Measured(1.0, tuple(truth), points)


def metrics(model="conv3d", setup="1.1", seed=0, spread=1.0, command="pretrain", **changed) -> dict:
    base = {
        name: figures(measured(seed, s), 30.0)
        for name, s in (("identity", 3.0), ("refined", spread))
    }
    return {
        "schema": SCHEMA,
        "command": command,
        "model": model,
        "parameters": 78150,
        "noise": setup,
        "seed": seed,
        "truth": "human",
        "data": "some labels",
        "data_sha256": "d",
        "space": "heatmap cells",
        "box": "frame",
        "frames": "all 5 of each window",
        "split": {"rule": "by-video", "sha256": f"{setup} {seed}"},
        "windows": {"train": 60, "val": 20, "test": 16, "held_out": 0},
        "best_epoch": 2,
        "epochs": 3,
        "minutes": 1.5,
        "ms_per_window": 4.25,
        "parts": {"test": base},
    } | changed


def run(folder, told: dict):
    """A run's folder with its history; returns the metrics as written."""
    write_json(folder / "metrics.json", told)
    write_json(folder / "config.json", {k: told[k] for k in ("model", "noise", "seed", "command")})
    lines = [
        ",".join(COLUMNS),
        *(f"{e},{3 - e / 2},{3 - e / 3},0.1,0.2,{0.3 + e / 10},0.001,2" for e in range(4)),
    ]
    (folder / "history.csv").write_text("\n".join(lines) + "\n")
    return json.loads((folder / "metrics.json").read_text())


def filters(setup="1.1", seed=0) -> dict:
    raw = measured(seed, 3.0)
    rows = {"identity": figures(raw, 30.0)} | {
        n: figures(through(raw, f), 30.0) for n, f in FILTERS.items()
    }
    told = metrics("filters", setup, seed, parts={"test": rows}) | {
        "filters": {n: f.spec for n, f in FILTERS.items()}
    }
    return {
        k: v
        for k, v in told.items()
        if k not in ("parameters", "best_epoch", "epochs", "minutes", "ms_per_window")
    }


def study(folder, cells: list[dict]):
    """study.json over (model, setup, seed) cells; a cell with metrics gets its folder."""
    for cell in cells:
        for phase, told in cell.pop("metrics", {}).items():
            run(folder / f"{cell['model']}.{cell['setup']}.{cell['seed']}" / phase, told)
        cell.setdefault("phases", ["pretrain"])
        cell |= {"state": cell.get("state", "done"), "reason": cell.get("reason")}
    write_json(
        folder / "study.json", {"schema": STUDY, "name": folder.name, "config": {}, "cells": cells}
    )
    return folder


def cell(model, setup="1.1", seed=0, spread=1.0, **more) -> dict:
    return {
        "model": model,
        "setup": setup,
        "seed": seed,
        "metrics": {"pretrain": metrics(model, setup, seed, spread)},
    } | more


def lines_of(path) -> list[dict]:
    with open(path, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def table(text: str, heading: str, number: int = 0) -> dict[str, list[str]]:
    """Rows of the `number`th table after a heading of Markdown, by their first place; of equal
    names the last.
    """
    rest = text.split(heading, 1)[1]
    block = re.findall(r"(?:^\|.*\n)+", rest, re.M)[number]
    rows = [[c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]] for line in block.splitlines()]
    return {row[0]: row[1:] for row in rows}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A study of two models and three setups: most is done, one cell failed, one was left out."""
    folder = study(
        tmp_path_factory.mktemp("runs") / "small",
        [
            cell("conv3d"),
            cell("conv3d", "1.2", spread=2.0),
            cell("deciwatch", spread=0.4),
            cell(
                "deciwatch", "1.2", state="failed", reason="exit code 1: a | pipe <b>", metrics={}
            ),
            cell("conv3d", "1.3", state="not run", reason="too slow here", metrics={}),
        ],
    )
    write_json(folder / "filters.1.1.0" / "pretrain" / "metrics.json", filters())
    out = folder / "tables"
    return folder, out, write([folder], out)


def stored(folder, name: str) -> dict:
    return json.loads((folder / name / "pretrain" / "metrics.json").read_text())["parts"]["test"]


def test_every_file_named_is_there_and_the_page_holds_its_pictures(small):
    _, out, files = small
    assert all(f.is_file() for f in files) and len(set(files)) == len(files)
    page, text = (out / "tables.html").read_text(), (out / "tables.md").read_text()
    pictures = [f for f in files if f.suffix == ".png"]
    assert len(pictures) == 3  # points, and curves of two models
    assert (
        page.count("data:image/png;base64,iVBOR") == 3
        and "<script" not in page
        and "http" not in page
    )
    assert all(f"]({p.name})" in text for p in pictures)
    assert "a | pipe &lt;b&gt;" in page and "a \\| pipe &lt;b&gt;" in text


def test_shown_is_ours_pooled_and_beside_it_the_studys_own_way(small):
    folder, out, _ = small
    text, kept = (out / "tables.md").read_text(), stored(folder, "conv3d.1.1.0")
    for number, (reading, averaging) in enumerate((("ours", "pooled"), ("study", "study"))):
        rows = table(text, "### Table 1", number)
        for place, alpha in ((0, "0.05"), (3, "0.1"), (6, "0.2")):
            for label, name in (("identity", "identity"), ("conv3d", "refined")):
                value = 100 * kept[name][reading][averaging][alpha][0]
                assert rows[label][place].strip("*") == f"{value:.{2 if value < 10 else 1}f}"
    thresholds = [
        kept["identity"]["ours"]["threshold"],
        stored(folder, "conv3d.1.2.0")["identity"]["ours"]["threshold"],
    ]
    assert thresholds[0] == pytest.approx(thresholds[1])
    assert f"@0.1: {0.1 * thresholds[0]:.2f} cells" in text


def test_the_best_of_a_column_is_bold_and_a_published_figure_never(small):
    text = (small[1] / "tables.md").read_text()
    rows = table(text, "### Table 1")
    assert rows["deciwatch"][0].startswith("**") and rows["deciwatch"][6].startswith("**")
    assert rows["conv3d"][1].startswith("**")  # of 1.2 there is no other
    bold = [label for label, row in rows.items() if row[0].startswith("**")]
    assert bold == ["deciwatch"]
    theirs = rows[r"*deciwatch (published, other data; mission)*"]
    assert theirs[:3] == ["*51.4*", "*51.4*", "*44.5*"] and theirs[6:] == [
        "*80.2*",
        "*80.2*",
        "*64.2*",
    ]
    assert 'class="theirs"' in (small[1] / "tables.html").read_text()


def test_equal_figures_are_bold_together_and_theirs_do_not_compete(tmp_path):
    one = metrics("conv3d", spread=9.0)  # worse than all that is published
    two = metrics("deciwatch", spread=9.0)
    study(
        tmp_path / "s",
        [cell("conv3d", metrics={"pretrain": one}), cell("deciwatch", metrics={"pretrain": two})],
    )
    for told in (one, two):  # and better than the input
        told["parts"]["test"]["identity"] = figures(measured(0, 20.0), 30.0)
        run(tmp_path / "s" / f"{told['model']}.1.1.0" / "pretrain", told)
    write([tmp_path / "s"], tmp_path / "out")
    rows = table((tmp_path / "out" / "tables.md").read_text(), "### Table 1")
    assert rows["conv3d"][0] == rows["deciwatch"][0] and rows["conv3d"][0].startswith("**")


def test_what_was_not_run_says_so_in_its_place_and_why(small):
    text = (small[1] / "tables.md").read_text()
    rows = table(text, "### Table 1")
    assert (
        rows["deciwatch"][1] == "failed" and rows["conv3d"][2] == rows["deciwatch"][2] == "not run"
    )
    assert rows["mean filter"][1] == "not run" and rows["mean filter"][0] != "not run"
    assert "deciwatch 1.2, seed 0: failed: exit code 1" in text
    assert "conv3d 1.3, seed 0: not run: too slow here" in text
    states = {
        (r["row"], r["setup"]): r["state"] for r in lines_of(small[1] / "pretrain-test-table1.csv")
    }
    assert (
        states["deciwatch", "1.2"] == "failed"
        and states["conv3d", "1.3"] == "not run"
        and states["conv3d", "1.1"] == "done"
    )


def test_the_csv_holds_every_reading_and_averaging_with_intervals(small):
    folder, out, _ = small
    lines, kept = (
        lines_of(out / "pretrain-test-table1.csv"),
        stored(folder, "deciwatch.1.1.0")["refined"],
    )
    own = [r for r in lines if r["row"] == "deciwatch" and r["setup"] == "1.1"]
    assert len(own) == 12
    for r in own:
        value, low, high = kept[r["reading"]][r["averaging"]][r["alpha"]]
        assert float(r["pck"]) == pytest.approx(100 * value)
        if r["averaging"] == "pooled":
            assert (float(r["low"]), float(r["high"])) == (
                pytest.approx(100 * low),
                pytest.approx(100 * high),
            )
        else:
            assert r["low"] == r["high"] == ""
        assert float(r["threshold_cells"]) == pytest.approx(
            float(r["alpha"]) * kept[r["reading"]]["threshold"]
        )
    theirs = [r for r in lines if r["source"] != "ours"]
    assert theirs and all(
        "published, other data" in r["row"] and r["reading"] == r["averaging"] == "study"
        for r in theirs
    )


def test_filters_stand_below_the_models_with_their_settings(small):
    folder, out, _ = small
    text = (out / "tables.md").read_text()
    rows = list(table(text, "### Table 1"))
    assert rows.index("conv3d") < rows.index("mean filter") < rows.index("one_euro filter")
    value = 100 * stored(folder, "filters.1.1.0")["gaussian"]["ours"]["pooled"]["0.2"][0]
    assert table(text, "### Table 1")["gaussian filter"][6] == f"{value:.1f}"
    assert FILTERS["savitzky_golay"].spec in text


def test_groups_epochs_jitter_and_lag_are_the_runs(small):
    folder, out, _ = small
    text, kept = (out / "tables.md").read_text(), stored(folder, "conv3d.1.2.0")["refined"]
    row = next(
        x for x in text.split("### Table 3")[1].splitlines() if x.startswith("| 1.2 | conv3d |")
    )
    places = [p.strip(" *") for p in row.split("|")[3:-1]]
    assert places[0] == "2" and places[6] == "–"  # best epoch; pinkies have no truth
    assert places[5] == f"{100 * kept['ours']['keypoints']['group wrist']['0.2']:.1f}"
    assert places[-1] == f"{100 * kept['ours']['pooled']['0.2'][0]:.1f}"
    line = next(
        r
        for r in lines_of(out / "pretrain-test-details.csv")
        if (r["row"], r["setup"]) == ("conv3d", "1.2")
    )
    for key in ("jitter", "truth_jitter", "lag_ms"):
        assert float(line[key]) == pytest.approx(kept[key])
    value, low, high = (100 * v for v in kept["ours"]["pooled"]["0.2"])
    assert (
        f"| {value:.1f} ({low:.1f} to {high:.1f}) | {kept['jitter']:.3f} |"
        f" {kept['truth_jitter']:.3f} |" in text
    )


def test_groups_are_averaged_both_ways_with_intervals(small):
    folder, out, _ = small
    kept = stored(folder, "conv3d.1.2.0")["refined"]
    lines = [
        r
        for r in lines_of(out / "pretrain-test-table3.csv")
        if (r["row"], r["setup"]) == ("conv3d", "1.2")
    ]
    assert len(lines) == 12
    for line in lines:
        three = kept[line["reading"]]["groups"]["wrist"][line["averaging"]][line["alpha"]]
        ends = [f"{100 * v}" for v in three[1:]] if line["averaging"] == "pooled" else ["", ""]
        assert [line["wrist"], line["wrist low"], line["wrist high"]] == [
            f"{100 * three[0]}",
            *ends,
        ]
    assert {(r["reading"], r["averaging"]) for r in lines} == {
        (r, a) for r in ("ours", "study") for a in ("pooled", "study")
    }
    told = (out / "tables.md").read_text().split("### Table 3")[1].split("own way")[1]
    row = next(x for x in told.splitlines() if x.startswith("| 1.2 | conv3d |"))
    assert (
        row.split("|")[8].strip(" *")
        == f"{100 * kept['study']['groups']['wrist']['study']['0.2'][0]:.1f}"
    )


def test_a_run_of_before_groups_had_intervals_keeps_its_figures(tmp_path):
    old = metrics()
    for reading in DECODES:
        del old["parts"]["test"]["refined"][reading]["groups"]
    run(tmp_path / "run", old)
    write([tmp_path / "run"], tmp_path / "out")
    value = 100 * old["parts"]["test"]["refined"]["ours"]["keypoints"]["group wrist"]["0.2"]
    line = next(
        r
        for r in lines_of(tmp_path / "out" / "pretrain-test-table3.csv")
        if (r["row"], r["alpha"]) == ("conv3d", "0.2")
    )
    assert float(line["wrist"]) == pytest.approx(value) and line["wrist low"] == ""


def test_cost_is_told_by_model_beside_theirs(small):
    rows = table((small[1] / "tables.md").read_text(), "cost and curves")
    assert rows["conv3d"] == ["78,150", "4.25", "3", "1.5", "60", "2", "*78,150*", "*0.39*"]
    line = lines_of(small[1] / "pretrain-cost.csv")[0]
    assert (line["ms_per_window"], line["best_epoch"], line["training_windows"]) == (
        "4.25",
        "2",
        "60",
    )


def test_several_seeds_are_shown_by_their_mean_and_spread(tmp_path):
    folder = study(
        tmp_path / "s",
        [
            *(cell("conv3d", seed=n) for n in range(3)),
            cell("conv3d", seed=3, state="failed", reason="x", metrics={}),
        ],
    )
    write([folder], tmp_path / "out")
    text = (tmp_path / "out" / "tables.md").read_text()
    values = [
        100 * stored(folder, f"conv3d.1.1.{n}")["refined"]["ours"]["pooled"]["0.05"][0]
        for n in range(3)
    ]
    assert len(set(values)) == 3
    mean = sum(values) / 3
    row = next(r for r in rows_of(read([folder]).sections[0], "test") if r.label == "conv3d")
    # what bold and changes go by
    assert 100 * row.mean("1.1", ("ours", "pooled"), "0.05") == pytest.approx(mean)
    assert table(text, "### Table 1")["conv3d"][0] == f"**{mean:.1f} (3 of 4 seeds)**"
    assert (
        f"| mean of 3 (min .. max) | {mean:.1f} ({min(values):.1f} .. {max(values):.1f}) |" in text
    )
    line = next(
        r
        for r in lines_of(tmp_path / "out" / "pretrain-test-table1.csv")
        if r["seed"] == "mean" and r["row"] == "conv3d"
    )
    assert (line["seeds"], line["alpha"]) == ("3", "0.05")
    assert [float(line[k]) for k in ("pck", "min", "max")] == [
        pytest.approx(v) for v in (mean, min(values), max(values))
    ]


def test_changes_are_differences_of_setups_ours_and_theirs(small):
    folder, out, _ = small
    line = next(
        r
        for r in lines_of(out / "pretrain-test-changes.csv")
        if (r["model"], r["change"]) == ("conv3d", "1.2 - 1.1")
    )
    value = [
        stored(folder, f"conv3d.{s}.0")["refined"]["ours"]["pooled"]["0.2"][0]
        for s in ("1.2", "1.1")
    ]
    assert float(line["ours @0.2"]) == pytest.approx(100 * (value[0] - value[1]))
    assert float(line["published final @0.05"]) == pytest.approx(20.5 - 1.84)
    other = next(
        r
        for r in lines_of(out / "pretrain-test-changes.csv")
        if (r["model"], r["change"]) == ("deciwatch", "2.3 - 2.1")
    )
    assert other["ours @0.05"] == "" and float(other["published mission @0.05"]) == pytest.approx(
        10.3 - 51.2
    )
    text = (out / "tables.md").read_text()
    assert "hardly: not shown (ours): missing: " in text and "convlstm_sum 1.1, 1.2" in text


def test_an_observation_is_judged_by_the_stated_rule():
    def points(deciwatch: float, calm: float, without=()):
        """Every model falls by its figure with each step of the scalar, and at half of the
        frames.
        """
        drop = {"deciwatch": deciwatch, "convlstm_sum": calm / 4, "convlstm_concat": calm}
        steps = {s: (s[0] == "2") + (s[2] == "3") for s in published.SETUPS}
        return lambda m, s, a: (
            math.nan if (m, s) in without else 90.0 - steps[s] * drop[m] * (a == "0.1")
        )

    def verdicts(*given, **more):
        return [v for _, v, _ in sentences(points(*given, **more))]

    assert verdicts(8.0, 4.0) == ["confirmed"] * 2 and verdicts(7.9, 4.0) == ["partly"] * 2
    assert (
        verdicts(4.0, 4.0) == ["not confirmed"] * 2 and verdicts(0.0, 0.0) == ["not confirmed"] * 2
    )
    assert verdicts(-8.0, 4.0) == ["confirmed"] * 2  # a rise is a reaction too
    both = {("convlstm_sum", "1.1"), ("convlstm_sum", "2.1")}
    (_, scalar, why), (_, skipping, missing) = sentences(points(8.0, 4.0, both))
    assert scalar == "confirmed" and "only 2 of 3 pairs" in why
    assert skipping == "not shown" and missing == "missing: convlstm_sum 1.1, 2.1"
    alone = {("convlstm_sum", s) for s in published.SETUPS}  # one of the two may decide, against it
    assert (
        verdicts(4.0, 4.0, alone) == ["not confirmed"] * 2
        and verdicts(4.1, 4.0, alone) == ["not shown"] * 2
    )
    assert verdicts(4.0, 4.0, alone | {("deciwatch", "1.1"), ("deciwatch", "2.3")}) == [
        "not confirmed",
        "not shown",
    ]
    _, _, numbers = next(sentences(points(8.0, 4.0)))
    assert "deciwatch moved by 8.00 points" in numbers and "by 4.00 (convlstm_concat" in numbers


def test_published_figures_are_those_of_the_study():
    rows = {(r.model, r.version): r.pck for r in published.ROWS["finetune", "test"]}
    assert rows["identity", "mission"]["0.1"] == dict.fromkeys(published.SETUPS, 66.1)
    assert list(rows["deciwatch", "final"]["0.2"].values()) == [99.2, 99.2, 96.1, 99.2, 99.2, 92.8]
    assert (
        rows["conv3d", "final"]["0.05"]["2.3"] == 47.3
        and rows["convlstm_concat", "mission"]["0.05"]["1.2"] == 39.0
    )
    before = {r.model: r.pck for r in published.ROWS["pretrain", "test"]}
    halves = {"0.05": (6.95, 1.84), "0.1": (25.7, 7.75), "0.2": (67.4, 29.3)}
    assert before["identity"] == {
        a: dict(zip(published.SETUPS, (x,) * 3 + (y,) * 3, strict=True))
        for a, (x, y) in halves.items()
    }
    assert (
        before["convlstm_concat"]["0.05"]["2.3"] == 9.63
        and before["deciwatch"]["0.1"]["2.3"] == 24.4
    )
    told = [
        v
        for _, v, _ in sentences(published.points_of(published.ROWS["finetune", "test"], "mission"))
    ]
    assert told == ["confirmed", "confirmed"]  # of its own figures the study is right by the rule


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
        ("[]", "schema climb-edge/run/2, found 'list'"),
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
        "--steps",
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
                "--validation",
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
