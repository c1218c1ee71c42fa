"""PCK parity: how far a file falls behind the Keras model on the same windows, if it is shown."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from climb_edge.evaluation.pck import ALPHAS, Score, drop, worst_keypoint
from climb_edge.pose.decode import both_decodes
from climb_edge.pose.skeleton import KEYPOINTS
from climb_edge.runtime.session import Session
from convert.checks.testset import FRAMES, NUMBERS_ON, TestSet
from convert.checks.verdict import no_parity, worst_of
from convert.graphs.build import Graph
from convert.graphs.lint import output_step
from convert.quantization.recipes import KEPT, MAX_GAIN, Recipe
from train.data.windows import Frames

ENOUGH = 8  # clips or stretches under which no interval is believed: nothing may differ by luck
WORST = 10  # windows drawn in the report
EDGES = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, float("inf"))  # of the histogram, cells


@dataclass
class Compared:
    """What a file makes of a test set, beside what the Keras model makes of it."""

    tests: TestSet
    frames: slice
    # per window (2, T, 25, 2): DARK and argmax cells
    points: list[np.ndarray] = field(default_factory=list)
    error: float = 0.0  # largest difference of an emitted value
    rms: float = 0.0
    scale: float = 0.0  # largest value of the Keras model
    gain: float = 1.0  # slope of the file's values over the Keras model's
    broken: str | None = None  # why it was not compared to the end

    @property
    def distance(self) -> np.ndarray:
        """Cells (n, T, 25) between the decoded keypoints of the file and of the Keras model."""
        reference = np.stack([r[0][self.frames] for r in self.tests.reference])
        return np.linalg.norm(np.stack([p[0] for p in self.points]) - reference, axis=-1)


def compare(session: Session, graph: Graph, tests: TestSet) -> Compared:
    """Run a graph over every window of a test set."""
    found = Compared(tests, FRAMES[graph.emits])
    squares, both, own, count = 0.0, 0.0, 0.0, 0
    for number in range(len(tests.indices)):
        output = graph.emitted(session, tests.inputs[number])
        if not np.isfinite(output).all():
            found.broken = f"{tests.name} window {number}: the output holds NaN or infinite values"
            return found
        found.points.append(both_decodes(output))
        if number < min(len(tests.outputs), NUMBERS_ON):
            expected = tests.outputs[number][found.frames].astype(np.float64)
            # keypoints: less the score, which the training form has not
            output = output[..., : expected.shape[-1]]
            found.error = max(found.error, float(np.abs(output - expected).max()))
            found.scale = max(found.scale, float(np.abs(expected).max()))
            squares += float(((output - expected) ** 2).sum())
            both += float((output * expected).sum())
            own += float((expected**2).sum())
            count += expected.size
    found.rms, found.gain = (squares / max(count, 1)) ** 0.5, both / max(own, 1e-12)
    return found


def numbers(recipe: Recipe, compared: list[Compared]) -> tuple[list[str], dict]:
    """(reasons to refuse the file, figures) by the emitted values alone."""
    reasons, figures = [], {}
    for c in compared:
        if c.broken:
            reasons.append(c.broken)
            continue
        scale = max(c.scale, 1e-9)
        figures[c.tests.name] = {"max": c.error / scale, "rms": c.rms / scale, "gain": c.gain}
        if recipe.error is not None and not c.error <= recipe.error * scale:
            reasons.append(
                f"{c.tests.name}: {recipe.name} file is {c.error / scale:.2g} of the scale from the"
                f" Keras model, at most {recipe.error:g}"
            )
        moved = not abs(c.gain - 1) <= MAX_GAIN
        # what was trained on has moved; `agreement_with_training` holds its file to that
        if moved and not recipe.aware:
            reasons.append(
                f"{c.tests.name}: the file's values are {c.gain:.3f} times the Keras model's, 1"
                f" within {MAX_GAIN} expected"
            )
    return reasons, figures


def agreement_with_training(
    graph: Graph, windows: list[Frames], trained
) -> tuple[list[str], float]:
    """(reasons to refuse the file, share of its values within a step of what the quantization-aware
    `trained` gives).

    The step is that of the integers it gives; where it gives floats, 1 / 255 of the largest value.
    """
    session, distance, largest = Session(graph.content), [], 0.0
    for window in windows:
        seen = np.asarray(trained(window.maps[None]))[0][FRAMES[graph.emits]]
        distance.append(np.abs(graph.emitted(session, window)[..., : seen.shape[-1]] - seen))
        largest = max(largest, float(np.abs(seen).max()))
    step = output_step(graph.content) or largest / 255
    share = float(np.mean(np.stack(distance) <= 1.001 * step))
    said = (
        f"{share:.4%} of the values lie within a step of {step:.3g} of what training saw, at least"
        f" {KEPT:.1%} expected"
    )
    return [] if share >= KEPT else [said], share


def rows(graph: Graph, compared: Compared) -> tuple[list[dict], dict, Score, Score]:
    """(rows of the report, drop of every keypoint, score, reference's score) of one test set."""
    tests, found = compared.tests, []
    for number, (how, averaging) in enumerate((("dark", "pooled"), ("argmax", "study"))):
        score = tests.score([p[number] for p in compared.points], compared.frames)
        floats = [r[number][compared.frames] for r in tests.reference]
        reference = tests.score(floats, compared.frames)
        if how == "dark":
            dark = score, reference
        found.append(
            {
                "set": tests.name,
                "truth": tests.truth,
                "averaging": averaging,
                "decode": how,
                "emits": graph.emits,
                "box": "sticky",
                "space": "heatmap cells",
                "clips": tests.clips,
                "windows": len(tests.indices),
                "interval": f"{len(score.by_clip)} {tests.unit}",
                "pck": getattr(score, averaging)(),
                "float": getattr(reference, averaging)(),
                "drop": drop(score, reference),
            }
        )
    return found, _by_keypoint(*dark), *dark


def _by_keypoint(score: Score, reference: Score) -> dict[str, list[float]]:
    """Change in points of every keypoint with truth, at each of ALPHAS."""
    after, before = score.keypoints(), reference.keypoints()
    return {
        k: [100 * (after[k][a] - before[k][a]) for a in map(str, ALPHAS)]
        for k in KEYPOINTS
        if k in after
    }


def gate(
    recipe: Recipe, name: str, fell: dict, worst: dict, groups: int, unit: str
) -> tuple[str, list[str]]:
    """(verdict, reasons). The bad end of the interval decides: what could be as bad as a bar is not
    shown.

    fell: threshold -> (change in points, low, high); worst: threshold -> (keypoint, change, upper
    end of its interval).
    """
    reasons, verdict = [], "pass"
    if groups < ENOUGH:
        verdict = "not shown"
        reasons.append(
            f"{name}: {groups} {unit} of windows are too little to show anything, {ENOUGH} needed;"
            " convert a run with more test data"
        )
    for alpha in map(str, ALPHAS):
        value, low, high = fell[alpha]
        bar = recipe.bars[alpha]
        surely = high < -bar
        if not np.isfinite(value):
            verdict = "fail" if verdict == "fail" else "not shown"
            reasons.append(f"{name}: no keypoint counts at @{alpha}")
        elif surely or (groups >= ENOUGH and not low >= -bar):
            verdict = "fail" if surely or verdict == "fail" else "not shown"
            reasons.insert(
                0 if surely else len(reasons),
                f"{name}: PCK@{alpha} changes by {value:+.2f} points, interval {low:+.2f} to"
                f" {high:+.2f}, at most {-bar:+.2f} allowed",
            )
    for alpha, (keypoint, value, high) in worst.items():
        # The worst of 25 lies under the bar by luck alone where windows are few: only a fall that
        # is no luck counts.
        if recipe.worst_keypoint is not None and value < -recipe.worst_keypoint and high < 0:
            verdict = "fail" if high < -recipe.worst_keypoint or verdict == "fail" else "not shown"
            reasons.append(
                f"{name}: {keypoint} falls by {-value:.2f} points at @{alpha} (by {-high:.2f} at"
                f" least), {recipe.worst_keypoint} allowed"
            )
    return verdict, reasons


def parity(graph: Graph, recipe: Recipe, compared: list[Compared]) -> tuple[str, list[str], dict]:
    """(verdict, reasons, figures: rows, keypoints, worst_keypoint, histogram, worst_windows) over
    all test sets.
    """
    verdicts, reasons, figures = [], [], no_parity()
    for c in compared:
        name = c.tests.name
        if c.broken:
            verdicts.append("not shown")
            reasons.append(f"{name}: nothing to compare: {c.broken}")
            continue
        found, keypoints, score, reference = rows(graph, c)
        worst = worst_keypoint(score, reference)
        verdict, why = gate(recipe, name, found[0]["drop"], worst, len(score.by_clip), c.tests.unit)
        verdicts.append(verdict)
        reasons += why
        distance = c.distance
        figures["rows"] += found
        figures["keypoints"][name] = keypoints
        figures["worst_keypoint"][name] = {
            a: {"keypoint": k, "drop": value, "high": high} for a, (k, value, high) in worst.items()
        }
        figures["histogram"][name] = np.histogram(distance[np.isfinite(distance)], EDGES)[
            0
        ].tolist()
        figures["worst_windows"] += _worst(c, distance)
    figures["worst_windows"] = sorted(figures["worst_windows"], key=lambda w: -w["cells"])[:WORST]
    return worst_of(verdicts or ["not shown"]), reasons, figures


def _worst(compared: Compared, distance: np.ndarray) -> list[dict]:
    """The windows with a keypoint farthest from the Keras model's, as that frame's points."""
    tests, found = compared.tests, []
    distance = np.nan_to_num(distance)
    for number in np.argsort(-distance.max(axis=(1, 2)), kind="stable")[:WORST]:
        frame, keypoint = np.unravel_index(distance[number].argmax(), distance[number].shape)
        shown = compared.frames.start + int(frame)
        points = {
            "input": both_decodes(tests.inputs[number].maps)[0][shown],
            "float": tests.reference[number][0][shown],
            "file": compared.points[number][0][frame],
            "truth": tests.cells[number][shown],
        }
        found.append(
            {
                "set": tests.name,
                "window": int(number),
                "clip": str(tests.source.clips.clip[tests.source.clip[tests.indices[number]]]),
                "frame": int(tests.source.position[tests.indices[number]]) + shown,
                "keypoint": KEYPOINTS[keypoint],
                "cells": float(distance[number][frame, keypoint]),
                **{k: np.round(v.astype(float), 2).tolist() for k, v in points.items()},
            }
        )
    return found
