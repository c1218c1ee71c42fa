"""The GPU child: real runs on software Vulkan, refusals, deaths, time limits."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.pose.layout import to_inputs
from climb_edge.refiners.tflite import default_path
from climb_edge.runtime import isolated
from climb_edge.runtime.golden import golden_frames, golden_peaks
from climb_edge.runtime.isolated import run_on_gpu
from climb_edge.runtime.model_file import read_model
from climb_edge.runtime.session import Session
from support.graphs import SHAPE, conv3d_graph, step_graph
from support.processes import hears_ctrl_c, until
from support.sessions import distance


def arrays(number: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.uniform(-1, 1, SHAPE).astype(np.float32) for _ in range(number)]


@pytest.fixture
def child(monkeypatch):
    """Put another program in the child's place; a driver is named, so that none has to be there."""

    def put(code: str) -> None:
        monkeypatch.setenv("VK_ICD_FILENAMES", "driver.json")
        monkeypatch.setattr(
            isolated, "_command", lambda folder, _: [sys.executable, "-c", code, str(folder)]
        )

    return put


# --- real runs ---


@pytest.mark.network
def test_the_shipped_refiner_runs_whole_on_the_gpu(vulkan, litter):
    graph, contract = read_model(default_path())
    state = [np.ones(tensor.shape, np.float32) for tensor in contract.state]
    runs = [
        [*to_inputs(*seen), *state] for seen in zip(golden_frames(2), golden_peaks(2), strict=True)
    ]
    result = run_on_gpu(default_path(), runs)
    assert (result.status, result.reason, result.fully, result.partitions) == ("ran", "", True, 1)
    assert result.nodes == result.total > 0 and result.backend.startswith("WebGPU, ")
    assert len(result.seconds) == 2 and min(result.seconds) > 0
    for found, given in zip(result.outputs, runs, strict=True):
        assert distance(found, Session(graph, 1).run(*given)) <= 1e-3


@pytest.mark.network
def test_inputs_and_outputs_keep_the_graphs_order_and_float32_is_exact(vulkan, litter):
    given = arrays(2)
    result = run_on_gpu(step_graph(), [given, given[::-1]])
    assert result.fully and (result.partitions, result.nodes, result.total) == (1, 5, 5)
    for found, fed in zip(result.outputs, (given, given[::-1]), strict=True):
        assert distance(found, Session(step_graph(), 1).run(*fed)) <= 1e-5
    assert distance(result.outputs[0], result.outputs[1]) > 0.1


@pytest.mark.network
def test_a_chained_step_is_fed_what_the_step_before_gave(vulkan, litter):
    frame, state, second = arrays(3)
    chained = run_on_gpu(step_graph(), [[frame, state], [second]], chained=True).outputs
    by_hand = run_on_gpu(step_graph(), [[frame, state], [second, chained[0][1]]]).outputs
    for found, expected in zip(chained, by_hand, strict=True):
        assert distance(found, expected) == 0
    session = Session(step_graph(), 1)
    assert distance(chained[1], session.run(second, session.run(frame, state)[1])) <= 1e-5


@pytest.mark.network
def test_an_operation_that_the_gpu_does_not_take_is_refused_by_name(vulkan, litter):
    # the CPU takes it
    assert len(Session(conv3d_graph(), 1).run(np.ones((1, 4, 4, 4), np.float32))) == 1
    result = run_on_gpu(conv3d_graph(), [[np.ones((1, 4, 4, 4), np.float32)]])
    assert result.status == "refused" and "CONV_3D: Operation is not supported" in result.reason
    assert not result.fully and result.outputs == [] and result.seconds == []
    assert (result.nodes, result.total) == (1, 3)


@pytest.mark.network
def test_without_runs_only_the_residency_is_learnt(vulkan, litter):
    result = run_on_gpu(step_graph(), [])
    assert (result.status, result.fully, result.outputs, result.seconds) == ("ran", True, [], [])


@pytest.mark.network
@pytest.mark.parametrize(
    "given",
    [arrays(1), arrays(3), [a[0] for a in arrays(2)], [a.astype(np.float64) for a in arrays(2)]],
)
def test_inputs_that_do_not_fit_are_an_error_not_a_verdict(vulkan, litter, given):
    with pytest.raises(ClimbEdgeError, match=r"graph: run 0: expected inputs .*float32.*, found"):
        run_on_gpu(step_graph(), [given])


# --- what is not run ---


