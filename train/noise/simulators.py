"""Noise: what turns true keypoints into the input of a simulated estimator, as named data.

Three kinds. The study's (`1.1` ... `2.3`). `blazepose`: what five frames can tell of BlazePose
lite's errors on J-HMDB, kept draw for draw. And what `fit_noise` estimates of any estimator, read
from a JSON file. `train.noise.library` names what is built in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from climb_edge.pose.boxes import SIZE
from climb_edge.pose.skeleton import MIRROR, K

CORE = 0.3  # torso diameters: an error from here on is an outlier
NO_TORSO = SIZE / 4  # torso diameter in cells where the truth does not tell it
PAIRED = np.arange(K) != MIRROR


@dataclass(frozen=True)
class Drawn:
    """What a simulated estimator says of T frames; lengths in heatmap cells."""

    cells: np.ndarray  # (T, 25, 2) float32: where each map peaks; NaN = none
    sigma: np.ndarray  # (T, 25) float32: blur of the map
    # (T, 25) float32 0..1: share of the map's mass that is spread over the whole box
    background: np.ndarray
    # (T, 25) float32 0..1: height of the estimator's native map; 1 where the model says nothing of
    # it
    peak: np.ndarray

    @classmethod
    def of(cls, *arrays: np.ndarray) -> Drawn:
        return cls(*(a.astype(np.float32) for a in arrays))


class Noise(Protocol):
    """Anything that draws an estimator's output for the truth of T frames, from `rng` alone."""

    name: str
    skip: int  # take every skip-th frame of a clip

    def __call__(self, cells: np.ndarray, torso: float, rng: np.random.Generator) -> Drawn:
        """True cells (T, 25, 2), NaN = none, and the torso diameter in cells, NaN where unknown."""
        ...


@dataclass(frozen=True)
class StudyNoise:
    """The study's: every keypoint of every frame shifted by whole cells, one blur for a frame."""

    name: str
    shift: float  # standard deviation, cells
    sigmas: tuple[float, ...]  # one of these for a frame
    skip: int = 1

    def __call__(self, cells: np.ndarray, torso: float, rng: np.random.Generator) -> Drawn:
        shift = np.round(rng.normal(0, self.shift, cells.shape))
        moved = np.round(np.clip(np.round(cells) + shift, 0, SIZE - 1))
        sigma = np.repeat(rng.choice(self.sigmas, (len(cells), 1)), K, axis=1)
        return Drawn.of(moved, sigma, np.zeros(sigma.shape), np.ones(sigma.shape))


@dataclass(frozen=True)
class AnyNoise:
    """One of several for a window, each as likely: for a refiner that must serve them all."""

    name: str
    parts: tuple[Noise, ...]

    @property
    def skip(self) -> int:
        return self.parts[0].skip

    def __call__(self, cells: np.ndarray, torso: float, rng: np.random.Generator) -> Drawn:
        return self.parts[rng.integers(len(self.parts))](cells, torso, rng)


@dataclass(frozen=True)
class WindowNoise:
    """`blazepose`: heavy-tailed error that drifts, at most one outlier run a keypoint, alike for
    all keypoints.

    No offset that stays: within five frames it looks like truth, and training on it teaches a
    refiner to blur. The order of the draws is fixed: the shipped weights and their figures came
    from it.
    """

    name: str = "blazepose"
    skip: int = 1
    sd: float = 0.035  # of a keypoint's error within a window, torso diameters
    memory: float = 0.72  # correlation of the drifting part from frame to frame
    white: float = 0.4  # share of the variance that is new in every frame
    outlier: float = 0.05  # how often an outlier run begins
    exchange: float = 0.22  # share of runs that sit on the other side's keypoint
    sigmas: tuple[float, float, float] = (0.8, 1.7, 6.0)  # blur: lowest, median, highest
    background: float = 0.15  # mean

    def __call__(self, cells: np.ndarray, torso: float, rng: np.random.Generator) -> Drawn:
        frames, size = len(cells), torso if torso > 0 else NO_TORSO
        factor = np.exp(rng.normal(0, 0.35, K) + rng.normal(0, 0.6))
        scale = (size * self.sd * factor)[:, None]
        drift = drifting(rng.normal(0, 1, (frames, K, 2)), self.memory)
        new = heavy(rng, (frames, K, 2)) * np.sqrt(self.white)
        error = scale * (drift * np.sqrt(1 - self.white) + new)
        moved, far = self._outliers(cells + error, cells, size, rng)
        lowest, median, highest = self.sigmas
        every = np.ones((frames, 1))
        sigma = np.clip(median * np.exp(rng.normal(0, 0.45, (1, K))), lowest, highest) * every
        background = np.clip(rng.exponential(self.background, (1, K)), 0, 0.9) * every
        # Heights as BlazePose lite's on J-HMDB. Drawn last: what stands above draws as it did
        # before there were any.
        usual, varied = np.where(far, 0.40, 0.66 - 0.12 * np.log(factor)), np.where(far, 0.13, 0.11)
        peak = np.clip(usual + varied * rng.normal(0, 1, (1, K)), 0.01, 1)
        return Drawn.of(moved, sigma, background, peak)

    def _outliers(self, moved: np.ndarray, cells: np.ndarray, size: float, rng):
        """Runs of mean 3.4 frames, half a torso off or on the other side; where they are."""
        frames, far = len(moved), np.zeros(moved.shape[:2], bool)
        hit = np.flatnonzero(rng.random(K) < self.outlier * (frames / 3.4 + 1) / 2)
        for k in hit:
            start, length = rng.integers(-2, frames), 1 + int(rng.exponential(3.4))
            run = slice(max(start, 0), max(start + length, 0))
            far[run, k] = True
            if rng.random() < self.exchange and PAIRED[k]:
                moved[run, k] += np.nan_to_num(cells[run, MIRROR[k]] - cells[run, k])
            else:
                angle, away = rng.uniform(0, 2 * np.pi), 0.5 * size * np.exp(rng.normal(0, 0.6))
                moved[run, k] += away * np.array([np.cos(angle), np.sin(angle)])
        return moved, far


def drifting(new: np.ndarray, memory: float | np.ndarray) -> np.ndarray:
    """(T, 25, 2) white noise -> first-order autoregressive noise, both of unit variance."""
    drift = new.copy()
    for t in range(1, len(new)):
        drift[t] = memory * drift[t - 1] + np.sqrt(1 - memory**2) * new[t]
    return drift


def heavy(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Student's t with 5 degrees of freedom, brought to unit variance."""
    return rng.standard_t(5, shape) / np.sqrt(5 / 3)


def runs(rng: np.random.Generator, frames: int, share: np.ndarray, length: np.ndarray):
    """Runs, memoryless, that hold `share` (K,) of the frames at a mean `length` (K,): inside, first
    frame, each (T, K).
    """
    chance = rng.random((frames, len(share)))
    begin = np.minimum(share / np.maximum(length * (1 - share), 1e-9), 1)
    inside, first = chance < share, np.zeros(chance.shape, int)
    for t in range(1, frames):
        going = inside[t - 1] & (chance[t] >= 1 / length)
        started = ~inside[t - 1] & (chance[t] < begin)
        inside[t] = going | started
        first[t] = np.where(going, first[t - 1], t)
    return inside, first
