"""The GPU child: real runs on software Vulkan, refusals, deaths, time limits; and the fetching of
SwiftShader.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from climb_edge.__main__ import main
from climb_edge.errors import ClimbEdgeError
from climb_edge.pose.layout import to_inputs
from climb_edge.refiners.tflite import default_path
from climb_edge.runtime import isolated
from climb_edge.runtime.contract import read_model
from climb_edge.runtime.golden import golden_frames, golden_peaks
from climb_edge.runtime.isolated import run_on_gpu
from climb_edge.runtime.session import Session
from climb_edge.runtime.vulkan import fetch_software_vulkan, software_vulkan, vulkan_folder

SHAPE = (1, 12, 10, 8)


def graph_of(
    tensors: list, operators: list, inputs: dict[str, int], outputs: dict[str, int]
) -> bytes:
    """A .tflite graph. `tensors`: shapes, or arrays for constants; `operators`: (name, inputs,
    output, options); `inputs` and `outputs`: signature name -> tensor, in the graph's order; the
    signature lists them by name.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model, graph, signature = schema.ModelT(), schema.SubGraphT(), schema.SignatureDefT()
    model.version, model.buffers, model.operatorCodes, model.subgraphs = (
        3,
        [schema.BufferT()],
        [],
        [graph],
    )
    graph.tensors, graph.operators = [], []
    for number, content in enumerate(tensors):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = (
            f"t{number}",
            list(np.shape(content)),
            0,
            0,
        )
        if isinstance(content, tuple):
            tensor.shape = list(content)
        else:
            model.buffers.append(schema.BufferT())
            model.buffers[-1].data = np.frombuffer(content.astype(np.float32).tobytes(), np.uint8)
            tensor.buffer = len(model.buffers) - 1
        graph.tensors.append(tensor)
    for name, reads, write, options in operators:
        code, operator = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        operator.opcodeIndex, operator.inputs, operator.outputs = (
            len(model.operatorCodes),
            reads,
            [write],
        )
        if options:
            kind, values = options
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            operator.builtinOptions = getattr(schema, f"{kind}T")()
            vars(operator.builtinOptions).update(values)
        model.operatorCodes.append(code)
        graph.operators.append(operator)
    graph.inputs, graph.outputs = list(inputs.values()), list(outputs.values())

    def named(places: dict[str, int]) -> list:
        maps = []
        for name in sorted(places):
            maps.append(schema.TensorMapT())
            maps[-1].name, maps[-1].tensorIndex = name, places[name]
        return maps

    signature.signatureKey, signature.subgraphIndex = "serving_default", 0
    signature.inputs, signature.outputs, model.signatureDefs = (
        named(inputs),
        named(outputs),
        [signature],
    )
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def step_graph() -> bytes:
    """result = tanh(conv(frame) + state), state = frame * result - state: all of one shape, no
    order is by name.
    """
    rng = np.random.default_rng(0)
    stride = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1, "padding": 0}
    return graph_of(
        [SHAPE, rng.normal(0, 0.2, (8, 3, 3, 8)), rng.normal(0, 0.2, 8), *[SHAPE] * 6],
        [
            ("CONV_2D", [3, 1, 2], 4, ("Conv2DOptions", stride)),
            ("ADD", [4, 0], 5, ("AddOptions", {})),
            ("TANH", [5], 6, None),
            ("MUL", [3, 6], 7, ("MulOptions", {})),
            ("SUB", [7, 0], 8, ("SubOptions", {})),
        ],
        {"newest": 3, "before": 0},
        {"result": 6, "next": 8},
    )


