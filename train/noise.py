"""Noise: what turns true keypoints into the input of a simulated estimator, as named data.

`study` is the reference study's: independent shifts in whole cells, one blur for a frame. `blazepose` has the shape of
BlazePose lite's errors against J-HMDB's human truth (heavy-tailed, correlated in time, runs of outliers, left-right
exchanges, maps from sharp to diffuse over a faint background), but only the part that a window can tell: an offset that
stays for seconds looks like truth in five frames, and training on it teaches a refiner to blur.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from climb_edge.boxes import SIZE
from climb_edge.skeleton import MIRROR, K


@dataclass(frozen=True)
class Noise:
    """Draws for one window; lengths in heatmap cells unless said otherwise."""

    name: str
    sigmas: tuple[float, ...]  # blur of the input maps: one for a frame (study); lowest, median, highest (otherwise)
    shift: float = 0.0  # study: standard deviation of the shift of every keypoint and frame
    skip: int = 1  # take every skip-th frame (study's x.3: 2)
    torso_scale: float = 0.0  # otherwise: standard deviation of a keypoint's error within a clip, in torso diameters
    memory: float = 0.0  # correlation of the drifting part from frame to frame
    white: float = 0.0  # share of the variance that is new in every frame
    outlier: float = 0.0  # share of keypoints in an outlier run
    exchange: float = 0.0  # share of outliers that sit on the other side's keypoint
    background: float = 0.0  # mean share of a map's mass that is spread over the whole box

    def __call__(
        self, cells: np.ndarray, torso: float, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """True cells (T, 25, 2) -> (noisy cells (T, 25, 2), sigma (T, 25), background share (T, 25)); float32.

        `torso`: torso diameter in cells, NaN where unknown.
        """
        frames = len(cells)
        if self.shift:
            moved = np.round(np.clip(np.round(cells) + np.round(rng.normal(0, self.shift, cells.shape)), 0, SIZE - 1))
            sigma = np.repeat(rng.choice(self.sigmas, (frames, 1)), K, axis=1)
            return moved.astype(np.float32), sigma.astype(np.float32), np.zeros((frames, K), np.float32)
        size = torso if np.isfinite(torso) and torso > 0 else SIZE / 4
        scale = size * self.torso_scale * np.exp(rng.normal(0, 0.35, K) + rng.normal(0, 0.6))[:, None]
        error = scale * (self._drift(frames, rng) * np.sqrt(1 - self.white) + _white(frames, rng) * np.sqrt(self.white))
        moved = self._outliers(cells + error, cells, size, rng)
        lowest, median, highest = self.sigmas
        sigma = np.clip(median * np.exp(rng.normal(0, 0.45, (1, K))), lowest, highest) * np.ones((frames, 1))
        background = np.clip(rng.exponential(self.background, (1, K)), 0, 0.9) * np.ones((frames, 1))
        return moved.astype(np.float32), sigma.astype(np.float32), background.astype(np.float32)

    def _drift(self, frames: int, rng: np.random.Generator) -> np.ndarray:
        """(T, 25, 2) of unit variance, first-order autoregressive."""
        new = rng.normal(0, 1, (frames, K, 2))
        drift = new.copy()
        for t in range(1, frames):
            drift[t] = self.memory * drift[t - 1] + np.sqrt(1 - self.memory**2) * new[t]
        return drift

    def _outliers(self, moved: np.ndarray, cells: np.ndarray, size: float, rng: np.random.Generator) -> np.ndarray:
        """Runs of outliers: mean length 3.4 frames, half a torso away, or on the other side's keypoint."""
        frames = len(moved)
        hit = np.flatnonzero(rng.random(K) < self.outlier * (frames / 3.4 + 1) / 2)
        for k in hit:
            start, length = rng.integers(-2, frames), 1 + int(rng.exponential(3.4))
            run = slice(max(start, 0), max(start + length, 0))
            if rng.random() < self.exchange and MIRROR[k] != k:
                moved[run, k] += cells[run, MIRROR[k]] - cells[run, k]
            else:
                angle, far = rng.uniform(0, 2 * np.pi), 0.5 * size * np.exp(rng.normal(0, 0.6))
                moved[run, k] += far * np.array([np.cos(angle), np.sin(angle)])
        return moved


def _white(frames: int, rng: np.random.Generator) -> np.ndarray:
    return rng.standard_t(5, (frames, K, 2)) / np.sqrt(5 / 3)  # unit variance, heavy tails


_BLURS = (1.0, 1.5, 2.0, 2.5, 3.0)
# The study's setups: x = shifting-scalar 1 or 2; .1 blurs, .2 sigma 1, .3 as .1 at half the frame rate. Its code shifts by 2.95 x.
NOISES = {
    f"{x}.{i}": Noise(f"{x}.{i}", sigmas, shift=2.95 * x, skip=skip)
    for x in (1, 2)
    for i, (sigmas, skip) in enumerate(((_BLURS, 1), ((1.0,), 1), (_BLURS, 2)), start=1)
} | {
    "blazepose": Noise("blazepose", (0.8, 1.7, 6.0), torso_scale=0.035, memory=0.72, white=0.4, outlier=0.05,
                       exchange=0.22, background=0.15),
}  # fmt: skip
