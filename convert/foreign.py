"""`convert check`: somebody else's .tflite, as far as it can be checked without its training run."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from climb_edge.contract import read_model
from climb_edge.errors import ClimbEdgeError, existing_file
from climb_edge.golden import golden_error
from climb_edge.gpu import run_on_gpu
from climb_edge.runtime import Session
from convert.apart import run_apart
from convert.checks import Check, lint, overall, share_apart
from convert.lint import Op, read_ops
from convert.recipes import RECIPES
from convert.report import SCHEMA, skipped
from convert.speed import in_turns, thread_counts

MAX_FILE = 512 << 20  # bytes
CANNOT = (
    "PCK parity and numbers against a Keras model: the training run is not here; convert the run itself",
    "whether its weights are those of a trained model, and whether it is quantized as it was meant to be",
    "a step graph against its window form",
)


def examine(path: str | Path, skip: tuple[str, ...] = ()) -> dict:
    """A report on one file: rules, types, loading, GPU, second runtime, speed; on noise of its inputs' shapes.

    Raises ClimbEdgeError for a file that is no TFLite file, or whose inputs have no fixed shape.
    """
    path = existing_file(path, "a .tflite file")
    if path.stat().st_size > MAX_FILE:
        raise ClimbEdgeError(f"{path}: {path.stat().st_size} bytes, at most {MAX_FILE} are looked at; pass a refiner")
    content = path.read_bytes()
    if content[4:8] != b"TFL3":
        raise ClimbEdgeError(f"{path}: expected a TFLite file, found another kind of file; pass a .tflite")
    ops, broken = read_ops(content)
    checks, figures = [lint(broken)], {}
    loaded = run_apart(content, [])
    checks.append(_told("load", loaded.status == "ran", f"{loaded.runtime} {loaded.status}: {loaded.reason}"))
    figures["load"] = {"runtime": loaded.runtime, "load_ms": loaded.load_ms, "memory_mb": loaded.memory_mb}
    if loaded.status == "ran":
        session = Session(content, 1, source=path)
        inputs = _noise(path, session)
        outputs = session.run(*inputs)
        finite = all(np.isfinite(o).all() for o in outputs)
        checks.append(_told("cpu", finite, "its outputs hold NaN or infinite values on noise of 0 to 1"))
        checks += [_gpu(content, session, inputs, outputs, figures, "gpu" in skip)]
        checks += [_second(content, inputs, outputs, figures, "second" in skip)]
        checks += [_speed(content, inputs, figures, "speed" in skip)]
    checks.append(_contract(path))
    return _report(path, content, ops, checks, figures)


def _noise(path: Path, session: Session) -> list[np.ndarray]:
    """Float noise of every input's shape."""
    for detail in session.inputs:
        if (np.asarray(detail["shape_signature"]) < 1).any() or detail["dtype"] not in (np.float32, np.int8):
            raise ClimbEdgeError(
                f"{path}: input {detail['name']} is {np.dtype(detail['dtype']).name} {detail['shape_signature'].tolist()}; "
                "expected float32 or int8 of a fixed shape; convert it again with static shapes"
            )
    rng = np.random.default_rng(0)
    return [rng.random(detail["shape"], np.float32) for detail in session.inputs]


def _told(name: str, met: bool, otherwise: str) -> Check:
    return Check(name, "pass") if met else Check(name, "fail", [otherwise])


