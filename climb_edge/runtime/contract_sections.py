"""The sections of a contract, one frozen dataclass each; a field that is None is left out of the
JSON.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from climb_edge.pose.boxes import BoxRule

GOLDEN_STEPS = 8
MAX_STATE = 16 << 20  # values in all tensors of the state


@dataclass(frozen=True)
class StateTensor:
    """A tensor (1, R, C, N) that a step graph hands to its next run; zeros at the start."""

    name: str
    shape: tuple[int, ...]

    @property
    def fits(self) -> bool:
        """Whether it is 4-D and of a size that a phone could hold."""
        return (
            len(self.shape) == 4
            and self.shape[0] == 1
            and min(self.shape) > 0
            and math.prod(self.shape) <= MAX_STATE
        )


@dataclass(frozen=True, kw_only=True)
class GoldenTest:
    """What a graph gave on the golden input.

    `samples` are (step, index in the flat output, value), `scale` is the largest absolute output,
    `tolerance` the share of it that a runtime may be away; `sum` and `max` are of all outputs.
    """

    steps: int = GOLDEN_STEPS
    tolerance: float
    scale: float
    samples: tuple[tuple[int, int, float], ...]
    sum: float | None = None
    max: float | None = None

    def fits(self, size: int) -> bool:
        """Whether it has samples, all of them of a graph with `size` outputs a step."""
        return (
            self.steps == GOLDEN_STEPS
            and bool(self.samples)
            and all(0 <= s < GOLDEN_STEPS and 0 <= i < size for s, i, _ in self.samples)
        )


@dataclass(frozen=True)
class Box:
    """How the box was chosen in training: a BoxRule, and whether its boxes are square."""

    rule: str
    grow: float
    outer: float
    shrunk: float
    square: bool

    @classmethod
    def of(cls, rule: BoxRule) -> Box:
        return cls(rule.name, rule.grow, rule.outer, rule.shrunk, rule.square)


@dataclass(frozen=True)
class Calibration:
    """The windows that the ranges of 8 bits were taken from; the hash is of their indices."""

    windows: int
    of: str
    sha256: str


@dataclass(frozen=True)
class TrainingData:
    """What the weights were trained on; `truth` is its weakest kind, `init` the weights before."""

    source: str
    truth: str
    sha256: str
    init: str


@dataclass(frozen=True)
class Checks:
    """Verdict of the conversion's checks, why it is not "pass", and the verdict of each."""

    verdict: str
    reasons: tuple[str, ...] | None = None
    each: dict[str, str] | None = None
