"""One TFLite session: the only place that talks to a runtime."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from climb_edge.errors import ClimbEdgeError


def default_threads() -> int:
    """Threads a session uses unless told: the machine's cores, at most 4."""
    return min(os.cpu_count() or 1, 4)


class Session:
    """A loaded graph. `run` takes one array per input, in order, and returns one per output (copies)."""

    name = "ai-edge-litert"

    def __init__(
        self,
        graph: bytes | str | Path,
        threads: int | None = None,
        source: str | Path | None = None,
        keep: bool = False,
    ):
        """`graph` is a file or its bytes; `keep` keeps every activation to look at, at the price of speed.

        Raises ClimbEdgeError for what no runtime should be asked to load.
        """
        self.source = label = source or (graph if not isinstance(graph, bytes) else "graph")
        content = graph if isinstance(graph, bytes) else Path(graph).read_bytes()
        if content[4:8] != b"TFL3":
            raise ClimbEdgeError(
                f"{label}: expected a TFLite file, found another kind of file; pass what `python -m convert` wrote"
            )
        from ai_edge_litert.interpreter import Interpreter

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # keeping all costs memory: the caller knows
                self._interpreter = Interpreter(
                    model_content=content,
                    num_threads=threads or default_threads(),
                    experimental_preserve_all_tensors=keep,
                )
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ClimbEdgeError(
                f"{label}: the TFLite runtime refuses this graph ({error}); convert it again"
            ) from error
        self.inputs = self._interpreter.get_input_details()
        self.outputs = self._interpreter.get_output_details()

    @staticmethod
    def version() -> str:
        """Name and version of the runtime."""
        from importlib.metadata import version

        return f"{Session.name} {version('ai-edge-litert')}"

    def run(self, *arrays: np.ndarray) -> list[np.ndarray]:
        """Float arrays in and out; a graph with int8 inputs or outputs gets and gives them quantized.

        Raises ClimbEdgeError for values that the graph cannot work on.
        """
        for detail, array in zip(self.inputs, self.entering(*arrays), strict=True):
            self._interpreter.set_tensor(detail["index"], array)
        try:
            self._interpreter.invoke()
        except RuntimeError as error:  # integer kernels check their values while they run
            raise ClimbEdgeError(
                f"{self.source}: the TFLite runtime fails in it ({error}); convert it again"
            ) from error
        return self.leaving(*(self._interpreter.get_tensor(detail["index"]) for detail in self.outputs))

    def entering(self, *arrays: np.ndarray) -> list[np.ndarray]:
        """Float arrays as the graph's inputs want them: as they are, or quantized by the input's scale."""
        return [_quantized(d, a) for d, a in zip(self.inputs, arrays, strict=True)]

    def leaving(self, *arrays: np.ndarray) -> list[np.ndarray]:
        """The graph's outputs as floats."""
        return [_dequantized(d, a) for d, a in zip(self.outputs, arrays, strict=True)]

    def integers(self) -> Iterator[tuple[str, np.ndarray, int]]:
        """(name, values, zero point) of every int8 activation of the last run; for a session that keeps them."""
        for detail in self._interpreter.get_tensor_details():
            if detail["dtype"] is np.int8 and len(detail["quantization_parameters"]["scales"]) == 1:
                with contextlib.suppress(ValueError):  # a tensor that no run fills
                    yield detail["name"], self._interpreter.get_tensor(detail["index"]), detail["quantization"][1]

    def output(self, shape: tuple[int, ...]) -> int:
        """Number of the output with this shape (converters rename and reorder outputs; shapes stay)."""
        return next(i for i, detail in enumerate(self.outputs) if tuple(detail["shape"]) == shape)


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
