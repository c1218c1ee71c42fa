"""From what a user names to refiners: files, the default one, filters or none."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from climb_edge.errors import ClimbEdgeError, did_you_mean
from climb_edge.files.naming import nearest_path, told_apart
from climb_edge.refiners.base import Identity, Refiner
from climb_edge.refiners.filters import DEFAULTS
from climb_edge.refiners.tflite import TFLiteRefiner, default_path

NAMES = ("default", "identity", *DEFAULTS)


def load_refiner(spec: str, threads: int | None = None, device: str = "cpu") -> Refiner:
    """`identity`, `default` (the one this package carries), a filter, or the path of a .tflite with
    its contract.

    A filter is "one_euro", "gaussian:sigma=2" and the like (see `climb_edge.refiners.filters`).
    `device` is "cpu", "gpu" or "auto" (see runtime.backend.open_session) and for graphs alone.
    Raises ClimbEdgeError, with the nearest name, for what is none of these.
    """
    if spec == "identity":
        return Identity()
    if spec.partition(":")[0].replace("-", "_") in DEFAULTS and not Path(spec).exists():
        from climb_edge.refiners.filter_refiner import Smoother

        return Smoother(spec)
    return TFLiteRefiner(model_path(spec), threads, device=device)


def model_path(spec: str | Path) -> Path:
    """The file of `default` or of a path. Raises ClimbEdgeError, with the nearest name, for a word
    that is neither.
    """
    path, name = Path(spec), str(spec).partition(":")[0]
    if name == "default":
        return default_path()
    if Path(name).suffix or os.sep in str(spec) or path.exists():
        return path  # who reads it says what is wrong with it
    raise ClimbEdgeError(
        f"refiner {str(spec)!r}: expected {', '.join(NAMES)} or a .tflite file, found no such"
        f" name or file{did_you_mean(name, NAMES) or nearest_path(path)}"
    )


def load_refiners(
    specs: Sequence[str],
    threads: int | None = None,
    device: str = "cpu",
    names: Sequence[str] = (),
) -> list[Refiner]:
    """Several refiners under `names`, else under their own, told apart where two are the same.

    Raises ClimbEdgeError unless there are as many different names as refiners, or none.
    """
    if names and (len(names) != len(specs) or len(set(names)) < len(names)):
        raise ClimbEdgeError(
            f"--names {','.join(names)}: expected {len(specs)} different names, one for each of"
            f" {', '.join(specs)}; found {len(set(names))}"
        )
    refiners = [load_refiner(spec, threads, device) for spec in specs]
    for refiner, name in zip(
        refiners, names or told_apart([r.name for r in refiners], specs), strict=True
    ):
        refiner.name = name
    return refiners
