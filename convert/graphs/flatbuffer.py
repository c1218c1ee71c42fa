"""A .tflite as objects, and its constants as arrays."""

from __future__ import annotations

import math

import numpy as np
from ai_edge_litert.tools import flatbuffer_utils

from climb_edge.errors import ClimbEdgeError

# bytes a value
WIDTHS = {"FLOAT32": 4, "FLOAT16": 2, "INT8": 1, "UINT8": 1, "INT4": 0.5, "INT32": 4, "INT64": 8}
# What is unpacked of a file at most: about 2 kB of memory a table, and the names.
MAX_TABLES = 100_000
MAX_NAME = 1 << 14  # bytes
_READ = dict(FLOAT32=np.float32, FLOAT16=np.float16, INT8=np.int8, UINT8=np.uint8, INT4=np.uint8)


def parse(graph: bytes):
    """The model of a flatbuffer (the schema's ModelT), every constant inside it. Raises
    ClimbEdgeError for other bytes.

    The quantizer writes the constants of a larger graph behind the flatbuffer; the reader of
    ai-edge-litert fetches them, and would take a file that was cut short for a shorter constant.
    """
    try:
        packed = flatbuffer_utils.Model.GetRootAs(graph)
        _expect_bounded(packed)
        for buffer in map(packed.Buffers, range(packed.BuffersLength())):
            if (over := buffer.Offset() + buffer.Size() - len(graph)) > 0:
                raise ValueError(f"a constant ends {over} bytes behind the file")
        model = flatbuffer_utils.read_model_from_bytearray(graph)
    except Exception as error:  # the generated reader raises whatever the broken bytes make of it
        raise ClimbEdgeError(
            f"graph: expected a TFLite flatbuffer, found bytes that do not read as one ({error});"
            " convert it again"
        ) from error
    for buffer in model.buffers:
        if isinstance(buffer.data, bytes):  # what stood behind; an array is packed at once
            buffer.data = np.frombuffer(buffer.data, np.uint8)
    return model


def _expect_bounded(packed) -> None:
    """Raise ValueError where a model would unpack to far more than its file: it may name a table
    many times.
    """
    count = packed.BuffersLength() + packed.OperatorCodesLength() + packed.MetadataLength()
    for number, some in (
        (packed.SubgraphsLength(), packed.Subgraphs),
        (packed.SignatureDefsLength(), packed.SignatureDefs),
    ):
        for part in map(some, range(min(number, MAX_TABLES))):
            lengths = (
                getattr(part, f"{name}Length", None)
                for name in ("Tensors", "Operators", "Inputs", "Outputs")
            )
            count += 1 + sum(length() for length in lengths if length)
            if count > MAX_TABLES:
                raise ValueError(f"it claims more than {MAX_TABLES} tensors and operators")
    for subgraph in map(packed.Subgraphs, range(packed.SubgraphsLength())):
        for tensor in map(subgraph.Tensors, range(subgraph.TensorsLength())):
            if len(tensor.Name() or b"") > MAX_NAME:
                raise ValueError(f"a tensor's name is longer than {MAX_NAME} bytes")


def constant(model, tensor, kind: str) -> tuple[np.ndarray, np.ndarray | float] | None:
    """(values, step) of a constant of type `kind`: float32 of the tensor's shape, and the
    quantization step of each.

    The step is 0 for floats. None where the tensor is no constant or of a type that holds no
    weights.
    """
    data = model.buffers[tensor.buffer].data
    if data is None or kind not in _READ or tensor.sparsity is not None:
        return None
    values = np.frombuffer(data, _READ[kind])
    if kind == "INT4":  # two in a byte, the lower half first, two's complement
        values = np.stack([values & 15, values >> 4], axis=-1).reshape(-1).astype(np.int8)
        values = np.where(values > 7, values - 16, values)
    shape = tuple(int(n) for n in tensor.shape)
    if min(shape, default=0) < 0:
        raise ValueError(f"a constant has shape {shape}")
    values = values[: math.prod(shape)].reshape(shape).astype(np.float32)
    quantized = tensor.quantization
    if kind.startswith("FLOAT") or quantized is None or quantized.scale is None:
        return values, 0.0
    along = [1] * len(shape)
    if len(quantized.scale) > 1:
        along[quantized.quantizedDimension] = -1
    step = np.asarray(quantized.scale, np.float32).reshape(along)
    zero = np.asarray(quantized.zeroPoint if quantized.zeroPoint is not None else 0, np.float32)
    return (values - (zero.reshape(along) if zero.size == step.size else zero)) * step, step


def label(name: bytes | str | None) -> str:
    """A name in a file as one line of printable text."""
    text = name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name or "")
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def places(numbers) -> list[int]:
    """The tensors' numbers in a list of a flatbuffer, which is None where it is empty."""
    return [] if numbers is None else [int(number) for number in numbers]
