"""Run a graph on a real GPU delegate: LiteRT's WebGPU accelerator, in a child process with a time
limit.

No GPU is needed: SwiftShader, Chromium's software Vulkan, does the arithmetic in float32, in
seconds a run. What is shown is whether the delegate takes the whole graph and whether it computes
it rightly. Where the environment names a Vulkan driver (VK_DRIVER_FILES or VK_ICD_FILENAMES), that
one is used. A graph that hands an input through as an output is computed wrongly by LiteRT's
CompiledModel, on its CPU too: nothing refuses it, only the numbers show it.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.atomic import existing_file, write_json
from climb_edge.runtime.gpu_child import _STAGE
from climb_edge.runtime.vulkan import VULKAN_ICD, software_vulkan, vulkan_folder

_ROUTINE = re.compile(r"INFO|VERBOSE|(?i:warning)|└|[IW]\d{4} ")
_PARTITION = "Initializing WebGPU-based API from graph"
_UNSUPPORTED = re.compile(
    r"not supported by GPU delegate:\n(.*?)\n(No|\d+) operations will run on the GPU", re.S
)
_FETCH = "run `climb-edge fetch --only vulkan`, or name a Vulkan driver's JSON in VK_DRIVER_FILES"


@dataclass(frozen=True)
class GpuResult:
    """What the accelerator made of a graph.

    `status` is "ran", "refused" (not all of it can run on the GPU: nothing was run), "crashed",
    "timed out" or "skipped" (no driver); `reason` says why, and is empty for "ran". `fully` and
    `nodes` rest on LiteRT's own count after delegation (no node left without a delegate, in a model
    compiled for the GPU alone) or, in a refusal, on the delegate's message; `total` is read in the
    file. `partitions` counts the delegate kernels that announced themselves in the log; None where
    nothing was learnt. `outputs` holds, per run, one array per output in the Interpreter's order;
    `seconds` the time of each run with its copies, without the compilation.
    """

    status: str
    reason: str = ""
    backend: str = ""
    fully: bool = False
    partitions: int | None = None
    nodes: int | None = None
    total: int | None = None
    outputs: list[list[np.ndarray]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def why_not() -> str | None:
    """Why `run_on_gpu` would skip every graph on this machine; None where it has a driver
    to try.
    """
    if _named_driver() or software_vulkan():
        return None
    return f"no Vulkan driver is named and {vulkan_folder()} holds no SwiftShader; {_FETCH}"


def _named_driver() -> bool:
    return bool(os.environ.get("VK_DRIVER_FILES") or os.environ.get("VK_ICD_FILENAMES"))


def run_on_gpu(
    graph: bytes | Path, runs: list[list[np.ndarray]], timeout: float = 300, chained: bool = False
) -> GpuResult:
    """Run `graph` (a .tflite's path or bytes) once per entry of `runs`, on the GPU alone, in
    float32.

    An entry holds one array per input, in the order of `Session.inputs`, of exactly its shape and
    type. With `chained` every entry after the first holds only the first input; the others are the
    run before's outputs from the second on (a stepped graph's state). `timeout` is in seconds, for
    everything. No run is needed to learn whether the GPU takes the graph. Raises ClimbEdgeError for
    a graph or inputs that no runtime could take; all else is a status.
    """
    label = "graph" if isinstance(graph, bytes) else existing_file(graph, "a TFLite file")
    content = graph if isinstance(graph, bytes) else label.read_bytes()
    if content[4:8] != b"TFL3":
        raise ClimbEdgeError(f"{label}: expected a TFLite file, found another kind of file")
    if reason := why_not():
        return GpuResult("skipped", reason)
    with tempfile.TemporaryDirectory(prefix="climb-edge-gpu-") as name:
        folder = Path(name)
        (folder / "graph.tflite").write_bytes(content)
        for number, arrays in enumerate(runs):
            for index, array in enumerate(arrays):
                np.save(folder / f"in{number}.{index}.npy", array, allow_pickle=False)
        write_json(
            folder / "job.json", {"runs": [len(arrays) for arrays in runs], "chained": chained}
        )
        with open(folder / "log", "wb") as log:
            files = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
            try:  # kills the child on Ctrl-C as well
                code = subprocess.run(
                    _command(folder), env=_environment(), timeout=timeout, **files
                ).returncode
            except subprocess.TimeoutExpired:
                code = None
        return _result(folder, code, timeout, label)


def _command(folder: Path) -> list[str]:
    # -P: the folder the user works in lends no modules to the child.
    return [sys.executable, "-P", "-m", "climb_edge.runtime.gpu_child", str(folder)]


def _environment() -> dict[str, str]:
    added = {"PYTHONPATH": Path(__file__).resolve().parents[2]}
    if not _named_driver():
        added |= {
            "VK_ICD_FILENAMES": software_vulkan() / VULKAN_ICD,
            "LD_LIBRARY_PATH": software_vulkan(),
        }
    return os.environ | {
        k: os.pathsep.join(filter(None, (str(v), os.environ.get(k)))) for k, v in added.items()
    }


def _result(folder: Path, code: int | None, timeout: float, label: str | Path) -> GpuResult:
    """What the child wrote into `folder`; `code` is its exit code, None when it ran out of time."""
    log = (folder / "log").read_text(errors="replace")
    adapter = re.search(r"Selected adapter: (.+?)(?:, arch=|$)", log, re.M)
    backend = f"WebGPU, {adapter[1]}" if adapter else ""
    if code != 0 or not (folder / "result.json").is_file():
        if code is None:
            return GpuResult(
                "timed out", f"no result in {timeout:g} s while {_last_words(log)}", backend
            )
        died = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return GpuResult("crashed", f"{died} while {_last_words(log)}", backend)
    found = json.loads((folder / "result.json").read_text())
    status, reason, fully, total, seconds = (
        found[k] for k in ("status", "reason", "fully", "total", "seconds")
    )
    if status == "unfit":
        raise ClimbEdgeError(f"{label}: {reason}")
    if "No adapters found" in log:
        return GpuResult("skipped", f"the Vulkan driver offers no adapter; {_FETCH}", total=total)
    partitions, nodes = log.count(_PARTITION) or None, total if fully else None
    if unsupported := _UNSUPPORTED.search(log):
        reason, nodes = (
            "; ".join(unsupported[1].splitlines()),
            int(unsupported[2].replace("No", "0")),
        )
        partitions = partitions or 0
    outputs = [
        [np.load(folder / f"out{run}.{i}.npy") for i in range(found["outputs"])]
        for run in range(len(seconds))
    ]
    return GpuResult(status, reason, backend, fully, partitions, nodes, total, outputs, seconds)


def _last_words(log: str) -> str:
    """The stage the child had reached and the last line of its log that is not routine."""
    lines = [line.strip() for line in log.splitlines() if line.strip() and not _ROUTINE.match(line)]
    stages = [line.removeprefix(_STAGE) for line in lines if line.startswith(_STAGE)]
    return ": ".join(
        [
            *(stages or ["starting"])[-1:],
            *[line for line in lines if not line.startswith(_STAGE)][-1:],
        ]
    )
