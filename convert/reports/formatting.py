"""How figures of a report are written, in a terminal, Markdown and HTML alike."""

from __future__ import annotations

import math
import re

from climb_edge.files.truth import WORDS

CHANGE = "+z.2f"  # points: a sign always, but none of minus zero
SIGNS = {"pass": "✓", "fail": "✗", "not shown": "?", "skipped": "–", "cpu only": "cpu"}


def parity_row(file: dict, tests: str = "generated") -> dict | None:
    """The row of a file that the gates look at: DARK, pooled."""
    return next((r for r in file["rows"] if r["set"] == tests and r["decode"] == "dark"), None)


def sets(report: dict) -> dict[str, str]:
    """Name of every test set that some file was compared on -> what its truth is."""
    return {r["set"]: WORDS[r["truth"]] for f in report["files"] for r in f["rows"]}


def worth(test: dict) -> str:
    """What figures on a report's test set are worth: its truth, and where its inputs come from."""
    inputs = f", inputs {test['inputs']}" if "inputs" in test else ""  # reports of before
    return WORDS[test["truth"]] + inputs


def check_names(report: dict) -> list[str]:
    """Every check that some file came to, in the order in which most files did."""
    longest = sorted(report["files"], key=lambda f: -len(f["checks"]))
    return list(dict.fromkeys(c["name"] for f in longest for c in f["checks"]))


def checked(file: dict, name: str) -> dict | None:
    """A file's check of this name, the worst of several; None where it did not come to it."""
    found = [c for c in file["checks"] if c["name"] == name]
    return min(found, key=lambda c: c["verdict"] == "pass", default=None)


def verdict_of(claim: dict) -> str:
    """One sentence: where refining helps on the held-back frames, and where it does not."""
    won, lost = ([f"@{a}" for a, w in claim["wins"].items() if w == side] for side in (True, False))
    better = f"refined is better at {', '.join(won)}" if won else "refined is better nowhere"
    return better + (f"; it is NOT better at {', '.join(lost)}" if lost else "")


def kept_because(candidates: list[dict]) -> str:
    """Why a quantizer was kept: rules first, then the distance from float, then the size."""
    kept = next((c for c in candidates if c.get("kept")), None)
    others = [c for c in candidates if c is not kept]
    if kept is None:
        return "none could make it"
    if not others:
        return "the only one"
    if all(c["reason"] for c in others):
        return "the best of those that break rules" if kept["reason"] else "the other breaks rules"
    if any(c.get("cells") == kept.get("cells") for c in others):
        return "as close to float, and no larger"
    return "closer to float"


def known(value: float | None) -> bool:
    """Whether a figure could be computed: JSON has null, Python NaN for one that could not."""
    return value is not None and math.isfinite(value)


def number(value: float | None, form: str = ".2f") -> str:
    """A figure, or a dash where there is none."""
    return format(value, form) if known(value) else "–"


def percent(share: float | None) -> str:
    """A share in %, one decimal."""
    return number(100 * share, ".1f") if known(share) else "–"


def kilobytes(size: float | None) -> str:
    """Bytes in kB."""
    return number(size / 1000, ".0f") if size else "–"


def times(base: float | None, own: float | None) -> str:
    """How many times as fast as a baseline."""
    ratio = base / own if known(base) and own else None
    return number(ratio, ".2f" if (ratio or 0) < 10 else ".1f") + ("x" if ratio else "")


def points(change: list) -> str:
    """A change in points, with its interval where it has one."""
    value, low, high = change
    between = f" ({number(low, CHANGE)} to {number(high, CHANGE)})"
    return number(value, CHANGE) + (between if known(low) and known(high) else "")


def heat(change: float | None, full: float = 2.0) -> str:
    """A cell's colour: red for points lost, green for points won, in full at 2."""
    if not known(change):
        return ""
    colour = "179,38,30" if change < 0 else "44,122,75"
    return f"background:rgba({colour},{min(abs(change) / full, 1) * 0.7:.2f})"


def plain(text: object) -> str:
    """Text in one line that Markdown shows as it stands."""
    return re.sub(r"([\\`|<>\[\]*])", r"\\\1", " ".join(str(text).split()))
