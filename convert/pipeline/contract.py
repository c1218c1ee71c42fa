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
from climb_edge.pose.render import PEAK
from climb_edge.runtime.contract import Contract
from climb_edge.runtime.contract_sections import Box, Calibration, Checks, StateTensor, TrainingData
from climb_edge.runtime.golden import golden_test
from climb_edge.runtime.session import Session
from train.data.sources import Source
from train.data.splits import digest

if TYPE_CHECKING:
    from convert.pipeline.conversion import ConvertedFile

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
    made: ConvertedFile,
    config: dict,
    source: Source,
    estimator: str | None,
    calibration: np.ndarray,
) -> Contract:
    """The contract of a file; `calibration` holds the training windows its ranges were taken from.

    Raises ClimbEdgeError when the graph gives no finite values on the golden input.
    """
    graph, recipe = made.graph, made.recipe
    heatmaps = graph.output == "heatmaps"
    return Contract(
        model=graph.model,
        switches=config.get("switches", {}),
        form=graph.form,
        emits=graph.emits,
        output=graph.output,
        state=tuple(StateTensor(name, tuple(shape)) for name, shape in graph.state),
        peaks=graph.peaks,
        io=recipe.io,
        layout=LAYOUT + (INTEGERS if recipe.io == "int8" else ""),
        peak=PEAK / config["recipe"]["target_sigma"] ** 2 if heatmaps else None,
        box=Box.of(STICKY),
        fps=source.rate,
        recipe=recipe.name,
        quantizer=recipe.quantizers[0],
        left_in_float=tuple(made.mixed.floats) if made.mixed else (),
        calibration=_calibration(calibration) if len(calibration) else None,
        runtime=Session.version(),
        golden=golden_test(Session(graph.content, 1), recipe.golden_tolerance),
        training_data=TrainingData(
            source=source.clips.source,
            truth=source.clips.truth,
            sha256=digest(source),
            init=config["init"],
        ),
        estimator=estimator,
        tools={
            "climb-edge": __version__,
            "python": platform.python_version(),
            **{tool: _version(tool) for tool in TOOLS},
        },
        checks=Checks(
            made.verdict, tuple(made.reasons), {check.name: check.verdict for check in made.checks}
        ),
    )


def _calibration(windows: np.ndarray) -> Calibration:
    indices = np.asarray(windows, np.int64).tobytes()
    return Calibration(
        windows=len(windows),
        of="training windows, drawn by the run's seed",
        sha256=hashlib.sha256(indices).hexdigest(),
    )


def _version(tool: str) -> str:
    try:
        return version(tool)
    except PackageNotFoundError:  # TensorFlow for CPUs is another package
        return version(f"{tool}-cpu")
