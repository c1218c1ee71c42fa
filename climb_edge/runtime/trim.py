"""A graph without the branches whose outputs nobody reads: a runtime computes them in every frame
all the same.
"""

from __future__ import annotations

from collections.abc import Collection


def trimmed(graph: bytes, shapes: Collection[tuple[int, ...]]) -> bytes:
    """The TFLite `graph` with its outputs of these shapes alone, and the operations they need;
    their numbers stay as they are.

    Takes a graph of one subgraph, from a source that is trusted. Returned whole where
    ai-edge-litert, which brings the reader, is not installed.
    """
    try:
        from ai_edge_litert.tools import flatbuffer_utils
    except ImportError:
        return graph
    model = flatbuffer_utils.read_model_from_bytearray(graph)
    (body,) = model.subgraphs
    body.outputs = [o for o in body.outputs if tuple(body.tensors[o].shape) in shapes]
    wanted, needed = set(body.outputs), []
    for operation in reversed(body.operators):  # they stand in the order in which they run
        if wanted.intersection(operation.outputs):
            wanted.update(operation.inputs)
            needed.append(operation)
    # a signature may name an output that is gone
    body.operators, model.signatureDefs = needed[::-1], None
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
