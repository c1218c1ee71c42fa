"""How long every part of a chain takes, beside what it must be compared with: the estimator alone,
and MediaPipe.

Each chain is a process of its own and they run in turns, a round of frames each, so that a slow
second of the machine meets them all. Rows have the fields of ROW and the stages of STAGES, here and
in the demos; docs/edge.md explains them.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from climb_edge.evaluation.contender import ALONE, ESTIMATOR, RIVAL, STAGES, SUMS, Contender
from climb_edge.evaluation.contender_child import ROUND
from climb_edge.files.assets import locate
from climb_edge.files.atomic import existing_file, write_csv, write_json

SCHEMA = "climb-edge/benchmark/1"
_ABOUT = ("model", "estimator", "runtime", "backend")
_FIGURES = ("median_ms", "p95_ms", "fps", "frames", "cpu_ms", "memory_mb")
ROW = ("chain", *_ABOUT, "stage", *_FIGURES)
# Of the first refiner, at most.
GOALS = {"around_to_estimator": 0.10, "chain_to_mediapipe": 1.0}

# Started by its path, in a Python that has mediapipe and nothing of ours.
_MEDIAPIPE = Path(__file__).with_name("mediapipe_contender.py")


def contenders(
    source: str, refiners: Iterable[str] = ("default",), mediapipe: str | None = None, **options
) -> list[Contender]:
    """Every refiner, then the baselines: no refiner, the estimator alone and, in a Python that has
    it, MediaPipe.

    `options` are those of climb_edge.evaluation.contender_child.Chain.
    """
    options = {**options, "source": source}
    command = [sys.executable, "-m", "climb_edge.evaluation.contender_child"]
    names = {name: name for name in (*refiners, "identity")} | {ALONE: None}
    chains = [
        Contender(name, [*command, json.dumps({**options, "refiner": refiner})])
        for name, refiner in names.items()
    ]
    if mediapipe:
        command = [mediapipe, "-P", str(_MEDIAPIPE), source, str(ROUND)]
        chains.append(Contender(RIVAL, command))
    return chains


def benchmark(
    chains: list[Contender], frames: int, step: Callable[[], object] = lambda: None
) -> dict:
    """Run `frames` frames (in whole rounds) of every chain, in turns, and report; `step` is called
    after each round.

    Raises ClimbEdgeError where a chain cannot run.
    """
    started = []
    try:
        for chain in chains:
            chain.start()
            started.append(chain)
        for chain in chains:
            chain.ready()
        for number in range(rounds(frames)):
            # nobody always comes after the same one
            for chain in chains if number % 2 else reversed(chains):
                chain.run()
                step()
    finally:
        for chain in started:
            chain.end()
    return report(chains)


def rounds(frames: int) -> int:
    """How many rounds `frames` frames take."""
    return -(-frames // ROUND)


def report(chains: list[Contender]) -> dict:
    """Rows of every chain and stage, and each chain's ratios to the baselines beside it."""
    rows = []
    for chain in chains:
        memory = max(r["memory_mb"] for r in chain.rounds)
        cpu = float(np.median([r["cpu_ms"] for r in chain.rounds]))
        for stage in (*STAGES, *SUMS):
            laps = chain.laps(stage)
            if not len(laps) or (chain.name == RIVAL and stage in (*ESTIMATOR, "estimator")):
                continue  # what MediaPipe does inside is its own: it stands as the chain, whole
            median, p95 = np.percentile(laps, (50, 95))
            place = (chain.name, *(chain.about[k] for k in _ABOUT), stage)
            used = cpu if stage == "chain" else None
            values = (*place, median, p95, 1e3 / laps.mean(), len(laps), used, memory)
            shown = [round(v, 3) if isinstance(v, float) else v for v in values]
            rows.append(dict(zip(ROW, shown, strict=True)))
    compared = [ratios(chain, chains) for chain in chains if chain.name not in (ALONE, RIVAL)]
    return {"schema": SCHEMA, "machine": machine(), "rows": rows, "ratios": compared}


