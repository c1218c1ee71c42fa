"""The report: every documented key is there, three renderings show one set of figures, and nothing
breaks the page.
"""

import json
import re

import pytest

from climb_edge.errors import ClimbEdgeError
from convert.reports import drawings
from convert.reports.build import headline, skipped, tables, write
from convert.reports.drawings import chart
from convert.reports.formatting import kept_because
from convert.reports.schema import SCHEMA, read_report
from support.reports import NAMES, THRESHOLDS, Rows, example, keys, measured_report, refused

# As the design lists them: what users, tests and apps rely on.
DOCUMENTED = {"schema", "verdict", "run", "test", "files"}
OF_TEST = {"windows", "clips", "truth"}
OF_FILE = {
    "file",
    "model",
    "form",
    "emits",
    "recipe",
    "bytes",
    "sha256",
    "verdict",
    "reasons",
    "rows",
    "speed",
    "gpu",
    "quantized_ops",
}
OF_ROW = {"averaging", "decode", "emits", "box", "space", "pck", "drop"}
OF_SPEED = {"runtime", "delegate", "threads", "median_ms", "p95_ms"}
OF_GPU = {"backend", "status", "partitions", "nodes", "total", "max_error"}


def rendered(report: dict, out) -> tuple[str, str]:
    """The page and the Markdown."""
    write(report, out)
    return (out / "report.html").read_text(), (out / "report.md").read_text()


@pytest.fixture
def undrawn(monkeypatch):
    """Pages without their slow pictures, for tests that look at none."""
    for name in ("histogram", "windows"):
        monkeypatch.setattr(drawings, name, lambda *_: "data:image/png;base64,")


@pytest.fixture(scope="module")
def measured() -> dict:
    return measured_report()


@pytest.mark.slow
def test_a_measured_report_holds_every_documented_key(measured):
    assert set(measured) >= DOCUMENTED
    assert measured["schema"] == SCHEMA
    assert set(measured["test"]) >= OF_TEST
    (file,) = measured["files"]
    assert set(file) >= OF_FILE
    for part, named in (("rows", OF_ROW), ("speed", OF_SPEED), ("gpu", OF_GPU)):
        assert file[part], part
        assert all(set(row) >= named for row in file[part]), part
    for row in file["rows"]:
        assert list(row["pck"]) == list(row["drop"]) == THRESHOLDS
        assert all(len(interval) == 3 for interval in (*row["pck"].values(), *row["drop"].values()))
        assert all(0 <= v[0] <= 1 for v in row["pck"].values()), "fractions"
    assert file["quantized_ops"]


@pytest.mark.slow
def test_the_example_of_these_tests_is_like_a_measured_report(measured, tmp_path):
    ours, theirs = keys(example()), keys(measured)
    ours["claims"] = theirs["claims"]
    for file in (ours["files"][0], theirs["files"][0]):
        for part in ("second", "stream", "saturation"):  # not run here
            file.pop(part)
    assert theirs == ours
    write(measured, tmp_path)
    assert read_report(tmp_path / "report.json")["files"][0]["file"] == measured["files"][0]["file"]


def figures_of(file: dict) -> list[tuple[float, float]]:
    """(figure, how far it may be rounded) in the order of the one table."""
    one = file["speed"][0]
    found = [(file["bytes"] / 1000, 0.5), (one["median_ms"], 0.005)]
    for base in ("naive_ms", "float_ms"):
        ratio = one[base] / one["median_ms"]
        found.append((ratio, 0.005 if ratio < 10 else 0.05))
    for tests in ("test", "generated"):
        row = next(r for r in file["rows"] if (r["set"], r["decode"]) == (tests, "dark"))
        found += [(v, 0.005) for a in THRESHOLDS for v in row["drop"][a]]
    return found


def same(shown: str, expected: list[tuple[float, float]]) -> None:
    numbers = [float(n) for n in re.findall(r"[+-]?\d+(?:\.\d+)?", shown)]
    assert len(numbers) == len(expected), shown
    for number, (figure, rounding) in zip(numbers, expected, strict=True):
        assert number == pytest.approx(figure, abs=rounding * 1.001), shown


