"""Which hardware runs a graph: the CPU, or a GPU that has proved itself.

A GPU's driver may refuse a graph, compute it wrongly, hang or kill the process. So a graph is first
tried in a child process with a time limit, on the golden frames; only a GPU that repeats the golden
test is loaded here. What passed is remembered as long as this process lives, not longer: drivers
change.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import statistics
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.runtime import isolated
from climb_edge.runtime.contract_sections import GoldenTest
from climb_edge.runtime.golden import golden_runs
from climb_edge.runtime.isolated_child import Gpu
from climb_edge.runtime.session import RUNTIMES, Session
from climb_edge.runtime.vulkan import VULKAN_ICD, software_vulkan

DEVICES = ("cpu", "gpu", "auto")
TIME_LIMIT = 120  # seconds for the trial: start, compilation and the golden frames

_passed: dict[str, Trial] = {}
_lock = threading.Lock()  # the driver is named in the environment, which all threads share


@dataclass(frozen=True)
class Trial:
    """What the GPU made of the golden frames in a child process; `refused` is empty where it may be
    used.

    `backend` names API and adapter, `seconds` is the median time of a run with its copies.
    """

    refused: str
    backend: str = ""
    seconds: float = 0.0


def open_session(
    graph: bytes,
    golden: GoldenTest | None,
    device: str = "cpu",
    threads: int | None = None,
    source: str | Path | None = None,
) -> Session:
    """A session on the hardware that `device` names: "cpu", "gpu" or "auto" (the faster of the
    two).

    A GPU is used only after it repeated `golden`, the contract's golden test, in another process,
    else the CPU; the session's `reason` says why. Never raises for what a GPU does; raises
    ClimbEdgeError as Session does.
    """
    if device not in DEVICES:
        raise ClimbEdgeError(f"device {device!r}: expected one of {', '.join(DEVICES)}")
    session = Session(graph, threads, source)
    if device != "cpu":
        gpu, backend, session.reason = _choose(session, graph, device, golden)
        if gpu:
            session.delegate(gpu, backend)
    return session


def _choose(
    session: Session, graph: bytes, device: str, golden: GoldenTest | None
) -> tuple[Gpu | None, str, str]:
    """(the GPU or None for the CPU, its backend, the reason) of a session just loaded on
    the CPU.
    """
    prefix, reason = ("auto: ", "") if device == "auto" else ("", "asked for")
    trial = try_apart(session, graph, golden)
    if not trial.refused and device == "auto":
        cpu = _median(_time_on_cpu(session))
        times = (
            f"{1e3 * cpu:.3g} ms a run on the CPU, {1e3 * trial.seconds:.3g} ms on {trial.backend}"
        )
        if cpu <= trial.seconds:
            return None, "", f"{prefix}the CPU is faster, {times}"
        reason = f"{prefix}the GPU is faster, {times}"
    if not trial.refused:
        try:
            with _lock, _driver():
                return Gpu(graph, session.inputs, session.outputs), f"gpu, {trial.backend}", reason
        except (RuntimeError, ValueError, OSError) as error:
            trial = Trial(" ".join(str(error).split()))
    return None, "", f"{prefix}GPU refused: {trial.refused}"


def try_apart(session: Session, graph: bytes, golden: GoldenTest | None) -> Trial:
    """Try `graph` on the GPU in a child process and compare it with `golden`, a contract's golden
    test.
    """
    if not session.runtime.startswith(RUNTIMES["litert"]):
        return Trial(f"{session.runtime} has none")
    if golden is None:
        return Trial("the graph has no golden test to check it by")
    if any(d["dtype"] is not np.float32 for d in (*session.inputs, *session.outputs)):
        return Trial("its inputs or outputs are integers")
    key = hashlib.sha256(graph + repr(golden).encode()).hexdigest()
    if key not in _passed:
        runs, chained = golden_runs(session)
        try:
            with _lock:
                found = isolated.run_on_gpu(graph, runs, TIME_LIMIT, chained)
            trial = _judge(found, golden)
        except ClimbEdgeError as error:  # inputs that are not those of a refiner
            trial = Trial(str(error))
        if trial.refused:
            return trial
        _passed[key] = trial
    return _passed[key]


def _judge(found: isolated.GpuResult, golden: GoldenTest) -> Trial:
    if found.status != "ran":
        return Trial(f"{found.status}: {found.reason}", found.backend)
    outputs = np.stack([run[0].ravel() for run in found.outputs])
    steps, places, values = zip(*golden.samples, strict=True)
    if max(places) >= outputs.shape[1]:
        return Trial("the golden test is another graph's", found.backend)
    error = np.abs(outputs[steps, places] - np.array(values)).max() / max(golden.scale, 1e-9)
    if not error <= golden.tolerance:  # also refuses nan
        return Trial(
            f"on the golden input {found.backend} is {error:.2g} of the scale away, at most"
            f" {golden.tolerance:g} is allowed",
            found.backend,
        )
    return Trial("", found.backend, _median(found.seconds))


def _time_on_cpu(session: Session) -> list[float]:
    runs, chained = golden_runs(session)
    outputs: list[np.ndarray] = []
    seconds: list[float] = []
    for arrays in runs:
        entering = arrays + (outputs[1:] if chained else [])
        start = time.perf_counter()
        outputs = session.run(*entering)
        seconds.append(time.perf_counter() - start)
    return seconds


def _median(seconds: list[float]) -> float:
    return statistics.median(seconds[1:])  # the first run warms up


@contextlib.contextmanager
def _driver() -> Iterator[None]:
    """Offer this process the software Vulkan that `run_on_gpu` gives its child, where no driver is
    named.
    """
    if os.environ.get("VK_DRIVER_FILES") or os.environ.get("VK_ICD_FILENAMES"):
        yield
        return
    folder = software_vulkan()
    if folder is None:  # no trial passed without a driver
        raise ClimbEdgeError("the GPU: no Vulkan driver is named and none was fetched")
    # LD_LIBRARY_PATH is read at start only
    ctypes.CDLL(str(folder / "libvulkan.so.1"), mode=ctypes.RTLD_GLOBAL)
    os.environ["VK_ICD_FILENAMES"] = str(folder / VULKAN_ICD)
    try:
        yield
    finally:
        del os.environ["VK_ICD_FILENAMES"]