def conv3d_graph() -> bytes:
    """An addition, which the GPU takes, then a CONV_3D, which it does not."""
    stride = (
        {f"stride{axis}": 1 for axis in "DHW"}
        | {f"dilation{axis}Factor": 1 for axis in "DHW"}
        | {"padding": 0}
    )
    return graph_of(
        [
            (1, 4, 4, 4),
            (1, 4, 4, 4),
            np.array([1, 1, 4, 4, 4]),
            (1, 1, 4, 4, 4),
            np.ones((1, 1, 1, 4, 4)),
            np.zeros(4),
        ]
        + [(1, 1, 4, 4, 4)],
        [
            ("ADD", [0, 0], 1, ("AddOptions", {})),
            ("RESHAPE", [1], 3, ("ReshapeOptions", {"newShape": [1, 1, 4, 4, 4]})),
            ("CONV_3D", [3, 4, 5], 6, ("Conv3DOptions", stride)),
        ],
        {"x": 0},
        {"y": 6},
    )


def arrays(number: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.uniform(-1, 1, SHAPE).astype(np.float32) for _ in range(number)]


def distance(found: list[np.ndarray], expected: list[np.ndarray]) -> float:
    """Largest error, as a part of the largest absolute value of the same expected output."""
    assert [(a.shape, a.dtype) for a in found] == [(a.shape, a.dtype) for a in expected]
    return max(
        float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(found, expected, strict=True)
    )


@pytest.fixture
def litter(tmp_path, monkeypatch):
    """Temporary folders are made in here; none may be left."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


@pytest.fixture
def no_driver(tmp_path, monkeypatch) -> Path:
    """A machine without a driver: an empty cache, nothing named. Gives the cache."""
    monkeypatch.delenv("VK_ICD_FILENAMES", raising=False)
    monkeypatch.delenv("VK_DRIVER_FILES", raising=False)
    monkeypatch.setenv("CLIMB_EDGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


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
    state = [np.ones(tensor["shape"], np.float32) for tensor in contract["state"]]
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


def until(done, seconds: float = 20) -> None:
    limit = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < limit
        time.sleep(0.02)


def hears_ctrl_c():
    """What a shell starts in the background ignores Ctrl-C, and so would its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


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


# --- fetching SwiftShader ---


@pytest.fixture
def apt(tmp_path, monkeypatch, no_driver):
    """Put a shell script in the place of apt-get, on a machine of the right kind without
    SwiftShader.
    """
    if shutil.which("dpkg-deb") is None:
        pytest.skip("needs dpkg-deb")
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)

    def put(script: str) -> None:
        (tmp_path / "bin" / "apt-get").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bin" / "apt-get").chmod(0o755)

    return put


FILES = ("libvk_swiftshader.so", "libvulkan.so.1", "vk_swiftshader_icd.json")


def package(folder: Path, *files: str) -> Path:
    """A Debian package with `files` where Chromium has them, and one more."""
    inside = folder / "package/usr/lib/chromium"
    (folder / "package/DEBIAN").mkdir(parents=True)
    inside.mkdir(parents=True)
    fields = (
        "Package: chromium-common\nVersion: 1\nArchitecture: amd64\nMaintainer: nobody"
        " <nobody>\nDescription: test\n"
    )
    (folder / "package/DEBIAN/control").write_text(fields)
    for name in (*files, "resources.pak"):
        (inside / name).write_bytes(np.random.default_rng(0).bytes(50_000))
    made = folder / "made.deb"
    subprocess.run(
        ["dpkg-deb", "--build", "--root-owner-group", folder / "package", made],
        check=True,
        timeout=60,
        stdout=subprocess.DEVNULL,
    )
    return made


