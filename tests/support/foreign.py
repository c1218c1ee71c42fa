"""Graphs as other people's converters make them, and one that kills its process."""

from __future__ import annotations

import numpy as np

from climb_edge.runtime.model_file import read_model
from support.graphs import graph_of
from support.paths import CONV3D


def deadly_graph() -> bytes:
    """A graph of which the runtime dies while it loads: four bytes changed."""
    graph = bytearray(read_model(CONV3D)[0])
    graph[94736:94740] = b"\xff\xff\xff\xff"
    return bytes(graph)


def typed_graph(kind: str, shape=(1, 4), open_ends=None) -> bytes:
    """y = the shape of x, which has this type; `open_ends` as in a shape signature."""
    from ai_edge_litert import schema_py_generated as schema

    model = _model(
        graph_of(
            [shape, (len(shape),)],
            [("SHAPE", [0], 1, ("ShapeOptions", {"outType": 2}))],
            {"x": 0},
            {"y": 1},
        )
    )
    entering, leaving = model.subgraphs[0].tensors
    entering.type, leaving.type = getattr(schema.TensorType, kind), schema.TensorType.INT32
    entering.shapeSignature = open_ends
    return _bytes(model)


def two_signatures() -> bytes:
    """ "good" doubles x; "bad", a subgraph of its own, gives the root of -x."""
    model = _model(
        graph_of([(1, 4), (1, 4)], [("ADD", [0, 0], 1, ("AddOptions", {}))], {"x": 0}, {"y": 1})
    )
    other = _model(
        graph_of(
            [(1, 4)] * 3,
            [("NEG", [0], 1, ("NegOptions", {})), ("SQRT", [1], 2, None)],
            {"x": 0},
            {"y": 2},
        )
    )
    for operator in other.subgraphs[0].operators:
        operator.opcodeIndex += len(model.operatorCodes)
    model.operatorCodes += other.operatorCodes
    model.subgraphs += other.subgraphs
    model.signatureDefs += other.signatureDefs
    for number, (signature, name) in enumerate(
        zip(model.signatureDefs, ("good", "bad"), strict=True)
    ):
        signature.signatureKey, signature.subgraphIndex = name, number
    return _bytes(model)


def sparse_graph() -> bytes:
    """A FULLY_CONNECTED whose weights (8, 4) are stored sparse, every second row of them."""
    from ai_edge_litert import schema_py_generated as schema

    model = _model(
        graph_of(
            [(1, 4), np.ones((4, 4)), (8, 4), (1, 8)],
            [
                ("DENSIFY", [1], 2, None),
                ("FULLY_CONNECTED", [0, 2, -1], 3, ("FullyConnectedOptions", {})),
            ],
            {"x": 0},
            {"y": 3},
        )
    )
    weights, rows, columns = (
        model.subgraphs[0].tensors[1],
        schema.DimensionMetadataT(),
        schema.DimensionMetadataT(),
    )
    rows.format, rows.denseSize = 0, 8
    columns.format = 1
    for name, values in (
        ("Segments", [0, 4, 4, 8, 8, 12, 12, 16, 16]),
        ("Indices", [0, 1, 2, 3] * 4),
    ):
        vector = schema.Int32VectorT()
        vector.values = values
        setattr(columns, f"array{name}Type", schema.SparseIndexVector.Int32Vector)
        setattr(columns, f"array{name}", vector)
    weights.shape, weights.sparsity = [8, 4], schema.SparsityParametersT()
    weights.sparsity.traversalOrder, weights.sparsity.dimMetadata = [0, 1], [rows, columns]
    return _bytes(model)


def renamed(graph: bytes, name: bytes) -> bytes:
    """The graph with the name of its last tensor changed, byte for byte."""
    model = _model(graph)
    model.subgraphs[0].tensors[-1].name = "N" * len(name)
    return _bytes(model).replace(b"N" * len(name), name)


def _model(graph: bytes):
    from ai_edge_litert.tools import flatbuffer_utils

    return flatbuffer_utils.read_model_from_bytearray(graph)


def _bytes(model) -> bytes:
    from ai_edge_litert.tools import flatbuffer_utils

    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
