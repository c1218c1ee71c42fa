"""`convert check` of files as other people make them: what can be run is run, apart; what cannot is
said.
"""

import shutil
import zipfile

import pytest

from climb_edge.errors import ClimbEdgeError
from convert.__main__ import main
from convert.check_file import examine
from convert.graphs import archive
from convert.graphs.lint import read_ops
from support.foreign import deadly_graph, renamed, sparse_graph, two_signatures, typed_graph
from support.graphs import graph_of
from support.paths import CONV3D

QUICK = ("gpu", "second", "speed")


@pytest.fixture
def looked(tmp_path):
    """Checks of a graph by name, and what its report says cannot be checked."""

    def look(graph: bytes, skip=QUICK):
        path = tmp_path / "theirs.tflite"
        path.write_bytes(graph)
        report = examine(path, skip)
        (file,) = report["files"]
        return {c["name"]: c for c in file["checks"]}, " ".join(report["cannot"]), file

    return look


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("INT32", "x: INT32 without a scale, is fed zeros and ones"),
        ("BOOL", "x: BOOL without a scale"),
        ("STRING", "x: takes text"),
        ("FLOAT16", None),
    ],
)
def test_every_type_of_input_is_fed(looked, kind, told):
    checks, cannot, _ = looked(typed_graph(kind))
    assert checks["load"]["verdict"] == checks["cpu"]["verdict"] == "pass"
    assert (told or "PCK") in cannot and ("fed" in cannot) == bool(told)


def test_a_type_that_nothing_can_be_made_of_is_not_shown(looked):
    checks, _, file = looked(typed_graph("COMPLEX64"))
    assert checks["load"]["verdict"] == "pass" and checks["cpu"]["verdict"] == "not shown"
    assert "no values of type COMPLEX64" in file["reasons"][0] and "speed" in checks


def test_open_sizes_are_a_breach_and_are_run_as_the_file_has_them(looked):
    checks, cannot, _ = looked(typed_graph("FLOAT32", (1, 4), [-1, 4]))
    assert "dynamic shape" in checks["lint"]["reasons"][0] and checks["cpu"]["verdict"] == "pass"
    assert "open sizes [-1, 4] are taken as [1, 4]" in cannot


def test_every_signature_is_run_and_subgraphs_alone_are_no_control_flow(looked):
    checks, cannot, _ = looked(two_signatures())
    assert checks["lint"]["verdict"] == "pass", checks["lint"]
    (reason,) = checks["cpu"]["reasons"]
    assert reason.startswith("signature bad: its outputs hold NaN") and "first" in cannot


def test_sparse_weights_have_a_type_and_no_values(looked):
    graph = sparse_graph()
    op = next(op for op in read_ops(graph)[0] if op.name == "FULLY_CONNECTED")
    assert (op.weights, op.values) == ("FLOAT32", None)
    assert looked(graph)[2]["quantized_ops"][0]["weights"] == "FLOAT32"


def test_a_graph_that_kills_its_process_gets_a_report(looked, tmp_path):
    """Public cases: tensorflow 61828, 41046, 38993."""
    checks, _, file = looked(deadly_graph())
    assert file["verdict"] == "fail" and "cpu" not in checks
    assert "crashed: SIGSEGV while loading" in checks["load"]["reasons"][0]
    assert main(["check", str(tmp_path / "theirs.tflite"), "--out", str(tmp_path / "out")]) == 1


def test_a_name_that_is_no_text_and_commands_a_terminal_is_shown_harmless(looked, tmp_path):
    graph = graph_of(
        [(1, 2, 2, 2, 2)] * 2, [("ABS", [0], 1, ("AbsOptions", {}))], {"x": 0}, {"y": 1}
    )
    checks, _, _ = looked(renamed(graph, b"\xff\x1b[2J<script>"))
    assert "tensor ��[2J<script> has 5 dimensions" in " ".join(checks["lint"]["reasons"])
    assert main(["check", str(tmp_path / "theirs.tflite"), "--out", str(tmp_path)]) == 1
    assert "<script>" not in (tmp_path / "report.html").read_text()


def test_an_archive_gets_a_row_for_each_model(tmp_path):
    path = tmp_path / "pose.task"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("one.tflite", typed_graph("INT8"))
        made.writestr("two.tflite", two_signatures())
        made.writestr("readme.txt", "x")
    report = examine(path, QUICK)
    assert [f["file"] for f in report["files"]] == ["pose.task/one.tflite", "pose.task/two.tflite"]
    assert [f["verdict"] for f in report["files"]] == ["pass", "fail"]


@pytest.mark.parametrize("content", ["text", "empty", "bomb"])
def test_what_is_neither_file_nor_archive_is_refused(tmp_path, monkeypatch, content):
    path = tmp_path / "x.task"
    if content == "text":
        path.write_text("no model")
    else:
        monkeypatch.setattr(archive, "MAX_FILE", 1 << 20)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
            made.writestr("a.tflite" if content == "bomb" else "a.txt", bytes(2 << 20))
    with pytest.raises(ClimbEdgeError, match=r"x\.task: expected"):
        examine(path, QUICK)


def test_ours_is_run_by_gpu_second_runtime_and_speed_as_before(looked, tmp_path):
    path = shutil.copy(CONV3D, tmp_path / "ours.tflite")
    report = examine(path, ("gpu", "second"))
    checks = {c["name"]: c["verdict"] for c in report["files"][0]["checks"]}
    assert checks["contract"] == checks["speed"] == checks["cpu"] == "pass"


def test_an_input_without_end_is_not_made(looked):
    """A few hundred bytes of a file may ask for terabytes."""
    checks, _, file = looked(typed_graph("FLOAT32", (1, 100_000, 100_000, 4)))
    assert file["verdict"] == "fail" and checks["load"]["verdict"] == "fail", file["reasons"]
    checks, _, _ = looked(typed_graph("INT8", (1, 6000, 6000)))
    assert checks["cpu"]["verdict"] == "not shown" and "no input" in checks["cpu"]["reasons"][0]
