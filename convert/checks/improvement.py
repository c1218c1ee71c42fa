"""Is refining worth it? The refined track against the estimator's, on what training never saw."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from climb_edge.evaluation.evaluate import streamed
from climb_edge.evaluation.pck import Score, drop
from climb_edge.pose.layout import WINDOW
from climb_edge.refiners.tflite import TFLiteRefiner
from convert.checks.testset import TestSet
from train.config import Hyperparameters
from train.data.recorded import RecordedWindows
from train.data.splits import Split
from train.fitting.scoring import Judge


def improvements(tests: TestSet, parts: Split, files: dict[str, Path]) -> list[dict]:
    """One row per form: PCK of raw and refined, and the paired change with its interval.

    Recorded data is streamed through the finished file (`files`: form -> path), frame by frame as
    an app would, and the frames of the held-back part count, in image pixels. Simulated data has no
    frames to stream: there the Keras model's windows count, all 5 frames, in heatmap cells.
    """
    if isinstance(tests.source, RecordedWindows):
        return [_streamed(tests.source, parts, form, path) for form, path in files.items()]
    identity = Judge(tests.source, Hyperparameters())(tests.indices).score()
    refined = tests.score([r[0] for r in tests.reference], slice(0, WINDOW))
    whole = {"clips": tests.clips, "frames": WINDOW * len(tests.indices)}
    return [_row("Keras model, all 5 frames", 0, "heatmap cells", whole, identity, refined, None)]


def _streamed(source: RecordedWindows, parts: Split, form: str, path: Path) -> dict:
    refiner, raws, refineds, truths = TFLiteRefiner(path), [], [], []
    for clip in np.unique(source.clip[parts.test]):
        first = int(source.position[parts.test[source.clip[parts.test] == clip]].min())
        truth = source.clips.visible_truth(int(clip))
        raw, refined = streamed(source.recordings[int(clip)], refiner, len(truth))
        for kept, points in ((raws, raw), (refineds, refined), (truths, truth)):
            kept.append(points[first:])
    if len(truths) < 2:  # one clip: its interval is drawn over stretches of a second instead
        raws, refineds, truths = (
            np.array_split(points[0], max(len(truths[0]) // 25, 2))
            for points in (raws, refineds, truths)
        )
        unit = "stretches of a second"
    else:
        unit = "clips"
    counted = {"clips": len(np.unique(source.clip[parts.test])), "frames": sum(map(len, truths))}
    raw, refined = Score.of(raws, truths), Score.of(refineds, truths)
    name = f"{form}, {path.name}"
    return _row(name, refiner.delay, "image pixels", counted, raw, refined, unit)


def _row(
    name: str, delay: int, space: str, counted: dict, raw: Score, refined: Score, unit: str | None
) -> dict:
    before, after = raw.pooled(), refined.pooled()
    change = (
        drop(refined, raw)
        if unit
        else {a: (100 * (after[a][0] - before[a][0]), float("nan"), float("nan")) for a in after}
    )
    about = {"name": name, "delay": delay, "space": space, **counted, "interval": unit}
    wins = {a: bool(change[a][0] > 0) for a in change}
    return about | {"raw": before, "refined": after, "change": change, "wins": wins}
