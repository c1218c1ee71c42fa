"""One TFLite session: the only place that talks to a runtime."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from climb_edge.errors import ClimbEdgeError


def default_threads() -> int:
    """Threads a session uses unless told: the machine's cores, at most 4."""
    return min(os.cpu_count() or 1, 4)


class Session:
    """A loaded graph. `run` takes one array per input, in order, and returns one per output (copies)."""

    name = "ai-edge-litert"

    def __init__(self, graph: bytes | str | Path, threads: int | None = None, source: str | Path | None = None):
        """`graph` is a file or its bytes. Raises ClimbEdgeError for what no runtime should be asked to load."""
        label = source or (graph if not isinstance(graph, bytes) else "graph")
        content = graph if isinstance(graph, bytes) else Path(graph).read_bytes()
        if content[4:8] != b"TFL3":
            raise ClimbEdgeError(
                f"{label}: expected a TFLite file, found another kind of file; pass what `python -m convert` wrote"
            )
        from ai_edge_litert.interpreter import Interpreter

        try:
            self._interpreter = Interpreter(model_content=content, num_threads=threads or default_threads())
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
        for detail, array in zip(self.inputs, arrays, strict=True):
            self._interpreter.set_tensor(detail["index"], array)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(detail["index"]) for detail in self.outputs]

    def output(self, shape: tuple[int, ...]) -> int:
        """Number of the output with this shape (converters rename and reorder outputs; shapes stay)."""
        return next(i for i, detail in enumerate(self.outputs) if tuple(detail["shape"]) == shape)
