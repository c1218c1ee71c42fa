"""TFLite graphs written by hand, and refiners' files with a contract of their own."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np

from climb_edge.pose.render import PEAK
from climb_edge.runtime.contract import Contract
from climb_edge.runtime.contract_sections import Checks
from climb_edge.runtime.golden import golden_test
from climb_edge.runtime.model_file import ENTRY, read_model
from climb_edge.runtime.session import Session
from support.paths import CONV3D

SHAPE = (1, 12, 10, 8)


def graph_of(
    tensors: list, operators: list, inputs: dict[str, int], outputs: dict[str, int]
) -> bytes:
    """A .tflite graph. `tensors`: shapes, or arrays for constants; `operators`: (name, inputs,
    output, options); `inputs` and `outputs`: signature name -> tensor, in the graph's order; the
    signature lists them by name.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model, graph, signature = schema.ModelT(), schema.SubGraphT(), schema.SignatureDefT()
    model.version, model.buffers, model.operatorCodes, model.subgraphs = (
        3,
        [schema.BufferT()],
        [],
        [graph],
    )
    graph.tensors, graph.operators = [], []
    for number, content in enumerate(tensors):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = (
            f"t{number}",
            list(np.shape(content)),
            0,
            0,
        )
        if isinstance(content, tuple):
            tensor.shape = list(content)
        else:
            model.buffers.append(schema.BufferT())
            model.buffers[-1].data = np.frombuffer(content.astype(np.float32).tobytes(), np.uint8)
            tensor.buffer = len(model.buffers) - 1
        graph.tensors.append(tensor)
    for name, reads, write, options in operators:
        code, operator = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        operator.opcodeIndex, operator.inputs, operator.outputs = (
            len(model.operatorCodes),
            reads,
            [write],
        )
        if options:
            kind, values = options
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            operator.builtinOptions = getattr(schema, f"{kind}T")()
            vars(operator.builtinOptions).update(values)
        model.operatorCodes.append(code)
        graph.operators.append(operator)
    graph.inputs, graph.outputs = list(inputs.values()), list(outputs.values())

    def named(places: dict[str, int]) -> list:
        maps = []
        for name in sorted(places):
            maps.append(schema.TensorMapT())
            maps[-1].name, maps[-1].tensorIndex = name, places[name]
        return maps

    signature.signatureKey, signature.subgraphIndex = "serving_default", 0
    signature.inputs, signature.outputs, model.signatureDefs = (
        named(inputs),
        named(outputs),
        [signature],
    )
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def step_graph() -> bytes:
    """result = tanh(conv(frame) + state), state = frame * result - state: all of one shape, no
    order is by name.
    """
    rng = np.random.default_rng(0)
    stride = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1, "padding": 0}
    return graph_of(
        [SHAPE, rng.normal(0, 0.2, (8, 3, 3, 8)), rng.normal(0, 0.2, 8), *[SHAPE] * 6],
        [
            ("CONV_2D", [3, 1, 2], 4, ("Conv2DOptions", stride)),
            ("ADD", [4, 0], 5, ("AddOptions", {})),
            ("TANH", [5], 6, None),
            ("MUL", [3, 6], 7, ("MulOptions", {})),
            ("SUB", [7, 0], 8, ("SubOptions", {})),
        ],
        {"newest": 3, "before": 0},
        {"result": 6, "next": 8},
    )


def conv3d_graph() -> bytes:
    """An addition, which the GPU takes, then a CONV_3D, which it does not."""
    stride = (
        {f"stride{axis}": 1 for axis in "DHW"}
        | {f"dilation{axis}Factor": 1 for axis in "DHW"}
        | {"padding": 0}
    )
    return graph_of(
        [
            (1, 4, 4, 4),
            (1, 4, 4, 4),
            np.array([1, 1, 4, 4, 4]),
            (1, 1, 4, 4, 4),
            np.ones((1, 1, 1, 4, 4)),
            np.zeros(4),
        ]
        + [(1, 1, 4, 4, 4)],
        [
            ("ADD", [0, 0], 1, ("AddOptions", {})),
            ("RESHAPE", [1], 3, ("ReshapeOptions", {"newShape": [1, 1, 4, 4, 4]})),
            ("CONV_3D", [3, 4, 5], 6, ("Conv3DOptions", stride)),
        ],
        {"x": 0},
        {"y": 6},
    )


def window_graph(emits: str, size: int = 56) -> bytes:
    """A .tflite graph that hands through its window (1, 56, 56, 125): all of it, the newest or the
    centre frame.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.buffers, model.operatorCodes, model.subgraphs = (
        3,
        [schema.BufferT()],
        [],
        [graph],
    )

    def tensor(shape, values=None) -> schema.TensorT:
        made = schema.TensorT()
        made.name, made.shape, made.type, made.buffer = f"t{len(graph.tensors or ())}", shape, 0, 0
        if values is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.array(values, np.int32).tobytes(), np.uint8)
            model.buffers.append(buffer)
            made.type, made.buffer = schema.TensorType.INT32, len(model.buffers) - 1
        return made

    graph.tensors, graph.inputs, graph.outputs, graph.operators = [], [0], [0], []
    graph.tensors = [tensor([1, size, size, 125])]
    if emits != "all":
        first = {"newest": 100, "centre": 50}[emits]
        graph.tensors += [
            tensor([4], [0, 0, 0, first]),
            tensor([4], [1, size, size, 25]),
            tensor([1, size, size, 25]),
        ]
        code, cut = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.SLICE
        cut.inputs, cut.outputs = [0, 1, 2], [3]
        cut.builtinOptionsType, cut.builtinOptions = (
            schema.BuiltinOptions.SliceOptions,
            schema.SliceOptionsT(),
        )
        model.operatorCodes, graph.operators, graph.outputs = [code], [cut], [3]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def window_contract(emits: str) -> Contract:
    """The contract of `window_graph`, its golden test taken on this runtime."""
    return Contract(
        model="identity",
        form="window",
        emits=emits,
        output="heatmaps",
        io="float32",
        peak=PEAK,
        runtime=Session.version(),
        golden=golden_test(Session(window_graph(emits), 1), 1e-5),
        checks=Checks("pass", ()),
    )


def shipped(**changes) -> bytes:
    """A refiner's file with another contract.json, whatever stands in it: its graph and hash are
    right.
    """
    graph, contract = read_model(CONV3D)
    stream = io.BytesIO(graph)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr(ENTRY, json.dumps(contract.to_json() | changes))
    return stream.getvalue()
