"""Sessions: which runtime and which hardware computes, why, and that all of them give the same
numbers.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import climb_edge
from climb_edge.errors import ClimbEdgeError
from climb_edge.pose.layout import asks_for_peaks, to_inputs
from climb_edge.refiners.load import load_refiner
from climb_edge.refiners.tflite import TFLiteRefiner, default_path
from climb_edge.runtime import backend, isolated
from climb_edge.runtime.backend import open_session
from climb_edge.runtime.contract import append_contract, read_model
from climb_edge.runtime.golden import golden_frames, golden_peaks, golden_test
from climb_edge.runtime.session import RUNTIME_VARIABLE, Session, choose_runtime
from edge.scene import CONV3D, window_graph
from edge.test_gpu import SHAPE, graph_of

ROOT = Path(climb_edge.__file__).parents[1]
SECOND = ROOT / ".venv-second" / "bin" / "python"
CPU = "cpu, XNNPACK, 1 thread"
DRIVER_NAMED = isolated._named_driver()


@pytest.fixture
def shipped(monkeypatch) -> tuple[bytes, dict]:
    """The shipped graph and its golden test; nothing is remembered of earlier trials."""
    monkeypatch.setattr(backend, "_passed", {})
    graph, contract = read_model(default_path())
    return graph, contract["golden"]


def in_interpreter(python, code: str, *flags: str, **environment) -> str:
    """What `code` prints in another interpreter; ClimbEdgeError ends it like an output."""
    code = f"import sys; sys.path.append({str(ROOT)!r})\n{code}"
    kept = {k: v for k, v in os.environ.items() if k != RUNTIME_VARIABLE} | environment
    done = subprocess.run(
        [python, *flags, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        env=kept,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-600:]
    return done.stdout.strip()


def hiding(*modules: str) -> str:
    """Code that makes modules look as if nobody had installed them."""
    return f"""
import importlib.machinery as machinery
find = machinery.PathFinder.find_spec
machinery.PathFinder.find_spec = lambda name, *rest: None if name in {modules} else find(name, *rest)
from climb_edge.errors import ClimbEdgeError
from climb_edge.runtime.session import Session
try:
    print(Session({str(default_path())!r}, 1).runtime)
except ClimbEdgeError as error:
    print(error)
"""


def steps(session: Session, count: int = 20) -> list[list[np.ndarray]]:
    """Outputs of a step graph on golden frames, its state handed on from zeros."""
    peaks = (
        golden_peaks(count)
        if asks_for_peaks([d["shape"].tolist() for d in session.inputs])
        else [None] * count
    )
    state, outputs = None, []
    for frame, heights in zip(golden_frames(count), peaks, strict=True):
        entering = to_inputs(frame, heights)
        state = (
            [np.zeros(d["shape"], np.float32) for d in session.inputs[len(entering) :]]
            if state is None
            else state
        )
        outputs.append(session.run(*entering, *state))
        state = outputs[-1][1:]
    return outputs


# --- runtimes ---


def test_litert_is_taken_where_it_is_installed_and_version_tells_it(monkeypatch):
    monkeypatch.delenv(RUNTIME_VARIABLE, raising=False)
    session = Session(default_path(), 1)
    assert choose_runtime() == "litert" and Session.version().startswith("ai-edge-litert 2")
    assert (session.runtime, session.backend, session.reason) == (Session.version(), CPU, "default")


def test_a_runtime_is_chosen_by_name(monkeypatch):
    monkeypatch.setenv(RUNTIME_VARIABLE, "litert")
    assert Session(default_path(), 1).runtime.startswith("ai-edge-litert")
    monkeypatch.setenv(RUNTIME_VARIABLE, "tensorrt")
    with pytest.raises(
        ClimbEdgeError,
        match="CLIMB_EDGE_RUNTIME 'tensorrt': expected one of litert, tflite-runtime",
    ):
        Session(default_path(), 1)
    # an argument wins
    assert Session(default_path(), 1, runtime="litert").runtime.startswith("ai-edge-litert")


def test_a_runtime_that_is_missing_is_said_with_what_to_install():
    none = in_interpreter(sys.executable, hiding("ai_edge_litert", "tflite_runtime"))
    assert none.startswith("no TFLite runtime is installed here; run `pip install ai-edge-litert`")
    named = in_interpreter(
        sys.executable, hiding("tflite_runtime"), **{RUNTIME_VARIABLE: "tflite-runtime"}
    )
    assert (
        named.startswith("tflite-runtime is not installed here")
        and "tflite-runtime==2.14.0" in named
    )


@pytest.mark.skipif(not SECOND.is_file(), reason="needs `make second-runtime` with Python 3.11")
def test_tflite_runtime_computes_the_same(tmp_path):
    code = f"""
