"""What a model costs: parameters, and multiply-accumulates of a frame, counted in its graph."""

from __future__ import annotations

import math

from climb_edge.pose.layout import EMITS, WINDOW
from train.models import registry


def count_macs(form) -> int:
    """Multiply-accumulates of one run of a Keras model with batch 1: of its convolutions and matrix
    products.

    They are counted in the traced graph, so that they are those of the code that runs. TensorFlow
    is needed for it.
    """
    import tensorflow as tf

    signature = [tf.TensorSpec((1, *tensor.shape[1:]), tensor.dtype) for tensor in form.inputs]
    several = isinstance(form.input, list)
    traced = tf.function(
        lambda *tensors: form(list(tensors) if several else tensors[0]), input_signature=signature
    ).get_concrete_function()
    return sum(_macs(op) for op in traced.graph.get_operations())


def _macs(op) -> int:
    if op.type in ("Conv2D", "Conv3D"):
        return math.prod(op.outputs[0].shape) * math.prod(op.inputs[1].shape[:-1])
    if op.type in ("MatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum"):
        return math.prod(op.outputs[0].shape) * op.inputs[0].shape[-1]
    return 0


def rows_of_models() -> list[dict]:
    """Every model and form: parameters, MACs per emitted frame, inputs, outputs, state."""
    rows = []
    for name in registry.names():
        model = registry.get(name)
        trained = model.build(**model.switches)
        rows.append(_row(model, "training", trained, trained.count_params(), WINDOW, []))
        for form in registry.FORMS:
            kind, emits = form.split("-")
            graph = model.form(trained, kind, emits)
            kept = graph.inputs[1 + model.peaks :]
            state = [{"name": tensor.name, "shape": list(tensor.shape)} for tensor in kept]
            rows.append(_row(model, form, graph, graph.count_params(), EMITS[emits], state))
    return rows


def _row(model, form: str, graph, parameters: int, frames: int, state: list) -> dict:
    inputs, outputs = (of[: len(of) - len(state)] for of in (graph.inputs, graph.outputs))
    return {
        "model": model.name,
        "form": form,
        "parameters": parameters,
        "macs": count_macs(graph) / frames,
        "output": model.output,
        "inputs": [[tensor.name, list(tensor.shape)] for tensor in inputs],
        "outputs": [list(tensor.shape) for tensor in outputs],
        "state": state,
        "switches": model.switches,
    }


def table(rows: list[dict]) -> str:
    """The rows as text, a line each."""
    lines = [f"{'model':16}{'form':15}{'parameters':>11}{'MMAC/frame':>12}  input -> output, state"]
    for row in rows:
        entering = " ".join(_shape(shape) for _, shape in row["inputs"])
        shapes = f"{entering} -> {' '.join(map(_shape, row['outputs']))}"
        state = ", ".join(f"{tensor['name']} {_shape(tensor['shape'])}" for tensor in row["state"])
        lines.append(
            f"{row['model']:16}{row['form']:15}{row['parameters']:>11,}{row['macs'] / 1e6:>12,.1f} "
            f" {shapes}{'; ' + state if state else ''}"
        )
    for row in rows:
        if row["form"] == "training" and row["switches"]:
            chosen = ", ".join(f"{n}={'on' if v else 'off'}" for n, v in row["switches"].items())
            lines.append(f"switches of {row['model']}: {chosen}")
    return "\n".join(lines)


def _shape(shape: list) -> str:
    return "x".join("B" if size is None else str(size) for size in shape)
