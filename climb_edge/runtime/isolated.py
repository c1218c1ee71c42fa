"""Run a graph in a child process with a time limit: whatever the graph does there harms nobody.

On the CPU (`run_on_cpu`): a quantized graph can make the runtime abort its process while it
prepares, so a graph just made is loaded here first; or under a second runtime, tflite-runtime 2.14,
which lives in an environment of its own: what it gives for a file is compared with ours.

On the GPU (`run_on_gpu`): a real delegate, LiteRT's WebGPU accelerator. No GPU is needed:
SwiftShader, Chromium's software Vulkan, does the arithmetic in float32, in seconds a run. What is
shown is whether the delegate takes the whole graph and whether it computes it rightly. Where the
environment names a Vulkan driver (VK_DRIVER_FILES or VK_ICD_FILENAMES), that one is used. A graph
that hands an input through as an output is computed wrongly by LiteRT's CompiledModel, on its CPU
too: nothing refuses it, only the numbers show it.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.atomic import existing_file, write_json
from climb_edge.files.temporaries import scratch_folder
from climb_edge.runtime.session import RUNTIMES, choose_runtime
from climb_edge.runtime.vulkan import VULKAN_ICD, software_vulkan, vulkan_folder

SECOND, SECOND_PYTHON = "tflite-runtime", "CLIMB_EDGE_SECOND_PYTHON"
MAX_MEMORY = 8 << 30  # bytes of address space that a graph may take on the CPU
_CHILD = Path(__file__).with_name("isolated_child.py")
_HOME = _CHILD.parents[2] / ".venv-second"
_REMEDY = "run `make second-runtime` with Python 3.11"
_FETCH = "run `climb-edge fetch --only vulkan`, or name a Vulkan driver's JSON in VK_DRIVER_FILES"
# Read in the child's log: what is routine, a delegate's start and its refusal.
_ROUTINE = re.compile(r"INFO|VERBOSE|(?i:warning)|└|[IW]\d{4} ")
_PARTITION = "Initializing WebGPU-based API from graph"
_UNSUPPORTED = re.compile(
    r"not supported by GPU delegate:\n(.*?)\n(No|\d+) operations will run on the GPU", re.S
)


@dataclass(frozen=True)
class ChildResult:
    """What a child process made of a graph.

    `status` is "ran", "refused" (the runtime, or the shape of an input, raised an error), "crashed"
    (a signal or an exit code), "timed out" or "skipped" (nothing to run it with); `reason` says why
    and mostly at which stage, and is empty for "ran". `outputs` holds, per run, one array per
    output in the Interpreter's order, for "ran" alone.
    """

    status: str
    reason: str = ""
    outputs: list[list[np.ndarray]] = field(default_factory=list)


@dataclass(frozen=True)
class CpuResult(ChildResult):
    """`runtime` is name and version, the outputs float32. `load_ms` is the time to read, load and
    allocate; `memory_mb` by how many million bytes loading and running, with the arrays of a run,
    raised the peak of the process's resident memory.
    """

    runtime: str = ""
    load_ms: float | None = None
    memory_mb: float | None = None


@dataclass(frozen=True)
class GpuResult(ChildResult):
    """A graph that was refused cannot run on the GPU whole: nothing was run.

    `fully` and `nodes` rest on LiteRT's own count after delegation (no node left without a
    delegate, in a model compiled for the GPU alone) or, in a refusal, on the delegate's message;
    `total` is read in the file. `partitions` counts the delegate kernels that announced themselves
    in the log; None where nothing was learnt. `seconds` is the time of each run with its copies,
    without the compilation.
    """

    backend: str = ""
    fully: bool = False
    partitions: int | None = None
    nodes: int | None = None
    total: int | None = None
    seconds: list[float] = field(default_factory=list)


def run_on_cpu(
    graph: bytes,
    runs: list[list[np.ndarray]],
    chained: bool = False,
    second: bool = False,
    threads: int = 1,
    timeout: float = 120,
    entry: tuple[str | None, list[str]] | None = None,
) -> CpuResult:
    """Load a .tflite `graph` in a child process and run it once per entry of `runs`; `second`:
    under tflite-runtime.

    An entry holds one float32 array per input, in the order of `Session.inputs`, of exactly its
    shape; an integer input's values are quantized by its scale and zero point. With `chained` every
    entry after the first holds only the first input; the others are the run before's outputs from
    the second on (a step graph's state). `timeout` is in seconds, for everything. No run is needed
    to learn whether the graph loads. With `entry`, a signature's name (None: there is none) and
    those of its inputs, arrays have their tensor's own type, going in and coming out.
    """
    if second and (reason := why_not_second()):
        return CpuResult("skipped", reason)
    # -I: the second interpreter takes no modules of the first, which PYTHONPATH may name
    python = [str(second_python()), "-I"] if second else [sys.executable, "-P"]
    runtime = SECOND if second else RUNTIMES[choose_runtime()]
    job = {"device": "cpu", "runtime": runtime, "threads": threads, "memory": MAX_MEMORY}
    job |= {"chained": chained, "entry": entry}
    ended = _run_child(graph, runs, job, python, timeout, dict(os.environ))
    # an interpreter without the runtime says nothing of the graph
    if second and ended.code and ended.code > 0 and ended.stage == "starting":
        reason = f"{second_python()} does not run {SECOND} ({ended.last_words}); {_REMEDY}"
        return CpuResult("skipped", reason)
    reason = f"{ended.stage}: {ended.reason}" if ended.status == "refused" else ended.reason
    known = {k: ended.told[k] for k in ("runtime", "load_ms", "memory_mb") if k in ended.told}
    return CpuResult(ended.status, reason, ended.outputs, **known)


def run_on_gpu(
    graph: bytes | Path, runs: list[list[np.ndarray]], timeout: float = 300, chained: bool = False
) -> GpuResult:
    """Run `graph` (a .tflite's path or bytes) once per entry of `runs`, on the GPU alone, in
    float32.

    `runs`, `timeout` and `chained` are as in `run_on_cpu`, but arrays have their input's own type.
    No run is needed to learn whether the GPU takes the graph. Raises ClimbEdgeError for a graph or
    inputs that no runtime could take; all else is a status.
    """
    if isinstance(graph, bytes):
        label, content = "graph", graph
    else:
        label, content = str(graph), existing_file(graph, "a TFLite file").read_bytes()
    if content[4:8] != b"TFL3":
        raise ClimbEdgeError(f"{label}: expected a TFLite file, found another kind of file")
    if reason := why_not():
        return GpuResult("skipped", reason)
    job, python = {"device": "gpu", "chained": chained}, [sys.executable, "-P"]
    ended = _run_child(content, runs, job, python, timeout, _environment())
    if ended.told.get("unfit"):
        raise ClimbEdgeError(f"{label}: {ended.stage}: {ended.reason}")
    status, reason, log = ended.status, ended.reason, ended.log
    adapter = re.search(r"Selected adapter: (.+?)(?:, arch=|$)", log, re.M)
    backend = f"WebGPU, {adapter[1]}" if adapter else ""
    if status == "timed out" and ended.last_words:
        reason += f": {ended.last_words}"
    if status in ("timed out", "crashed"):
        return GpuResult(status, reason, backend=backend)
    total, fully = ended.told.get("total"), ended.told.get("fully", False)
    if "No adapters found" in log:
        return GpuResult("skipped", f"the Vulkan driver offers no adapter; {_FETCH}", total=total)
    partitions, nodes = log.count(_PARTITION) or None, total if fully else None
    if unsupported := _UNSUPPORTED.search(log):
        reason = "; ".join(unsupported[1].splitlines())
        nodes, partitions = int(unsupported[2].replace("No", "0")), partitions or 0
    seconds = ended.told.get("seconds", [])
    return GpuResult(
        status, reason, ended.outputs, backend, fully, partitions, nodes, total, seconds
    )


def second_python() -> Path | None:
    """The interpreter that has the second runtime: the environment's choice, else the one that make
    has built.
    """
    if named := os.environ.get(SECOND_PYTHON):
        return Path(named) if os.access(named, os.X_OK) and Path(named).is_file() else None
    return _HOME / "bin" / "python" if (_HOME / ".ready").is_file() else None


def why_not_second() -> str | None:
    """Why nothing runs under the second runtime on this machine; None where it has an interpreter
    to try.
    """
    if second_python():
        return None
    if named := os.environ.get(SECOND_PYTHON):
        return (
            f"{SECOND_PYTHON} names {named}, which is no program; correct or unset it, or {_REMEDY}"
        )
    return f"{SECOND} is not there; {_REMEDY}, or name in {SECOND_PYTHON} a Python that has it"


def why_not() -> str | None:
    """Why `run_on_gpu` would skip every graph on this machine; None where it has a driver
    to try.
    """
    if _named_driver() or software_vulkan():
        return None
    return f"no Vulkan driver is named and {vulkan_folder()} holds no SwiftShader; {_FETCH}"


def _named_driver() -> bool:
    return bool(os.environ.get("VK_DRIVER_FILES") or os.environ.get("VK_ICD_FILENAMES"))


def _environment() -> dict[str, str]:
    """The environment of a child that computes on the GPU: with a Vulkan driver."""
    folder, libraries = software_vulkan(), os.environ.get("LD_LIBRARY_PATH")
    if _named_driver() or folder is None:
        return dict(os.environ)
    return os.environ | {
        "VK_ICD_FILENAMES": str(folder / VULKAN_ICD),
        "LD_LIBRARY_PATH": os.pathsep.join(filter(None, (str(folder), libraries))),
    }


@dataclass(frozen=True)
class _Ended:
    """How a child ended: its exit code (None when it ran out of time), all that it told until then,
    its log, and the outputs of a job that it has finished.
    """

    code: int | None
    timeout: float
    told: dict
    log: str
    outputs: list[list[np.ndarray]]

    @property
    def stage(self) -> str:
        return self.told.get("stage", "starting")

    @property
    def status(self) -> str:
        if self.code is None:
            return "timed out"
        for status in ("refused", "skipped"):
            if status in self.told:
                return status
        return "crashed" if self.code or self.stage != "ending" else "ran"

    @property
    def reason(self) -> str:
        doing = f"in {self.stage}" if self.stage.startswith("run ") else self.stage
        if self.status == "timed out":
            return f"no result in {self.timeout:g} s while {doing}"
        if self.status == "crashed" and self.code is not None:
            died = signal.Signals(-self.code).name if self.code < 0 else f"exit code {self.code}"
            return ": ".join(filter(None, (f"{died} while {doing}", self.last_words)))
        return self.told.get(self.status, "")

    @property
    def last_words(self) -> str:
        """The last line of the child's log that is not routine."""
        lines = (line.strip() for line in reversed(self.log.splitlines()))
        return next((line for line in lines if line and not _ROUTINE.match(line)), "")


def _run_child(
    graph: bytes,
    runs: list[list[np.ndarray]],
    job: dict,
    python: list[str],
    timeout: float,
    environment: dict[str, str],
) -> _Ended:
    with scratch_folder("child") as folder:
        (folder / "graph.tflite").write_bytes(graph)
        for number, arrays in enumerate(runs):
            for index, array in enumerate(arrays):
                np.save(folder / f"in{number}.{index}.npy", array, allow_pickle=False)
        write_json(folder / "job.json", job | {"runs": [len(arrays) for arrays in runs]})
        with open(folder / "log", "wb") as log:
            try:  # kills the child on Ctrl-C as well
                code: int | None = subprocess.run(
                    _command(folder, python),
                    env=environment,
                    timeout=timeout,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                ).returncode
            except subprocess.TimeoutExpired:
                code = None
        result = folder / "result.json"
        told = json.loads(result.read_text()) if result.is_file() else {}
        said = (folder / "log").read_text(errors="replace")
        finished = code == 0 and told.get("stage") == "ending"
        outputs = [
            [np.load(folder / f"out{run}.{i}.npy") for i in range(told["outputs"])]
            for run in range(len(runs) if finished else 0)
        ]
        return _Ended(code, timeout, told, said, outputs)


def _command(folder: Path, python: list[str]) -> list[str]:
    # -P (which -I implies): the folder the user works in lends no modules to the child
    return [*python, str(_CHILD), str(folder)]
