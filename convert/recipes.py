"""Quantization recipes as data: what each does, what it promises, and how far it may fall behind float."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from climb_edge.errors import ClimbEdgeError

WEIGHTED_OPS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "BATCH_MATMUL")


@dataclass(frozen=True)
class Recipe:
    """`weights` and `activations` are the types that every weighted op must have in the finished file."""

    name: str
    weights: str
    activations: str
    bars: dict[str, float]  # PCK threshold -> points that the bad end of the drop's interval may reach
    worst_keypoint: float | None  # points that a single keypoint may fall
    golden_tolerance: float  # of the golden outputs' scale, between runtimes
    calibrated: bool = False
    outputs: tuple[str, ...] = ("heatmaps", "keypoints")  # what a model may give, for this recipe to suit it
    quantizer: str = "ai-edge-quantizer"


_SAME, _HALF, _INT8 = (
    dict(zip(("0.05", "0.1", "0.2"), bars, strict=True)) for bars in ((0.2, 0.1, 0.1), (0.2, 0.1, 0.1), (1.0, 0.5, 0.2))
)
RECIPES = {
    r.name: r
    for r in (
        Recipe("float32", "FLOAT32", "FLOAT32", _SAME, None, 1e-4, quantizer="none"),
        Recipe("float16", "FLOAT16", "FLOAT32", _HALF, None, 2e-3),
        Recipe("dynamic_int8", "INT8", "FLOAT32", _INT8, 2.0, 5e-2),
        # A transformer on coordinates in full int8 makes the runtime abort while it prepares the graph.
        Recipe("int8", "INT8", "INT8", _INT8, 2.0, 5e-2, calibrated=True, outputs=("heatmaps",)),
    )
}
MAX_FLOAT_ERROR = 1e-5  # of the reference's scale: training form = deploy form = float file
MAX_WEIGHT_RATIO = 0.30  # quantized against float weights, bytes


def choose(names: Iterable[str] | None, output: str) -> list[Recipe]:
    """Recipes by name, or all, that suit a model that gives `output`. Raises ClimbEdgeError for any other."""
    suited = {name: recipe for name, recipe in RECIPES.items() if output in recipe.outputs}
    for name in names or ():
        if name not in suited:
            why = f"does not suit a model of {output}; " if name in RECIPES else ""
            raise ClimbEdgeError(f"recipe {name!r}: {why}expected one of {', '.join(suited)}")
    return [suited[name] for name in names or suited]


def quantize(graph: bytes, recipe: Recipe, calibration: list[dict[str, np.ndarray]]) -> bytes:
    """A float graph -> the same graph under `recipe`; `calibration`: inputs by name of runs on training windows."""
    if recipe.name == "float32":
        return graph
    from ai_edge_quantizer import qtyping, quantizer
    from ai_edge_quantizer import recipe as known

    every = qtyping.TFLOperationName
    made = quantizer.Quantizer(bytearray(graph))
    if recipe.name == "float16":
        for op in WEIGHTED_OPS[:-1]:  # the quantizer casts no constants of a batch matmul; the type check would say so
            made.add_weight_only_config(
                regex=".*", operation_name=every[op], num_bits=16, algorithm_key="float_casting"
            )
    elif recipe.name == "dynamic_int8":
        made.load_quantization_recipe(known.dynamic_wi8_afp32())
    else:
        made.load_quantization_recipe(known.static_wi8_ai8())
        for op in (every.INPUT, every.OUTPUT):  # float in and out: the app keeps its buffers
            made.update_quantization_recipe(".*", op, algorithm_key="no_quantize")
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # the quantizer's own notes, sizes and bars; the report has its own figures
        statistics = made.calibrate({"serving_default": calibration}) if recipe.calibrated else None
        return bytes(made.quantize(statistics).quantized_model)
