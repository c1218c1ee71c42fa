"""A process that is timed: a chain of ours or MediaPipe's, a round of frames at a time."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
from dataclasses import dataclass, field

import numpy as np

from climb_edge.errors import ClimbEdgeError

ESTIMATOR = ("detect", "crop", "landmarks", "observe")
AROUND = ("warp", "decode", "stream")  # what the chain adds to the models
CHAIN = (*ESTIMATOR, *AROUND, "refine")
STAGES = ("capture", *ESTIMATOR, "warp", "refine", "decode", "stream", "draw")
SUMS = {
    "estimator": ESTIMATOR,
    "around": AROUND,
    "chain": CHAIN,
    "total": ("capture", *CHAIN, "draw"),
}
ALONE, RIVAL = "estimator alone", "mediapipe"
_REMEDY = "run it again; of MediaPipe, `make mediapipe` makes the environment anew"


def _stages(name: str) -> tuple[str, ...]:
    return SUMS.get(name, (name,))


def _spent(name: str, frame: dict[str, float]) -> float:
    return sum(frame.get(stage, 0.0) for stage in _stages(name))


@dataclass
class Contender:
    """A chain that runs in a process of its own, and what it answered."""

    name: str
    command: list[str]
    about: dict = field(default_factory=dict)
    rounds: list[dict] = field(default_factory=list)

    def start(self) -> None:
        """Start the process. Raises ClimbEdgeError where there is no such program."""
        self._said = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        pipe = subprocess.PIPE
        try:
            self._process = subprocess.Popen(
                self.command, stdin=pipe, stdout=pipe, stderr=self._said, text=True
            )
        except OSError as error:
            self._said.close()
            raise ClimbEdgeError(
                f"{self.command[0]}: expected a Python to run {self.name}, found none"
                f" ({error.strerror}); {_REMEDY}"
            ) from error

    def ready(self) -> None:
        """Wait until its models are loaded and warm."""
        self.about = self._answer()
        self.run()
        self.rounds.clear()

    def run(self) -> None:
        """One round."""
        with contextlib.suppress(BrokenPipeError):  # what it died of stands in what it said
            print(file=self._process.stdin, flush=True)
        self.rounds.append(self._answer())

    def end(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.communicate()
        self._said.close()

    def laps(self, name: str) -> np.ndarray:
        """Milliseconds of a stage or a sum, of each frame in which any of it ran."""
        rounds = [[r["first"]] if name == "detect" else r["frames"] for r in self.rounds]
        frames = [f for frames in rounds for f in frames if any(s in f for s in _stages(name))]
        return np.array([_spent(name, f) for f in frames])

    def per_round(self, name: str) -> np.ndarray:
        """The median of each round, to compare with another chain's of the same rounds."""
        return np.array([np.median([_spent(name, f) for f in r["frames"]]) for r in self.rounds])

    def _answer(self) -> dict:
        if self._process.stdout and (line := self._process.stdout.readline()):
            return json.loads(line)
        self._process.wait()
        self._said.seek(0)
        said = self._said.read().strip().splitlines() or ["it said nothing"]
        ours = next((s.removeprefix("error: ") for s in said if s.startswith("error: ")), None)
        raise ClimbEdgeError(
            ours
            or f"{self.name}: its process ended with code {self._process.returncode} ({said[-1]});"
            f" {_REMEDY}"
        )
