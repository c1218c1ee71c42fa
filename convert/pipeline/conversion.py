"""A run under conversion: its model, its data, and the files made of it so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from convert.checks import verdict
from convert.checks.testset import TestSet, clip_to_stream
from convert.checks.verdict import Check
from convert.graphs.build import Graph
from convert.quantization.aware import Aware
from convert.quantization.mixed import Mixed
from convert.quantization.recipes import Recipe
from train.data.recorded import RecordedWindows
from train.data.splits import Split
from train.data.windows import Frames
from train.fitting.callbacks import CALIBRATION

# training windows to choose between quantizers and layers by, after those of CALIBRATION
SELECTION = 12
# hears what begins, and how many steps are behind by that: one, if it does not say
Step = Callable[..., object]


@dataclass
class ConvertedFile:
    """One file, finished or refused, and what is known of it."""

    recipe: Recipe
    graph: Graph  # without content where no quantizer could make one
    checks: list[Check] = field(default_factory=list)
    candidates: list[dict] = field(default_factory=list)
    mixed: Mixed | None = None
    sensitivity: list[dict] = field(default_factory=list)  # what 8 bits cost where: layer, cells
    written: bool = False

    @property
    def file(self) -> str:
        return f"{self.graph.model}.{self.graph.form}-{self.graph.emits}.{self.recipe.name}.tflite"

    @property
    def verdict(self) -> str:
        return verdict.worst_of(c.verdict for c in self.checks)

    @property
    def reasons(self) -> list[str]:
        return verdict.blame(self.checks)


@dataclass
class Conversion:
    """A run opened for conversion: the model, its data, and the windows that every file is compared
    on.
    """

    path: Path
    forms: tuple[str, ...]
    config: dict
    definition: object
    model: object
    source: object
    parts: Split
    sets: list[TestSet]
    skip: tuple[str, ...] = ()
    # runs trained in 8 bits, all of them from `model`, by scheme
    aware: dict[str, Aware] = field(default_factory=dict)
    # of recipes that were left out, or made with a warning
    said: list[str] = field(default_factory=list)
    made: list[ConvertedFile] = field(default_factory=list)
    claims: list[dict] = field(default_factory=list)

    @property
    def chosen(self) -> np.ndarray:
        """Training windows in the order in which calibration and selection take them, by the run's
        seed.
        """
        return np.random.default_rng(self.config["seed"]).permutation(self.parts.train)

    @cached_property
    def training(self) -> list[Frames]:
        """Training windows: CALIBRATION to calibrate on, then SELECTION to choose by."""
        return [self.source.window(int(i)).frames for i in self.chosen[: CALIBRATION + SELECTION]]

    @cached_property
    def clip(self) -> tuple[str, list[Frames]]:
        """Name and stretches of the clip that step graphs are streamed over."""
        return clip_to_stream(self.sets[0])

    @property
    def estimator(self) -> str | None:
        """The estimator that saw the data, as in "blazepose-lite"; None of simulated data."""
        recorded = isinstance(self.source, RecordedWindows)
        return self.source.recordings[0].name if recorded else None
