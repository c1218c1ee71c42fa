"""Keras deploy form -> float .tflite: the only place where a graph meets TensorFlow's converter."""

from __future__ import annotations

import numpy as np

from climb_edge.errors import ClimbEdgeError


def to_tflite(form, parameters: int) -> bytes:
    """Convert a deploy form (static shapes, batch 1) to a float32 .tflite that holds `parameters` weights.

    The concrete function belongs to a tf.Module that owns the variables: without an owner, weights were seen to be
    missing from the file without a word. Raises ClimbEdgeError when the form does not hold what it states.
    """
    import tensorflow as tf

    held = sum(int(np.prod(v.shape)) for v in form.variables)
    if held != parameters:
        raise ClimbEdgeError(
            f"{form.name}: holds {held} parameters, its model states {parameters}; the deploy form is wrong"
        )
    owner = tf.Module()
    owner.variables_held = [v.value for v in form.variables]
    signature = [tf.TensorSpec(tensor.shape, tf.float32, name=tensor.name) for tensor in form.inputs]
    owner.run = tf.function(
        lambda *tensors: form(tensors[0] if len(tensors) == 1 else list(tensors)), input_signature=signature
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions([owner.run.get_concrete_function()], owner)
    graph = converter.convert()
    least = 4 * parameters
    if len(graph) < least:
        raise ClimbEdgeError(
            f"{form.name}: the converter wrote {len(graph)} bytes for {least} bytes of weights; some are missing"
        )
    return graph