def test_without_a_driver_it_is_skipped_with_the_remedy(no_driver, litter):
    result = run_on_gpu(step_graph(), [arrays(2)])
    assert result.status == "skipped" and result.reason == isolated.why_not()
    assert "fetch --only vulkan" in result.reason and "VK_DRIVER_FILES" in result.reason


def test_a_named_driver_is_left_alone(no_driver, litter, monkeypatch):
    monkeypatch.setenv("VK_ICD_FILENAMES", str(no_driver / "nothing.json"))
    assert isolated._environment()["VK_ICD_FILENAMES"] == str(no_driver / "nothing.json")
    assert isolated._environment().get("LD_LIBRARY_PATH") == os.environ.get("LD_LIBRARY_PATH")
    result = run_on_gpu(step_graph(), [arrays(2)])
    assert result.status == "skipped" and "no adapter" in result.reason


def test_other_files_are_refused_before_a_child_starts(tmp_path, litter):
    with pytest.raises(ClimbEdgeError, match="no such file"):
        run_on_gpu(tmp_path / "m.tflite", [])
    (tmp_path / "m.tflite").write_bytes(b"no graph")
    with pytest.raises(ClimbEdgeError, match=r"m\.tflite: expected a TFLite file"):
        run_on_gpu(tmp_path / "m.tflite", [])


@pytest.mark.parametrize(
    "content", [b"\x1c\0\0\0TFL3" + bytes(200), default_path().read_bytes()[:3000]]
)
def test_a_damaged_graph_harms_the_child_alone(litter, monkeypatch, content):
    monkeypatch.setenv("VK_ICD_FILENAMES", "driver.json")
    result = run_on_gpu(content, [])
    assert result.status in ("refused", "crashed") and result.reason and not result.fully


# --- deaths and time limits ---


@pytest.mark.parametrize(
    ("death", "said"),
    [
        ("os.abort()", "SIGABRT"),
        ("ctypes.string_at(0)", "SIGSEGV"),
        ("os._exit(7)", "exit code 7"),
        ("os._exit(0)", "exit code 0"),
    ],
)
def test_a_child_that_dies_is_a_crash_with_its_last_words(child, litter, death, said):
    child(
        "import ctypes, os, sys\nopen(sys.argv[1] + '/result.json', 'w').write('{\"stage\":"
        " \"compiling for the GPU\"}')\nfor line in ('ERROR:"
        " device lost', 'INFO: routine', '└ routine'):\n    print(line, file=sys.stderr,"
        f" flush=True)\n{death}"
    )
    result = run_on_gpu(step_graph(), [arrays(2)])
    assert (
        result.status == "crashed"
        and result.reason == f"{said} while compiling for the GPU: ERROR: device lost"
    )
    assert not result.fully and result.partitions is None and result.outputs == []


def test_a_child_that_hangs_is_killed_in_time(child, litter, tmp_path):
    child(
        f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()));"
        " time.sleep(60)"
    )
    start = time.monotonic()
    result = run_on_gpu(step_graph(), [arrays(2)], timeout=1)
    assert (result.status, result.reason) == ("timed out", "no result in 1 s while starting")
    assert time.monotonic() - start < 20
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


@pytest.mark.network
def test_a_real_run_keeps_its_limit(vulkan, litter):
    result = run_on_gpu(step_graph(), [arrays(2)], timeout=0.05)
    assert result.status == "timed out" and "0.05 s" in result.reason and not result.fully


def test_ctrl_c_kills_the_child_and_clears_up(tmp_path):
    (tmp_path / "temporary").mkdir()
    pid = tmp_path / "pid"
    write = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    code = (
        "import sys\nfrom climb_edge.runtime import isolated\nfrom climb_edge.refiners.tflite"
        " import default_path\nisolated._command = lambda *_: [sys.executable, '-c',"
        f" {write!r}]\nisolated.run_on_gpu(default_path(), [])"
    )
    environment = os.environ | {
        "TMPDIR": str(tmp_path / "temporary"),
        "VK_ICD_FILENAMES": "driver.json",
    }
    parent = subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        stderr=subprocess.PIPE,
        cwd=Path(isolated.__file__).parents[2],
        preexec_fn=hears_ctrl_c,
    )
    until(lambda: pid.is_file() and pid.read_text())
    parent.send_signal(signal.SIGINT)
    assert b"KeyboardInterrupt" in parent.communicate(timeout=20)[1]
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
    assert list((tmp_path / "temporary").iterdir()) == []
