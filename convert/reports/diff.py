"""`convert diff`: what one report has against another, and whether that is worse beyond noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from climb_edge.errors import ClimbEdgeError
from convert.reports.formatting import checked, known, parity_row, points

# what was skipped or not reached has no rank
RANK = {"fail": 0, "not shown": 1, "cpu only": 2, "pass": 3}
LEAST = 0.02  # points: a smaller change of PCK is none
SLOWER = 1.25  # times as many milliseconds, both as shares of the same run's naive conversion
REPORT = "report"  # stands for the file where a change is of no single one


@dataclass(frozen=True)
class Change:
    """One difference of a file; `worse`: beyond noise."""

    file: str
    what: str
    worse: bool


def _gpu(file: dict, key: str) -> float | None:
    return file["gpu"][0][key] if file["gpu"] else None


def _off_gpu(file: dict) -> float | None:
    nodes, total = _gpu(file, "nodes"), _gpu(file, "total")
    return total - nodes if known(nodes) and known(total) else None


# What, of a file; so many times as much is still noise; less than this counts as this; its format.
# Less is better.
FIGURES = (
    ("bytes", lambda f: f["bytes"] or None, 1.02, 0, ",.0f"),
    ("weights, of float's bytes", lambda f: f["weight_ratio"], 1.02, 0, ".3f"),
    # 0: it did not run there
    ("partitions on the GPU", lambda f: _gpu(f, "partitions") or None, 1, 0, ".0f"),
    ("nodes left off the GPU", _off_gpu, 1, 0, ".0f"),
    ("error of the GPU", lambda f: _gpu(f, "max_error"), 10, 1e-6, ".1e"),
)


def compare(before: dict, after: dict) -> list[Change]:
    """Every difference between two reports that noise does not explain, improvements too.

    Raises ClimbEdgeError where the reports share no file: then nothing says that they are of one
    model.
    """
    old, new = ({f["file"]: f for f in report["files"]} for report in (before, after))
    if not old.keys() & new.keys():
        shown = " and ".join(", ".join(files) or "none" for files in (old, new))
        raise ClimbEdgeError(
            f"these reports share no file ({shown}) and cannot be compared; convert the same model,"
            " forms and recipes"
        )
    changes = []
    for name in old | new:
        if name not in new:
            kept = old[name]["written"] or old[name]["verdict"] == "pass"
            changes.append(Change(name, f"is missing, was: {old[name]['verdict']}", kept))
        elif name not in old:
            changes.append(Change(name, f"is new: {new[name]['verdict']}", False))
        else:
            for look in (_verdict, _checks, _pck, _figures, _speed):
                changes += [Change(name, what, worse) for what, worse in look(old[name], new[name])]
    return changes + [Change(REPORT, what, worse) for what, worse in _claims(before, after)]


def lines(changes: list[Change]) -> str:
    """The changes as text, what is worse first."""
    shown = []
    for title, worse in (("worse", True), ("changed, not for the worse", False)):
        found = [c for c in changes if c.worse == worse]
        shown += [f"{title}:"] * bool(found)
        for file in dict.fromkeys(c.file for c in found):
            shown += [f"  {file}", *(f"    {c.what}" for c in found if c.file == file)]
    return "\n".join(shown) or "nothing changed beyond noise"


def _verdict(old: dict, new: dict) -> Iterator[tuple[str, bool]]:
    was, now = old["verdict"], new["verdict"]
    if was != now:
        yield f"verdict: {was} -> {now}{_why(new)}", _falls(was, now)
    elif old["written"] != new["written"]:
        yield ("is not written any more", True) if old["written"] else ("is written now", False)


def _checks(old: dict, new: dict) -> Iterator[tuple[str, bool]]:
    for name in dict.fromkeys(c["name"] for f in (old, new) for c in f["checks"]):
        checks = [checked(f, name) or {"verdict": "not reached", "reasons": []} for f in (old, new)]
        was, now = (check["verdict"] for check in checks)
        if was != now:
            yield f"{name}: {was} -> {now}{_why(checks[1])}", _falls(was, now)


def _why(of: dict) -> str:
    return "".join(f": {reason}" for reason in of["reasons"][:1])


def _falls(was: str, now: str) -> bool:
    return now in RANK and RANK[now] < RANK.get(was, -1)


def _pck(old: dict, new: dict) -> Iterator[tuple[str, bool]]:
    for tests in dict.fromkeys(r["set"] for r in old["rows"]):
        was, now = parity_row(old, tests), parity_row(new, tests)
        for alpha in was["drop"] if was and now else ():
            a, b = was["drop"][alpha], now["drop"].get(alpha, [None] * 3)
            if side := _moved(a, b):
                moved = f"{points(a)} -> {points(b)} points"
                yield f"PCK@{alpha} against Keras, {tests} set: {moved}", side < 0


def _moved(before: list, after: list) -> int:
    """-1 (worse: less) or 1 where neither value lies in the other's interval, 0 otherwise."""
    if not all(map(known, (*before, *after))) or abs(after[0] - before[0]) <= LEAST:
        return 0
    if after[2] < before[0] and after[0] < before[1]:
        return -1
    return int(after[1] > before[0] and after[0] > before[2])


def _figures(old: dict, new: dict) -> Iterator[tuple[str, bool]]:
    for name, of, noise, least, form in FIGURES:
        a, b = of(old), of(new)
        if known(a) and known(b) and max(a, b) > noise * max(min(a, b), least):
            yield f"{name}: {a:{form}} -> {b:{form}}", b > a


def _speed(old: dict, new: dict) -> Iterator[tuple[str, bool]]:
    was, now = ({r["threads"]: r for r in f["speed"]} for f in (old, new))
    for threads in sorted(was.keys() & now.keys()):
        rows = was[threads], now[threads]
        if all(r["median_ms"] and r["naive_ms"] and r["p95_ms"] for r in rows):
            a, b = (r["median_ms"] / r["naive_ms"] for r in rows)
            noise = max(SLOWER, *(r["p95_ms"] / r["median_ms"] for r in rows))
            if max(a, b) > noise * min(a, b):
                on = f"{threads} thread{'s' * (threads > 1)}"
                yield f"time on {on}, of the naive conversion's: {a:.3f} -> {b:.3f}", b > a


def _claims(before: dict, after: dict) -> Iterator[tuple[str, bool]]:
    """Refined PCK by form; a claim's name ends in the file that was streamed, which may differ."""
    if before["test"] != after["test"]:
        yield "another test set: what refining gains is not compared", False
        return
    was, now = ({c["name"].split(", ")[0]: c for c in r["claims"]} for r in (before, after))
    for name in (n for n in was if n in now):
        for alpha in was[name]["refined"]:
            a, b = (
                [v and 100 * v for v in c["refined"].get(alpha, [None] * 3)]
                for c in (was[name], now[name])
            )
            if side := _moved(a, b):
                yield f"refined PCK@{alpha}, {name}: {a[0]:.1f} -> {b[0]:.1f} %", side < 0
