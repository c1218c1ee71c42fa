"""One TFLite session: the only place that talks to a runtime."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import threading
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.runtime.native_log import only_errors

# Name -> package; the first one that is installed wins. On x86 the second takes 4 times as long for
# the shipped refiner and 38 times for BlazePose full (2 threads): it is for where the first has no
# wheel.
RUNTIMES = {"litert": "ai-edge-litert", "tflite-runtime": "tflite-runtime"}
RUNTIME_VARIABLE = "CLIMB_EDGE_RUNTIME"
_REMEDY = (
    "run `pip install ai-edge-litert`, or, with Python 3.11, `pip install tflite-runtime==2.14.0"
    ' "numpy<2"`'
)


def default_threads() -> int:
    """Threads a session uses unless told: the machine's cores, at most 4."""
    return min(os.cpu_count() or 1, 4)


def choose_runtime(name: str | None = None) -> str:
    """The key of RUNTIMES to use: `name`, else what the environment names, else the first that is
    installed.

    Raises ClimbEdgeError for an unknown name, and where the one named, or every one, is missing.
    """
    asked = name or os.environ.get(RUNTIME_VARIABLE) or None
    if asked and asked not in RUNTIMES:
        where = "runtime" if name else RUNTIME_VARIABLE
        raise ClimbEdgeError(f"{where} {asked!r}: expected one of {', '.join(RUNTIMES)}")
    for candidate in [asked] if asked else RUNTIMES:
        if importlib.util.find_spec(_module(candidate)):
            return candidate
    missing = RUNTIMES[asked] if asked else "no TFLite runtime"
    raise ClimbEdgeError(f"{missing} is {'not ' if asked else ''}installed here; {_REMEDY}")


def _module(runtime: str) -> str:
    return RUNTIMES[runtime].replace("-", "_")


def _interpreter_class(runtime: str) -> type:
    try:
        return importlib.import_module(f"{_module(runtime)}.interpreter").Interpreter
    except (ImportError, AttributeError) as error:  # such as tflite-runtime beside NumPy 2
        raise ClimbEdgeError(
            f"{RUNTIMES[runtime]} is installed but cannot be loaded ({error}); {_REMEDY} in an"
            " environment of its own"
        ) from error


