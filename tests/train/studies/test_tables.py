"""Tables of studies: figures as the runs' metrics have them, the best in bold, theirs apart, and
what is missing said.
"""

import pytest

from climb_edge.files.atomic import write_json
from climb_edge.refiners.filters import FILTERS
from support.studies import cell, filters, lines_of, measured, metrics, run, stored, study, table
from train.fitting.metrics import figures
from train.fitting.scoring import DECODES
from train.studies.rows import rows_of
from train.studies.tables import read, write


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
