"""`convert check`: somebody else's .tflite, as far as it can be checked without its
training run.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.atomic import existing_file
from climb_edge.refiners.tflite import TFLiteRefiner
from climb_edge.runtime.isolated import run_on_cpu
from climb_edge.runtime.model_file import ENTRY
from climb_edge.runtime.session import Session
from convert.checks.graph_checks import delegated, lint, share_apart
from convert.checks.speed import in_turns, thread_counts
from convert.checks.verdict import Check
from convert.graphs.lint import read_ops
from convert.quantization.recipes import RECIPES
from convert.reports.build import file_row, skipped
from convert.reports.schema import SCHEMA

MAX_FILE = 512 << 20  # bytes
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
    inputs' shapes.

    Raises ClimbEdgeError for a file that is no TFLite file, or whose inputs have no fixed shape.
    """
    path = existing_file(path, "a .tflite file")
    if path.stat().st_size > MAX_FILE:
        raise ClimbEdgeError(
            f"{path}: {path.stat().st_size} bytes, at most {MAX_FILE} are looked at; pass a refiner"
        )
    content = path.read_bytes()
    if content[4:8] != b"TFL3":
        raise ClimbEdgeError(
            f"{path}: expected a TFLite file, found another kind of file; pass a .tflite"
        )
    ops, broken = read_ops(content)
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
    checks = [lint(broken), Check("types", "skipped", ["which recipe it is of, nobody says"], held)]
    checks += _running(path, content, skip)
    checks.append(_contract(path, content))
    file = file_row(path.name, checks, content)
    return {
        "schema": SCHEMA,
        "verdict": file["verdict"],
        "skipped": skipped([file]),
        "file": str(path),
        "cannot": list(CANNOT),
        "run": None,
        "test": None,
        "generated": None,
        "claims": [],
        "histogram_edges": [],
        "files": [file],
    }


def _running(path: Path, content: bytes, skip: tuple[str, ...]) -> Iterator[Check]:
    """What can be seen of a graph that runs; a process apart loads it first, and runs it first."""
    found = run_on_cpu(content, [])
    if found.status == "ran":
        session = Session(content, 1, source=path)
        inputs = _noise(path, session)
        found = run_on_cpu(content, [inputs])
    figures = {"runtime": found.runtime, "load_ms": found.load_ms, "memory_mb": found.memory_mb}
    yield _told(
        "load", found.status == "ran", f"{found.runtime} {found.status}: {found.reason}", figures
    )
    if found.status != "ran":
        return
    outputs = session.run(*inputs)
    finite = all(np.isfinite(o).all() for o in outputs)
    yield _told("cpu", finite, "its outputs hold NaN or infinite values on noise of 0 to 1")
    gpu = max(recipe.gpu for recipe in RECIPES.values())
    for name, check in (
        ("gpu", lambda: delegated(content, session, [(inputs, outputs)], gpu)),
        ("second", lambda: _second(content, inputs, outputs)),
        ("speed", lambda: _speed(content, inputs)),
    ):
        yield Check(name, "skipped", ["by --skip"]) if name in skip else check()


def _noise(path: Path, session: Session) -> list[np.ndarray]:
    """Float noise of every input's shape."""
    for detail in session.inputs:
        if (np.asarray(detail["shape_signature"]) < 1).any() or detail["dtype"] not in (
            np.float32,
            np.int8,
        ):
            raise ClimbEdgeError(
                f"{path}: input {detail['name']} is {np.dtype(detail['dtype']).name}"
                f" {detail['shape_signature'].tolist()}; expected float32 or int8 of a fixed shape;"
                " convert it again with static shapes"
            )
    rng = np.random.default_rng(0)
    return [rng.random(detail["shape"], np.float32) for detail in session.inputs]


def _told(name: str, met: bool, otherwise: str, figures: dict | None = None) -> Check:
    return Check(name, "pass" if met else "fail", [] if met else [otherwise], figures or {})


def _second(content: bytes, inputs: list[np.ndarray], outputs: list[np.ndarray]) -> Check:
    found = run_on_cpu(content, [inputs], second=True)
    figures = {"runtime": found.runtime, "memory_mb": found.memory_mb}
    if found.status != "ran":
        verdict = "skipped" if found.status == "skipped" else "fail"
        return Check("second", verdict, [f"{found.status}: {found.reason}"], figures)
    apart = float(
        np.max([share_apart(a, b) for a, b in zip(found.outputs[0], outputs, strict=True)])
    )
    bar = max(recipe.golden_tolerance for recipe in RECIPES.values())
    said = f"{found.runtime} is {apart:.2g} of the scale away, at most {bar:g}"
    return _told("second", apart <= bar, said, figures | {"max_error": apart})


def _speed(content: bytes, inputs: list[np.ndarray]) -> Check:
    rows = []
    for threads in thread_counts():
        ms = in_turns({("", ""): (Session(content, threads), inputs)})["", ""]
        rows.append(
            {
                "runtime": Session.version(),
                "delegate": "XNNPACK",
                "threads": threads,
                "median_ms": ms.median,
                "p95_ms": ms.p95,
                "float_ms": None,
                "naive_ms": None,
            }
        )
    return Check("speed", figures={"rows": rows})


def _contract(path: Path, content: bytes) -> Check:
    """Its contract, where it has one of ours; a foreign file is not to blame for having none."""
    if ENTRY.encode() not in content:
        return Check("contract", "skipped", [f"it carries no {ENTRY}"])
    try:
        TFLiteRefiner(path, quiet=True)
    except ClimbEdgeError as error:
        return Check("contract", "fail", [str(error)])
    return Check("contract")