def test_three_renderings_show_the_figures_of_the_json(tmp_path, capsys, undrawn):
    from convert.__main__ import main

    page, markdown = rendered(example("float32", "float16", "int8"), tmp_path)
    report = read_report(tmp_path / "report.json")
    rows = Rows(page).rows
    assert main(["show", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    for file in report["files"]:
        expected = figures_of(file)
        (cells,) = (
            r[2 + len(NAMES) :]
            for r in rows
            if len(r) == 22 and r[0].replace(" ", "") == file["file"]
        )
        same(" ".join(cells), expected)
        (line,) = (x for x in markdown.splitlines() if x.startswith(f"| {file['file']} |"))
        cells = [c.strip() for c in line.strip("|").split("|")]
        assert cells[:3] == [file["file"], "pass", "all pass"]
        same(" ".join(cells[3:]), expected)
        (line,) = (x for x in text.splitlines() if x.startswith(f"{file['file']} "))
        generated = expected[-9::3]
        same(line.removeprefix(file["file"]).replace("pass", ""), [*expected[:2], *generated])
        for row in file["rows"]:
            (cells,) = (
                r
                for r in rows
                if r
                and r[0].replace(" ", "") == file["file"]
                and [c.strip() for c in r[1:3]]
                == [row["set"], f"{row['averaging']}, {row['decode']}"]
            )
            shown = [float(c.split()[0]) for c in cells[4:]]
            pck = [100 * row[k][a][0] for k in ("pck", "float") for a in THRESHOLDS]
            assert shown == pytest.approx(pck, abs=0.0501)
    for claim in report["claims"]:
        expected = [(v, 0.005) for a in THRESHOLDS for v in claim["change"][a]]
        (cells,) = (r[1:] for r in rows if r and r[0].strip() == "change in points")
        same(" ".join(cells), expected)
        (line,) = (x for x in markdown.splitlines() if x.startswith("| change in points |"))
        same(line, expected)
        for shown in (page, markdown, text):
            assert all(
                f"{100 * claim[k][a][0]:.1f}" in shown
                for k in ("raw", "refined")
                for a in THRESHOLDS
            )
            assert "refined is better at @0.05, @0.1, @0.2" in shown


def test_the_page_is_one_file_without_scripts_or_addresses(tmp_path):
    page, _ = rendered(example(), tmp_path)
    parsed = Rows(page)
    assert parsed.addresses
    assert all(a.startswith("data:image/png;base64,") for a in parsed.addresses)
    assert not parsed.tags & {"script", "link", "iframe", "object", "base", "svg"}
    bare = re.sub(r'"data:image/png;base64,[A-Za-z0-9+/=]+"', '""', page)
    assert not re.search(r"http|//|url\(|@import", bare)
    assert len(bare) < 60_000


HOSTILE = "<script>alert(1)</script> $x^{ \\frac$ | [a](b) \n# **\"' {{ 7*7 }}"


def test_hostile_text_is_shown_as_text(tmp_path):
    report = example()
    for file in report["files"]:
        file["worst_windows"][0] |= {"clip": HOSTILE, "set": HOSTILE}
        for key in ("file", "quantizer", "sha256", "recipe"):
            file[key] = HOSTILE
        file["quantized_ops"][0]["tensor"] = file["saturation"][0]["tensor"] = HOSTILE
        file |= {"verdict": "fail", "reasons": [HOSTILE], "left_in_float": [HOSTILE]}
        file["sensitivity"] = [{"layer": HOSTILE, "cells": 0.1}]
        file["checks"][3] = {"name": "cpu", "verdict": "fail", "reasons": [HOSTILE]}
        file["gpu"][0]["backend"] = file["stream"]["clip"] = file["candidates"][1]["reason"] = (
            HOSTILE
        )
        file["histogram"] = {HOSTILE: file["histogram"]["test"]}
    report["run"] |= {"path": HOSTILE, "model": HOSTILE, "init": HOSTILE}
    report["test"]["source"] = report["claims"][0]["name"] = HOSTILE
    page, markdown = rendered(report, tmp_path)
    parsed = Rows(page)
    assert "script" not in parsed.tags
    assert "a" not in parsed.tags
    assert "&lt;script&gt;" in page
    assert "{{ 7*7 }}" in page
    for line in markdown.splitlines():
        assert not re.search(r"(?<!\\)<script", line)
        assert not re.search(r"(?<!\\)\[a", line)
        assert not line.startswith("# **")
    columns = {
        len(re.findall(r"(?<!\\)\|", x))
        for x in markdown.splitlines()
        if x.startswith("| \\<script")
    }
    assert columns == {14}, "no cell breaks its row"


def test_files_that_never_ran_have_rows_and_reasons(tmp_path, undrawn):
    report = example("float32", "int8", "int8_io")
    report["files"][1:] = [refused(f) for f in report["files"][1:]]
    report["verdict"] = "fail"
    page, markdown = rendered(report, tmp_path)
    for shown in (page, markdown, tables(report)):
        assert shown.count("the runtime aborts") >= 2
    assert "| conv3d.step-newest.int8.tflite | fail, not written | load: fail | – | – |" in markdown
    assert "conv3d.step-newest.int8_io.tflite: fail: the runtime aborts" in tables(report)
    report["files"] = report["files"][1:]
    page, _ = rendered(report, tmp_path)
    assert "<img" not in page
    assert chart(report) == ""


def test_figures_that_could_not_be_computed_are_dashes(tmp_path):
    report = example()
    row = report["files"][0]["rows"][2]
    row["drop"] = {a: [0.5, float("nan"), float("nan")] for a in THRESHOLDS}
    row["pck"] = {a: [float("nan")] * 3 for a in THRESHOLDS}
    report["files"][0]["gpu"][0] |= {"max_error": None, "partitions": None, "nodes": None}
    report["files"][0]["worst_windows"][0]["truth"][3] = [None, None]
    page, markdown = rendered(report, tmp_path)
    assert "nan" not in page.lower().replace("nano", "").split("<img")[0]
    assert "| +0.50 | +0.50 | +0.50 |" in markdown
    assert "nan" not in tables(report)
    assert tables(read_report(tmp_path / "report.json")) == tables(report)


def test_somebody_elses_file_is_reported_with_what_could_not_be_checked(tmp_path, undrawn):
    report = example("float16")
    nobody = {
        "model": None,
        "form": None,
        "emits": None,
        "recipe": None,
        "quantizer": None,
        "weight_ratio": None,
    }
    file = (
        refused(report["files"][0])
        | nobody
        | {
            "file": "theirs.tflite",
            "verdict": "pass",
            "reasons": [],
            "candidates": [],
        }
    )
    file["speed"] = [
        {
            "runtime": "x",
            "delegate": "y",
            "threads": 1,
            "median_ms": 5.25,
            "p95_ms": 6.0,
            "float_ms": None,
            "naive_ms": None,
        }
    ]
    report |= {
        "run": None,
        "test": None,
        "generated": None,
        "claims": [],
        "files": [file],
        "histogram_edges": [],
    }
    report |= {"file": "some/theirs.tflite", "cannot": ["PCK parity: the run is not here"]}
    page, markdown = rendered(report, tmp_path)
    for shown in (page, markdown, tables(read_report(tmp_path / "report.json"))):
        assert "PCK parity: the run is not here" in shown
        assert "5.25" in shown
        assert "not written" not in shown
        assert "None" not in shown
    assert page.count("some/theirs.tflite") == 2


def test_the_verdict_names_what_was_skipped(tmp_path, undrawn):
    report = example()
    report["files"][1]["checks"][4] = {
        "name": "gpu",
        "verdict": "skipped",
        "reasons": ["no Vulkan driver"],
    }
    report["skipped"] = skipped(report["files"])
    assert headline(report) == "pass (skipped: gpu)"
    page, markdown = rendered(report, tmp_path)
    for shown in (page, markdown, tables(report)):
        assert "pass (skipped: gpu)" in shown
    assert "gpu: skipped: no Vulkan driver" in page
    assert "| conv3d.step-newest.int8.tflite | pass | gpu: skipped |" in markdown


def test_one_bad_check_of_many_is_told_in_every_rendering(tmp_path, undrawn):
    report = example()
    report["files"][1] |= {
        "verdict": "not shown",
        "written": False,
        "reasons": ["too few clips", "and more"],
    }
    report["files"][1]["checks"][5] = {
        "name": "parity",
        "verdict": "not shown",
        "reasons": ["too few clips", "and more"],
    }
    report["files"][0]["checks"][4] = {
        "name": "gpu",
        "verdict": "cpu only",
        "reasons": ["3 of 5 nodes"],
    }
    page, markdown = rendered(report, tmp_path)
    assert 'title="parity: not shown: too few clips; and more">?</b>' in page
    assert 'title="gpu: cpu only: 3 of 5 nodes">cpu</b>' in page
    assert "not shown, not written | parity: not shown |" in markdown
    assert "| pass | gpu: cpu only |" in markdown
    assert "too few clips; and more" in markdown
    assert "conv3d.step-newest.int8.tflite: not shown: too few clips" in tables(report)
    assert "and more" not in tables(report), "the first reason only"


def made(*rows: tuple[str | None, float | None, bool]) -> list[dict]:
    return [
        {"quantizer": "q", "reason": r, "bytes": 1, "cells": c, **({"kept": True} if k else {})}
        for r, c, k in rows
    ]


@pytest.mark.parametrize(
    ("candidates", "why"),
    [
        (made((None, 0.1, True)), "the only one"),
        (made((None, 0.1, True), (None, 0.2, False)), "closer to float"),
        (made((None, 0.1, True), (None, 0.1, False)), "as close to float, and no larger"),
        (made(("breaks", None, False), (None, 0.2, True)), "the other breaks rules"),
        (
            made(("breaks", 0.1, True), ("breaks", None, False)),
            "the best of those that break rules",
        ),
        (made(("no", None, False), ("no", None, False)), "none could make it"),
    ],
)
def test_why_a_quantizer_was_kept(candidates, why):
    assert kept_because(candidates) == why


def _without(report: dict, *path):
    *way, last = path
    for step in way:
        report = report[step]
    del report[last]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda r: r.update(schema="climb-edge/report/1"), "expected a report of schema"),
        (lambda r: _without(r, "files"), r"\$: 'files' is a required property"),
        (lambda r: _without(r, "files", 1, "rows"), r"\$.files\[1\]: 'rows' is a required"),
        (lambda r: r["files"][0].update(bytes="many"), r"\$.files\[0\].bytes: 'many' is not"),
        (
            lambda r: r["files"][0]["rows"][0]["drop"].update({"0.1": [1, 2]}),
            r"drop\['0.1'\]: \[1, 2\] is too short",
        ),
        (lambda r: r["files"].append(None), r"\$.files\[2\]: None is not of type 'object'"),
        (lambda r: r["claims"][0].update(wins=[]), r"wins: \[\] is not of type 'object'"),
    ],
)
def test_a_report_that_is_none_is_refused_with_the_place(tmp_path, spoil, said):
    report = example()
    spoil(report)
    (tmp_path / "report.json").write_text(json.dumps(report))
    with pytest.raises(ClimbEdgeError, match=said):
        read_report(tmp_path / "report.json")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"[]", b"null", b'"climb-edge/report/2"']
)
def test_what_is_no_json_object_is_refused(tmp_path, content):
    (tmp_path / "report.json").write_bytes(content)
    with pytest.raises(ClimbEdgeError, match="convert the run again"):
        read_report(tmp_path / "report.json")


def test_what_was_left_out_stands_in_every_rendering(tmp_path, undrawn):
    report = example() | {"said": ["deciwatch int8: left out: the runtime aborts"]}
    write(report, tmp_path)
    for text in (
        (tmp_path / "report.html").read_text(),
        (tmp_path / "report.md").read_text(),
        tables(report),
    ):
        assert "left out: the runtime aborts" in text
