"""Checks of one file, each with a verdict: rules, types, numbers, PCK parity, speed."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from climb_edge.contract import WINDOW
from climb_edge.heatmaps import decode
from climb_edge.pck import ALPHAS, Score, drop, worst_keypoint
from climb_edge.runtime import Session
from convert.graph import Graph
from convert.lint import read_ops
from convert.recipes import MAX_FLOAT_ERROR, MAX_WEIGHT_RATIO, Recipe
from train.fit import predict
from train.windows import Source

FRAMES = {
    "all": slice(0, WINDOW),
    "newest": slice(WINDOW - 1, WINDOW),
    "centre": slice(WINDOW // 2, WINDOW // 2 + 1),
}
FEW_CLIPS = 10  # under this, a set's interval is drawn over its windows and only a sure fall fails
ERRORS_ON = 100  # windows on which outputs are compared number by number
RUNS = 60  # timed runs


@dataclass
class TestSet:
    """Windows with the Keras model's own results on them: computed once, compared with every file."""

    name: str  # test or generated
    source: Source
    indices: np.ndarray  # windows that share no frame
    truth: str
    reference: list[np.ndarray] = field(default_factory=list)  # per window (2, 5, 25, 2): DARK and argmax cells
    outputs: list[np.ndarray] = field(default_factory=list)  # the first ERRORS_ON windows' heatmaps or keypoints
    cells: list[np.ndarray] = field(default_factory=list)  # per window (5, 25, 2), NaN where weight is 0
    inputs: list[np.ndarray] = field(default_factory=list)  # of the first ERRORS_ON windows

    def run_reference(self, model) -> None:
        """Run the Keras training form over all windows."""
        for made, outputs in predict(model, self.source, self.indices):
            for window, output, cells, weight in zip(made.inputs, outputs, made.cells, made.weight, strict=True):
                self.reference.append(both_decodes(output))
                self.cells.append(np.where(weight[..., None] > 0, cells, np.nan))
                if len(self.outputs) < ERRORS_ON:
                    self.outputs.append(output)
                    self.inputs.append(window)

    @property
    def clips(self) -> int:
        return len(np.unique(self.source.clip[self.indices]))

    def score(self, points: list[np.ndarray], frames: slice) -> Score:
        """Score of (T, 25, 2) points per window against the truth of `frames`, by clip, or by window where clips are few."""
        groups: dict[int, list[int]] = {}
        for i, index in enumerate(self.indices):
            groups.setdefault(int(self.source.clip[index]) if self.clips >= FEW_CLIPS else i, []).append(i)
        return Score.of(
            [np.concatenate([points[i] for i in g]) for g in groups.values()],
            [np.concatenate([self.cells[i][frames] for i in g]) for g in groups.values()],
        )


@dataclass
class FileChecks:
    """All that was found out about one file."""

    verdict: str = "pass"
    reasons: list[str] = field(default_factory=list)
    rows: list[dict] = field(default_factory=list)
    speed: list[dict] = field(default_factory=list)
    quantized_ops: list[dict] = field(default_factory=list)
    max_error: float = 0.0  # of the reference's scale
    worst: dict = field(default_factory=dict)

    def fail(self, reason: str, verdict: str = "fail") -> None:
        self.verdict = "fail" if "fail" in (self.verdict, verdict) else verdict
        self.reasons.append(reason)


def both_decodes(emitted: np.ndarray) -> np.ndarray:
    """Heatmaps (T, 56, 56, 25) -> (2, T, 25, 2): DARK, and the study's argmax. Keypoints (T, 25, 2 or 3) are both."""
    if emitted.ndim == 3:
        return np.stack([emitted[..., :2]] * 2)
    return np.stack([decode(emitted)[0], decode(emitted, subpixel=False)[0]])


def check(graph: Graph, plain: Graph, recipe: Recipe, sets: list[TestSet]) -> FileChecks:
    """Run every check of one bare graph; `plain` is the float graph it was made from."""
    found = FileChecks()
    _structure(graph.content, plain.content, recipe, found)
    session = Session(graph.content)
    for tests in sets:
        _parity(session, graph, recipe, tests, found)
    found.speed = [timing(graph, sets[-1].inputs, threads) for threads in (1, 2)]
    return found


def _structure(graph: bytes, float_graph: bytes, recipe: Recipe, found: FileChecks) -> None:
    ops, broken = read_ops(graph)
    weighted = [op for op in ops if op.weights]
    found.quantized_ops = [
        {"op": op.name, "index": op.index, "weights": op.weights, "activations": op.activations} for op in weighted
    ]
    for rule in broken:
        found.fail(f"graph rule: {rule}")
    for op in weighted:
        if (op.weights, op.activations) != (recipe.weights, recipe.activations):
            found.fail(
                f"op {op.index} {op.name} has {op.weights} weights and {op.activations} activations, {recipe.name} promises {recipe.weights} and {recipe.activations}"
            )
    ratio = sum(op.weight_bytes for op in weighted) / max(
        sum(op.weight_bytes for op in read_ops(float_graph)[0] if op.weights), 1
    )
    if recipe.weights == "INT8" and ratio > MAX_WEIGHT_RATIO:
        found.fail(f"quantized weights are {ratio:.2f} of float, at most {MAX_WEIGHT_RATIO}")


