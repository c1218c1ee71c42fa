"""Refiners: heatmaps of one person in, frame after frame; keypoints of that frame, or of the one two frames ago, out."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Protocol

import numpy as np

from climb_edge.arrays import expect_shape
from climb_edge.contract import WINDOW, read_model, to_frames, to_inputs
from climb_edge.errors import ClimbEdgeError
from climb_edge.filters import DEFAULTS
from climb_edge.golden import check_graph
from climb_edge.heatmaps import PEAK, SIZE, decode
from climb_edge.runtime import Session
from climb_edge.skeleton import K


class Track(ABC):
    """One person's frames so far, in one box. A refiner starts as many as there are persons."""

    @abstractmethod
    def push(self, heatmaps: np.ndarray, seen: np.ndarray | None = None) -> np.ndarray | None:
        """Heatmaps (56, 56, 25) of the next frame -> keypoints (T, 25, 3) = x and y in cells, score 0..1.

        `seen` (25, 3): the keypoints as decoded from the estimator's own maps, x and y in cells of the box and the height
        of the peak, 0..1, which normalised heatmaps no longer tell. None before the fifth frame. The frame `delay` frames
        ago comes first, then the later ones as far as this refiner can tell them: only the first is used in a running
        stream, the rest when it ends.
        """

    def moved(self, affine: np.ndarray) -> bool:
        """The box has moved; `affine` (2, 3) maps cells of the old one to cells of the new one.

        False: this track cannot follow; a new one has to see the last frames again, in the new box.
        """
        return False


class Refiner(Protocol):
    """`delay` = frames between the newest frame and the one whose keypoints come out.

    `rate` = frames a second that it was made for, None where nobody knows. `runtime` and `backend` name what computes,
    `reason` says why that.
    """

    name: str
    delay: int
    rate: float | None
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


def peaks_of(seen: np.ndarray | None) -> np.ndarray | None:
    """Heights (25,) of decoded keypoints (25, 3), 0 where they are no numbers."""
    return None if seen is None else np.nan_to_num(seen[:, 2]).astype(np.float32)


class WindowTrack(Track):
    """A track of a refiner that sees the last 5 frames whole: window (5, 56, 56, 25) -> keypoints (T, 25, 3)."""

    def __init__(self, refine: Callable[[np.ndarray], np.ndarray]):
        self._refine, self._frames = refine, deque(maxlen=WINDOW)

    def push(self, heatmaps: np.ndarray, seen: np.ndarray | None = None) -> np.ndarray | None:
        expect_maps("refiner", heatmaps, MAPS)
        self._frames.append(heatmaps)
        return self._refine(np.stack(self._frames)) if len(self._frames) == WINDOW else None


class Identity:
    """The refiner that changes nothing: the newest input map, decoded."""

    name, delay, rate, contract = "identity", 0, None, None
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
        self.rate = self.contract.get("fps")

    def start(self) -> Track:
        return (_StepTrack if self.contract["form"] == "step" else _WholeTrack)(self)

    def run(
        self, heatmaps: np.ndarray, state: list[np.ndarray] | None = None, peaks: np.ndarray | None = None
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """What the graph emits, and its new state; `state` None begins with zeros.

        Window form: heatmaps (5, 56, 56, 25) and peaks (5, 25), step form: (56, 56, 25) and (25,). Peaks are the heights
        of the estimator's own maps; a graph whose contract does not ask for them does without. Emits heatmaps
        (T, 56, 56, 25) or keypoints (T, 25, 3), as the contract says. Raises ClimbEdgeError where peaks are missing.
        """
        stepping = self.contract["form"] == "step"
        expect_maps(self.name, heatmaps, MAPS if stepping else (WINDOW, *MAPS))
        if state is None:
            state = [np.zeros(tensor["shape"], np.float32) for tensor in self.contract["state"]]
        asked = self.contract.get("peaks", False)
        if asked and peaks is None:
            raise ClimbEdgeError(f"{self.name}: asks for the heights of the estimator's maps; pass them as `peaks`")
        emitted, *state = self._session.run(*to_inputs(heatmaps, peaks if asked else None), *state)
        return to_frames(emitted) if self.contract["output"] == "heatmaps" else emitted[0], state

    def keypoints(self, emitted: np.ndarray) -> np.ndarray:
        """What `run` emits -> keypoints (T, 25, 3): those of the delayed frame and, where there are any, later ones."""
        emitted = emitted[WINDOW // 2 :] if len(emitted) == WINDOW else emitted
        return to_keypoints(emitted, self.contract["peak"]) if self.contract["output"] == "heatmaps" else emitted


class _WholeTrack(WindowTrack):
    """A track of a window graph; it keeps the peaks beside the frames."""

    def __init__(self, refiner: TFLiteRefiner):
        super().__init__(lambda window: refiner.keypoints(refiner.run(window, peaks=self._told())[0]))
        self._peaks = deque(maxlen=WINDOW)

    def push(self, heatmaps: np.ndarray, seen: np.ndarray | None = None) -> np.ndarray | None:
        self._peaks.append(peaks_of(seen))
        return super().push(heatmaps, seen)

    def _told(self) -> np.ndarray | None:
        return None if any(peaks is None for peaks in self._peaks) else np.stack(self._peaks)


class _StepTrack(Track):
    """A track of a step graph: the past is the state that the graph gave last."""

    def __init__(self, refiner: TFLiteRefiner):
        self._refiner, self._state, self._seen = refiner, None, 0

    def push(self, heatmaps: np.ndarray, seen: np.ndarray | None = None) -> np.ndarray | None:
        emitted, self._state = self._refiner.run(heatmaps, self._state, peaks_of(seen))
        self._seen += 1
        return self._refiner.keypoints(emitted) if self._seen >= WINDOW else None


def load_refiner(spec: str, threads: int | None = None, device: str = "cpu") -> Refiner:
    """`identity`, `default` (the one this package carries), a filter, or the path of a .tflite with its contract.

    A filter is "one_euro", "gaussian:sigma=2" and the like (see `climb_edge.smoother`). `device` is "cpu", "gpu" or
    "auto" (see Session) and for graphs alone.
    """
    if spec == "identity":
        return Identity()
    if spec.partition(":")[0].replace("-", "_") in DEFAULTS and not Path(spec).exists():
        from climb_edge.smoother import Smoother

        return Smoother(spec)
    return TFLiteRefiner(default_path() if spec == "default" else spec, threads, device=device)


def default_path() -> Path:
    """The refiner that the package carries."""
    return Path(str(files("climb_edge") / "refiners" / "default.tflite"))
