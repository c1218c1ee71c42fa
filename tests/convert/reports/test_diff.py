"""Two reports compared: every kind of regression is worse, noise is not, and what cannot be
compared is said.
"""

import copy
import json

import pytest

from convert.__main__ import main
from convert.reports.diff import Change, compare, lines
from support.reports import THRESHOLDS, example, refused

FILE = "conv3d.step-newest.int8.tflite"


def _check(file: dict, name: str, verdict: str) -> None:
    next(c for c in file["checks"] if c["name"] == name).update(
        verdict=verdict, reasons=["because"]
    )


def _drop(file: dict, tests: str, alpha: str, by: float) -> None:
    """Move the change against Keras of the row that gates look at."""
    row = next(r for r in file["rows"] if (r["set"], r["decode"]) == (tests, "dark"))
    row["drop"][alpha] = [v + by for v in row["drop"][alpha]]


def _time(
    file: dict, own: float = 1.0, naive: float = 1.0, p95: float = 1.0, threads: int = 1
) -> None:
    for row in file["speed"]:
        if row["threads"] == threads:
            row["median_ms"] *= own
            row["p95_ms"] *= own * p95
            row["naive_ms"] *= naive


def _refined(report: dict, by: float) -> None:
    report["claims"][0]["refined"]["0.1"] = [v + by for v in report["claims"][0]["refined"]["0.1"]]


# What is done to the second of two equal reports (the report, its file), and what is said of it.
WORSE = {
    "missing": (lambda r, f: r["files"].remove(f), "is missing, was: pass"),
    "refused": (lambda r, f: f.update(refused(f)), "verdict: pass -> fail: the runtime aborts"),
    "not shown": (
        lambda r, f: f.update(verdict="not shown", reasons=["few clips"]),
        "verdict: pass -> not shown: few clips",
    ),
    "not written": (lambda r, f: f.update(written=False), "is not written any more"),
    "off the GPU": (lambda r, f: _check(f, "gpu", "cpu only"), "gpu: pass -> cpu only: because"),
    "another check": (lambda r, f: _check(f, "stream", "fail"), "stream: pass -> fail: because"),
    **{
        f"PCK {t} {a}": (
            lambda r, f, t=t, a=a: _drop(f, t, a, -0.4),
            f"PCK@{a} against Keras, {t} set: ",
        )
        for t in ("test", "generated")
        for a in THRESHOLDS
    },
    "refined": (lambda r, f: _refined(r, -0.03), "refined PCK@0.1, step-newest: "),
    "size": (lambda r, f: f.update(bytes=int(1.03 * f["bytes"])), "bytes: "),
    "weights": (
        lambda r, f: f.update(weight_ratio=0.5),
        "weights, of float's bytes: 0.250 -> 0.500",
    ),
    "slower": (lambda r, f: _time(f, own=1.3), "time on 1 thread, of the naive conversion's: "),
    "slower on two": (
        lambda r, f: _time(f, own=1.3, threads=2),
        "time on 2 threads, of the naive conversion's: ",
    ),
    "partitions": (lambda r, f: f["gpu"][0].update(partitions=2), "partitions on the GPU: 1 -> 2"),
    "nodes": (lambda r, f: f["gpu"][0].update(nodes=5), "nodes left off the GPU: 0 -> 1"),
    "GPU error": (
        lambda r, f: f["gpu"][0].update(max_error=2e-5),
        "error of the GPU: 6.0e-08 -> 2.0e-05",
    ),
}

NOISE = {
    "PCK within the intervals": lambda r, f: [
        _drop(f, t, a, -0.15) for t in ("test", "generated") for a in THRESHOLDS
    ],
    "PCK beyond one interval, not both": lambda r, f: [
        _drop(f, t, a, -0.25) for t in ("test", "generated") for a in THRESHOLDS
    ],
    "refined within its interval": lambda r, f: _refined(r, -0.008),
    "a few bytes": lambda r, f: f.update(bytes=int(1.01 * f["bytes"])),
    "a slower machine": lambda r, f: [_time(f, own=2, naive=2, threads=n) for n in (1, 2)],
    "a little slower": lambda r, f: _time(f, own=1.2),
    "a restless machine": lambda r, f: _time(f, own=1.5, p95=1.6),
    "a rounding on the GPU": lambda r, f: f["gpu"][0].update(max_error=9e-6),
    "a first error on the GPU": lambda r, f: f["gpu"][0].update(max_error=0.0),
    "no baseline": lambda r, f: [row.update(naive_ms=None) for row in f["speed"]],
    "other averaging": lambda r, f: [
        row.update(drop={a: [-9.0] * 3 for a in THRESHOLDS})
        for row in f["rows"]
        if row["decode"] == "argmax"
    ],
}

SAID = {
    "skipped": (lambda r, f: _check(f, "gpu", "skipped"), "gpu: pass -> skipped: because"),
    "not reached": (lambda r, f: f["checks"].pop(), "contract: pass -> not reached"),
    "another test set": (lambda r, f: r["test"].update(windows=9), "another test set"),
    "a new file": (
        lambda r, f: r["files"].append(f | {"file": "b.tflite", "verdict": "fail"}),
        "is new: fail",
    ),
}


