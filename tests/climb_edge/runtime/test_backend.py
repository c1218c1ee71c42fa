"""CPU or GPU: which computes, why, and that both give the same numbers."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.refiners.load import load_refiner
from climb_edge.refiners.tflite import TFLiteRefiner, default_path
from climb_edge.runtime import backend, isolated
from climb_edge.runtime.backend import open_session
from climb_edge.runtime.contract_sections import GoldenTest
from climb_edge.runtime.golden import golden_frames, golden_test
from climb_edge.runtime.model_file import append_contract, read_model
from climb_edge.runtime.session import Session
from support.graphs import SHAPE, graph_of
from support.sessions import CPU, steps

DRIVER_NAMED = isolated._named_driver()


def tampered(golden: GoldenTest) -> GoldenTest:
    """A golden test that no runtime passes: every value 10 % larger."""
    return replace(golden, samples=tuple((s, i, 1.1 * value) for s, i, value in golden.samples))


@pytest.mark.slow
@pytest.mark.network
def test_the_gpu_agrees_with_the_cpu_over_20_frames_with_the_state_handed_on(vulkan, shipped):
    refiner, session = TFLiteRefiner(default_path(), 1, device="gpu"), Session(default_path(), 1)
    assert refiner.backend.startswith("gpu, WebGPU, ") and refiner.reason == "asked for"
    agree(refiner._session, session)
    with pytest.raises(
        ClimbEdgeError, match=r"expected float32 \(1, 56, 56, 25\), found float32 \(56, 56, 25\)"
    ):
        refiner._session.run(
            golden_frames(1)[0], *(np.zeros(d["shape"], np.float32) for d in session.inputs[1:])
        )
    # the software driver is lent to this process, not left in it
    assert isolated._named_driver() == DRIVER_NAMED


@pytest.mark.network
def test_the_gpu_agrees_where_errors_in_the_state_would_add_up(vulkan, shipped):
    graph = recurrent_graph()
    session = Session(graph, 1)
    agree(open_session(graph, golden_test(session, 1e-5), "gpu", 1), session)


def agree(found: Session, expected: Session) -> None:
    """20 steps on the GPU and on the CPU: outputs and state within 1e-5 of their scale."""
    assert (found.backend[:4], expected.backend[:4]) == ("gpu,", "cpu,")
    for a, b in zip(steps(found), steps(expected), strict=True):
        for x, y in zip(a, b, strict=True):
            assert (
                x.shape == y.shape
                and np.abs(y).max() > 0
                and np.abs(x - y).max() <= 1e-5 * np.abs(y).max()
            )


def recurrent_graph() -> bytes:
    """A refiner's step: result = tanh(convolution of the frame + state), new state = result -
    state.
    """
    rng, stride = np.random.default_rng(0), {"strideH": 1, "strideW": 1, "padding": 0}
    stride |= {"dilationHFactor": 1, "dilationWFactor": 1}
    frame = (1, 56, 56, 25)
    return graph_of(
        [frame, frame, rng.normal(0, 0.05, (25, 3, 3, 25)), rng.normal(0, 0.2, 25), *[frame] * 4],
        [
            ("CONV_2D", [0, 2, 3], 4, ("Conv2DOptions", stride)),
            ("ADD", [4, 1], 5, ("AddOptions", {})),
            ("TANH", [5], 6, None),
            ("SUB", [6, 1], 7, ("SubOptions", {})),
        ],
        {"newest": 0, "before": 1},
        {"result": 6, "next": 7},
    )


@pytest.mark.network
def test_auto_takes_the_faster_one_and_tells_both_times(vulkan, shipped):
    refiner = load_refiner("default", 1, "auto")
    assert " ms a run on the CPU, " in refiner.reason and " ms on WebGPU, " in refiner.reason
    if "SwiftShader" in refiner.reason:
        assert refiner.backend == CPU and refiner.reason.startswith("auto: the CPU is faster, ")


@pytest.mark.network
def test_a_gpu_with_other_numbers_than_the_golden_ones_is_not_used(vulkan, shipped):
    graph, golden = shipped
    session = open_session(graph, tampered(golden), "gpu", 1)
    assert session.backend == CPU and session.reason.startswith(
        "GPU refused: on the golden input WebGPU, "
    )
    assert session.reason.endswith("of the scale away, at most 0.002 is allowed")
    assert steps(session, 1)[0][0].any()


@pytest.mark.network
def test_a_graph_that_the_gpu_does_not_take_runs_on_the_cpu(vulkan, shipped):
    stride = (
        {f"stride{axis}": 1 for axis in "DHW"}
        | {f"dilation{axis}Factor": 1 for axis in "DHW"}
        | {"padding": 0}
    )
    frame, clip, kernel = (1, 56, 56, 25), (1, 1, 56, 56, 25), np.full((1, 1, 1, 25, 25), 0.04)
    graph = graph_of(
        [frame, np.array(clip), clip, kernel, np.zeros(25), clip, np.array(frame), frame],
        [
            ("RESHAPE", [0], 2, ("ReshapeOptions", {"newShape": list(clip)})),
            ("CONV_3D", [2, 3, 4], 5, ("Conv3DOptions", stride)),
            ("RESHAPE", [5], 7, ("ReshapeOptions", {"newShape": list(frame)})),
        ],
        {"x": 0},
        {"y": 7},
    )
    session = open_session(graph, golden_test(Session(graph, 1), 1e-5), "gpu", 1)
    assert session.backend.startswith("cpu, ") and session.reason.startswith(
        "GPU refused: refused: CONV_3D"
    )


def test_a_gpu_that_kills_its_process_or_hangs_does_not_take_the_app_down(shipped, monkeypatch):
    graph, golden = shipped
    monkeypatch.setenv("VK_ICD_FILENAMES", "driver.json")
    died = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    monkeypatch.setattr(isolated, "_command", lambda *_: [sys.executable, "-c", died])
    session = open_session(graph, golden, "auto", 1)
    assert (session.backend, session.reason) == (
        CPU,
        "auto: GPU refused: crashed: SIGSEGV while starting",
    )
    monkeypatch.setattr(
        isolated, "_command", lambda *_: [sys.executable, "-c", "import time; time.sleep(60)"]
    )
    monkeypatch.setattr(backend, "TIME_LIMIT", 0.5)
    reason = open_session(graph, golden, "gpu", 1).reason
    assert reason == "GPU refused: timed out: no result in 0.5 s while starting"


def test_what_cannot_be_tried_says_why(shipped, tmp_path, monkeypatch):
    graph, golden = shipped
    none = open_session(graph, None, "gpu", 1)
    assert (none.backend, none.reason) == (
        CPU,
        "GPU refused: the graph has no golden test to check it by",
    )
    for variable in ("VK_ICD_FILENAMES", "VK_DRIVER_FILES"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("CLIMB_EDGE_CACHE", str(tmp_path))
    assert "skipped: no Vulkan driver is named" in open_session(graph, golden, "gpu", 1).reason


@pytest.mark.network
def test_a_graph_of_other_inputs_than_a_refiners_is_refused_not_raised(vulkan, shipped):
    graph = graph_of([SHAPE, SHAPE], [("TANH", [0], 1, None)], {"x": 0}, {"y": 1})
    assert (
        "GPU refused: graph: run 0: expected inputs"
        in open_session(graph, shipped[1], "gpu", 1).reason
    )


def test_a_file_computed_wrongly_is_refused_on_the_cpu_too(shipped, tmp_path):
    graph, contract = read_model(default_path())
    wrong = replace(contract, golden=tampered(contract.golden))
    (tmp_path / "m.tflite").write_bytes(append_contract(graph, wrong))
    with pytest.raises(
        ClimbEdgeError, match=r"on the golden input this runtime \(ai-edge-litert 2"
    ):
        TFLiteRefiner(tmp_path / "m.tflite", 1)
