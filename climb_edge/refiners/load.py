"""From what a user names to a refiner: a file, the default one, a filter or none."""

from __future__ import annotations

from pathlib import Path

from climb_edge.refiners.base import Identity, Refiner
from climb_edge.refiners.filters import DEFAULTS
from climb_edge.refiners.tflite import TFLiteRefiner, default_path


def load_refiner(spec: str, threads: int | None = None, device: str = "cpu") -> Refiner:
    """`identity`, `default` (the one this package carries), a filter, or the path of a .tflite with
    its contract.

    A filter is "one_euro", "gaussian:sigma=2" and the like (see `climb_edge.refiners.filters`).
    `device` is "cpu", "gpu" or "auto" (see runtime.backend.open_session) and for graphs alone.
    """
    if spec == "identity":
        return Identity()
    if spec.partition(":")[0].replace("-", "_") in DEFAULTS and not Path(spec).exists():
        from climb_edge.refiners.filter_refiner import Smoother

        return Smoother(spec)
    return TFLiteRefiner(default_path() if spec == "default" else spec, threads, device=device)
