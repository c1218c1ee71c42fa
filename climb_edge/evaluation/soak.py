"""A long run: does a stream that goes on for hours keep its memory, its files, its threads and its
speed?
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from climb_edge.errors import GateFailed
from climb_edge.estimators.base import Estimator
from climb_edge.estimators.load import load_estimator
from climb_edge.estimators.recording import cached_recording
from climb_edge.evaluation.contender_child import looped, memory
from climb_edge.files.assets import locate, sha256_of
from climb_edge.files.atomic import existing_file
from climb_edge.media.video import read_video
from climb_edge.refiners.base import Refiner
from climb_edge.refiners.load import load_refiner
from climb_edge.streaming.stream import Stream
from climb_edge.tracking.overlay import Overlay

PARTS = 10
# MiB that memory may grow by after the first part: a map of 0.4 MB leaked per frame shows within 40
GROWTH = 16.0


@dataclass(frozen=True)
class Part:
    """One tenth of a run, as it ended."""

    frames: int  # so far
    milliseconds: float  # a frame of this part
    memory: float  # MiB held
    files: int  # open
    threads: int
    results: int  # so far


def soak(
    source: str | Path,
    estimator: Estimator,
    refiner: Refiner,
    frames: int,
    recorded: bool = False,
    step: Callable[[], object] = lambda: None,
) -> list[Part]:
    """Stream `frames` frames of a video, again and again, and draw them; the state at the end of
    every tenth.

    With `recorded`, the estimator runs once over the video, and what it said is streamed without
    pictures.
    """
    if recorded:
        estimator = cached_recording(source, sha256_of(source), estimator)
        supply = looped(estimator.frames)
    else:
        supply = looped(partial(read_video, source))
    stream, overlay, parts, results = Stream(estimator, refiner), Overlay(refiner.name), [], 0
    for part in range(PARTS):
        count, since = frames * (part + 1) // PARTS - frames * part // PARTS, time.perf_counter()
        for frame in islice(supply, count):
            given = stream.push(frame)
            results += len(given)
            if not recorded:
                overlay.draw(frame.image, given)
            step()
        took = 1e3 * (time.perf_counter() - since) / max(count, 1)
        parts.append(
            Part(frames * (part + 1) // PARTS, took, memory("VmRSS"), _files(), _threads(), results)
        )
    return parts


def verdict(parts: list[Part]) -> None:
    """Raise GateFailed where memory grew by over GROWTH MiB since the first part, or files or
    threads over the first half's.

    Threads come and go: a decoder starts its own each time the video begins anew.
    """
    last, half = parts[-1], parts[: (len(parts) + 1) // 2]
    grown = [
        f"{name} by {after - before:.0f} ({allowed:.0f} allowed)"
        for name, before, after, allowed in (
            ("memory in MiB", parts[0].memory, last.memory, GROWTH),
            ("open files", max(p.files for p in half), last.files, 0),
            ("threads", max(p.threads for p in half), last.threads, 0),
        )
        if after - before > allowed
    ]
    if grown:
        raise GateFailed(f"up to frame {last.frames} grew {', '.join(grown)}")


def table(parts: list[Part]) -> str:
    """The parts as text."""
    titles = ("frames", "ms a frame", "memory, MiB", "open files", "threads", "results")
    lines = [
        (p.frames, f"{p.milliseconds:.2f}", f"{p.memory:.1f}", p.files, p.threads, p.results)
        for p in parts
    ]
    return "\n".join("".join(f"{cell:>13}" for cell in line) for line in (titles, *lines))


def command(options) -> None:
    """`climb-edge benchmark --soak` with its parsed options."""
    from tqdm import tqdm

    source = existing_file(options.source or locate("demo.mp4"), "a video")
    refiner = load_refiner(options.refiner[0], options.threads, options.device)
    estimator = load_estimator(options.estimator, options.weights, threads=options.threads)
    with tqdm(total=options.soak, unit="frame", desc="soak", mininterval=1) as bar:
        parts = soak(source, estimator, refiner, options.soak, options.recorded, bar.update)
    print(table(parts))
    verdict(parts)


def _files() -> int:
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return 0


def _threads() -> int:
    try:
        return len(os.listdir("/proc/self/task"))  # those of the runtimes and decoders too
    except OSError:
        return threading.active_count()
