"""Lint: what breaks a graph's rules is named."""

import keras
import pytest

from climb_edge.errors import ClimbEdgeError
from convert.graphs.build import to_tflite
from convert.graphs.lint import read_ops
from train.models import registry


def test_lint_names_a_conv_3d():
    import tensorflow as tf

    layer = keras.Sequential(
        [keras.Input((5, 8, 8, 2), batch_size=1), keras.layers.Conv3D(2, 3, padding="same")]
    )
    owner = tf.Module()
    owner.kept = [v.value for v in layer.variables]
    owner.run = tf.function(lambda x: layer(x), input_signature=[tf.TensorSpec((1, 5, 8, 8, 2))])
    graph = tf.lite.TFLiteConverter.from_concrete_functions(
        [owner.run.get_concrete_function()], owner
    ).convert()
    _, broken = read_ops(graph)
    assert any("CONV_3D" in rule for rule in broken)
    assert any("5 dimensions" in rule for rule in broken)


def test_bytes_that_are_no_flatbuffer_are_a_clear_error():
    with pytest.raises(ClimbEdgeError, match="flatbuffer"):
        read_ops(b"\x20\x00\x00\x00TFL3" + b"\xff" * 64)


def test_lint_names_a_tensor_that_is_only_handed_on():
    definition = registry.get("identity")
    graph = to_tflite(definition.form(definition.build(), "step", "centre"), 0)
    assert any("is an input and an output" in rule for rule in read_ops(graph)[1])
