"""What is inside a .tflite: its ops, their types, and the rules of a phone's GPU delegate."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from ai_edge_litert.tools.flatbuffer_utils import opcode_to_name, type_to_name

from climb_edge.errors import ClimbEdgeError
from convert.graphs.flatbuffer import WIDTHS, constant, label, parse, places

WEIGHTED_OPS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "BATCH_MATMUL", "CONV_3D")
REFUSED = {
    "CONV_3D": "no delegate takes it; stack frames on channels and use CONV_2D",
    "WHILE": "the GPU delegate refuses loops; unroll them",
    "IF": "the GPU delegate refuses control flow; compute both branches and select",
    "CALL_ONCE": "the GPU delegate refuses control flow; initialise outside of the graph",
    "ARG_MAX": "the classic GPU delegate refuses it; use maximum, mask and reductions",
    "CUSTOM": "needs a runtime with extra ops",
}
MAX_RANK = 4
HALF = 2**-11  # what rounding to float16 may move a value, of itself


@dataclass(frozen=True)
class Op:
    """One operator: its name, and the types of its activations and, if any, constant weights."""

    name: str
    index: int
    tensor: str  # its output's name
    activations: str
    weights: str | None = None
    values: np.ndarray | None = field(default=None, repr=False)  # the weights as float32
    step: np.ndarray | float = field(default=0.0, repr=False)  # of their quantization, 0 for floats

    @property
    def weight_bytes(self) -> float:
        return 0 if self.values is None else self.values.size * WIDTHS[self.weights]

    def __str__(self) -> str:
        return f"op {self.index} {self.name} -> tensor {self.tensor}"


def read_ops(graph: bytes, values: bool = True) -> tuple[list[Op], list[str]]:
    """(ops, broken rules) of a flatbuffer; without `values` the weights themselves are not read.
    Raises ClimbEdgeError when it is none, or contradicts itself.
    """
    try:
        return _read_ops(parse(graph), values)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ClimbEdgeError(
            "graph: expected a TFLite flatbuffer whose tensors and operators fit together, found"
            f" {type(error).__name__} ({error}); convert it again"
        ) from error


def _read_ops(model, values: bool) -> tuple[list[Op], list[str]]:
    ops, broken = [], []
    for subgraph in model.subgraphs:
        tensors, made_by = subgraph.tensors, {}
        for tensor in tensors:
            shape = [] if tensor.shape is None else list(tensor.shape)
            if len(shape) > MAX_RANK:
                broken.append(
                    f"tensor {label(tensor.name)} has {len(shape)} dimensions, at most {MAX_RANK}"
                )
            if tensor.shapeSignature is not None and (np.asarray(tensor.shapeSignature) < 0).any():
                broken.append(f"tensor {label(tensor.name)} has a dynamic shape")
        for tensor in set(places(subgraph.inputs)) & set(places(subgraph.outputs)):
            broken.append(
                f"tensor {label(tensors[tensor].name)} is an input and an output: LiteRT's"
                " CompiledModel returns garbage; make it anew"
            )
        for index, op in enumerate(subgraph.operators or ()):
            name = opcode_to_name(model, op.opcodeIndex) or "CUSTOM"
            made_by |= {place: (name, op) for place in places(op.outputs)}
            found = _op(name, index, op, model, tensors, made_by, values)
            ops.append(found)
            if name in REFUSED:
                broken.append(f"{found}: {REFUSED[name]}")
    return ops, broken


def output_step(graph: bytes) -> float:
    """The quantization step of a graph's first output before its DEQUANTIZE; 0.0 without one."""
    model = parse(graph)
    (subgraph,) = model.subgraphs
    made_by = {int(o): op for op in subgraph.operators for o in op.outputs}
    quantized = subgraph.tensors[made_by[int(subgraph.outputs[0])].inputs[0]].quantization
    return 0.0 if quantized is None or quantized.scale is None else float(quantized.scale[0])


def _op(name: str, index: int, op, model, tensors, made_by: dict, values: bool) -> Op:
    entering, going = places(op.inputs), places(op.outputs)
    leaving = label(tensors[going[0]].name) if going else ""
    # -1 stands for an input that is left out
    activations = type_to_name(tensors[entering[0]].type) if entering and entering[0] >= 0 else ""
    if name not in WEIGHTED_OPS:
        return Op(name, index, leaving, activations)
    weight = tensors[entering[1]]
    maker = made_by.get(entering[1])
    # constants that are widened in front of their op, from float16 or from sparse ones
    if maker and maker[0] in ("DEQUANTIZE", "DENSIFY"):
        weight = tensors[places(maker[1].inputs)[0]]
    kind = type_to_name(weight.type)
    if weight.sparsity is not None or not values:
        constant_there = model.buffers[weight.buffer].data is not None
        return Op(name, index, leaving, activations, kind if constant_there else None)
    held = constant(model, weight, kind)
    if held is None:  # a product of two activations, as in attention
        return Op(name, index, leaving, activations)
    return Op(name, index, leaving, activations, kind, *held)


def foreign_weights(ops: list[Op], plain: list[Op]) -> list[str]:
    """Sentences on weights of `ops` that are not those of any op of the float graph `plain`,
    rounded to their type.

    A quantized value may lie half a step from its float one, and float rounding comes on top; ops
    of both graphs are matched by shape, since converters reorder them.
    """
    found = []
    for op in (op for op in ops if op.values is not None):
        alike = [p for p in plain if p.values is not None and p.values.shape == op.values.shape]
        if not alike:
            found.append(
                f"{op}: its weights are {op.values.shape}, as those of no op of the float graph"
            )
            continue
        off = min(_excess(op, p) for p in alike)
        if not off <= 0:  # also of weights that are no numbers
            scale = max(float(np.abs(p.values).max()) for p in alike)
            found.append(
                f"{op}: its weights are {off / max(scale, 1e-9):.2g} of the scale from the float"
                " graph's, more than rounding does"
            )
    return found


def _excess(op: Op, plain: Op) -> float:
    """How far the weights of `op` lie from those of `plain`, beyond rounding to their type."""
    allowed = 0.501 * op.step + (HALF * np.abs(plain.values) + 1e-7)
    return float(np.max(np.abs(op.values - plain.values) - allowed))
