"""The checks of a graph of which only the file is known: a process apart runs it first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.runtime.isolated import CpuResult, run_on_cpu
from climb_edge.runtime.session import Session
from convert.checks.graph_checks import delegated, share_apart
from convert.checks.speed import in_turns, thread_counts
from convert.checks.verdict import Check, worst_of
from convert.graphs.entries import Entry
from convert.quantization.recipes import RECIPES


def running(
    path: Path, content: bytes, entries: list[Entry], skip: tuple[str, ...]
) -> Iterator[Check]:
    """What can be seen of a graph that runs: every entry of it on the CPU, then GPU, second runtime
    and speed of its first subgraph.
    """
    found = run_on_cpu(content, [])
    ran = [(entry, _run(content, entry)) for entry in entries] if found.status == "ran" else []
    yield _load(found, ran)
    if found.status != "ran":
        return
    yield _cpu(ran)
    first = next(((e, r.outputs[0]) for e, r in ran if r.status == "ran" and not e.subgraph), None)
    for name, check in (("gpu", _gpu), ("second", _second), ("speed", _speed)):
        if name in skip:
            yield Check(name, "skipped", ["by --skip"])
        elif first is None:
            yield Check(name, "skipped", ["its first subgraph was not run"])
        else:
            try:
                yield check(path, content, *first)
            except ClimbEdgeError as error:
                yield Check(name, "not shown", [str(error)])


def _run(content: bytes, entry: Entry, second: bool = False) -> CpuResult:
    if entry.cannot:
        return CpuResult("skipped", "; ".join(entry.cannot))
    return run_on_cpu(content, [entry.values], second=second, entry=(entry.key, entry.names))


def _load(found: CpuResult, ran: list[tuple[Entry, CpuResult]]) -> Check:
    """Whether it loads, and no entry kills the process."""
    memory = [r.memory_mb for r in (found, *(r for _, r in ran)) if r.memory_mb is not None]
    figures = {
        "runtime": found.runtime,
        "load_ms": found.load_ms,
        "memory_mb": max(memory, default=None),
    }
    reasons = [
        f"{found.runtime}{named} {result.status}: {result.reason}"
        for named, result in (("", found), *((f", {e}", r) for e, r in ran))
        if result.status in ("crashed", "timed out") or (result is found and result.status != "ran")
    ]
    return Check("load", "fail" if reasons else "pass", reasons, figures)


def _cpu(ran: list[tuple[Entry, CpuResult]]) -> Check:
    """Whether every entry gives finite values."""
    reasons, verdicts = [], []
    for entry, result in ran:
        guesses = f" ({'; '.join(entry.guessed)})" if entry.guessed else ""
        if result.status == "ran":
            finite = all(np.isfinite(o).all() for o in result.outputs[0] if o.dtype.kind == "f")
            verdicts.append("pass" if finite else "fail")
            if not finite:
                said = f"its outputs hold NaN or infinite values on noise of 0 to 1{guesses}"
                reasons.append(f"{entry}: {said}" if entry.key else said)
        else:
            # the runtime may be right to refuse what was guessed
            unsure = result.status == "skipped" or entry.guessed
            verdicts.append("not shown" if unsure else "fail")
            reasons.append(f"{entry} {result.status}: {result.reason}{guesses}")
    return Check("cpu", worst_of(verdicts), reasons)


def _gpu(path: Path, content: bytes, entry: Entry, outputs: list[np.ndarray]) -> Check:
    if any(a.dtype not in (np.float32, np.int8) or not a.size for a in (*entry.values, *outputs)):
        kinds = ", ".join(sorted({str(a.dtype) for a in (*entry.values, *outputs)}))
        return Check(
            "gpu",
            "skipped",
            [f"its inputs and outputs are {kinds}: float32 and int8 alone are compared"],
        )
    session, inputs = _session(path, content, entry)
    bar = max(recipe.gpu for recipe in RECIPES.values())
    return delegated(content, session, [(inputs, session.run(*inputs))], bar)


def _session(path: Path, content: bytes, entry: Entry, threads: int = 1):
    """A session on the first subgraph, and an entry's values in the order of its inputs."""
    session = Session(content, threads, source=path)
    given = dict(zip(entry.tensors, entry.values, strict=True))
    if given.keys() != {detail["index"] for detail in session.inputs}:
        raise ClimbEdgeError("its first subgraph takes other inputs than its signature names")
    return session, [given[detail["index"]] for detail in session.inputs]


def _compared(array: np.ndarray) -> bool:
    """Whether an output holds numbers."""
    return array.dtype.kind != "S" and array.size > 0


def _second(path: Path, content: bytes, entry: Entry, outputs: list[np.ndarray]) -> Check:
    found = _run(content, entry, second=True)
    figures = {"runtime": found.runtime, "memory_mb": found.memory_mb}
    if found.status != "ran":
        verdict = "skipped" if found.status == "skipped" else "fail"
        return Check("second", verdict, [f"{found.status}: {found.reason}"], figures)
    if [a.shape for a in found.outputs[0]] != [a.shape for a in outputs]:
        return Check("second", "fail", [f"{found.runtime} gives other shapes"], figures)
    numbers = [pair for pair in zip(found.outputs[0], outputs, strict=True) if _compared(pair[0])]
    apart = float(np.max([share_apart(a, b) for a, b in numbers], initial=0.0))
    bar = max(recipe.golden_tolerance for recipe in RECIPES.values())
    said = f"{found.runtime} is {apart:.2g} of the scale away, at most {bar:g}"
    met = apart <= bar
    return Check(
        "second", "pass" if met else "fail", [] if met else [said], figures | {"max_error": apart}
    )


def _speed(path: Path, content: bytes, entry: Entry, outputs: list[np.ndarray]) -> Check:
    rows = []
    for threads in thread_counts():
        ms = in_turns({("", ""): _session(path, content, entry, threads)})["", ""]
        rows.append(
            {
                "runtime": Session.version(),
                "delegate": "XNNPACK",
                "threads": threads,
                "median_ms": ms.median,
                "p95_ms": ms.p95,
                "float_ms": None,
                "naive_ms": None,
            }
        )
    return Check("speed", figures={"rows": rows})
