"""`convert run`: a training run to files with their contracts, and the report on them."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np

from climb_edge import __version__
from climb_edge.boxes import STICKY
from climb_edge.contract import EMITS, WINDOW, output_shape, write_model
from climb_edge.errors import ClimbEdgeError
from climb_edge.golden import golden_test
from climb_edge.heatmaps import MASS, PEAK, SIZE
from climb_edge.runtime import Session
from climb_edge.skeleton import KEYPOINTS, K
from convert.checks import FileChecks, TestSet, check
from convert.claim import claims
from convert.graph import Graph, build
from convert.recipes import Recipe, quantize
from train import models
from train.data import open_source
from train.motion import generated_clips
from train.noise import get
from train.runs import Run
from train.splits import Split, digest
from train.windows import RenderedWindows, Source

DEFAULT_FORMS = ("step-newest", "window-all")
GENERATED_CLIPS, GENERATED_FRAMES, GENERATED_SEED = (
    60,
    60,
    20_000,
)  # never a seed that training draws from by default
CALIBRATION = 100  # training windows


@dataclass(frozen=True)
class Made:
    """One finished file and what is known of it."""

    file: str
    recipe: Recipe
    graph: Graph
    checks: FileChecks
    written: bool


def convert(
    path: str | Path, out: str | Path, forms: tuple[str, ...], recipes: list[Recipe], force: bool = False,
    step: Callable[[str], object] = lambda what: None,
) -> tuple[dict, list[Made], list[TestSet], list[dict]]:  # fmt: skip
    """Convert a run; write what passes (with `force`: everything, marked) into OUT/models.

    Returns (the run's config, files, test sets, claims). `step(what)` is called before each part.
    """
    for form in forms:
        if form not in models.FORMS:
            raise ClimbEdgeError(f"form {form!r}: expected one of {', '.join(models.FORMS)}")
    run = Run.open(path)
    config = run.config()
    step("read the run")
    described, switches = models.get(config["model"]), config.get("switches", {})
    if not described.parameters:
        raise ClimbEdgeError(
            f"{path}: {described.name} has no file; it is a refiner of the runtime: --refiner identity"
        )
    model = run.load_weights(described.build(**switches))
    source = open_source(config)
    if digest(source) != config["data_sha256"]:
        raise ClimbEdgeError(
            f"{path}: its training data changed since ({', '.join(config['data'])}); train again, or restore the data"
        )
    parts = Split.load(run.split, source)
    if not len(parts.test):
        raise ClimbEdgeError(f"{path}: this run has no test windows; train again on more frames")
    sets = [
        TestSet("test", source, parts.test[:: max(len(parts.test) // 1500, 1)], source.clips.truth),
        _generated(config),
    ]
    for tests in sets:
        step(f"Keras model, {tests.name} windows")
        tests.run_reference(model)
    made = []
    for form in forms:
        step(f"convert {form}")
        plain = build(described, model, *form.split("-"), switches)
        for recipe in recipes:
            step(f"{form} {recipe.name}")
            made.append(_one(plain, recipe, source, parts, sets, config, Path(out), force))
    step("refined against raw")
    shown = {}
    for m in made:  # one file of each form: what differs between recipes is in their own rows
        if m.written:
            shown.setdefault(f"{m.graph.form}-{m.graph.emits}", Path(out) / "models" / m.file)
    return config, made, sets, claims(sets[0], parts, shown)


def _generated(config: dict) -> TestSet:
    clips = generated_clips(GENERATED_CLIPS, GENERATED_SEED + config["seed"], GENERATED_FRAMES)
    windows = RenderedWindows(clips, get(config["noise"]), GENERATED_SEED)
    every = np.arange(len(windows))
    return TestSet(
        "generated",
        windows,
        every[windows.position % windows.span == 0],
        "generated",
    )


def _one(
    plain: Graph, recipe: Recipe, source: Source, parts: Split, sets: list[TestSet], config: dict, out: Path, force: bool
) -> Made:  # fmt: skip
    chosen = np.random.default_rng(config["seed"]).permutation(parts.train)[:CALIBRATION] if recipe.calibrated else []
    graph = replace(plain, content=quantize(plain.content, recipe, _calibration(plain, source, chosen)))
    checks = check(graph, plain, recipe, sets)
    file = f"{graph.model}.{graph.form}-{graph.emits}.{recipe.name}.tflite"
    written = checks.verdict == "pass" or force
    if written:
        write_model(out / "models" / file, graph.content, _contract(graph, recipe, source, chosen, config, checks))
    else:
        (out / "models" / file).unlink(missing_ok=True)  # an earlier file of this name would pass for this run's
    return Made(file, recipe, graph, checks, written)


def _calibration(plain: Graph, source: Source, indices) -> list[dict[str, np.ndarray]]:
    """Inputs by name of every run on the windows `indices`; a step graph's state comes from the float graph."""
    names = [plain.entry, *(name for name, _ in plain.state)]
    session = Session(plain.content)
    runs = (run for i in indices for run in plain.runs(session, source.window(int(i)).inputs))
    return [dict(zip(names, inputs, strict=True)) for inputs, _ in runs]


def _contract(graph: Graph, recipe: Recipe, source: Source, chosen, config: dict, checks: FileChecks) -> dict:
    rates = source.clips.fps[np.isfinite(source.clips.fps)]
    heatmaps, kept = graph.output == "heatmaps", [list(shape) for _, shape in graph.state]
    return {
        "model": graph.model, "switches": config.get("switches", {}), "form": graph.form, "emits": graph.emits, "output": graph.output,
        "window": WINDOW, "skeleton": list(KEYPOINTS),
        "state": [{"name": name, "shape": list(shape)} for name, shape in graph.state],
        "inputs": [[1, SIZE, SIZE, WINDOW * K if graph.form == "window" else K], *kept],
        "outputs": [output_shape(graph.output, EMITS[graph.emits]), *kept],
        "layout": "NHWC, frame-major channels, oldest frame first; the state follows the first input and output, zeros at the start",
        "normalisation": {"sum": MASS, "negatives": 0}, "decode": "dark" if heatmaps else None,
        "peak": PEAK / config["recipe"]["target_sigma"] ** 2 if heatmaps else None,
        "box": {"rule": STICKY.name, "grow": STICKY.grow, "outer": STICKY.outer, "shrunk": STICKY.shrunk, "square": True},
        "fps": float(np.median(rates)) if len(rates) else None, "recipe": recipe.name, "quantizer": recipe.quantizer,
        "calibration": {"windows": len(chosen), "sha256": hashlib.sha256(np.asarray(chosen, np.int64).tobytes()).hexdigest()} if len(chosen) else None,
        "runtime": Session.version(), "golden": golden_test(Session(graph.content, 1), recipe.golden_tolerance),
        "training_data": {"source": source.clips.source, "truth": source.clips.truth, "sha256": digest(source), "init": config["init"]},
        "estimator": config["estimator"] if config.get("videos") else None,
        "tools": {"climb-edge": __version__, "python": platform.python_version(), **{t: version(t) for t in ("keras", "ai-edge-quantizer", "ai-edge-litert", "numpy")}},
        "checks": {"verdict": checks.verdict, "reasons": checks.reasons},
    }  # fmt: skip
