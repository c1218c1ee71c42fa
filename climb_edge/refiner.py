"""Refiners: heatmaps of one person in, frame after frame; keypoints of that frame, or of the one two frames ago, out."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Protocol

import numpy as np

from climb_edge.arrays import expect_shape
from climb_edge.contract import WINDOW, read_model, to_channels, to_frames
from climb_edge.errors import ClimbEdgeError
from climb_edge.golden import check_graph
from climb_edge.heatmaps import PEAK, SIZE, decode
from climb_edge.runtime import Session
from climb_edge.skeleton import K


class Track(Protocol):
    """One person's frames so far, in one box. A refiner starts as many as there are persons and boxes."""

    def push(self, heatmaps: np.ndarray) -> np.ndarray | None:
        """Heatmaps (56, 56, 25) of the next frame -> keypoints (T, 25, 3) = x and y in cells, score 0..1.

        None before the fifth frame. The frame `delay` frames ago comes first, then the later ones as far as this
        refiner can tell them: only the first is used in a running stream, the rest when it ends.
        """
        ...


class Refiner(Protocol):
    """`delay` = frames between the newest frame and the one whose keypoints come out.

    `runtime` and `backend` name what computes, `reason` says why that.
    """

    name: str
    delay: int
    contract: dict | None
    runtime: str
    backend: str
    reason: str

    def start(self) -> Track: ...


def to_keypoints(heatmaps: np.ndarray, full: float = PEAK) -> np.ndarray:
    """Refined heatmaps (..., 56, 56, 25) -> (..., 25, 3): x, y in cells and a score, 1 for a peak as high as `full`."""
    cells, peaks = decode(heatmaps)
    return np.concatenate([cells, np.clip(peaks / full, 0, 1)[..., None]], axis=-1)


MAPS = (SIZE, SIZE, K)


def expect_maps(name: str, heatmaps: np.ndarray, shape: tuple[int, ...]) -> None:
    """Raise ClimbEdgeError unless `heatmaps` are float32 of `shape`: a runtime would take them wrongly, or die."""
    expect_shape(name, "heatmaps", heatmaps, shape)
    if heatmaps.dtype != np.float32:
        raise ClimbEdgeError(f"{name}: heatmaps expected as float32, found {heatmaps.dtype}; use normalise() on them")


class WindowTrack:
    """A track of a refiner that sees the last 5 frames whole: window (5, 56, 56, 25) -> keypoints (T, 25, 3)."""

    def __init__(self, refine: Callable[[np.ndarray], np.ndarray]):
        self._refine, self._frames = refine, deque(maxlen=WINDOW)

    def push(self, heatmaps: np.ndarray) -> np.ndarray | None:
        expect_maps("refiner", heatmaps, MAPS)
        self._frames.append(heatmaps)
        return self._refine(np.stack(self._frames)) if len(self._frames) == WINDOW else None


class Identity:
    """The refiner that changes nothing: the newest input map, decoded."""

    name, delay, contract = "identity", 0, None
    runtime, backend, reason = "none", "cpu", "there is no graph to run"

    def start(self) -> WindowTrack:
        return WindowTrack(lambda window: to_keypoints(window[-1:]))


class TFLiteRefiner:
    """A graph with its contract. A file that emits `all` gives its centre frame, so it can end a stream well."""

    def __init__(self, path: str | Path, threads: int | None = None, quiet: bool = False, device: str = "cpu"):
        """`device` is "cpu", "gpu" or "auto"; `runtime`, `backend` and `reason` tell what was taken (see Session).

        Raises ClimbEdgeError when the file is damaged, foreign, or this runtime computes it wrongly. Warns (not when
        `quiet`) where the file was written although its conversion's checks did not pass.
        """
        graph, self.contract = read_model(path)
        checks = self.contract["checks"]
        if checks["verdict"] != "pass" and not quiet:
            why = "; ".join(map(str, checks.get("reasons") or ["no reason is given"]))[:300]
            warnings.warn(f"{path}: the checks of its conversion say {checks['verdict']!r}: {why}", stacklevel=2)
        self.name = Path(path).name
        self._session = session = Session(graph, threads, path, device=device, golden=self.contract["golden"])
        self.runtime, self.backend, self.reason = session.runtime, session.backend, session.reason
        error, tolerance = check_graph(path, session, self.contract), self.contract["golden"]["tolerance"]
        if not error <= tolerance:
            raise ClimbEdgeError(
                f"{path}: on the golden input this runtime ({self.runtime}) is {error:.2g} of the scale away, at most "
                f"{tolerance:g} is allowed; use {self.contract.get('runtime')} or another recipe"
            )
        self.delay = 0 if self.contract["emits"] == "newest" else WINDOW // 2

    def start(self) -> Track:
        return _StepTrack(self) if self.contract["form"] == "step" else WindowTrack(self._refine)

    def run(self, heatmaps: np.ndarray, state: list[np.ndarray] | None = None) -> tuple[np.ndarray, list[np.ndarray]]:
        """What the graph emits, and its new state; `state` None begins with zeros.

        Window form: heatmaps (5, 56, 56, 25), step form: (56, 56, 25). Emits heatmaps (T, 56, 56, 25) or keypoints
        (T, 25, 3), as the contract says.
        """
        stepping = self.contract["form"] == "step"
        expect_maps(self.name, heatmaps, MAPS if stepping else (WINDOW, *MAPS))
        if state is None:
            state = [np.zeros(tensor["shape"], np.float32) for tensor in self.contract["state"]]
        entering = heatmaps[None] if stepping else to_channels(heatmaps)
        emitted, *state = self._session.run(entering, *state)
        return to_frames(emitted) if self.contract["output"] == "heatmaps" else emitted[0], state

    def keypoints(self, emitted: np.ndarray) -> np.ndarray:
        """What `run` emits -> keypoints (T, 25, 3): those of the delayed frame and, where there are any, later ones."""
        emitted = emitted[WINDOW // 2 :] if len(emitted) == WINDOW else emitted
        return to_keypoints(emitted, self.contract["peak"]) if self.contract["output"] == "heatmaps" else emitted

    def _refine(self, window: np.ndarray) -> np.ndarray:
        return self.keypoints(self.run(window)[0])


class _StepTrack:
    """A track of a step graph: the past is the state that the graph gave last."""

    def __init__(self, refiner: TFLiteRefiner):
        self._refiner, self._state, self._seen = refiner, None, 0

    def push(self, heatmaps: np.ndarray) -> np.ndarray | None:
        emitted, self._state = self._refiner.run(heatmaps, self._state)
        self._seen += 1
        return self._refiner.keypoints(emitted) if self._seen >= WINDOW else None


def load_refiner(spec: str, threads: int | None = None, device: str = "cpu") -> Refiner:
    """`identity`, `default` (the one this package carries), or the path of a .tflite with its contract.

    `device` is "cpu", "gpu" or "auto" (see Session); the identity runs nowhere.
    """
    if spec == "identity":
        return Identity()
    return TFLiteRefiner(default_path() if spec == "default" else spec, threads, device=device)


def default_path() -> Path:
    """The refiner that the package carries."""
    return Path(str(files("climb_edge") / "refiners" / "default.tflite"))