def test_a_fetch_keeps_the_three_files_only(apt, tmp_path, no_driver, capsys):
    apt(f"cp {package(tmp_path, *FILES)} .")
    assert software_vulkan() is None
    assert main(["fetch", "--only", "vulkan"]) == 0
    assert Path(capsys.readouterr().out.strip()) == software_vulkan() == vulkan_folder()
    assert sorted(
        f.relative_to(no_driver).as_posix() for f in no_driver.rglob("*") if f.is_file()
    ) == [f"vulkan/{name}" for name in FILES]
    assert list(no_driver.iterdir()) == [vulkan_folder()]
    assert isolated._environment()["VK_ICD_FILENAMES"] == str(vulkan_folder() / FILES[2])
    assert isolated._environment()["LD_LIBRARY_PATH"].split(os.pathsep)[0] == str(vulkan_folder())
    apt("exit 1")
    assert fetch_software_vulkan() == vulkan_folder()  # what is there is not fetched again
    (vulkan_folder() / FILES[0]).unlink()
    with pytest.raises(ClimbEdgeError):
        fetch_software_vulkan()
    apt(f"cp {tmp_path / 'made.deb'} .")
    assert fetch_software_vulkan() == software_vulkan()  # a folder that is not whole is replaced


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'E: No packages found' >&2; exit 100", r"No packages found.*apt-get update"),
        ("exit 0", "no package came"),
        ("echo junk > junk.deb", "damaged"),
        ("head -c 30000 MADE > cut.deb", "damaged"),
        ("cp LACKING .", r"holds no libvulkan\.so\.1"),
    ],
)
def test_a_fetch_that_fails_leaves_nothing(apt, tmp_path, no_driver, capsys, script, said):
    if "MADE" in script:
        script = script.replace("MADE", str(package(tmp_path, *FILES)))
    if "LACKING" in script:
        script = script.replace("LACKING", str(package(tmp_path, FILES[0], FILES[2])))
    apt(script)
    assert main(["fetch", "--only", "vulkan"]) == 2
    error = capsys.readouterr().err
    assert error.count("error: ") == 1
    with pytest.raises(ClimbEdgeError, match=said):
        fetch_software_vulkan()
    assert list(no_driver.iterdir()) == []


def test_an_interrupted_fetch_leaves_nothing(apt, tmp_path, no_driver):
    apt(f"echo half > half.deb; touch {tmp_path / 'started'}; exec sleep 60")
    code = (
        "import platform, sys\nfrom climb_edge.__main__ import main\n"
        "platform.system, platform.machine = lambda: 'Linux', lambda: 'x86_64'\n"
        "sys.exit(main(['fetch', '--only', 'vulkan']))"
    )
    fetch = subprocess.Popen(
        [sys.executable, "-c", code],
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(isolated.__file__).parents[2],
        preexec_fn=hears_ctrl_c,
    )
    until((tmp_path / "started").is_file)
    assert list(no_driver.iterdir()) != []
    fetch.send_signal(signal.SIGINT)
    assert "interrupted" in fetch.communicate(timeout=20)[1]
    assert fetch.returncode == 130 and list(no_driver.iterdir()) == []


def test_a_fetch_without_apt_says_what_to_do(no_driver, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["fetch", "--only", "vulkan"]) == 2
    error = capsys.readouterr().err
    assert "without apt-get without dpkg-deb" in error and "VK_DRIVER_FILES" in error
    assert not no_driver.exists()


@pytest.mark.parametrize(
    ("system", "machine"), [("Darwin", "arm64"), ("Linux", "aarch64"), ("Windows", "AMD64")]
)
def test_a_fetch_on_another_machine_says_what_to_do(apt, no_driver, monkeypatch, system, machine):
    apt("exit 1")
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    with pytest.raises(
        ClimbEdgeError, match=rf"found {system} {machine}; name the JSON of a Vulkan driver"
    ):
        fetch_software_vulkan()


def test_a_plain_fetch_does_not_fetch_it(apt, no_driver, monkeypatch, capsys):
    apt("exit 1")
    monkeypatch.setattr("climb_edge.files.assets.locate", lambda name: name)
    assert main(["fetch"]) == 0
    assert "vulkan" not in capsys.readouterr().out and not no_driver.exists()
    assert main(["fetch", "--only", "nothing"]) == 2
    assert "vulkan" in capsys.readouterr().err