def _gpu(content: bytes, session: Session, inputs, outputs, figures: dict, skip: bool) -> Check:
    if skip:
        return Check("gpu", "skipped", ["by --skip"])
    found = run_on_gpu(content, [session.entering(*inputs)])
    error = None
    if found.status == "ran":
        error = max(share_apart(a, b) for a, b in zip(session.leaving(*found.outputs[0]), outputs, strict=True))
    figures["gpu"] = {
        "backend": found.backend, "status": found.status, "partitions": found.partitions, "nodes": found.nodes,
        "total": found.total, "max_error": error, "seconds": sum(found.seconds),
    }  # fmt: skip
    if found.status == "skipped":
        return Check("gpu", "skipped", [found.reason])
    if found.status != "ran":
        return Check("gpu", "fail", [f"{found.backend or 'the GPU'} {found.status}: {found.reason}"])
    bar = max(recipe.gpu for recipe in RECIPES.values())  # which recipe it is of, nobody says
    return _told("gpu", error <= bar, f"GPU is {error:.2g} of the scale from the CPU, at most {bar:.2g}")


def _second(content: bytes, inputs, outputs, figures: dict, skip: bool) -> Check:
    if skip:
        return Check("second", "skipped", ["by --skip"])
    found = run_apart(content, [inputs], second=True)
    figures["second"] = {"runtime": found.runtime, "memory_mb": found.memory_mb}
    if found.status != "ran":
        verdict = "skipped" if found.status == "skipped" else "fail"
        return Check("second", verdict, [f"{found.status}: {found.reason}"])
    apart = max(share_apart(a, b) for a, b in zip(found.outputs[0], outputs, strict=True))
    figures["second"]["max_error"] = apart
    bar = max(recipe.golden_tolerance for recipe in RECIPES.values())
    return _told("second", apart <= bar, f"{found.runtime} is {apart:.2g} of the scale away, at most {bar:g}")


def _speed(content: bytes, inputs, figures: dict, skip: bool) -> Check:
    if skip:
        return Check("speed", "skipped", ["by --skip"])
    figures["speed"] = []
    for threads in thread_counts():
        ms = in_turns({("", ""): (Session(content, threads), inputs)})["", ""]
        figures["speed"].append({
            "runtime": Session.version(), "delegate": "XNNPACK", "threads": threads,
            "median_ms": ms.median, "p95_ms": ms.p95, "float_ms": None, "naive_ms": None,
        })  # fmt: skip
    return Check("speed")


def _contract(path: Path) -> Check:
    """Its contract, where it has one of ours; a foreign file is not to blame for having none."""
    try:
        graph, contract = read_model(path)
        error, tolerance = golden_error(Session(graph, 1), contract["golden"]), contract["golden"]["tolerance"]
    except ClimbEdgeError as error:
        return Check("contract", "skipped", [str(error)])
    return _told("contract", error <= tolerance, f"golden test is {error:.2g} of the scale away, at most {tolerance:g}")


def _report(path: Path, content: bytes, ops: list[Op], checks: list[Check], figures: dict) -> dict:
    reasons = [r for c in checks if c.verdict in ("fail", "not shown") for r in c.reasons]
    file = {
        "file": path.name, "written": False, "model": None, "form": None, "emits": None, "recipe": None, "quantizer": None,
        "candidates": [], "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(),
        "verdict": overall(checks), "reasons": reasons,
        "checks": [{"name": c.name, "verdict": c.verdict, "reasons": c.reasons} for c in checks],
        "rows": [], "keypoints": {}, "worst_keypoint": {}, "histogram": {}, "worst_windows": [], "cpu": {}, "saturation": [],
        "weight_ratio": None, "left_in_float": [], "sensitivity": [],
        "quantized_ops": [
            {"op": o.name, "index": o.index, "tensor": o.tensor, "weights": o.weights, "activations": o.activations, "left_in_float": False}
            for o in ops if o.weights
        ],
        "load": figures["load"], "gpu": [figures["gpu"]] if "gpu" in figures else [], "stream": {},
        "second": figures.get("second", {}), "speed": figures.get("speed", []),
    }  # fmt: skip
    return {
        "schema": SCHEMA, "verdict": file["verdict"], "skipped": skipped([file]), "file": str(path), "cannot": list(CANNOT),
        "run": None, "test": None, "generated": None, "claims": [], "histogram_edges": [], "files": [file],
    }  # fmt: skip
