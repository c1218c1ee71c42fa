"""Judging: what a model makes of windows, decoded both ways, and how well; in heatmap cells, all 5
frames counted.

Two readings of one output. `ours`: DARK decoding against the exact truth. `study`: the first
maximum against truth in whole cells, as the study took it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from climb_edge.evaluation.pck import Score
from climb_edge.pose.decode import decode
from climb_edge.pose.render import SIZE
from climb_edge.pose.skeleton import K
from train.backend import keras
from train.data.inputs import given_to, inputs_named
from train.data.pipeline import made
from train.data.sources import Source, unchanged
from train.fitting.losses import FOR, LOSSES, target_of
from train.models import registry

DECODES = ("ours", "study")


@dataclass(frozen=True)
class Measured:
    """Predictions of a model on windows, one array per clip."""

    loss: float
    truth: tuple[np.ndarray, ...]  # each (W, 5, 25, 2) exact cells, NaN where nothing counts
    points: dict[str, tuple[np.ndarray, ...]]  # by decode, the same shapes
    sure: tuple[np.ndarray, ...] = ()  # each (W, 5, 25) score 0..1, of a model that gives one
    clips: tuple[int, ...] = ()  # which clips of the data these are

    def score(self, reading: str = "ours") -> Score:
        """PCK by one of DECODES."""
        truth = self.truth if reading == "ours" else tuple(whole(t) for t in self.truth)
        return Score.of([_frames(p) for p in self.points[reading]], [_frames(t) for t in truth])

    @property
    def pck(self) -> dict[str, float]:
        return {a: v[0] for a, v in self.score().pooled().items()}


def whole(cells: np.ndarray) -> np.ndarray:
    """Cells as the study's truth has them: rounded, and clipped to the map."""
    return np.clip(np.floor(cells + 0.5), 0, SIZE - 1)


def _frames(windows: np.ndarray) -> np.ndarray:
    return windows.reshape(-1, K, 2)


class _Verdict(keras.layers.Layer):
    """(outputs, cells) -> keypoints by each of DECODES (B, 5, 25, 2), and their loss (B, 5, 25)."""

    def __init__(self, loss: str, target_sigma: float, whole_targets: bool):
        super().__init__(autocast=False, name="verdict")
        self._loss, self._target = loss, (target_sigma, whole_targets)

    def call(self, outputs, cells):
        ops = keras.ops
        outputs = ops.cast(outputs, "float32")
        keypoints = len(outputs.shape) == 4
        if keypoints:
            points = [outputs[..., :2]] * 2
        else:
            points = [decode(outputs, subpixel, ops)[0] for subpixel in (True, False)]
        compared = points[0] if self._loss in FOR["keypoints"] and not keypoints else outputs
        target = target_of(self._loss, cells, *self._target)
        found = dict(zip(DECODES, points, strict=True))
        found["loss"] = LOSSES[self._loss](target, compared)
        if keypoints and outputs.shape[-1] == 3:
            found["sure"] = outputs[..., 2]
        return found


class Judge:
    """A model with its decoding and its loss as one graph, to be asked often; `definition` None
    judges the input itself.
    """

    def __init__(self, source: Source, hyper, definition=None, model=None):
        if definition is None:
            definition = registry.get("identity")
            model = definition.build()
        self.source, self.batch = unchanged(source), hyper.batch
        self.names = given_to(definition.reads, source)
        inputs = inputs_named((*self.names, "cells"))
        given = {name: inputs[name] for name in self.names}
        verdict = _Verdict(hyper.loss, hyper.target_sigma, hyper.whole_cells)
        outputs = definition.outputs(model, given)
        self._graph = keras.Model(inputs, verdict(outputs, inputs["cells"]))

    def __call__(self, indices: np.ndarray) -> Measured:
        """Judge the windows `indices`; memory grows by their keypoints only."""
        loss, total, by_clip = 0.0, 0.0, {}
        for i in range(0, len(indices), self.batch):
            chunk = indices[i : i + self.batch]
            *given, cells, weight = made(self.source, self.names, chunk)
            given = dict(zip(self.names, given, strict=True)) | {"cells": cells}
            found = self._graph.predict_on_batch(given)
            # every device of a strategy judges the batch
            found = {name: v[: len(chunk)] for name, v in found.items()}
            loss, total = loss + float((found["loss"] * weight).sum()), total + float(weight.sum())
            truth = np.where(weight[..., None] > 0, cells, np.nan)
            for j, index in enumerate(chunk):
                kept = by_clip.setdefault(int(self.source.clip[index]), [])
                kept.append((truth[j], *(found[d][j] for d in (*DECODES, "sure") if d in found)))
        columns = [[np.stack(c) for c in zip(*kept, strict=True)] for kept in by_clip.values()]
        truth, *points = zip(*columns, strict=True) if columns else ((),) * (1 + len(DECODES))
        sure = points[len(DECODES)] if len(points) > len(DECODES) else ()
        points = dict(zip(DECODES, points, strict=False))
        return Measured(loss / max(total, 1e-9), truth, points, sure, tuple(by_clip))