def _parity(session: Session, graph: Graph, recipe: Recipe, tests: TestSet, found: FileChecks) -> None:
    frames, points, worst, scale = FRAMES[graph.emits], [], 0.0, 0.0
    for i, index in enumerate(tests.indices):
        window = tests.inputs[i] if i < len(tests.inputs) else tests.source.window(int(index)).inputs
        output = graph.emitted(session, window)
        if not np.isfinite(output).all():
            found.fail(f"{tests.name} window {i}: the output holds NaN or infinite values")
            return
        points.append(both_decodes(output))
        if i < len(tests.outputs):
            expected = tests.outputs[i][frames]
            worst = max(worst, float(np.abs(output[..., : expected.shape[-1]] - expected).max()))  # less the score
            scale = max(scale, float(np.abs(expected).max()))
    found.max_error = max(found.max_error, worst / max(scale, 1e-9))
    if recipe.name == "float32" and worst > MAX_FLOAT_ERROR * scale:
        found.fail(
            f"{tests.name}: float32 file is {worst / scale:.2g} of the scale from the Keras model, at most {MAX_FLOAT_ERROR:g}"
        )
    for number, (how, averaging) in enumerate((("dark", "pooled"), ("argmax", "study"))):
        score = tests.score([p[number] for p in points], frames)
        reference = tests.score([r[number][frames] for r in tests.reference], frames)
        fell = drop(score, reference)
        found.rows.append({
            "set": tests.name, "truth": tests.truth, "averaging": averaging, "decode": how, "emits": graph.emits, "box": "sticky",
            "space": "heatmap cells", "clips": tests.clips, "frames": sum(c.shape[1] for c in score.by_clip),
            "interval": "clips" if tests.clips >= FEW_CLIPS else "windows",
            "pck": getattr(score, averaging)(), "float": getattr(reference, averaging)(), "drop": fell,
        })  # fmt: skip
        if how == "dark":
            gate(recipe, tests.name, tests.clips, fell, worst_keypoint(score, reference), found)


def gate(recipe: Recipe, name: str, clips: int, fell: dict, worst: dict, found: FileChecks) -> None:
    """The bad end of the interval decides where clips are many; where they are few, only a sure fall fails."""
    decides = clips >= FEW_CLIPS
    for alpha in map(str, ALPHAS):
        value, low, high = fell[alpha]
        bar = recipe.bars[alpha]
        if not np.isfinite(value):
            found.fail(f"{name}: no keypoint counts at @{alpha}", "not shown")
        elif decides and not low >= -bar:
            found.fail(
                f"{name}: PCK@{alpha} changes by {value:+.2f} points, interval {low:+.2f} to {high:+.2f}, at most {-bar:+.2f} allowed",
                "fail" if high < -bar else "not shown",
            )
        elif not decides and high < -bar:
            found.fail(
                f"{name}: PCK@{alpha} falls by {-value:.2f} points (interval {low:+.2f} to {high:+.2f}), {bar} allowed"
            )
    if decides:
        found.worst = {
            alpha: {"keypoint": keypoint, "drop": value, "high": high}
            for alpha, (keypoint, value, high) in worst.items()
        }
        for alpha, (keypoint, value, _) in worst.items():
            if recipe.worst_keypoint is not None and value < -recipe.worst_keypoint:
                found.fail(
                    f"{name}: {keypoint} falls by {-value:.2f} points at @{alpha}, {recipe.worst_keypoint} allowed"
                )


def timing(graph: Graph, windows: list[np.ndarray], threads: int) -> dict:
    """Median and 95th percentile of milliseconds per emitted frame on `threads` CPU threads."""
    session = Session(graph.content, threads)
    emitted = FRAMES[graph.emits].stop - FRAMES[graph.emits].start
    ready = [inputs for window in windows[:8] for inputs, _ in graph.runs(session, window)]
    taken = []
    for i in range(RUNS):
        start = time.perf_counter()
        session.run(*ready[i % len(ready)])
        taken.append((time.perf_counter() - start) * 1e3 / emitted)
    return {
        "runtime": Session.version(),
        "delegate": "XNNPACK",
        "threads": threads,
        "median_ms": float(np.median(taken)),
        "p95_ms": float(np.percentile(taken, 95)),
    }
