"""The checks of one finished graph but PCK parity, each with a verdict of its own."""

from __future__ import annotations

from collections import Counter

import numpy as np

from climb_edge.pose.layout import EMITS, WINDOW, output_shape
from climb_edge.runtime.isolated import run_on_cpu, run_on_gpu
from climb_edge.runtime.session import Session
from convert.checks.verdict import Check
from convert.graphs.build import Graph
from convert.graphs.lint import Op, foreign_weights, read_ops
from convert.quantization.recipes import MAX_WEIGHT_RATIO, Recipe
from train.data.windows import Frames

SECOND_WINDOWS = 12
GPU_SECONDS = 180


def lint(broken: list[str]) -> Check:
    """The rules of a GPU delegate."""
    return Check("lint", "fail" if broken else "pass", list(broken))


def types(ops: list[Op], plain: list[Op], recipe: Recipe, floats: tuple[str, ...] = ()) -> Check:
    """Is it quantized, are its weights the model's? `floats`: layers left in float on purpose."""
    kept = {op.tensor for op in plain if str(op) in floats}
    weighted, reasons = [op for op in ops if op.weights], []
    promised = (recipe.weights, recipe.activations)
    for op in weighted:
        if op.tensor not in kept and (op.weights, op.activations) != promised:
            reasons.append(
                f"{op} has {op.weights} weights and {op.activations} activations, {recipe.name}"
                f" promises {recipe.weights} and {recipe.activations}"
            )
    count = sum(op.weights is not None for op in plain)
    if len(weighted) < count:
        reasons.append(
            f"{len(weighted)} ops with weights, the float graph has {count}: some hide theirs"
        )
    ratio = sum(op.weight_bytes for op in weighted) / max(sum(op.weight_bytes for op in plain), 1)
    if recipe.shrinks and ratio > MAX_WEIGHT_RATIO:
        reasons.append(f"quantized weights are {ratio:.2f} of float, at most {MAX_WEIGHT_RATIO}")
    reasons += foreign_weights(weighted, plain)
    figures = {
        "weight_ratio": ratio,
        "ops": [
            {
                "op": op.name,
                "index": op.index,
                "tensor": op.tensor,
                "weights": op.weights,
                "activations": op.activations,
                "left_in_float": op.tensor in kept,
            }
            for op in weighted
        ],
    }
    return Check("types", "fail" if reasons else "pass", reasons, figures)


def load(graph: Graph, windows: list[Frames]) -> Check:
    """Loaded and run in its own process: a runtime may abort as it prepares a quantized graph."""
    found = run_on_cpu(graph.content, *graph.fed(windows[:1]))
    figures = {"runtime": found.runtime, "load_ms": found.load_ms, "memory_mb": found.memory_mb}
    reasons = _said(found)
    if found.status == "ran":
        state = [list(shape) for _, shape in graph.state]
        promised = [output_shape(graph.output, EMITS[graph.emits]), *state]
        given = [list(array.shape) for array in found.outputs[-1]]
        if given != promised:
            reasons.append(f"the graph gives {given}, its form {promised}")
    return Check("load", "fail" if reasons else "pass", reasons, figures)


def second(graph: Graph, recipe: Recipe, windows: list[Frames]) -> Check:
    """The file under another runtime; the error as a share of the largest value."""
    runs, chained = graph.fed(windows[:SECOND_WINDOWS])
    found = run_on_cpu(graph.content, runs, chained, second=True)
    if found.status == "skipped":
        return Check("second", "skipped", [found.reason])
    if found.status != "ran":
        return Check("second", "fail", _said(found), {"runtime": found.runtime})
    session, given, difference, scale = Session(graph.content, 1), [], 0.0, 1e-9
    for inputs, outputs in zip(runs, found.outputs, strict=True):
        given = session.run(*inputs, *(given[1:] if len(inputs) < len(session.inputs) else []))
        difference = max(difference, float(np.abs(outputs[0] - given[0]).max()))
        scale = max(scale, float(np.abs(given[0]).max()))
    error, bar = difference / scale, recipe.golden_tolerance
    figures = {"runtime": found.runtime, "max_error": error, "memory_mb": found.memory_mb}
    if not difference <= bar * scale:
        said = (
            f"{found.runtime} is {error:.2g} of the scale from {Session.version()}, at most {bar:g}"
        )
        return Check("second", "fail", [said], figures)
    return Check("second", figures=figures)


def _said(found) -> list[str]:
    said = f"{found.runtime or 'the runtime'} {found.status}: {found.reason}"
    return [] if found.status == "ran" else [said]


