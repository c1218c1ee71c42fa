"""A .tflite file as a refiner: a window at a time, or a step with its state."""

from __future__ import annotations

import warnings
from collections import deque
from importlib.resources import files
from pathlib import Path

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.pose.layout import WINDOW, to_frames, to_inputs
from climb_edge.refiners.base import (
    MAPS,
    RefinerState,
    WindowState,
    expect_maps,
    peaks_of,
    to_keypoints,
)
from climb_edge.runtime.backend import open_session
from climb_edge.runtime.contract import Contract
from climb_edge.runtime.golden import check_graph
from climb_edge.runtime.model_file import read_model
from climb_edge.runtime.proof import prove


class TFLiteRefiner:
    """A graph with its contract. A file that emits `all` gives its centre frame, so it can end a
    stream well.
    """

    def __init__(
        self, path: str | Path, threads: int | None = None, quiet: bool = False, device: str = "cpu"
    ):
        """`device` is "cpu", "gpu" or "auto"; `runtime`, `backend` and `reason` tell what was taken
        (see open_session).

        Raises ClimbEdgeError when the file is damaged, foreign, or this runtime computes it
        wrongly. Warns (not when `quiet`) where the file was written although its conversion's
        checks did not pass.
        """
        graph, self.contract = read_proved(path)
        checks, golden = self.contract.checks, self.contract.golden
        if checks.verdict != "pass" and not quiet:
            why = "; ".join(checks.reasons or ("no reason is given",))[:300]
            warnings.warn(
                f"{path}: the checks of its conversion say {checks.verdict!r}: {why}",
                stacklevel=2,
            )
        self.name = Path(path).name
        self._session = session = open_session(graph, golden, device, threads, path)
        self.runtime, self.backend, self.reason = session.runtime, session.backend, session.reason
        error = check_graph(path, session, self.contract)
        if not error <= golden.tolerance:
            raise ClimbEdgeError(
                f"{path}: on the golden input this runtime ({self.runtime}) is {error:.2g} of the"
                f" scale away, at most {golden.tolerance:g} is allowed; use {self.contract.runtime}"
                " or another recipe"
            )
        self.delay, self.rate = self.contract.delay, self.contract.fps

    def start(self) -> RefinerState:
        return (_StepState if self.contract.stepping else _WholeWindowState)(self)

    def run(
        self,
        heatmaps: np.ndarray,
        state: list[np.ndarray] | None = None,
        peaks: np.ndarray | None = None,
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """What the graph emits, and its new state; `state` None begins with zeros.

        Window form: heatmaps (5, 56, 56, 25) and peaks (5, 25), step form: (56, 56, 25) and (25,).
        Peaks are the heights of the estimator's own maps; a graph whose contract does not ask for
        them does without. Emits heatmaps (T, 56, 56, 25) or keypoints (T, 25, 3), as the contract
        says. Raises ClimbEdgeError where peaks are missing.
        """
        expect_maps(self.name, heatmaps, MAPS if self.contract.stepping else (WINDOW, *MAPS))
        if state is None:
            state = [np.zeros(tensor.shape, np.float32) for tensor in self.contract.state]
        asked = self.contract.peaks
        if asked and peaks is None:
            raise ClimbEdgeError(
                f"{self.name}: asks for the heights of the estimator's maps; pass them as `peaks`"
            )
        emitted, *state = self._session.run(*to_inputs(heatmaps, peaks if asked else None), *state)
        return to_frames(emitted) if self.contract.heatmaps else emitted[0], state

    def keypoints(self, emitted: np.ndarray) -> np.ndarray:
        """What `run` emits -> keypoints (T, 25, 3): those of the delayed frame and, where there are
        any, later ones.
        """
        emitted = emitted[WINDOW // 2 :] if len(emitted) == WINDOW else emitted
        peak = self.contract.peak  # of heatmaps alone
        return emitted if peak is None else to_keypoints(emitted, peak)


class _WholeWindowState(WindowState):
    """Of a window graph: the last 5 frames, and the peaks beside them."""

    def __init__(self, refiner: TFLiteRefiner):
        super().__init__(
            lambda window: refiner.keypoints(refiner.run(window, peaks=self._told())[0])
        )
        self._peaks: deque[np.ndarray | None] = deque(maxlen=WINDOW)

    def push(self, heatmaps: np.ndarray, seen: np.ndarray | None = None) -> np.ndarray | None:
        self._peaks.append(peaks_of(seen))
        return super().push(heatmaps, seen)

    def _told(self) -> np.ndarray | None:
        known = [peaks for peaks in self._peaks if peaks is not None]
        return np.stack(known) if len(known) == len(self._peaks) else None


class _StepState(RefinerState):
    """Of a step graph: the past is what the graph gave last."""

    def __init__(self, refiner: TFLiteRefiner):
        self._refiner, self._seen = refiner, 0
        self._state: list[np.ndarray] | None = None

    def push(self, heatmaps: np.ndarray, seen: np.ndarray | None = None) -> np.ndarray | None:
        emitted, self._state = self._refiner.run(heatmaps, self._state, peaks_of(seen))
        self._seen += 1
        return self._refiner.keypoints(emitted) if self._seen >= WINDOW else None


def read_proved(path: str | Path) -> tuple[bytes, Contract]:
    """(graph, contract) of a file as `read_model` gives them, once the graph has run in a child
    process; the package's own needs none. Raises ClimbEdgeError also for one that does not run.
    """
    graph, contract = read_model(path)
    if Path(path).resolve() != default_path().resolve():
        prove(path, graph, contract)
    return graph, contract


def default_path() -> Path:
    """The refiner that the package carries."""
    return Path(str(files("climb_edge") / "refiners" / "default.tflite"))
