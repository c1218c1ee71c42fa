"""Graphs run in a process apart: the same numbers as here, a second runtime beside, and deaths that
harm nobody.
"""

import sys

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from climb_edge.runtime import isolated
from climb_edge.runtime.golden import golden_frames
from climb_edge.runtime.isolated import run_on_cpu, why_not_second
from climb_edge.runtime.model_file import read_model
from climb_edge.runtime.session import Session
from support.paths import CONV3D
from support.sessions import distance

FIRST, SECOND = Session.version(), "tflite-runtime 2.14.0"


pytestmark = pytest.mark.usefixtures("litter")


@pytest.fixture
def second(request) -> bool:
    """Whether to run under the second runtime; the test is skipped where there is none."""
    if request.param and (reason := why_not_second()):
        pytest.skip(reason)
    return request.param


under_both = pytest.mark.parametrize(
    "second", [False, True], ids=["first", "second"], indirect=True
)


def refiner(steps: int) -> tuple[bytes, list[list[np.ndarray]]]:
    """A step graph and a chain of runs from a state of noise."""
    graph, contract = read_model(CONV3D)
    rng = np.random.default_rng(0)
    state = [rng.uniform(0, 9, tensor.shape).astype(np.float32) for tensor in contract.state]
    first, *rest = (
        frame[None] + rng.uniform(0, 1, frame.shape).astype(np.float32)
        for frame in golden_frames(steps)
    )
    return graph, [[first, *state], *[[frame] for frame in rest]]


def addition(scale: float, dtype: str = "INT8", step: float = 1 / 8) -> bytes:
    """x (1, 6) + y (1, 6), int8 in steps of 1/8 from 3 and -5; the sum, given twice, in steps of
    `scale` from 10.
    """
    code, add = schema.OperatorCodeT(), schema.OperatorT()
    code.version, code.builtinCode = 2, schema.BuiltinOperator.ADD  # version 1 takes no int8
    add.inputs, add.outputs, add.builtinOptions = [0, 1], [2], schema.AddOptionsT()
    add.opcodeIndex, add.builtinOptionsType = 0, schema.BuiltinOptions.AddOptions
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.buffers, model.operatorCodes, model.subgraphs = (
        3,
        [schema.BufferT()],
        [code],
        [graph],
    )
    graph.tensors, graph.operators, graph.inputs, graph.outputs = [], [add], [0, 1], [2, 2]
    for name, unit, zero in (("x", step, 3), ("y", step, -5), ("sum", scale, 10)):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = (
            name,
            [1, 6],
            getattr(schema.TensorType, dtype),
            0,
        )
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale, tensor.quantization.zeroPoint = [unit], [zero]
        graph.tensors.append(tensor)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def row(*values: float) -> np.ndarray:
    return np.array([values], np.float32)


@under_both
def test_a_chain_of_steps_gives_what_the_session_gives(second):
    graph, runs = refiner(4)
    found = run_on_cpu(graph, runs, chained=True, second=second)
    assert (found.status, found.reason, found.runtime) == ("ran", "", SECOND if second else FIRST)
    session, state = Session(graph, 1), runs[0][1:]
    assert len(found.outputs) == 4
    for outputs, (frame, *_) in zip(found.outputs, runs, strict=True):
        expected = session.run(frame, *state)
        assert distance(outputs, expected) <= (1e-4 if second else 1e-6)
        state = expected[1:]
    assert distance(found.outputs[0], found.outputs[1]) > 0.1
    assert 0 < found.load_ms < 10_000


@under_both
def test_integer_tensors_are_fed_and_read_as_float32(second):
    x, y = row(0, 1 / 16, 3 / 16, 2, 99, -99), row(0, 0, 0, 1, 0, 0)
    ((total, again),) = run_on_cpu(addition(1 / 4), [[x, y]], second=second).outputs
    # Halves go to even steps: 1/16 to 0, 3/16 to 2/8; what a tensor cannot hold is cut: x to (127 -
    # 3) / 8, (-128 - 3) / 8.
    assert (
        np.abs(total - row(0, 0, 0.25, 3, 15.5, -16.375)).max() <= 1 / 8
        and total.dtype == np.float32
    )
    assert total[0, :4].tolist() == [0, 0, 0.25, 3] and np.array_equal(total, again)


def test_integers_in_a_chain_leave_one_scale_and_enter_another_unchanged():
    x, ones = row(0, 0.5, 1, 1.5, -1, -2), row(1, 1, 1, 1, 1, 1)
    chain = run_on_cpu(addition(1 / 8), [[x, ones], [ones], [2 * ones]], chained=True).outputs
    by_hand = run_on_cpu(
        addition(1 / 8), [[x, ones], [ones, x + ones], [2 * ones, x + 2 * ones]], threads=2
    ).outputs
    for found in (chain, by_hand):
        assert [outputs[0].tolist() for outputs in found] == [(x + n).tolist() for n in (1, 2, 4)]