def two(change) -> tuple[dict, dict]:
    """A report, and the same with `change` done to it."""
    before, after = example(), example()
    change(after, next(f for f in after["files"] if f["file"] == FILE))
    return before, after


def saved(folder, *reports: dict) -> list[str]:
    paths = [folder / f"{i}.json" for i in range(len(reports))]
    for path, report in zip(paths, reports, strict=True):
        path.write_text(json.dumps(report))
    return list(map(str, paths))


def test_equal_reports_have_nothing_between_them(tmp_path, capsys):
    assert compare(example(), example()) == []
    assert main(["diff", *saved(tmp_path, example(), example())]) == 0
    assert capsys.readouterr().out == "nothing changed beyond noise\n"


@pytest.mark.parametrize("kind", WORSE)
def test_a_regression_is_worse_and_ends_in_1(kind, tmp_path, capsys):
    change, said = WORSE[kind]
    before, after = two(change)
    worse = [c for c in compare(before, after) if c.worse]
    assert [c.what.startswith(said) for c in worse if c.what.startswith(said)] == [True]
    assert {c.file for c in worse} == {"report" if kind == "refined" else FILE}
    if kind != "refused":
        assert len(worse) == 1, "one change is told once"
    assert main(["diff", *saved(tmp_path, before, after)]) == 1
    printed = capsys.readouterr()
    assert printed.out.startswith("worse:\n")
    assert said in printed.out
    assert said in printed.err


@pytest.mark.parametrize("kind", WORSE)
def test_the_other_way_round_it_is_said_and_not_worse(kind, tmp_path):
    before, after = two(WORSE[kind][0])
    changes = compare(after, before)
    assert changes
    assert not [c for c in changes if c.worse]
    assert main(["diff", *saved(tmp_path, after, before)]) == 0


@pytest.mark.parametrize("kind", NOISE)
def test_noise_is_no_change(kind):
    before, after = two(NOISE[kind])
    assert compare(before, after) == []
    assert compare(after, before) == []


@pytest.mark.parametrize("kind", SAID)
def test_what_is_merely_different_is_said(kind, tmp_path):
    change, said = SAID[kind]
    before, after = two(change)
    (found,) = compare(before, after)
    assert found.what.startswith(said)
    assert not found.worse
    assert main(["diff", *saved(tmp_path, before, after)]) == 0


@pytest.mark.parametrize(("fall", "worse"), [(0.015, False), (0.03, True)])
def test_a_certain_fall_counts_from_two_hundredths_of_a_point(fall, worse):
    before, after = example(), example()
    for report, value in ((before, 0.0), (after, -fall)):
        for row in report["files"][0]["rows"]:
            row["drop"] = {a: [value] * 3 for a in THRESHOLDS}
    assert bool(compare(before, after)) is worse


def test_without_an_interval_nothing_is_beyond_noise():
    before, after = two(
        lambda r, f: [
            row.update(drop={a: [-9.0, None, None] for a in THRESHOLDS}) for row in f["rows"]
        ]
    )
    assert compare(before, after) == []


def test_a_refined_track_is_compared_whichever_file_was_streamed():
    before, after = two(lambda r, f: _refined(r, -0.03))
    after["claims"][0]["name"] = "step-newest, conv3d.step-newest.int8.tflite"
    assert [c.worse for c in compare(before, after)] == [True]


def test_a_file_that_never_passed_may_go():
    before, after = example(), example()
    before["files"][1] = refused(before["files"][1])
    after["files"] = after["files"][:1]
    assert compare(before, after) == [Change(FILE, "is missing, was: fail", False)]


def test_lines_tell_what_is_worse_first_and_every_file_once():
    changes = [
        Change("a", "is smaller", False),
        Change("b", "is slower", True),
        Change("a", "is larger", True),
        Change("b", "fails", True),
    ]
    assert (
        lines(changes)
        == "worse:\n  b\n    is slower\n    fails\n  a\n    is larger\nchanged, not for the"
        " worse:\n  a\n    is smaller"
    )


def test_reports_without_a_file_in_common_cannot_be_compared(tmp_path, capsys):
    assert main(["diff", *saved(tmp_path, example(), example(form="window", emits="all"))]) == 2
    assert "share no file" in capsys.readouterr().err


def _lacking(key: str) -> dict:
    report = copy.deepcopy(example())
    del report["files"][0][key]
    return report


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "damaged"),
        (b"", "damaged"),
        (b"[]", "a JSON list where an object belongs"),
        (
            json.dumps(example() | {"schema": "climb-edge/report/1"}).encode(),
            "expected a report of schema",
        ),
        (json.dumps(_lacking("checks")).encode(), "'checks' is a required property"),
        (None, "no such file"),
    ],
)
def test_what_is_no_report_ends_in_2(content, said, tmp_path, capsys):
    (good,) = saved(tmp_path, example())
    bad = tmp_path / "bad.json"
    if content is not None:
        bad.write_bytes(content)
    for pair in ((good, str(bad)), (str(bad), good)):
        assert main(["diff", *pair]) == 2
        assert said in capsys.readouterr().err