class Session:
    """A loaded graph. `run` takes one array per input, in order, and returns one per output
    (copies).

    `runtime` is the runtime that computes ("ai-edge-litert 2.3.0"), `backend` the hardware ("cpu,
    XNNPACK, 2 threads", "gpu, WebGPU, ADAPTER") and `reason` why that one. Threads may share a
    session, whose runs then wait for each other; several sessions may run at once.

    Checked before a runtime sees a graph: the file identifier here, and in `model_file.read_model`
    the size and the SHA-256 of a refiner's file. A graph can still make a runtime kill the process:
    give it none from elsewhere that `runtime.proof` has not run in a child process.
    """

    name = RUNTIMES["litert"]  # the package that convert/ measures with

    def __init__(
        self,
        graph: bytes | str | Path,
        threads: int | None = None,
        source: str | Path | None = None,
        keep: bool = False,
        runtime: str | None = None,
    ):
        """`graph` is a file or its bytes; `keep` keeps every activation to look at, at the price of
        speed.

        `runtime` is a key of RUNTIMES. Raises ClimbEdgeError for what no runtime should be asked to
        load, and where there is no runtime.
        """
        self.source = label = source or (graph if not isinstance(graph, bytes) else "graph")
        content = graph if isinstance(graph, bytes) else Path(graph).read_bytes()
        if content[4:8] != b"TFL3":
            raise ClimbEdgeError(
                f"{label}: expected a TFLite file, found another kind of file; pass what `python -m"
                " convert` wrote"
            )
        runtime, threads = choose_runtime(runtime), threads or default_threads()
        interpreter = _interpreter_class(runtime)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # keeping all costs memory: the caller knows
                with only_errors():
                    self._interpreter = interpreter(
                        model_content=content,
                        num_threads=threads,
                        experimental_preserve_all_tensors=keep,
                    )
                    self._interpreter.allocate_tensors()
            self.inputs = self._interpreter.get_input_details()
            self.outputs = self._interpreter.get_output_details()
            self.backend, self.reason = _cpu_backend(self._interpreter, threads), "default"
        except (ValueError, RuntimeError, MemoryError) as error:
            raise ClimbEdgeError(
                f"{label}: the TFLite runtime refuses this graph ({error}); convert it again"
            ) from error
        # threads may share a session, its tensors only one after the other
        self._running = threading.Lock()
        self.runtime, self._gpu = Session.version(runtime), None

    def delegate(self, gpu, backend: str) -> None:
        """From now on `gpu` computes (see backend.open_session); what the CPU held is let go."""
        self._gpu, self.backend, self._interpreter = gpu, backend, None

    @staticmethod
    def version(runtime: str | None = None) -> str:
        """Name and version of `runtime`, or of the one that a session uses unless told. Errors as
        `choose_runtime`.
        """
        package = RUNTIMES[choose_runtime(runtime)]
        return f"{package} {version(package)}"

    def run(self, *arrays: np.ndarray) -> list[np.ndarray]:
        """Float arrays in and out; a graph with int8 inputs or outputs gets and gives them
        quantized.

        Raises ClimbEdgeError for values that the graph cannot work on.
        """
        try:
            entering = self.entering(*arrays)
            with self._running:
                leaving = self._gpu.run(entering) if self._gpu else self._run_on_cpu(entering)
            return self.leaving(*leaving)
        except ValueError as error:
            raise ClimbEdgeError(
                f"{self.source}: not what goes into this graph ({error}); pass an array per input,"
                " of its shape and type"
            ) from error
        except RuntimeError as error:  # integer kernels check their values while they run
            raise ClimbEdgeError(
                f"{self.source}: the TFLite runtime fails in it ({error}); convert it again"
            ) from error

    def _run_on_cpu(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        # One copy in, one out: set_tensor was measured faster than writing through the views of
        # tensor().
        for detail, array in zip(self.inputs, arrays, strict=True):
            self._interpreter.set_tensor(detail["index"], array)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(detail["index"]) for detail in self.outputs]

    def entering(self, *arrays: np.ndarray) -> list[np.ndarray]:
        """Float arrays as the graph's inputs want them: as they are, or quantized by the input's
        scale.
        """
        return [_quantized(d, a) for d, a in zip(self.inputs, arrays, strict=True)]

    def leaving(self, *arrays: np.ndarray) -> list[np.ndarray]:
        """The graph's outputs as floats."""
        return [_dequantized(d, a) for d, a in zip(self.outputs, arrays, strict=True)]

    def integers(self) -> Iterator[tuple[str, np.ndarray, int]]:
        """(name, values, zero point) of every int8 activation of the last run; for a session that
        keeps them.
        """
        for detail in self._interpreter.get_tensor_details():
            if detail["dtype"] is np.int8 and len(detail["quantization_parameters"]["scales"]) == 1:
                with contextlib.suppress(ValueError):  # a tensor that no run fills
                    yield (
                        detail["name"],
                        self._interpreter.get_tensor(detail["index"]),
                        detail["quantization"][1],
                    )

    def output(self, shape: tuple[int, ...]) -> int:
        """Number of the output with this shape (converters rename and reorder outputs; shapes
        stay).
        """
        return next(i for i, detail in enumerate(self.outputs) if tuple(detail["shape"]) == shape)


def _cpu_backend(interpreter, threads: int) -> str:
    """XNNPACK is named only where it took a node; neither runtime has a public call that
    says so.
    """
    operators: list[dict] = getattr(interpreter, "_get_ops_details", list)()
    delegated = any(operator["op_name"] == "DELEGATE" for operator in operators)
    return f"cpu,{' XNNPACK,' if delegated else ''} {threads} thread{'s' if threads > 1 else ''}"


def _quantized(detail: dict, array: np.ndarray) -> np.ndarray:
    if detail["dtype"] is not np.int8 or array.dtype == np.int8:
        return array
    scale, zero = detail["quantization"]
    return np.clip(np.round(array / scale) + zero, -128, 127).astype(np.int8)


def _dequantized(detail: dict, array: np.ndarray) -> np.ndarray:
    if detail["dtype"] is not np.int8:
        return array
    scale, zero = detail["quantization"]
    return (array.astype(np.float32) - zero) * np.float32(scale)
