"""The checks of a converted file, in the order of the report."""

from __future__ import annotations

from collections.abc import Callable

from climb_edge.runtime.session import Session
from convert.checks import graph_checks
from convert.checks.parity import agreement_with_training, compare, numbers, parity
from convert.checks.speed import times
from convert.checks.testset import NUMBERS_ON
from convert.checks.verdict import Check
from convert.graphs.build import Graph
from convert.pipeline.conversion import Conversion, ConvertedFile
from convert.quantization.aware import error_table
from train.fitting.callbacks import CALIBRATION


def check_file(made: ConvertedFile, run: Conversion, whole: Graph) -> None:
    """Everything that needs the graph to run, but its speed."""
    recipe, graph = made.recipe, made.graph
    session, window = Session(graph.content), run.sets[0].inputs[0]
    compared = [compare(session, graph, tests) for tests in run.sets]
    reasons, figures = numbers(recipe, compared)
    if recipe.aware:
        broken, figures["within_a_step"] = agreement_with_training(
            graph, run.sets[0].inputs[:NUMBERS_ON], run.aware[recipe.aware].model
        )
        reasons += broken
    if recipe.activations == "INT8":
        figures["saturation"] = graph_checks.saturation(graph, run.sets[0].inputs[:2])
    made.checks.append(Check("cpu", "fail" if reasons else "pass", reasons, figures))
    _unless_skipped(made, run, "gpu", lambda: graph_checks.on_gpu(graph, recipe, window))
    made.checks.append(Check("parity", *parity(graph, recipe, compared)))
    if recipe.aware and made.checks[-1].verdict != "pass":
        made.sensitivity = error_table(
            run.aware[recipe.aware].model, run.training[CALIBRATION:] or run.training
        )
    if graph.form == "step":  # a window graph keeps no state
        _unless_skipped(
            made, run, "stream", lambda: graph_checks.stream(graph, recipe, whole, *run.clip)
        )
    _unless_skipped(
        made, run, "second", lambda: graph_checks.second(graph, recipe, run.sets[0].inputs)
    )


def _unless_skipped(
    made: ConvertedFile, run: Conversion, name: str, check: Callable[[], Check]
) -> None:
    made.checks.append(Check(name, "skipped", ["by --skip"]) if name in run.skip else check())


def time_file(
    made: list[ConvertedFile], plain: Graph, baseline: bytes | None, run: Conversion
) -> None:
    """The speed of all files of a form, in turns."""
    runs = [m for m in made if not any(c.name == "speed" for c in m.checks)]
    timed, window = {m.file: m.graph for m in runs}, run.sets[0].inputs[0]
    rows = {} if baseline is None else times(timed, plain, baseline, window)
    for m in runs:
        m.checks.append(
            Check("speed", figures={"rows": rows[m.file]})
            if rows
            else Check("speed", "skipped", ["by --skip"])
        )
