"""`convert run`: a training run to files with their contracts, and all that the report says of
them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.temporaries import scratch_folder
from climb_edge.pose.layout import WINDOW
from climb_edge.refiners.tflite import TFLiteRefiner
from climb_edge.runtime.model_file import append_contract, write_model
from convert.checks import graph_checks
from convert.checks.improvement import improvements
from convert.checks.speed import naive
from convert.checks.testset import TestSet, of_part
from convert.checks.verdict import Check
from convert.graphs.build import build
from convert.graphs.lint import read_ops
from convert.pipeline.checking import check_file, time_file
from convert.pipeline.contract import contract_of
from convert.pipeline.conversion import Conversion, ConvertedFile, Step
from convert.quantization.aware import quantization, together
from convert.quantization.mixed import distance, search
from convert.quantization.quantizers import Quantization
from convert.quantization.recipes import Recipe
from train.data.rendered import RenderedWindows
from train.data.sources import open_source, unchanged
from train.data.splits import Split, digest
from train.data.windows import Frames
from train.fitting.callbacks import CALIBRATION
from train.fitting.run_folder import Run, load_weights
from train.models import registry
from train.models.cost import count_macs
from train.noise.library import get
from train.synthesis.motion import generated_clips

GENERATED_CLIPS, GENERATED_SEED = 60, 20_000  # never a seed that training draws from by default
# generated windows of a clip; of a model of more MACs a window, fewer
PER_CLIP, PER_CLIP_HEAVY, HEAVY = 8, 4, 5e9
TEST_WINDOWS = 300  # at most; their inputs are kept in memory, 1.6 MB each


def open_run(
    path: str | Path,
    forms: tuple[str, ...],
    skip: tuple[str, ...] = (),
    step: Step = lambda what, steps=1: None,
    qat_runs: Sequence[Path] = (),
) -> Conversion:
    """Read a run, and those trained in 8 bits `qat_runs`, and let its Keras model speak on every
    window.

    Raises ClimbEdgeError for a run that cannot be judged.
    """
    for form in forms:
        if form not in registry.FORMS:
            raise ClimbEdgeError(f"form {form!r}: expected one of {', '.join(registry.FORMS)}")
    step("read the run")
    run = Run.open(path)
    config = run.config()
    definition = registry.get(config["model"])
    if not definition.parameters:
        raise ClimbEdgeError(
            f"{path}: {definition.name} has no file; it is a refiner of the runtime: --refiner"
            " identity"
        )
    model = definition.build(**config.get("switches", {}))
    load_weights(model, run.teacher if config.get("qat") else run.best)
    source = unchanged(open_source(config))
    if digest(source) != config["data_sha256"]:
        raise ClimbEdgeError(
            f"{path}: its training data changed since ({', '.join(config['data'])}); train again,"
            " or restore the data"
        )
    parts = Split.load(run.split, source)
    if not len(parts.test):
        raise ClimbEdgeError(f"{path}: this run has no test windows; train again on more frames")
    trained = together(Path(path), qat_runs, definition, model, parts, source)
    sets = [
        TestSet("test", source, of_part(source, parts.test, TEST_WINDOWS), source.clips.truth),
        _generated(config, model),
    ]
    for tests in sets:
        step(f"Keras model, {tests.name} windows")
        tests.run_reference(model)
    return Conversion(
        Path(path), forms, config, definition, model, source, parts, sets, skip, trained
    )


def _generated(config: dict, model) -> TestSet:
    frames = WINDOW * (PER_CLIP_HEAVY if count_macs(model) > HEAVY else PER_CLIP)
    clips = generated_clips(GENERATED_CLIPS, GENERATED_SEED + config["seed"], frames)
    windows = RenderedWindows(clips, get(config["noise"]), GENERATED_SEED)
    every = np.arange(len(windows))
    return TestSet("generated", windows, every[windows.position % windows.span == 0], clips.truth)


def convert(
    run: Conversion,
    out: Path,
    recipes: list[Recipe],
    force: bool = False,
    step: Step = lambda what, steps=1: None,
) -> Conversion:
    """Make every recipe of every form, check it, and write what passes (`force`: everything,
    marked) into OUT/models.
    """
    baseline = None if "speed" in run.skip else naive(run.model)
    for form in run.forms:
        run.made += _form(run, form, recipes, baseline, out, force, step)
    step("refined against raw")
    shown = {}
    # One file of each form, the small and fast one if it passed: what differs between recipes is in
    # their own rows.
    for m in sorted(
        (m for m in run.made if m.written), key=lambda m: m.recipe.name != "dynamic_int8"
    ):
        shown.setdefault(f"{m.graph.form}-{m.graph.emits}", out / "models" / m.file)
    run.claims = improvements(run.sets[0], run.parts, shown)
    return run


def _form(
    run: Conversion,
    form: str,
    recipes: list[Recipe],
    baseline: bytes | None,
    out: Path,
    force: bool,
    step: Step,
) -> list[ConvertedFile]:
    step(f"convert {form}")
    kind, emits = form.split("-")
    switches = run.config.get("switches", {})
    plain = build(run.definition, run.model, kind, emits, switches)
    whole = (
        plain if kind == "window" else build(run.definition, run.model, "window", emits, switches)
    )
    quantizations = {"": Quantization(plain, run.training[:CALIBRATION])} | {
        scheme: quantization(aware, run.definition, plain, kind, emits)
        for scheme, aware in run.aware.items()
    }
    made = []
    for recipe in recipes:
        step(f"{form} {recipe.name}")
        # was not trained for this form; `choose` has said so
        if quantizations[recipe.aware] is None:
            continue
        chosen_by = run.training[CALIBRATION:] or run.training
        made.append(
            _make(
                recipe,
                quantizations[recipe.aware],
                chosen_by,
                lambda what: step(f"{form} {what}", 0),
            )
        )
        if any(c.name == "load" and c.verdict == "pass" for c in made[-1].checks):
            check_file(made[-1], run, whole)
        else:
            unrun = (
                "cpu",
                "gpu",
                "parity",
                *(["stream"] if kind == "step" else []),
                "second",
                "speed",
            )
            made[-1].checks += [
                Check(name, "skipped", ["the graph does not load"]) for name in unrun
            ]
    step(f"speed of {form}")
    time_file(made, plain, baseline, run)
    for m in made:
        _write(m, run, out / "models" / m.file, force)
    return made


def _make(
    recipe: Recipe, quantization: Quantization, windows: list[Frames], tell: Callable[[str], object]
) -> ConvertedFile:
    """The better of what the quantizers make of a recipe: rules first, then the distance from
    float, then the size.
    """
    plain, plain_ops = quantization.plain, read_ops(quantization.plain.content)[0]
    best, found = None, ConvertedFile(recipe, replace(plain, content=b""))
    for by in recipe.quantizers:
        row, floats, mixed = {"quantizer": by, "reason": None}, (), None
        found.candidates.append(row)
        try:
            if recipe.name == "int8_mixed":
                mixed = search(quantization, recipe, windows, tell)
                content, floats = mixed.content, mixed.floats
            else:
                content = quantization.under(recipe, by)
        except ClimbEdgeError as error:
            row["reason"] = str(error)
            found.checks.append(Check("load", "fail", [str(error)]))
            continue
        graph = replace(plain, content=content)
        ops, broken = read_ops(content)
        held = [
            graph_checks.lint(broken),
            graph_checks.types(ops, plain_ops, recipe, floats),
            graph_checks.load(graph, windows),
        ]
        row["bytes"], row["reason"] = (
            len(content),
            "; ".join(r for c in held for r in c.reasons) or None,
        )
        row["cells"] = distance(plain, content, windows) if held[2].verdict == "pass" else None
        rank = (row["reason"] is not None, row["cells"] is None, row["cells"] or 0.0, len(content))
        if best is None or rank < best[0]:
            tried = mixed.sensitivity if mixed else []
            best = (
                rank,
                row,
                ConvertedFile(
                    replace(recipe, quantizers=(by,)), graph, held, found.candidates, mixed, tried
                ),
            )
    if best is None:
        return found
    best[1]["kept"] = True
    return best[2]


def _write(made: ConvertedFile, run: Conversion, path: Path, force: bool) -> None:
    """Write a file that passes, or any that was made with `force`, and read it back as an app
    would.
    """
    if not made.graph.content or not (made.verdict == "pass" or force):
        path.unlink(missing_ok=True)  # an earlier file of this name would pass for this run's
        return
    calibration = run.chosen[:CALIBRATION] if made.recipe.calibrated else run.chosen[:0]
    # what cannot be read back never stands in OUT
    with scratch_folder("trial") as folder:
        trial = folder / made.file
        try:
            config = run.aware[made.recipe.aware].config if made.recipe.aware else run.config
            contract = contract_of(made, config, run.source, run.estimator, calibration)
            trial.write_bytes(append_contract(made.graph.content, contract))
            TFLiteRefiner(trial, quiet=True)
        except ClimbEdgeError as error:
            made.checks.append(Check("contract", "fail", [str(error)]))
            path.unlink(missing_ok=True)
            return
    # a full disk ends the command here, and leaves the older file
    write_model(path, made.graph.content, contract)
    made.checks.append(Check("contract"))
    made.written = True
