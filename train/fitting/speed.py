"""Is reading the bottleneck? Windows a second out of the pipeline, and into training steps."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from train.backend import keras
from train.config import Hyperparameters
from train.data.inputs import given_to, inputs_named
from train.data.pipeline import dataset, made
from train.data.sources import Source
from train.fitting.loop import Trained
from train.fitting.losses import FOR
from train.models import registry

SECONDS = 4.0  # of each measurement


@dataclass(frozen=True)
class Pace:
    """Windows per second of one model; each measured while the other stands still."""

    model: str
    read: float
    trained: float

    @property
    def ratio(self) -> float:
        return self.read / self.trained


def paces(source: Source, names: tuple[str, ...], batch: int = 16) -> list[Pace]:
    """Measure every model of `names` that has something to train on the windows of `source`."""
    return [_pace(source, registry.get(n), batch) for n in names if registry.get(n).parameters]


def _pace(source: Source, definition, batch: int) -> Pace:
    names, indices = given_to(definition.reads, source), np.arange(len(source))
    stream = iter(dataset(source, names, indices, batch, 0, 0, max(len(source) // batch, 1)))
    read = _rate(lambda: next(stream), batch)
    model, inputs = definition.build(), inputs_named(names)
    trained = Trained(inputs, definition.outputs(model, inputs), name=definition.name)
    trained.hyper = Hyperparameters(loss=FOR[definition.output][0])
    trained.compile(optimizer=keras.optimizers.Adam(1e-4))
    *given, cells, weight = made(source, names, indices[:batch])
    given = dict(zip(names, given, strict=True))
    return Pace(
        definition.name,
        read,
        _rate(lambda: trained.train_on_batch(given, cells, sample_weight=weight), batch),
    )


def _rate(step, batch: int) -> float:
    for _ in range(4):  # the first ones build graphs and fill what is read ahead
        step()
    since, steps = time.perf_counter(), 0
    while (passed := time.perf_counter() - since) < SECONDS or steps < 3:
        step()
        steps += 1
    return steps * batch / passed


def table(rows: list[Pace]) -> str:
    """Markdown."""
    head = "| model | windows a second read | trained | ratio |\n|---|---|---|---|\n"
    return head + "\n".join(
        f"| {r.model} | {r.read:.0f} | {r.trained:.1f} | {r.ratio:.1f} |" for r in rows
    )
