"""A float graph under a recipe, by either of two quantizers, calibrated once."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import warnings
from collections.abc import Iterator
from functools import cached_property

import numpy as np
from ai_edge_litert.tools.flatbuffer_utils import convert_object_to_bytearray

from climb_edge.errors import ClimbEdgeError, disk_is_full
from climb_edge.runtime.session import Session
from convert.graphs.build import Graph, by_tensorflow
from convert.graphs.flatbuffer import parse
from convert.graphs.lint import WEIGHTED_OPS, read_ops
from convert.quantization.recipes import TENSORFLOW, Recipe
from train.data.windows import Frames


class Quantization:
    """All that one float graph can be quantized to; `windows`: training windows to calibrate on."""

    def __init__(self, plain: Graph, windows: list[Frames]):
        self.plain, self.windows = plain, windows

    @cached_property
    def samples(self) -> list[dict[str, np.ndarray]]:
        """Inputs by name of every run on the windows; a step's state is the float graph's."""
        names = [*self.plain.entries, *(name for name, _ in self.plain.state)]
        session = Session(self.plain.content)
        runs = (run for window in self.windows for run in self.plain.runs(session, window))
        return [dict(zip(names, inputs, strict=True)) for inputs, _ in runs]

    @cached_property
    def _statistics(self):
        """Ranges of every activation: they do not depend on which ops are quantized."""
        with _quietly():
            return static_int8(self.plain.content).calibrate({"serving_default": self.samples})

    @cached_property
    def layers(self) -> dict[str, tuple[str, str]]:
        """What can be left in float: name -> (regular expression of its output, operation). A
        weighted op is a layer of its own; of the others every kind is one.
        """
        from ai_edge_quantizer import qtyping

        known = {o.value for o in qtyping.TFLOperationName}
        ops = [op for op in read_ops(self.plain.content)[0] if op.name in known]
        heavy = {str(op): (f"^{re.escape(op.tensor)};?$", op.name) for op in ops if op.weights}
        kinds = (op.name for op in ops if op.name not in WEIGHTED_OPS)
        return heavy | {f"all {name}": (".*", name) for name in kinds}

    def under(self, recipe: Recipe, by: str, floats: tuple[str, ...] = ()) -> bytes:
        """The graph under `recipe`, by the quantizer `by`; `floats` names the `layers` that
        int8_mixed leaves alone.

        Raises ClimbEdgeError with the quantizer's own words where it cannot.
        """
        if by == "none":
            return self.plain.content
        try:
            with _quietly():
                if by == TENSORFLOW:
                    samples = self.samples if recipe.calibrated else []
                    return by_tensorflow(self.plain, recipe.name, samples)
                return bytes(convert_object_to_bytearray(parse(self._by_edge(recipe, floats))))
        except Exception as error:  # two foreign quantizers raise what they like
            if disk_is_full(error):  # where they have temporary files
                raise
            words = " ".join(str(error).split())[:300]
            raise ClimbEdgeError(
                f"{recipe.name}: {by} cannot make it of {self.plain.model}: {type(error).__name__}"
                f" {words}"
            ) from error

    def _by_edge(self, recipe: Recipe, floats: tuple[str, ...]) -> bytes:
        from ai_edge_quantizer import qtyping, quantizer
        from ai_edge_quantizer import recipe as known

        every, edge = qtyping.TFLOperationName, quantizer.Quantizer(bytearray(self.plain.content))
        if recipe.name == "float16":
            # it casts no constants of a batch matmul; the type check would say so
            for op in WEIGHTED_OPS[:3]:
                edge.add_weight_only_config(
                    regex=".*", operation_name=every[op], num_bits=16, algorithm_key="float_casting"
                )
        elif (recipe.weights, recipe.activations) == ("INT8", "FLOAT32"):
            edge.load_quantization_recipe(known.dynamic_wi8_afp32())
        elif recipe.name == "int4_weights":
            edge.load_quantization_recipe(known.dynamic_wi4_afp32())
        else:
            edge = static_int8(self.plain.content)
            # the app keeps its buffers
            for op in (every.INPUT, every.OUTPUT) if recipe.io == "float32" else ():
                edge.update_quantization_recipe(".*", op, algorithm_key="no_quantize")
            for layer in floats:
                regex, op = self.layers[layer]
                edge.update_quantization_recipe(regex, every[op], algorithm_key="no_quantize")
        return bytes(edge.quantize(self._statistics if recipe.calibrated else None).quantized_model)


def static_int8(graph: bytes):
    """A quantizer of all that a float graph holds to int8, by ranges yet to be calibrated."""
    from ai_edge_quantizer import quantizer
    from ai_edge_quantizer import recipe as known

    edge = quantizer.Quantizer(bytearray(graph))
    edge.load_quantization_recipe(known.static_wi8_ai8())
    return edge


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Without the quantizers' own notes, sizes and bars; the converter's come from C++."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    out, err = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
    try:
        with out, err, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
