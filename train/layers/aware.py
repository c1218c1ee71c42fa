"""Models that train in the arithmetic of their integer graph."""

from __future__ import annotations

from climb_edge.errors import ClimbEdgeError
from climb_edge.pose.layout import WINDOW
from climb_edge.pose.render import SIZE
from climb_edge.pose.skeleton import K
from train.backend import keras
from train.layers.float import Float
from train.layers.rounded import Frozen, Live, Ranges, rounded_kernel

_ops = keras.ops


class Aware(keras.layers.Layer):
    """A training form that computes in 8 bits, of the float form `plain` and the `ranges`."""

    def __init__(self, definition, plain: keras.Model):
        super().__init__(name="aware")
        self.definition, self.plain, self.ranges = definition, plain, Ranges(definition.ranges)

    def build(self, shape):
        self.built = True  # by its parts

    def call(self, window, training=False):
        return self.definition.arithmetic(self.plain, window, Live(self.ranges, bool(training)))


class RoundedWeights(keras.layers.Layer):
    """A float form with every kernel rounded and the activations in float: what training can know
    of dynamic_int8.

    Its ranges are taken anew in every run, so there are none to keep. Layers are found as in the
    float form.
    """

    def __init__(self, plain: keras.Model):
        super().__init__(name=plain.name)
        self.plain, self.get_layer = plain, plain.get_layer

    def build(self, shape):
        self.built = True  # by its parts

    def call(self, x, training=False):
        state, values = self.plain.non_trainable_variables, _ops.convert_to_tensor
        weights = [
            rounded_kernel(values(v)) if v.name == "kernel" else values(v)
            for v in self.plain.trainable_variables
        ]
        outputs, moved = self.plain.stateless_call(
            weights, [values(v) for v in state], x, training=bool(training)
        )
        for variable, value in zip(state, moved, strict=True):  # seeds of the dropout
            variable.assign(value)
        return outputs


def check_aware(definition) -> None:
    """Raises ClimbEdgeError for a model without a graph of int8 arithmetic."""
    if definition.without_int8:
        raise ClimbEdgeError(
            f"--qat int8: {definition.name} has no graph of int8 arithmetic to train for;"
            f" {definition.without_int8}"
        )


def quantization_aware(definition, plain: keras.Model) -> keras.Model:
    """The training form (B, 5, 56, 56, 25) -> the same that computes as the int8 graph of
    `definition` will.

    It shares the weights of `plain`. Where a model has no int8 graph but one of int8 weights, those
    alone are rounded.
    """
    if (rounded := definition.rounded_weights(plain, RoundedWeights)) is not None:
        return rounded
    window = keras.Input((WINDOW, SIZE, SIZE, K), name="window")
    return keras.Model(window, Aware(definition, plain)(window), name=plain.name)


def aware(model: keras.Model) -> Aware | None:
    """The layer that makes a training form quantization-aware; None of a float one."""
    return next((layer for layer in model.layers if isinstance(layer, Aware)), None)


def float_form(model: keras.Model) -> keras.Model:
    """A model to make float deploy forms of: a quantization-aware one before it is rounded."""
    found = aware(model)
    return model if found is None else found.plain


def parts_of(model: keras.Model):
    """(float training form, the parts to build a deploy form of): rounded ones where the model is
    quantization-aware.

    Raises ClimbEdgeError when its ranges never saw data.
    """
    found = aware(model)
    return (model, Float) if found is None else (found.plain, Frozen(found.ranges.values()))
