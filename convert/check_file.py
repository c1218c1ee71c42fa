"""`convert check`: somebody else's .tflite, or an archive of several, as far as it can be checked
without its training run.
"""

from __future__ import annotations

from pathlib import Path

from climb_edge.errors import ClimbEdgeError
from climb_edge.refiners.tflite import TFLiteRefiner
from climb_edge.runtime.model_file import ENTRY
from convert.checks.foreign import running
from convert.checks.graph_checks import lint
from convert.checks.verdict import Check, worst_of
from convert.graphs.archive import read_models
from convert.graphs.entries import read_entries
from convert.graphs.lint import read_ops
from convert.reports.build import file_row, skipped
from convert.reports.schema import SCHEMA

MAX_BREACHES = 50  # that a report lists
CANNOT = (
    (
        "PCK parity and numbers against a Keras model: the training run is not here; convert the"
        " run itself"
    ),
    (
        "whether its weights are those of a trained model, and whether it is quantized as it was"
        " meant to be"
    ),
    "a step graph against its window form",
)


def examine(path: str | Path, skip: tuple[str, ...] = ()) -> dict:
    """A report on one file: rules, types, loading, GPU, second runtime, speed; on noise of its
    inputs' shapes. An archive (.task) gets a row for each model in it.

    Raises ClimbEdgeError for a file that is neither.
    """
    path = Path(path)
    files, cannot = [], list(CANNOT)
    for name, content in read_models(path):
        checks, said = _checks(path, name, content, skip)
        files.append(file_row(name, checks, content))
        cannot += said
    return {
        "schema": SCHEMA,
        "verdict": worst_of(file["verdict"] for file in files),
        "skipped": skipped(files),
        "file": str(path),
        "cannot": cannot,
        "run": None,
        "test": None,
        "generated": None,
        "claims": [],
        "histogram_edges": [],
        "files": files,
    }


def _checks(
    path: Path, name: str, content: bytes, skip: tuple[str, ...]
) -> tuple[list[Check], list[str]]:
    """The checks of one graph, and what cannot be checked of it alone."""
    try:
        ops, broken = read_ops(content, values=False)
        entries, cannot = read_entries(content)
    except ClimbEdgeError as error:
        raise ClimbEdgeError(f"{path}: {error}") from error
    held = {
        "ops": [
            {
                "op": o.name,
                "index": o.index,
                "tensor": o.tensor,
                "weights": o.weights,
                "activations": o.activations,
                "left_in_float": False,
            }
            for o in ops
            if o.weights
        ]
    }
    more = len(broken) - MAX_BREACHES
    checks = [
        lint(broken[:MAX_BREACHES] + [f"and {more} breaches more"] * (more > 0)),
        Check("types", "skipped", ["which recipe it is of, nobody says"], held),
        *running(path, content, entries, skip),
        _contract(path, name, content),
    ]
    said = [f"{entry}: {guess}" for entry in entries for guess in entry.guessed]
    if len(entries) > 1:
        said.append(
            "GPU, second runtime and speed of any graph but the first: only that is run there"
        )
    return checks, [f"{name}: {sentence}" for sentence in cannot + said]


def _contract(path: Path, name: str, content: bytes) -> Check:
    """Its contract, where it has one of ours; a foreign file is not to blame for having none."""
    if ENTRY.encode() not in content:
        return Check("contract", "skipped", [f"it carries no {ENTRY}"])
    if name != path.name:
        return Check("contract", "skipped", ["it lies in an archive: unpack it first"])
    try:
        TFLiteRefiner(path, quiet=True)
    except ClimbEdgeError as error:
        return Check("contract", "fail", [str(error).removeprefix(f"{path}: ")])
    return Check("contract")
