"""Sessions: which runtime computes, why, and that all of them give the same numbers."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import climb_edge
from climb_edge.errors import ClimbEdgeError
from climb_edge.refiners.load import load_refiner
from climb_edge.refiners.tflite import default_path
from climb_edge.runtime.backend import open_session
from climb_edge.runtime.session import RUNTIME_VARIABLE, Session, choose_runtime
from support.graphs import graph_of, window_graph
from support.paths import CONV3D
from support.sessions import CPU, steps

ROOT = Path(climb_edge.__file__).parents[1]


SECOND = ROOT / ".venv-second" / "bin" / "python"


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
