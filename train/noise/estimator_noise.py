"""The noise of a real estimator, as fit-noise measured it: errors that last, drift and jump."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np

from climb_edge.errors import DAMAGED, ClimbEdgeError
from climb_edge.files.atomic import existing_file
from climb_edge.files.json_file import read_json
from climb_edge.pose.boxes import SIZE
from climb_edge.pose.skeleton import MIRROR, K
from train.noise.simulators import CORE, NO_TORSO, PAIRED, Drawn, drifting, heavy, runs
from train.synthesis.geometry import along_torso

SCHEMA = "climb-edge/noise/1"


Each = tuple[float, ...]  # one value for each of the 25 keypoints
Axes = tuple[tuple[float, float], ...]  # for each keypoint: along the torso (up), across it (side)


@dataclass(frozen=True)
class EstimatorNoise:
    """A real estimator's errors, as `fit` measures them; lengths in torso diameters if not said."""

    name: str
    sd: Axes  # standard deviation of an error within a clip whose scale is the median one
    memory: Each  # correlation of its drifting part from frame to frame
    white: Each  # share of its variance that is new in every frame
    joint_spread: float  # lognormal spread of a keypoint's own error scale over clips
    body_spread: float  # the same of all keypoints of a clip together
    bias: Each  # mean offset, towards the head; 0 where there is no truth to tell it
    offset_sd: Axes  # standard deviation over clips of an offset that stays for the clip
    outlier: Each  # share of frames within an outlier run
    run: Each  # mean length of a run, frames
    size: Each  # median distance of an outlier beyond CORE
    # exponent of that distance: 0 = all alike, 1 = exponential, 2 = heavy tails (Weibull)
    size_spread: Each
    exchange: Each  # share of runs that sit on the other side's keypoint
    body_exchange: float  # share of frames in which all left and right keypoints are exchanged
    body_run: float  # mean length of such a run, frames
    peak: Each  # mean height of the native map outside outlier runs, 0..1
    peak_slope: Each  # how much lower it is for each e-fold of the keypoint's error scale
    peak_clip: Each  # its standard deviation over clips, beyond that
    peak_frame: Each  # its standard deviation within a clip
    peak_memory: float  # correlation of that from frame to frame
    outlier_peak: Each  # mean height in an outlier run
    outlier_peak_run: Each  # its standard deviation over runs
    blur: Each  # median blur of a map of height `peak`, cells of a 56 x 56 box
    blur_slope: Each  # its logarithm falls by this for each unit of height
    blur_spread: Each  # lognormal spread of it over clips
    blur_lowest: float
    blur_highest: float
    background: Each  # share of a map's mass spread over the whole box, at height `peak`
    background_slope: Each  # it falls by this for each unit of height
    background_spread: Each  # its standard deviation over clips
    skip: int = 1
    biased: bool = False  # draw the mean offset, which a refiner can learn to take back
    # and the one that stays for a clip: off for windows, where it looks like truth
    offsets: bool = False

    def __call__(self, cells: np.ndarray, torso: float, rng: np.random.Generator) -> Drawn:
        frames, size, f = len(cells), torso if torso > 0 else NO_TORSO, self._figures

        def held(values: np.ndarray) -> np.ndarray:  # of a run's first frame, for all of it
            return np.take_along_axis(values, first, axis=0)

        log_scale = rng.normal(0, self.joint_spread, K) + rng.normal(0, self.body_spread)
        drift = drifting(rng.normal(0, 1, (frames, K, 2)), f["memory"][:, None])
        white = f["white"][:, None]
        error = drift * np.sqrt(1 - white) + heavy(rng, (frames, K, 2)) * np.sqrt(white)
        error = error * f["sd"] * np.exp(log_scale)[:, None]
        offset = self.offsets * rng.normal(0, 1, (K, 2)) * f["offset_sd"]
        bias = self.biased * np.stack([f["bias"], np.zeros(K)], axis=1)
        error = along_torso(cells, error + offset + bias)
        far, first = runs(rng, frames, f["outlier"], f["run"])
        swapped, _ = runs(rng, frames, np.array([self.body_exchange]), np.array([self.body_run]))
        partner = cells[:, MIRROR] - cells  # without truth there: an outlier anywhere
        exchanged = held(rng.random((frames, K))) < f["exchange"] * PAIRED
        exchanged &= far & np.isfinite(partner).all(-1)
        angle = held(rng.uniform(0, 2 * np.pi, (frames, K)))
        beyond = held(rng.exponential(1 / np.log(2), (frames, K))) ** f["size_spread"]
        away = CORE + f["size"] * beyond
        thrown = size * away[..., None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        jump = np.where(exchanged[..., None], partner, far[..., None] * thrown)
        jump = np.where(swapped[..., None], np.nan_to_num(partner), jump)
        near = f["peak"] - f["peak_slope"] * log_scale + f["peak_clip"] * rng.normal(0, 1, K)
        low = f["outlier_peak"] + f["outlier_peak_run"] * held(rng.normal(0, 1, (frames, K)))
        waver = f["peak_frame"] * drifting(rng.normal(0, 1, (frames, K)), self.peak_memory)
        peak = np.clip(np.where(far, low, near) + waver, 0.01, 1)
        lower = f["peak"] - peak  # a low map is a broad one
        sigma = f["blur"] * np.exp(f["blur_slope"] * lower + f["blur_spread"] * rng.normal(0, 1, K))
        background = f["background"] + f["background_slope"] * lower
        background = background + f["background_spread"] * rng.normal(0, 1, K)
        sigma = np.clip(sigma, self.blur_lowest, self.blur_highest)
        return Drawn.of(cells + size * error + jump, sigma, np.clip(background, 0, 0.9), peak)

    @cached_property
    def _figures(self) -> dict[str, np.ndarray]:
        return {n: np.array(getattr(self, n), np.float64) for n, shape in SHAPES.items() if shape}


# Shape of every figure: what a file must hold.
SHAPES = {
    f.name: {"Each": (K,), "Axes": (K, 2), "float": ()}[f.type]
    for f in fields(EstimatorNoise)
    if f.default is MISSING and f.name != "name"
}
# The lowest and the highest value that it may have.
_SHARES = ("memory", "white", "exchange", "peak", "peak_memory", "outlier_peak", "background")
LIMITS: dict[str, tuple[float, float]] = {
    **dict.fromkeys(SHAPES, (0, 10)),
    **dict.fromkeys(("outlier", "body_exchange"), (0, 0.9)),
    "bias": (-CORE, CORE),
    "size_spread": (0, 2),
    **dict.fromkeys(_SHARES, (0, 1)),
    **dict.fromkeys(("run", "body_run"), (1, 1e4)),
    **dict.fromkeys(("blur", "blur_lowest", "blur_highest"), (0.1, SIZE)),
}


def load(path: str | Path) -> EstimatorNoise:
    """A noise model that fit-noise wrote. Raises ClimbEdgeError naming the wrong figure."""
    what = "a noise model (.json of fit-noise)"
    path = existing_file(path, what)

    def wrong(found: object) -> ClimbEdgeError:
        return ClimbEdgeError(
            f"{path}: expected {what}, found {found}; make it again with fit-noise"
        )

    try:
        data = read_json(path, what, "make it again with fit-noise")
        schema, name, _ = (data[n] for n in ("schema", "name", "provenance"))
        figures = {n: np.array(values) for n, values in dict(data["figures"]).items()}
    except DAMAGED as error:
        raise wrong(f"a damaged file ({type(error).__name__}: {error})") from error
    if schema != SCHEMA or not isinstance(name, str):
        raise wrong(f"schema {schema!r} and name {name!r}, where this code reads {SCHEMA}")
    if set(figures) != set(SHAPES):
        missing, unknown = sorted(set(SHAPES) - set(figures)), sorted(set(figures) - set(SHAPES))
        raise wrong(f"figures missing {missing}, unknown {unknown}")
    for figure, shape in SHAPES.items():
        value, (low, high) = figures[figure], LIMITS[figure]
        numbers = value.dtype.kind in "fi" and value.shape == shape
        if not (numbers and ((value >= low) & (value <= high)).all()):
            size = " x ".join(map(str, shape)) or "one"
            raise wrong(f"{figure} that is not {size} within {low:g} to {high:g}")
    return EstimatorNoise(name, **{n: as_tuple(figures[n]) for n in SHAPES})


def as_tuple(values: np.ndarray) -> float | tuple:
    """An array as nested tuples of floats: figures compare and hash as values do."""
    return tuple(as_tuple(v) for v in values) if np.ndim(values) else float(values)
