"""Keras deploy form -> float .tflite: the only place where a graph meets TensorFlow's converter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from ai_edge_litert.tools.flatbuffer_utils import convert_object_to_bytearray

from climb_edge.errors import ClimbEdgeError
from climb_edge.pose.layout import to_frames, to_inputs
from climb_edge.runtime.session import Session
from convert.graphs.flatbuffer import parse
from train.data.windows import Frames


@dataclass(frozen=True)
class Graph:
    """A bare .tflite of a deploy form, its inputs and outputs in the order of the contract."""

    model: str
    form: str  # window, step
    emits: str  # all, newest, centre
    output: str  # heatmaps, keypoints
    parameters: int
    # name and shape of every input after what enters first
    state: tuple[tuple[str, tuple[int, ...]], ...]
    content: bytes
    # what it was made from, for the converter's own quantizer
    keras_form: object = field(default=None, repr=False)

    peaks: bool = False  # whether peaks enter after the maps

    @property
    def entries(self) -> list[str]:
        """Names of what enters before the state."""
        return ["window" if self.form == "window" else "frame", *(["peaks"] if self.peaks else [])]

    def entering(self, frames: Frames) -> list[list[np.ndarray]]:
        """What enters before the state: in a window form's one run, in a step form's each."""
        peaks = frames.peaks if self.peaks else [None] * len(frames)
        if self.form == "window":
            return [to_inputs(frames.maps, frames.peaks if self.peaks else None)]
        return [to_inputs(maps, peak) for maps, peak in zip(frames.maps, peaks, strict=True)]

    def runs(self, session: Session, window: Frames) -> list[tuple[list, list]]:
        """Inputs and outputs of every run that a window takes.

        The window form takes one. The step form takes five, from the zero state.
        """
        state, done = [np.zeros(shape, np.float32) for _, shape in self.state], []
        for entering in self.entering(window):
            inputs = [*entering, *state]
            outputs = session.run(*inputs)
            done.append((inputs, outputs))
            state = outputs[1:]
        return done

    def fed(self, windows: list[Frames]) -> tuple[list[list[np.ndarray]], bool]:
        """Inputs of runs in another process, and whether each later one is handed the state of the
        one before.

        A window graph sees each window; a step graph all their frames as one stream.
        """
        if self.form == "window":
            return [run for window in windows for run in self.entering(window)], False
        first, *later = self.entering(Frames.joined(windows))
        return [first + [np.zeros(shape, np.float32) for _, shape in self.state], *later], True

    def emitted(self, session: Session, window: Frames) -> np.ndarray:
        """What comes out for a window: heatmaps (T, 56, 56, 25) or keypoints (T, 25, 3)."""
        _, outputs = self.runs(session, window)[-1]
        return to_frames(outputs[0]) if self.output == "heatmaps" else outputs[0][0]


def build(definition, trained, form: str, emits: str, switches: dict[str, bool]) -> Graph:
    """A model's deploy form with the weights of its training form `trained`, as a float32 graph."""
    keras_form = definition.form(trained, form, emits)
    parameters = definition.form_parameters(form, emits, **switches)
    kept = keras_form.inputs[1 + definition.peaks :]
    state = tuple((tensor.name, tuple(tensor.shape)) for tensor in kept)
    content = to_tflite(keras_form, parameters)
    about = (definition.name, form, emits, definition.output, parameters, state)
    return Graph(*about, content, keras_form, definition.peaks)


def to_tflite(form, parameters: int) -> bytes:
    """Convert a deploy form (static shapes, batch 1) to a float32 .tflite that holds `parameters`
    weights.

    Raises ClimbEdgeError when the form does not hold what it states.
    """
    held = sum(int(np.prod(v.shape)) for v in form.variables)
    if held != parameters:
        raise ClimbEdgeError(
            f"{form.name}: holds {held} parameters, its model states {parameters}; the deploy form"
            " is wrong"
        )
    graph = _of_form(form)
    least = 4 * parameters
    if len(graph) < least:
        raise ClimbEdgeError(
            f"{form.name}: the converter wrote {len(graph)} bytes for {least} bytes of weights;"
            " some are missing"
        )
    return graph


def by_tensorflow(plain: Graph, recipe: str, samples: list[dict[str, np.ndarray]]) -> bytes:
    """The deploy form of `plain` under a recipe of the converter's own quantizer; `samples`: inputs
    by name to calibrate on.
    """
    import tensorflow as tf

    def prepare(converter) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if recipe == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if samples:
            order = [tensor.name for tensor in plain.keras_form.inputs]
            converter.representative_dataset = lambda: (
                [sample[name] for name in order] for sample in samples
            )
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        if recipe == "int8_io":
            converter.inference_input_type = converter.inference_output_type = tf.int8

    return _of_form(plain.keras_form, prepare)


def _of_form(form, *prepare: Callable[[object], None]) -> bytes:
    inputs = [(tuple(tensor.shape), tensor.name) for tensor in form.inputs]
    return convert_function(form, lambda *tensors: form(list(tensors)), inputs, *prepare)


def convert_function(
    holder, function, inputs: list, prepare: Callable[[object], None] = lambda converter: None
) -> bytes:
    """The converter's .tflite of a function of float32 tensors (shape, name) over the variables of
    `holder`.

    The concrete function belongs to a tf.Module that owns the variables: without an owner, weights
    were seen to be missing from the file without a word.
    """
    import tensorflow as tf

    owner = tf.Module()
    owner.variables_held = [v.value for v in holder.variables]
    signature = [tf.TensorSpec(shape, tf.float32, name=name) for shape, name in inputs]
    owner.run = tf.function(function, input_signature=signature)
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [owner.run.get_concrete_function()], owner
    )
    prepare(converter)
    return _ordered(converter.convert(), [name for _, name in inputs])


def _ordered(graph: bytes, inputs: list[str]) -> bytes:
    """The graph with inputs in this order, outputs in the function's, which are shuffled."""
    model = parse(graph)
    (signature,) = model.signatureDefs
    entering = {entry.name.decode(): entry.tensorIndex for entry in signature.inputs}
    leaving = {entry.name.decode(): entry.tensorIndex for entry in signature.outputs}
    model.subgraphs[0].inputs = [entering[name] for name in inputs]
    model.subgraphs[0].outputs = [leaving[f"output_{n}"] for n in range(len(leaving))]
    return bytes(convert_object_to_bytearray(model))
