"""The GPU in this process, after it has proved itself in another: LiteRT's WebGPU accelerator behind a Session.

A GPU's driver may refuse a graph, compute it wrongly, hang or kill the process. So a graph is first tried in a child
process with a time limit, on the golden frames; only a GPU that repeats the golden test is loaded here. What passed is
remembered as long as this process lives, not longer: drivers change.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import os
import statistics
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from climb_edge import gpu
from climb_edge.errors import ClimbEdgeError
from climb_edge.golden import golden_runs
from climb_edge.runtime import Session
from climb_edge.weights import VULKAN_ICD, software_vulkan

TIME_LIMIT = 120  # seconds for the trial: start, compilation and the golden frames

_passed: dict[str, Trial] = {}
_lock = threading.Lock()  # the driver is named in the environment, which all threads share


@dataclass(frozen=True)
class Trial:
    """What the GPU made of the golden frames in a child process; `refused` is empty where it may be used.

    `backend` names API and adapter, `seconds` is the median time of a run with its copies.
    """

    refused: str
    backend: str = ""
    seconds: float = 0.0


def choose(
    session: Session, graph: bytes, device: str, golden: dict | None, refused: str = ""
) -> tuple[Gpu | None, str, str]:
    """(the GPU or None for the CPU, its backend, the reason) of a session just loaded on the CPU.

    `device` is "gpu" or "auto"; `refused` says that there is nothing to try. Never raises for what a GPU does.
    """
    prefix, reason = ("auto: ", "") if device == "auto" else ("", "asked for")
    trial = Trial(refused) if refused else try_apart(session, graph, golden)
    if not trial.refused and device == "auto":
        cpu = _median(_time_on_cpu(session))
        times = f"{1e3 * cpu:.3g} ms a run on the CPU, {1e3 * trial.seconds:.3g} ms on {trial.backend}"
        if cpu <= trial.seconds:
            return None, "", f"{prefix}the CPU is faster, {times}"
        reason = f"{prefix}the GPU is faster, {times}"
    if not trial.refused:
        try:
            with _lock, _driver():
                return Gpu(session, graph), f"gpu, {trial.backend}", reason
        except (RuntimeError, ValueError, OSError) as error:
            trial = Trial(" ".join(str(error).split()))
    return None, "", f"{prefix}GPU refused: {trial.refused}"


def try_apart(session: Session, graph: bytes, golden: dict | None) -> Trial:
    """Try `graph` on the GPU in a child process and compare it with `golden`, a contract's golden test."""
    if golden is None:
        return Trial("the graph has no golden test to check it by")
    if any(d["dtype"] is not np.float32 for d in (*session.inputs, *session.outputs)):
        return Trial("its inputs or outputs are integers")
    key = hashlib.sha256(graph + json.dumps(golden, sort_keys=True).encode()).hexdigest()
    if key not in _passed:
        runs, chained = golden_runs(session)
        try:
            with _lock:
                found = gpu.run_on_gpu(graph, runs, TIME_LIMIT, chained)
            trial = _judge(found, golden)
        except ClimbEdgeError as error:  # inputs that are not those of a refiner
            trial = Trial(str(error))
        if trial.refused:
            return trial
        _passed[key] = trial
    return _passed[key]


def _judge(found: gpu.GpuResult, golden: dict) -> Trial:
    if found.status != "ran":
        return Trial(f"{found.status}: {found.reason}", found.backend)
    outputs = np.stack([run[0].ravel() for run in found.outputs])
    steps, places, values = zip(*golden["samples"], strict=True)
    if max(places) >= outputs.shape[1]:
        return Trial("the golden test is another graph's", found.backend)
    error = np.abs(outputs[steps, places] - np.array(values)).max() / max(golden["scale"], 1e-9)
    if not error <= golden["tolerance"]:  # also refuses nan
        return Trial(
            f"on the golden input {found.backend} is {error:.2g} of the scale away, at most {golden['tolerance']:g} is "
            "allowed",
            found.backend,
        )
    return Trial("", found.backend, _median(found.seconds))


def _time_on_cpu(session: Session) -> list[float]:
    (runs, chained), outputs, seconds = golden_runs(session), [], []
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
    """Offer this process the software Vulkan that `run_on_gpu` gives its child, where no driver is named."""
    if os.environ.get("VK_DRIVER_FILES") or os.environ.get("VK_ICD_FILENAMES"):
        yield
        return
    folder = software_vulkan()
    ctypes.CDLL(str(folder / "libvulkan.so.1"), mode=ctypes.RTLD_GLOBAL)  # LD_LIBRARY_PATH is read at start only
    os.environ["VK_ICD_FILENAMES"] = str(folder / VULKAN_ICD)
    try:
        yield
    finally:
        del os.environ["VK_ICD_FILENAMES"]


class Gpu:
    """A graph compiled for the GPU alone, in float32; LiteRT refuses it if any node were left to the CPU.

    Raises RuntimeError or ValueError where LiteRT refuses it.
    """

    def __init__(self, session: Session, graph: bytes):
        from ai_edge_litert.compiled_model import CompiledModel
        from ai_edge_litert.options import GpuOptions, HardwareAccelerator, Options

        self._graph = graph  # the model reads its weights here
        options = Options(HardwareAccelerator.GPU, gpu_options=GpuOptions(enforce_f32=True))
        self._model = CompiledModel.from_buffer(graph, options=options)
        key, names = next(iter(self._model.get_signature_list().items()))
        self._entries, self._exits = self._model.create_input_buffers(0), self._model.create_output_buffers(0)
        inputs, outputs = self._model.get_input_tensor_details(key), self._model.get_output_tensor_details(key)
        self._writes = gpu.in_order(session.inputs, self._entries, names["inputs"], inputs)
        self._reads = gpu.in_order(session.outputs, self._exits, names["outputs"], outputs)

    def run(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        """One array per output, of one per input. Raises RuntimeError where the GPU fails, ValueError on shapes."""
        for (buffer, detail), array in zip(self._writes, arrays, strict=True):
            shape, dtype = tuple(detail["shape"].tolist()), np.dtype(detail["dtype"])
            if array.shape != shape or array.dtype != dtype:  # LiteRT would not notice
                raise ValueError(f"expected {dtype} {shape}, found {array.dtype} {array.shape}")
            buffer.write(np.ascontiguousarray(array))
        self._model.run_by_index(0, self._entries, self._exits)
        return [buffer.read(d["shape"].prod(), d["dtype"]).reshape(d["shape"]) for buffer, d in self._reads]