def on_gpu(graph: Graph, recipe: Recipe, window: Frames) -> Check:
    """The numbers of the CPU on a real GPU delegate, for the runs that a window takes."""
    session = Session(graph.content)
    runs = graph.runs(session, window)
    # an integer state is scaled anew for the next run
    chained = graph.form == "step" and recipe.io == "float32"
    check = delegated(graph.content, session, runs, recipe.gpu, chained)
    if check.verdict == "fail" and not recipe.gpu_needed:
        check.verdict = "cpu only"
    return check


def delegated(
    graph: bytes, session: Session, runs: list[tuple[list, list]], bar: float, chained: bool = False
) -> Check:
    """One partition with every node, and the outputs within `bar` of the scale. `runs`: inputs and
    the CPU's outputs.
    """
    # of a run's inputs, the last come from the run before
    kept = len(session.outputs) - 1 if chained else 0
    fed = [
        session.entering(*inputs)[: len(inputs) - kept if i else None]
        for i, (inputs, _) in enumerate(runs)
    ]
    found = run_on_gpu(graph, fed, timeout=GPU_SECONDS, chained=chained)
    names = ("backend", "status", "partitions", "nodes", "total")
    figures = {key: getattr(found, key) for key in names}
    figures |= {"max_error": None, "seconds": sum(found.seconds)}
    if found.status == "skipped":
        return Check("gpu", "skipped", [found.reason], figures)
    reasons = []
    if found.status != "ran":
        reasons.append(f"{found.backend or 'the GPU'} {found.status}: {found.reason}")
    else:
        errors = [
            share_apart(got, cpu)
            for outputs, (_, expected) in zip(found.outputs, runs, strict=True)
            for got, cpu in zip(session.leaving(*outputs), expected, strict=True)
        ]
        error = figures["max_error"] = float(np.max(errors))
        if (found.partitions, found.nodes) != (1, found.total):
            reasons.append(
                f"{found.nodes} of {found.total} nodes in {found.partitions} partitions, all in 1"
                " expected"
            )
        if not error <= bar:
            reasons.append(f"GPU is {error:.2g} of the scale from the CPU, at most {bar:.2g}")
    return Check("gpu", "fail" if reasons else "pass", reasons, figures)


def share_apart(a: np.ndarray, b: np.ndarray) -> float:
    """Largest difference, as a share of the largest value of `b`."""
    return float(np.abs(a.astype(np.float64) - b).max() / max(float(np.abs(b).max()), 1e-9))


def stream(
    graph: Graph, recipe: Recipe, whole: Graph, named: str, stretches: list[Frames]
) -> Check:
    """A step graph over a clip, starting anew with every stretch, against its own window form,
    frame by frame.

    stretches: each in one box; `whole`: the float window form. A float step graph must equal it. A
    quantized one must equal itself stepped over each window alone, from the zero state: then it
    remembers nothing else.
    """
    alone = whole if recipe.error is not None else graph
    stepping, seeing, worst, compared = Session(graph.content), Session(alone.content), 0.0, 0
    for frames in stretches:
        state = [np.zeros(shape, np.float32) for _, shape in graph.state]
        for t, entering in enumerate(graph.entering(frames)):
            emitted, *state = stepping.run(*entering, *state)
            if t >= WINDOW - 1:
                expected = alone.runs(seeing, frames[t - WINDOW + 1 : t + 1])[-1][1][0]
                worst, compared = max(worst, share_apart(emitted, expected)), compared + 1
    against = "window form" if alone is whole else "itself over each window alone"
    figures = {
        "clip": named,
        "frames": compared,
        "starts": len(stretches),
        "against": against,
        "max_error": worst,
    }
    bar = recipe.error if recipe.error is not None else recipe.golden_tolerance
    if not compared:
        return Check(
            "stream", "not shown", [f"{named}: no {WINDOW} frames in a row to stream"], figures
        )
    if not worst <= bar:
        said = f"{named}: stepping is {worst:.2g} of the scale from the {against}, at most {bar:g}"
        return Check("stream", "fail", [said], figures)
    return Check("stream", figures=figures)


def saturation(graph: Graph, windows: list[Frames]) -> list[dict]:
    """Share of the values of every int8 activation that lie at the end of its range, worst first.

    The lower end counts only where the range goes below zero: maps end at zero by nature.
    """
    session, ends, counts = Session(graph.content, 1, keep=True), Counter(), Counter()
    # no constants
    computed = {op.tensor for op in read_ops(graph.content)[0]} | {
        d["name"] for d in session.inputs
    }
    for window in windows:
        for inputs, _ in graph.runs(session, window):
            session.run(*inputs)
            for name, values, zero in session.integers():
                if name in computed:
                    low = -128 if zero > -128 else 127
                    ends[name] += int(np.isin(values, (low, 127)).sum())
                    counts[name] += values.size
    shares = [{"tensor": name, "share": ends[name] / counts[name]} for name in ends]
    return sorted(shares, key=lambda s: -s["share"])[:10]
