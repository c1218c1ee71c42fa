"""A .tflite as objects: read it, pack it again, and its constants as arrays."""

from __future__ import annotations

import numpy as np

from climb_edge.errors import ClimbEdgeError

# bytes a value
WIDTHS = {"FLOAT32": 4, "FLOAT16": 2, "INT8": 1, "UINT8": 1, "INT4": 0.5, "INT32": 4, "INT64": 8}
_READ = {
    "FLOAT32": np.float32,
    "FLOAT16": np.float16,
    "INT8": np.int8,
    "UINT8": np.uint8,
    "INT4": np.uint8,
}


def parse(graph: bytes):
    """The model of a flatbuffer (the schema's ModelT), every constant inside it. Raises
    ClimbEdgeError for other bytes.

    The quantizer writes the constants of a larger graph behind the flatbuffer: older runtimes do
    not look there, and whoever asks such a buffer for its data is told that there is none.
    """
    from ai_edge_litert import schema_py_generated as schema

    try:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(graph, 0))
        for buffer in model.buffers:
            if buffer.data is None and buffer.offset > 1:
                content = graph[buffer.offset : buffer.offset + buffer.size]
                if len(content) != buffer.size:
                    raise ValueError(
                        f"a constant ends {buffer.size - len(content)} bytes behind the file"
                    )
                buffer.data, buffer.offset, buffer.size = np.frombuffer(content, np.uint8), 0, 0
    except Exception as error:  # the generated reader raises whatever the broken bytes make of it
        raise ClimbEdgeError(
            f"graph: expected a TFLite flatbuffer, found bytes that do not read as one ({error})"
        ) from error
    return model


def pack(model) -> bytes:
    """The flatbuffer of a model."""
    import flatbuffers

    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def names(holder: type) -> dict[int, str]:
    """Number -> name of one of the schema's enumerations."""
    return {value: name for name, value in vars(holder).items() if isinstance(value, int)}


def label(tensor) -> str:
    """A tensor's name."""
    return tensor.name.decode() if isinstance(tensor.name, bytes) else str(tensor.name)


def constant(model, tensor, kind: str) -> tuple[np.ndarray, np.ndarray | float] | None:
    """(values, step) of a constant of type `kind`: float32 of the tensor's shape, and the
    quantization step of each.

    The step is 0 for floats. None where the tensor is no constant or of a type that holds no
    weights.
    """
    data = model.buffers[tensor.buffer].data
    if data is None or kind not in _READ:
        return None
    values = np.frombuffer(np.asarray(data, np.uint8).tobytes(), _READ[kind])
    if kind == "INT4":  # two in a byte, the lower half first, two's complement
        values = np.stack([values & 15, values >> 4], axis=-1).reshape(-1).astype(np.int8)
        values = np.where(values > 7, values - 16, values)
    shape = tuple(int(n) for n in tensor.shape)
    values = values[: int(np.prod(shape))].reshape(shape).astype(np.float32)
    quantized = tensor.quantization
    if kind.startswith("FLOAT") or quantized is None or quantized.scale is None:
        return values, 0.0
    along = [1] * len(shape)
    if len(quantized.scale) > 1:
        along[quantized.quantizedDimension] = -1
    step = np.asarray(quantized.scale, np.float32).reshape(along)
    zero = np.asarray(quantized.zeroPoint if quantized.zeroPoint is not None else 0, np.float32)
    return (values - (zero.reshape(along) if zero.size == step.size else zero)) * step, step
