"""The contract that goes into a finished file: what it needs, what it promises, where it comes
from.
"""

from __future__ import annotations

import hashlib
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import numpy as np

from climb_edge import __version__
from climb_edge.pose.boxes import STICKY
from climb_edge.pose.layout import EMITS, WINDOW, input_shapes, output_shape
from climb_edge.pose.render import MASS, PEAK
from climb_edge.pose.skeleton import KEYPOINTS
from climb_edge.runtime.golden import golden_test
from climb_edge.runtime.session import Session
from train.data.sources import Source
from train.data.splits import digest

if TYPE_CHECKING:
    from convert.pipeline.conversion import Made

LAYOUT = (
    "NHWC, frame-major channels, oldest frame first; the state follows the first input and output,"
    " zeros at the start"
)
INTEGERS = (
    "; each tensor is quantized by its own scale and zero point, so a state that goes back in is"
    " scaled anew"
)
TOOLS = ("keras", "tensorflow", "ai-edge-quantizer", "ai-edge-litert", "numpy")


def contract_of(
    made: Made, config: dict, source: Source, estimator: str | None, calibration: np.ndarray
) -> dict:
    """The contract of a file; `calibration` holds the training windows its ranges were taken from.

    Raises ClimbEdgeError when the graph gives no finite values on the golden input.
    """
    graph, recipe = made.graph, made.recipe
    heatmaps, kept = graph.output == "heatmaps", [list(shape) for _, shape in graph.state]
    checks = {c.name: c.verdict for c in made.checks}
    return {
        "model": graph.model,
        "switches": config.get("switches", {}),
        "form": graph.form,
        "emits": graph.emits,
        "output": graph.output,
        "window": WINDOW,
        "skeleton": list(KEYPOINTS),
        "state": [{"name": name, "shape": list(shape)} for name, shape in graph.state],
        "peaks": graph.peaks,
        "inputs": [*input_shapes(graph.form, graph.peaks), *kept],
        "outputs": [output_shape(graph.output, EMITS[graph.emits]), *kept],
        "io": recipe.io,
        "layout": LAYOUT + (INTEGERS if recipe.io == "int8" else ""),
        "normalisation": {"sum": MASS, "negatives": 0},
        "decode": "dark" if heatmaps else None,
        "peak": PEAK / config["recipe"]["target_sigma"] ** 2 if heatmaps else None,
        "box": {
            "rule": STICKY.name,
            "grow": STICKY.grow,
            "outer": STICKY.outer,
            "shrunk": STICKY.shrunk,
            "square": True,
        },
        "fps": source.rate,
        "recipe": recipe.name,
        "quantizer": recipe.quantizers[0],
        "left_in_float": list(made.mixed.floats) if made.mixed else [],
        "calibration": (
            {
                "windows": len(calibration),
                "of": "training windows, drawn by the run's seed",
                "sha256": hashlib.sha256(np.asarray(calibration, np.int64).tobytes()).hexdigest(),
            }
            if len(calibration)
            else None
        ),
        "runtime": Session.version(),
        "golden": golden_test(Session(graph.content, 1), recipe.golden_tolerance),
        "training_data": {
            "source": source.clips.source,
            "truth": source.clips.truth,
            "sha256": digest(source),
            "init": config["init"],
        },
        "estimator": estimator,
        "tools": {
            "climb-edge": __version__,
            "python": platform.python_version(),
            **{t: _version(t) for t in TOOLS},
        },
        "checks": {"verdict": made.verdict, "reasons": made.reasons, "each": checks},
    }


def _version(tool: str) -> str:
    try:
        return version(tool)
    except PackageNotFoundError:  # TensorFlow for CPUs is another package
        return version(f"{tool}-cpu")
