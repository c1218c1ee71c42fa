"""A graph compiled for the GPU in this process: LiteRT's WebGPU accelerator."""

from __future__ import annotations

import numpy as np

from climb_edge.runtime import gpu_child
from climb_edge.runtime.session import Session


class Gpu:
    """A graph compiled for the GPU alone, in float32; LiteRT refuses it if any node were left to
    the CPU.

    Raises RuntimeError or ValueError where LiteRT refuses it.
    """

    def __init__(self, session: Session, graph: bytes):
        from ai_edge_litert.compiled_model import CompiledModel
        from ai_edge_litert.options import GpuOptions, HardwareAccelerator, Options

        self._graph = graph  # the model reads its weights here
        options = Options(HardwareAccelerator.GPU, gpu_options=GpuOptions(enforce_f32=True))
        self._model = CompiledModel.from_buffer(graph, options=options)
        key, names = next(iter(self._model.get_signature_list().items()))
        self._entries, self._exits = (
            self._model.create_input_buffers(0),
            self._model.create_output_buffers(0),
        )
        inputs, outputs = (
            self._model.get_input_tensor_details(key),
            self._model.get_output_tensor_details(key),
        )
        self._writes = gpu_child.in_order(session.inputs, self._entries, names["inputs"], inputs)
        self._reads = gpu_child.in_order(session.outputs, self._exits, names["outputs"], outputs)

    def run(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        """One array per output, of one per input. Raises RuntimeError where the GPU fails,
        ValueError on shapes.
        """
        for (buffer, detail), array in zip(self._writes, arrays, strict=True):
            shape, dtype = tuple(detail["shape"].tolist()), np.dtype(detail["dtype"])
            if array.shape != shape or array.dtype != dtype:  # LiteRT would not notice
                raise ValueError(f"expected {dtype} {shape}, found {array.dtype} {array.shape}")
            buffer.write(np.ascontiguousarray(array))
        self._model.run_by_index(0, self._entries, self._exits)
        return [
            buffer.read(d["shape"].prod(), d["dtype"]).reshape(d["shape"])
            for buffer, d in self._reads
        ]
