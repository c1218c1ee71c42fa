"""Graphs changed behind their maker's back."""

import numpy as np
from ai_edge_litert.tools.flatbuffer_utils import convert_object_to_bytearray as pack

from climb_edge.runtime.session import Session
from convert.graphs.flatbuffer import parse


def spoiled(content: bytes, factor: float) -> bytes:
    """The graph with the scale of its first convolution's kernel times `factor`."""
    model = parse(content)
    for tensor in model.subgraphs[0].tensors:
        quantized = tensor.quantization
        if (
            quantized is not None
            and quantized.scale is not None
            and len(tensor.shape) == 4
            and len(quantized.scale) > 1
        ):
            quantized.scale = np.asarray(quantized.scale) * factor
            return bytes(pack(model))
    raise AssertionError([t.name for t in model.subgraphs[0].tensors])


def with_kernel_behind(graph: bytes) -> bytes:
    """The same graph with its largest constant written behind the flatbuffer, as the quantizer
    does.
    """
    model = parse(graph)
    largest = max((b for b in model.buffers if b.data is not None), key=lambda b: len(b.data))
    content = bytes(bytearray(largest.data))
    largest.data, largest.size, largest.offset = None, len(content), 1 << 40
    begin = -(-len(pack(model)) // 16) * 16
    largest.offset = begin
    made = bytes(pack(model).ljust(begin, b"\0") + content)
    # a runtime takes it
    Session(made).run(*(np.zeros(d["shape"], np.float32) for d in Session(graph).inputs))
    return made
