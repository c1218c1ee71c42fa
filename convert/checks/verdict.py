"""What a check says of a file, and how several verdicts become one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

# In the order of the report. What a check cannot do here it skips, saying why.
NAMES = ("lint", "types", "load", "cpu", "gpu", "parity", "stream", "second", "speed", "contract")


@dataclass
class Check:
    """`verdict`: pass, fail, not shown, skipped, or "cpu only": it may do without a GPU."""

    name: str
    verdict: str = "pass"
    reasons: list[str] = field(default_factory=list)
    figures: dict = field(default_factory=dict)


def no_parity() -> dict:
    """What parity tells of a file that it did not come to."""
    names = ("rows", "keypoints", "worst_keypoint", "histogram", "worst_windows")
    return {name: [] if name in ("rows", "worst_windows") else {} for name in names}


def worst_of(verdicts: Iterable[str]) -> str:
    """The worst of several: fail, not shown or pass; "skipped" and "cpu only" count as pass."""
    found = set(verdicts)
    return next((v for v in ("fail", "not shown") if v in found), "pass")


def blame(checks: list[Check]) -> list[str]:
    """Why a file does not pass."""
    return [reason for c in checks if c.verdict in ("fail", "not shown") for reason in c.reasons]
