"""How fast files are: in turns, in one run, against the same baselines."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import numpy as np

from climb_edge.runtime.session import Session
from convert.checks.testset import FRAMES
from convert.graphs.build import Graph, convert_function
from train.data.windows import Frames

# timed runs of each file: bursts in turns, so that a slow second of the machine meets them all
ROUNDS, BURST = 8, 4
Timed = tuple[Session, list[np.ndarray]]  # a graph and what to run it on


@dataclass(frozen=True)
class Milliseconds:
    """Of one run."""

    median: float
    p95: float


def in_turns(timed: dict[tuple[str, str], Timed]) -> dict[tuple[str, str], Milliseconds]:
    """Milliseconds of a run of each."""
    taken = {key: [] for key in timed}
    for _ in range(ROUNDS):
        for key, (session, inputs) in timed.items():
            session.run(*inputs)  # the file before left the caches full of its own weights
            for _ in range(BURST):
                start = time.perf_counter()
                session.run(*inputs)
                taken[key].append((time.perf_counter() - start) * 1e3)
    return {
        key: Milliseconds(float(np.median(v)), float(np.percentile(v, 95)))
        for key, v in taken.items()
    }


def naive(trained) -> bytes:
    """The converter's graph of the training form, with batch 1: every model's baseline."""
    inputs = [((1, *tensor.shape[1:]), tensor.name) for tensor in trained.inputs]
    return convert_function(
        trained, lambda *tensors: trained(list(tensors) if len(inputs) > 1 else tensors[0]), inputs
    )


def thread_counts() -> list[int]:
    """1, 2, and all cores of this machine."""
    return sorted({1, min(2, os.cpu_count() or 1), os.cpu_count() or 1})


def times(
    files: dict[str, Graph], plain: Graph, baseline: bytes, window: Frames
) -> dict[str, list[dict]]:
    """Name -> rows of the report: milliseconds per emitted frame of every file, on 1, 2 and all
    threads.

    In each row stand the float graph's (`float_ms`) and the naive conversion's (`naive_ms`) of the
    same turns. A naive graph gives 5 frames a run, of which a stream needs one.
    """
    rows: dict[str, list[dict]] = {name: [] for name in files}
    emitted = FRAMES[plain.emits].stop - FRAMES[plain.emits].start
    for threads in thread_counts():
        graphs = files | {"float": plain}
        timed = {("", name): _ready(graph, window, threads) for name, graph in graphs.items()}
        naively = Session(baseline, threads)
        given = [a[None] for a in (window.maps, window.peaks)]
        timed["naive", ""] = naively, given[: len(naively.inputs)]
        taken = in_turns(timed)
        for name in files:
            rows[name].append(
                {
                    "runtime": Session.version(),
                    "delegate": "XNNPACK",
                    "threads": threads,
                    "median_ms": taken["", name].median / emitted,
                    "p95_ms": taken["", name].p95 / emitted,
                    "float_ms": taken["", "float"].median / emitted,
                    "naive_ms": taken["naive", ""].median / emitted,
                }
            )
    return rows


def _ready(graph: Graph, window: Frames, threads: int) -> Timed:
    session = Session(graph.content, threads)
    return session, graph.runs(session, window)[-1][0]