def ratios(chain: Contender, chains: list[Contender]) -> dict:
    """What `chain` costs beside others: the median over rounds of the ratio of their medians."""
    inside, found = chain.per_round("estimator"), {}
    for stage in ("around", "refine"):
        found[f"{stage}_to_estimator"] = np.median(chain.per_round(stage) / inside)
    for other in chains:
        if other is not chain and other.name in ("identity", ALONE, RIVAL):
            name = other.name.replace(" ", "_")
            both = zip(chain.rounds, other.rounds, strict=True)
            found[f"chain_to_{name}"] = np.median(
                chain.per_round("chain") / other.per_round("chain")
            )
            found[f"cpu_to_{name}"] = np.median([a["cpu_ms"] / b["cpu_ms"] for a, b in both])
    return {"chain": chain.name, **{name: round(float(value), 4) for name, value in found.items()}}


def machine() -> dict:
    """What ran it, without a name that tells whose it is."""
    cpu = platform.processor()
    with contextlib.suppress(OSError):
        if named := re.search(r"model name.*?:(.*)", Path("/proc/cpuinfo").read_text()):
            cpu = named[1].strip()
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def table(found: dict) -> str:
    """A report as text: median and 95th percentile by stage and chain, ratios and goals."""
    names = list(dict.fromkeys(row["chain"] for row in found["rows"]))
    cells = {(row["chain"], row["stage"]): row for row in found["rows"]}
    width = max(16, *(len(n) + 2 for n in names))
    lines = [f"{'median (p95) ms':26}" + "".join(f"{n:>{width}}" for n in names)]

    def line(title: str, stage: str, shown: Callable[[dict], str]) -> None:
        rows = [cells.get((n, stage)) for n in names]
        if any(rows):
            texts = "".join(f"{shown(row) if row else '':>{width}}" for row in rows)
            lines.append(f"{title:26}{texts}")

    for stage in (*STAGES, *SUMS):
        line(stage, stage, lambda row: f"{row['median_ms']:.2f} ({row['p95_ms']:.2f})")
    line("chain, fps", "chain", lambda row: f"{row['fps']:.1f}")
    line("total, fps", "total", lambda row: f"{row['fps']:.1f}")
    line("chain, cpu ms", "chain", lambda row: f"{row['cpu_ms']:.1f}")
    line("memory, MiB", "chain", lambda row: f"{row['memory_mb']:.0f}")
    by_chain = {row["chain"]: row for row in found["ratios"]}
    for name in dict.fromkeys(name for row in found["ratios"] for name in row if name != "chain"):
        values = [by_chain.get(n, {}).get(name) for n in names]
        first = next(value for value in values if value is not None)
        texts = "".join(f"{'' if v is None else f'{v:.3f}':>{width}}" for v in values)
        lines.append(f"{name:26}{texts}")
        if goal := GOALS.get(name):
            lines[-1] += f"  goal {goal:g}: {'met' if first <= goal else 'not met'}"
    return "\n".join(lines)


def write(path: str | Path, found: dict) -> Path:
    """Write a report as JSON to `path` and its rows as CSV beside it; returns the CSV's path."""
    write_json(path, found)
    write_csv(beside := Path(path).with_suffix(".csv"), found["rows"], ROW)
    return beside


def command(options) -> None:
    """`climb-edge benchmark` with its parsed options."""
    from tqdm import tqdm

    source = str(existing_file(options.source or locate("demo.mp4"), "a video"))
    chains = contenders(
        source,
        options.refiner,
        options.mediapipe,
        estimator=options.estimator,
        weights=options.weights and str(options.weights),
        threads=options.threads,
        device=options.device,
    )
    with tqdm(total=rounds(options.frames) * len(chains), unit="round", desc="benchmark") as bar:
        found = benchmark(chains, options.frames, bar.update)
    print(table(found))
    if options.out:
        print(f"{options.out}\n{write(options.out, found)}")
