"""Refiners: windows of 5 frames of heatmaps in, keypoints out."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Protocol

import numpy as np

from climb_edge.contract import WINDOW, check_graph, read_model, to_channels, to_frames
from climb_edge.errors import ClimbEdgeError
from climb_edge.heatmaps import PEAK, decode
from climb_edge.runtime import Session


class Refiner(Protocol):
    """`delay` = frames between the newest frame of a window and the one whose keypoints come out."""

    name: str
    delay: int
    contract: dict | None

    def __call__(self, window: np.ndarray) -> np.ndarray:
        """Window (5, 56, 56, 25) -> keypoints (T, 25, 3) = x and y in cells, score 0..1.

        T = 1 + delay: the frame `delay` frames ago first, then the later ones as far as this window can tell them.
        Only the first is used in a running stream; the rest when it ends.
        """
        ...


def to_keypoints(heatmaps: np.ndarray, full: float = PEAK) -> np.ndarray:
    """Refined heatmaps (..., 56, 56, 25) -> (..., 25, 3): x, y in cells and a score, 1 for a peak as high as `full`."""
    cells, peaks = decode(heatmaps)
    return np.concatenate([cells, np.clip(peaks / full, 0, 1)[..., None]], axis=-1)


class Identity:
    """The refiner that changes nothing: the newest input map, decoded."""

    name, delay, contract = "identity", 0, None

    def __call__(self, window: np.ndarray) -> np.ndarray:
        return to_keypoints(window[-1:])


class TFLiteRefiner:
    """A window graph with its contract. A file that emits `all` gives its centre frame, so it can end a stream well."""

    def __init__(self, path: str | Path, threads: int | None = None):
        """Raises ClimbEdgeError when the file is damaged, foreign, or this runtime computes it wrongly."""
        graph, self.contract = read_model(path)
        self.name = Path(path).name
        self._session = Session(graph, threads, source=path)
        error, tolerance = (
            check_graph(path, self._session, self.contract),
            self.contract["golden"]["tolerance"],
        )
        if not error <= tolerance:
            raise ClimbEdgeError(
                f"{path}: on the golden input this runtime ({Session.version()}) is {error:.2g} of the scale away, at most "
                f"{tolerance:g} is allowed; use {self.contract.get('runtime')} or another recipe"
            )
        self.delay = 0 if self.contract["emits"] == "newest" else WINDOW // 2

    def heatmaps(self, window: np.ndarray) -> np.ndarray:
        """Window (5, 56, 56, 25) -> the refined heatmaps (T, 56, 56, 25) that the file emits."""
        return to_frames(self._session.run(to_channels(window))[0])

    def __call__(self, window: np.ndarray) -> np.ndarray:
        refined = self.heatmaps(window)
        return to_keypoints(refined[WINDOW // 2 :] if len(refined) == WINDOW else refined, self.contract["peak"])


def load_refiner(spec: str, threads: int | None = None) -> Refiner:
    """`identity`, `default` (the one this package carries), or the path of a .tflite with its contract."""
    if spec == "identity":
        return Identity()
    return TFLiteRefiner(default_path() if spec == "default" else spec, threads)


def default_path() -> Path:
    """The refiner that the package carries."""
    return Path(str(files("climb_edge") / "refiners" / "default.tflite"))
