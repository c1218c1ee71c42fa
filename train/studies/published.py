"""The study's published figures, read from published.toml.

They were measured on other data than ours (BRACE with Penn Action, and the private ClimbAlong),
decoded by argmax, against truth in whole cells, as a mean over batches. They are shown beside ours
and are never a row of ours.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files

from climb_edge.files.truth import Truth
from train.studies.page import ALPHAS

SETUPS = ("1.1", "1.2", "1.3", "2.1", "2.2", "2.3")
MARK = "published, other data"
_FIGURES = tomllib.loads((files("train.studies") / "published.toml").read_text(encoding="utf-8"))
PARAMETERS: dict[str, int] = _FIGURES["parameters"]
MILLISECONDS: dict[str, float] = _FIGURES["milliseconds"]  # GTX 1070, batch 1
# (phase, part) of ours -> the name of their data of the same kind, and their mean thresholds in
# cells
KINDS = {(d["phase"], d["part"]): (d["name"], tuple(d["thresholds"])) for d in _FIGURES["data"]}
# Of the held-out video only the best setup of each model is published.
HELD_OUT = {model: tuple(shares) for model, shares in _FIGURES["held_out"].items()}


@dataclass(frozen=True)
class Published:
    """One published row: PCK in % by threshold and setup."""

    model: str
    version: str  # mission or final
    pck: dict[str, dict[str, float]]

    @property
    def label(self) -> str:
        """How a table names it."""
        return f"{self.model} ({MARK}; {self.version})"


def _rows() -> dict[tuple[str, str], tuple[Published, ...]]:
    """(phase, part) -> its rows."""
    found: dict[tuple[str, str], tuple[Published, ...]] = {}
    for row in _FIGURES["row"]:
        pck = {a: dict(zip(SETUPS, row[a], strict=True)) for a in ALPHAS}
        key = (row["phase"], row["part"])
        found[key] = (*found.get(key, ()), Published(row["model"], row["version"], pck))
    return found


ROWS = _rows()


def beside(phase: str, part: str, truth: str | None) -> tuple[Published, ...]:
    """The published rows of the same kind of data: simulated input, or a real estimator's; none for
    finetuning on generated.
    """
    return () if phase == "finetune" and truth == Truth.GENERATED else ROWS.get((phase, part), ())
