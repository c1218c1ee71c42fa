"""A graph without the branches whose outputs nobody reads: a runtime computes them in every frame
all the same.
"""

from __future__ import annotations

from collections.abc import Collection


def trimmed(graph: bytes, shapes: Collection[tuple[int, ...]]) -> bytes:
    """The TFLite `graph` with its outputs of these shapes alone, and the operations they need;
    their numbers stay as they are.

    Takes a graph of one subgraph, from a source that is trusted. Returned whole where
    ai-edge-litert, which brings the schema, is not installed.
    """
    try:
        import flatbuffers
        from ai_edge_litert import schema_py_generated as schema
    except ImportError:
        return graph
    model = schema.ModelT.InitFromPackedBuf(graph)
    (body,) = model.subgraphs
    body.outputs = [o for o in body.outputs if tuple(body.tensors[o].shape) in shapes]
    wanted, needed = {int(o) for o in body.outputs}, []
    for operation in reversed(body.operators):  # they stand in the order in which they run
        if wanted.intersection(operation.outputs.tolist()):
            wanted.update(operation.inputs.tolist())
            needed.append(operation)
    # a signature may name an output that is gone
    body.operators, model.signatureDefs = needed[::-1], None
    builder = flatbuffers.Builder(len(graph))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
