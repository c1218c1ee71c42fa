"""What is inside a .tflite: its ops and their types, and the rules that a phone's GPU delegate sets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from climb_edge.errors import ClimbEdgeError
from convert.recipes import WEIGHTED_OPS

REFUSED = {
    "CONV_3D": "no delegate takes it; stack frames on channels and use CONV_2D",
    "WHILE": "the GPU delegate refuses loops; unroll them",
    "ARG_MAX": "the classic GPU delegate refuses it; use maximum, mask and reductions",
    "CUSTOM": "needs a runtime with extra ops",
}
MAX_RANK = 4


@dataclass(frozen=True)
class Op:
    """One operator: its name, and the types of its activations and of its constant weights where it is a weighted op."""

    name: str
    index: int
    activations: str
    weights: str | None
    weight_bytes: int


def _names(holder: type) -> dict[int, str]:
    return {value: name for name, value in vars(holder).items() if isinstance(value, int)}


def read_ops(graph: bytes) -> tuple[list[Op], list[str]]:
    """(ops, broken rules) of a flatbuffer. Raises ClimbEdgeError when it is none."""
    from ai_edge_litert import schema_py_generated as schema

    try:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(graph, 0))
    except Exception as error:  # the generated reader raises whatever the broken bytes make of it
        raise ClimbEdgeError(
            f"graph: expected a TFLite flatbuffer, found bytes that do not read as one ({error})"
        ) from error
    op_names, types = _names(schema.BuiltinOperator), _names(schema.TensorType)
    ops, broken = [], []
    if len(model.subgraphs) != 1:
        broken.append(f"{len(model.subgraphs)} subgraphs: control flow; unroll it")
    for subgraph in model.subgraphs:
        tensors, made_by = subgraph.tensors, {}
        for tensor in tensors:
            shape = [] if tensor.shape is None else list(tensor.shape)
            label = _label(tensor)
            if len(shape) > MAX_RANK:
                broken.append(f"tensor {label} has {len(shape)} dimensions, at most {MAX_RANK}")
            if tensor.shapeSignature is not None and (np.asarray(tensor.shapeSignature) < 0).any():
                broken.append(f"tensor {label} has a dynamic shape")
        for tensor in set(map(int, subgraph.inputs)) & set(map(int, subgraph.outputs)):
            broken.append(
                f"tensor {_label(tensors[tensor])} is an input and an output: LiteRT's CompiledModel returns garbage; make it anew"
            )
        for index, op in enumerate(subgraph.operators):
            code = model.operatorCodes[op.opcodeIndex]
            name = op_names.get(max(code.builtinCode, code.deprecatedBuiltinCode), "CUSTOM")
            made_by |= {int(o): (name, op) for o in op.outputs}
            if name in REFUSED:
                broken.append(f"op {index} {name} -> tensor {_label(tensors[op.outputs[0]])}: {REFUSED[name]}")
            ops.append(_op(name, index, op, model, tensors, types, made_by))
    return ops, broken


def _label(tensor) -> str:
    return tensor.name.decode() if isinstance(tensor.name, bytes) else tensor.name


def _op(name: str, index: int, op, model, tensors, types: dict[int, str], made_by: dict) -> Op:
    activations = types[tensors[op.inputs[0]].type] if len(op.inputs) else ""
    if name not in WEIGHTED_OPS and name != "CONV_3D":
        return Op(name, index, activations, None, 0)
    weight = tensors[op.inputs[1]]
    maker = made_by.get(int(op.inputs[1]))
    if maker and maker[0] == "DEQUANTIZE":  # float16 constants are widened in front of their op
        weight = tensors[maker[1].inputs[0]]
    if model.buffers[weight.buffer].data is None:  # a product of two activations, as in attention
        return Op(name, index, activations, None, 0)
    kind = types[weight.type]
    size = {"FLOAT32": 4, "FLOAT16": 2, "INT8": 1, "INT4": 0.5}.get(kind, 4)
    return Op(name, index, activations, kind, int(np.prod(weight.shape) * size))