@under_both
def test_without_runs_only_the_loading_is_learnt(second):
    found = run_on_cpu(refiner(1)[0], [], second=second)
    assert (found.status, found.outputs) == ("ran", []) and found.load_ms > 0


def test_memory_is_the_childs_own_and_not_its_parents():
    held = np.ones(40_000_000)  # 320 MB, more than the child will ever have
    found = run_on_cpu(*refiner(1))
    assert 1 < found.memory_mb < 100 and held.all()


@under_both
def test_inputs_that_do_not_fit_are_refused_by_shape(second):
    graph, ((frame, *state),) = refiner(1)
    found = run_on_cpu(graph, [[frame, *state], [frame[0], *state]], second=second)
    assert (found.status, found.outputs) == ("refused", [])
    assert found.reason.startswith("run 1: expected inputs [((1, 56, 56, 25), 'float32'), ((1")
    assert found.reason.endswith("found [((56, 56, 25), 'float32'), ((1, 56, 56, 50), 'float32')]")
    assert (
        "found [((1, 56, 56, 25), 'float32')]" in run_on_cpu(graph, [[frame]], second=second).reason
    )


@under_both
def test_bytes_that_are_no_graph_are_refused(second):
    found = run_on_cpu(b"these are not the bytes of a graph", [], second=second)
    assert (
        found.status == "refused" and found.reason.startswith("loading: ") and found.load_ms is None
    )
    assert found.runtime == (SECOND if second else FIRST)


def test_a_tensor_of_no_known_meaning_is_refused_by_name():
    found = run_on_cpu(addition(0, "INT32", 0), [[row(*range(6)), row(*range(6))]])
    assert found.status == "refused" and found.reason.startswith(
        "run 0: x: expected float32 or integers with a scale"
    )


@under_both
def test_a_graph_that_makes_the_runtime_abort_harms_the_child_alone(second):
    # DeciWatch in full int8 was seen to die of this: a sum that calibration found to be always 0,
    # 4e-12 a step.
    found = run_on_cpu(addition(4e-12), [], second=second)
    assert (found.status, found.outputs, found.load_ms) == ("crashed", [], None)
    assert found.reason.startswith("SIGABRT while loading") and found.runtime == (
        SECOND if second else FIRST
    )


@pytest.mark.parametrize(
    ("death", "status", "said"),
    [
        ("os.kill(os.getpid(), 9)", "crashed", "SIGKILL while in run 3: the last word"),
        ("os._exit(7)", "crashed", "exit code 7 while in run 3: the last word"),
        ("os._exit(0)", "crashed", "exit code 0 while in run 3: the last word"),
        ("time.sleep(60)", "timed out", "no result in 3 s while in run 3"),
    ],
)
def test_the_stage_of_a_death_is_told(tmp_path, monkeypatch, death, status, said):
    child = tmp_path / "child.py"
    child.write_text(
        "import json, os, sys, time\nfrom pathlib import Path\nPath(sys.argv[1],"
        " 'result.json').write_text(json.dumps({'runtime': 'r 1', 'stage': 'run 3', 'load_ms':"
        f" 2}}))\nprint('the last word\\nINFO: routine', file=sys.stderr, flush=True)\n{death}\n"
    )
    monkeypatch.setattr(isolated, "_CHILD", child)
    found = run_on_cpu(b"", [], timeout=3 if status == "timed out" else 60)
    assert (found.status, found.reason, found.runtime, found.load_ms) == (status, said, "r 1", 2)


def test_a_second_python_that_is_missing_is_skipped_with_the_remedy(tmp_path, monkeypatch):
    for named in (tmp_path / "missing", tmp_path):
        monkeypatch.setenv(isolated.SECOND_PYTHON, str(named))
        found = run_on_cpu(b"", [], second=True)
        assert (
            found.status == "skipped"
            and found.reason == why_not_second()
            and isolated.second_python() is None
        )
        assert f"CLIMB_EDGE_SECOND_PYTHON names {named}, which is no program" in found.reason
        assert "make second-runtime" in found.reason


def test_an_environment_that_was_not_finished_is_none(tmp_path, monkeypatch):
    monkeypatch.delenv(isolated.SECOND_PYTHON, raising=False)
    monkeypatch.setattr(isolated, "_HOME", tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").symlink_to(sys.executable)
    found = run_on_cpu(b"", [], second=True)
    assert (
        found.status == "skipped" and "run `make second-runtime` with Python 3.11" in found.reason
    )
    (tmp_path / ".ready").touch()
    assert isolated.second_python() == tmp_path / "bin/python" and why_not_second() is None


def test_a_second_python_without_the_runtime_is_skipped_not_blamed_on_the_graph(monkeypatch):
    monkeypatch.setenv(isolated.SECOND_PYTHON, sys.executable)
    found = run_on_cpu(*refiner(1), second=True)
    assert found.status == "skipped" and "No module named 'tflite_runtime'" in found.reason