import numpy as np
from climb_edge.runtime.session import Session
from climb_edge.runtime.backend import open_session
graph = open({str(default_path())!r}, "rb").read()
session = open_session(graph, {{}}, "auto", 1)
rng = np.random.default_rng(0)
outputs = session.run(*(rng.random(d["shape"]).astype(np.float32) for d in session.inputs))
np.savez({str(tmp_path / "outputs.npz")!r}, *outputs)
print(session.runtime, Session.version(), session.reason, sep="|")
"""
    told = in_interpreter(str(SECOND), stub_cv2(tmp_path) + code, "-I")
    name = "tflite-runtime 2.14.0"
    assert told == f"{name}|{name}|auto: GPU refused: {name} has none"
    session, rng = Session(default_path(), 1), np.random.default_rng(0)
    expected = session.run(*(rng.random(d["shape"]).astype(np.float32) for d in session.inputs))
    with np.load(tmp_path / "outputs.npz") as found:
        for key, array in zip(found.files, expected, strict=True):
            np.testing.assert_allclose(found[key], array, atol=1e-5 * np.abs(array).max())


def stub_cv2(folder: Path) -> str:
    """Code that lends an empty cv2: `make second-runtime` installs NumPy and the runtime alone."""
    (folder / "cv2.py").write_text("")
    return f"sys.path.append({str(folder)!r})\n"


# --- the CPU ---


def test_threads_are_told_and_change_nothing():
    one, two = Session(default_path(), 1), Session(default_path(), 2)
    assert (one.backend, two.backend) == (CPU, "cpu, XNNPACK, 2 threads")
    for a, b in zip(steps(one, 3), steps(two, 3), strict=True):
        np.testing.assert_allclose(a[0], b[0], atol=1e-5 * np.abs(b[0]).max())


def test_xnnpack_is_named_only_where_it_took_a_node():
    assert Session(window_graph("all"), 1).backend == "cpu, 1 thread"


def test_sessions_in_two_threads_give_what_they_give_one_after_the_other():
    sessions = [Session(default_path(), 1) for _ in range(2)]
    expected = steps(sessions[0])
    with ThreadPoolExecutor(2) as pool:
        for found in pool.map(steps, sessions):
            for a, b in zip(found, expected, strict=True):
                np.testing.assert_array_equal(a[0], b[0])


def test_what_does_not_fit_the_graph_is_refused_by_name():
    session = Session(CONV3D, 1, source="mine.tflite")
    frame, state = (np.zeros(d["shape"], np.float32) for d in session.inputs)
    for given in ([frame], [frame[0], state], [frame.astype(float), state], [state, frame]):
        with pytest.raises(ClimbEdgeError, match=r"^mine\.tflite: not what goes into this graph"):
            session.run(*given)


def test_a_device_that_is_none_is_refused():
    with pytest.raises(ClimbEdgeError, match="device 'npu': expected one of cpu, gpu, auto"):
        load_refiner("default", 1, "npu")


# --- the GPU ---


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
    tampered = golden | {"samples": [[s, i, 1.1 * value] for s, i, value in golden["samples"]]}
    session = open_session(graph, tampered, "gpu", 1)
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
    golden = contract["golden"] | {
        "samples": [[s, i, 1.1 * value] for s, i, value in contract["golden"]["samples"]]
    }
    (tmp_path / "m.tflite").write_bytes(append_contract(graph, contract | {"golden": golden}))
    with pytest.raises(
        ClimbEdgeError, match=r"on the golden input this runtime \(ai-edge-litert 2"
    ):
        TFLiteRefiner(tmp_path / "m.tflite", 1)


# --- int8 ---


def test_int8_inputs_and_outputs_are_quantized_by_their_scales():
    session = Session(int8_graph(), 1)
    values = np.linspace(-1, 1, 8, dtype=np.float32).reshape(1, 8)
    (entering,) = session.entering(values)
    assert entering.dtype == np.int8 and entering.tolist() == [
        np.round(values[0] / 0.02 + 3).astype(int).tolist()
    ]
    assert session.entering(entering)[0] is entering  # integers are left alone
    (found,) = session.run(values)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.maximum(values, 0), atol=0.02)
    assert (
        open_session(int8_graph(), {}, "gpu", 1).reason
        == "GPU refused: its inputs or outputs are integers"
    )
    kept = Session(int8_graph(), 1, keep=True)
    kept.run(values)
    assert {name: zero for name, _, zero in kept.integers()} == {"t0": 3, "t1": 3}


def int8_graph() -> bytes:
    """y = relu(x), (1, 8), both int8 with scale 0.02 and zero point 3."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(
        graph_of([(1, 8), (1, 8)], [("RELU", [0], 1, None)], {"x": 0}, {"y": 1})
    )
    for tensor in model.subgraphs[0].tensors:
        tensor.type, tensor.quantization = schema.TensorType.INT8, schema.QuantizationParametersT()
        tensor.quantization.scale, tensor.quantization.zeroPoint = [0.02], [3]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
