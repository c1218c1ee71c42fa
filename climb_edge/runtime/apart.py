"""Run a graph in a process apart, with a time limit: under the same runtime, or under a second one.

A quantized graph can make the runtime abort its process while it prepares: a graph just made is
loaded here first. The second runtime, tflite-runtime 2.14, lives in an environment of its own; what
it gives for a file is compared with ours.
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

from climb_edge.files.atomic import write_json
from climb_edge.runtime.session import Session

SECOND, SECOND_PYTHON = "tflite-runtime", "CLIMB_EDGE_SECOND_PYTHON"
_CHILD = Path(__file__).with_name("apart_child.py")
_HOME = _CHILD.parents[2] / ".venv-second"
_REMEDY = "run `make second-runtime` with Python 3.11"
_ROUTINE = re.compile(r"INFO|WARNING|[IW]\d{4} ")


@dataclass(frozen=True)
class Apart:
    """What another process made of a graph.

    `status` is "ran", "refused" (the runtime, or the shape of an input, raised an error), "crashed"
    (a signal or an exit code), "timed out" or "skipped" (no such runtime); `reason` says at which
    stage and why, and is empty for "ran". `outputs` holds, per run, one float32 array per output in
    the Interpreter's order, for "ran" alone. `load_ms` is the time to read, load and allocate;
    `memory_mb` by how many million bytes loading and running, with the arrays of a run, raised the
    peak of the process's resident memory.
    """

    status: str
    reason: str = ""
    runtime: str = ""
    outputs: list[list[np.ndarray]] = field(default_factory=list)
    load_ms: float | None = None
    memory_mb: float | None = None


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


def run_apart(
    graph: bytes,
    runs: list[list[np.ndarray]],
    chained: bool = False,
    second: bool = False,
    threads: int = 1,
    timeout: float = 120,
) -> Apart:
    """Load a .tflite `graph` in another process and run it once per entry of `runs`; `second`:
    under tflite-runtime.

    An entry holds one float32 array per input, in the order of `Session.inputs`, of exactly its
    shape; an integer input's values are quantized by its scale and zero point. With `chained` every
    entry after the first holds only the first input; the others are the run before's outputs from
    the second on (a step graph's state). `timeout` is in seconds, for everything. No run is needed
    to learn whether the graph loads.
    """
    if second and (reason := why_not_second()):
        return Apart("skipped", reason)
    runtime = SECOND if second else Session.name
    with tempfile.TemporaryDirectory(prefix="climb-edge-apart-") as name:
        folder = Path(name)
        (folder / "graph.tflite").write_bytes(graph)
        for number, arrays in enumerate(runs):
            for index, array in enumerate(arrays):
                np.save(folder / f"in{number}.{index}.npy", array, allow_pickle=False)
        job = {
            "runtime": runtime,
            "runs": [len(arrays) for arrays in runs],
            "chained": chained,
            "threads": threads,
        }
        write_json(folder / "job.json", job)
        with open(folder / "log", "wb") as log:
            files = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
            try:  # kills the child on Ctrl-C as well
                code = subprocess.run(_command(folder, second), timeout=timeout, **files).returncode
            except subprocess.TimeoutExpired:
                code = None
        return _result(folder, code, timeout, len(runs), second)


def _command(folder: Path, second: bool) -> list[str]:
    # -P: the folder `convert` lends no modules to the child; -I: nor does PYTHONPATH, which is the
    # first interpreter's.
    start = [str(second_python()), "-I"] if second else [sys.executable, "-P"]
    return [*start, str(_CHILD), str(folder)]


def _result(folder: Path, code: int | None, timeout: float, runs: int, second: bool) -> Apart:
    """What the child left in `folder`; `code` is its exit code, None when it ran out of time."""
    told, found = folder / "result.json", {"runtime": "", "stage": "starting"}
    found |= json.loads(told.read_text()) if told.is_file() else {}
    known = {key: found[key] for key in ("runtime", "load_ms", "memory_mb") if key in found}
    stage = found["stage"]
    if code is None:
        return Apart("timed out", f"no result in {timeout:g} s while {_doing(stage)}", **known)
    words = _last_words(folder)
    # an interpreter without the runtime says nothing of the graph
    if second and code > 0 and stage == "starting":
        return Apart("skipped", f"{second_python()} does not run {SECOND} ({words}); {_REMEDY}")
    if "refused" in found:
        return Apart("refused", f"{stage}: {found['refused']}", **known)
    if code or stage != "ending":
        died = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return Apart("crashed", f"{died} while {_doing(stage)}{words and f': {words}'}", **known)
    outputs = [
        [np.load(folder / f"out{run}.{i}.npy") for i in range(found["outputs"])]
        for run in range(runs)
    ]
    return Apart("ran", outputs=outputs, **known)


def _doing(stage: str) -> str:
    return f"in {stage}" if stage.startswith("run ") else stage


def _last_words(folder: Path) -> str:
    """The last line of the child's log that is not routine."""
    lines = [line.strip() for line in (folder / "log").read_text(errors="replace").splitlines()]
    return next((line for line in reversed(lines) if line and not _ROUTINE.match(line)), "")
