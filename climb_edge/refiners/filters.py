"""Classical temporal filters of keypoint trajectories: mean, median, Gaussian, Savitzky-Golay,
One-Euro.

A filter takes points (..., T, 25, 2) and emits every frame of them, x and y each filtered by
itself. `reach` is the number of frames that it looks at on either side. At the edges mean and
Gaussian renormalise the part of their kernel that lies inside, the median takes what lies inside,
Savitzky-Golay fits the nearest full window (all frames, where there are fewer than 2 reach + 1).
One-Euro looks at the past only and begins at the first frame.

A point of which x or y is not finite is missing: it comes out as NaN and takes no part in its
neighbours' values. Mean, Gaussian and median go over what is known. Savitzky-Golay fits what is
known, and gives the point itself where that is `order` points or fewer. One-Euro holds its state
and takes the time since the last known point as its period.

Sources: Savitzky and Golay, Analytical Chemistry 36, 1964. Casiez, Roussel and Vogel, "1 Euro
Filter", CHI 2012.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from climb_edge.errors import ClimbEdgeError, did_you_mean
from climb_edge.pose.boxes import SIZE
from climb_edge.pose.one_euro import one_euro

# Parameters and their defaults. reach, sigma: frames; cutoffs: Hz; beta: Hz per (scale / second).
# One-Euro's are those of MediaPipe's pose_landmark_filtering.pbtxt, which also divides by the
# body's size.
DEFAULTS: dict[str, dict[str, float]] = {
    "mean": {"reach": 1},
    "median": {"reach": 1},
    "gaussian": {"reach": 3, "sigma": 1.0},
    "savitzky_golay": {"reach": 2, "order": 2},
    "one_euro": {"min_cutoff": 0.05, "beta": 80.0, "d_cutoff": 1.0},
}
# what is not FROM_ZERO must be greater than 0
WHOLE, FROM_ZERO = ("reach", "order"), ("order", "beta")
# What One-Euro remembers between frames, in units of the scale: the filtered points (..., 25, 2),
# NaN before the first known one; their filtered speed per second (..., 25, 2); the frames (..., 25,
# 1) since the last known point.
State = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Filter:
    """A filter; parameters that are not given take their default. Raises ClimbEdgeError for what
    there is not.
    """

    name: str
    # by name, numbers or their text; kept as a tuple of numbers: hashable, in a fixed order
    parameters: Mapping[str, Any] | tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        defaults = DEFAULTS[_known(self.name, DEFAULTS, "filter")]
        given = {
            _known(k, defaults, f"parameter of {self.name}"): v
            for k, v in dict(self.parameters).items()
        }
        pairs = tuple(
            (k, _checked(f"{self.name}: {k}", k, v)) for k, v in (defaults | given).items()
        )
        object.__setattr__(self, "parameters", pairs)
        if self.name == "savitzky_golay" and self["order"] > 2 * self["reach"]:
            raise ClimbEdgeError(
                f"{self.spec}: expected an order of at most 2 reach, found a higher one; lower it"
            )

    def __getitem__(self, parameter: str) -> float:
        return dict(self.parameters)[parameter]

    @property
    def spec(self) -> str:
        """The text that `get` turns back into this filter."""
        return f"{self.name}:" + ",".join(f"{k}={v}" for k, v in dict(self.parameters).items())

    @property
    def delay(self) -> int:
        """Frames that a stream waits before it emits the middle of the last 2 delay + 1 frames; 0
        for One-Euro.
        """
        return 0 if self.name == "one_euro" else int(self["reach"])

    def __call__(
        self, points: np.ndarray, fps: float = 30.0, scale: np.ndarray | float = SIZE
    ) -> np.ndarray:
        """Filtered points, float32, in the shape (..., T, 25, 2) of the given ones.

        Only One-Euro uses fps and scale, one or (...,): the length, in the points' unit, that it
        divides coordinates by, so that beta means the same in every space; unless given, the side
        of a box in heatmap cells. Raises ClimbEdgeError for another shape, and for an fps or a
        scale that is not greater than 0.
        """
        points, scale = np.asarray(points, np.float64), np.asarray(scale, np.float64)
        if points.ndim < 3 or points.shape[-1] != 2:
            raise ClimbEdgeError(
                f"expected points of shape (..., frames, keypoints, 2), found {points.shape}"
            )
        batch, positive = (
            points.shape[:-3],
            0 < fps < math.inf and (np.isfinite(scale) & (scale > 0)).all(),
        )
        if not positive or scale.shape not in ((), batch):
            raise ClimbEdgeError(
                f"expected fps > 0, scale > 0 alone or in shape {batch}; found {fps} and {scale}"
            )
        known = np.isfinite(points).all(-1, keepdims=True)
        points = np.where(known, points, np.nan)
        if self.name == "one_euro":
            filtered, state, unit = np.empty(points.shape), None, scale[..., None, None]
            for t in range(points.shape[-3]):
                state, frame = self.step(state, points[..., t, :, :] / unit, fps)
                filtered[..., t, :, :] = frame * unit
        elif not points.size:
            filtered = points
        elif self.name == "savitzky_golay":
            filtered = _savitzky_golay(points, int(self["reach"]), int(self["order"]))
        elif self.name == "median":
            filtered = _median(_windows(points, int(self["reach"])))
        else:
            reach = int(self["reach"])
            offsets, windows = np.arange(-reach, reach + 1), _windows(points, reach)
            kernel = (
                np.ones(len(offsets))
                if self.name == "mean"
                else np.exp(-0.5 * (offsets / self["sigma"]) ** 2)
            )
            # a known point counts itself: never 0
            weight = np.where(known, np.isfinite(windows) @ kernel, 1)
            filtered = (np.nan_to_num(windows) @ kernel) / weight
        return np.where(known, filtered, np.nan).astype(np.float32)

    def step(self, state: State | None, points: np.ndarray, fps: float) -> tuple[State, np.ndarray]:
        """One frame of One-Euro: the new state and the filtered points, from points (..., 25, 2) /
        scale.

        The paper's algorithm: speeds are from the filtered point before to the new one.
        """
        points = np.asarray(points, np.float64)
        known = np.isfinite(points).all(-1, keepdims=True)
        points = np.where(known, points, np.nan)
        state = state or (
            np.full(points.shape, np.nan),
            np.zeros(points.shape),
            np.zeros(known.shape),
        )
        before, period = np.where(np.isnan(state[0]), points, state[0]), (state[2] + 1) / fps
        change, cutoffs = (points - before) / period, dict(self.parameters)
        value, speed = one_euro(points, before, change, state[1], period, **cutoffs)
        held = (
            np.where(known, value, state[0]),
            np.where(known, speed, state[1]),
            np.where(known, 0, state[2] + 1),
        )
        return held, np.where(known, value, np.nan)


def _windows(points: np.ndarray, reach: int) -> np.ndarray:
    """(..., T, 25, 2, 2 reach + 1): the frames around each frame, NaN beyond the edges."""
    edges = [(0, 0)] * (points.ndim - 3) + [(reach, reach), (0, 0), (0, 0)]
    return sliding_window_view(
        np.pad(points, edges, constant_values=np.nan), 2 * reach + 1, axis=-3
    )


def _median(windows: np.ndarray) -> np.ndarray:
    """Median over the last axis of what is not NaN; np.nanmedian says the same but warns where
    nothing is known.
    """
    count = np.isfinite(windows).sum(-1, keepdims=True)
    # count // 2 < 2 reach + 1: inside
    middle = np.concatenate([np.maximum(count - 1, 0) // 2, count // 2], axis=-1)
    # sort puts NaN last
    return np.take_along_axis(np.sort(windows, axis=-1), middle, axis=-1).mean(-1)


def _savitzky_golay(points: np.ndarray, reach: int, order: int) -> np.ndarray:
    count, size = points.shape[-3], min(2 * reach + 1, points.shape[-3])
    # (T, size)
    frames = np.clip(np.arange(count) - reach, 0, count - size)[:, None] + np.arange(size)
    offsets = frames - np.arange(count)[:, None]
    windows = np.moveaxis(points[..., frames, :, :], -3, -1)  # (..., T, 25, 2, size)
    filtered = np.einsum(
        "...tkcs,ts->...tkc", windows, _fit(np.ones(offsets.shape), offsets, order)
    )
    inside = np.isfinite(windows[..., 0, :])  # (..., T, 25, size)
    some = ~inside.all(-1)  # few, so that only these get a fit of their own
    fitted = _fit(inside[some], np.broadcast_to(offsets[:, None], inside.shape)[some], order)
    filtered[some] = np.einsum("ncs,ns->nc", np.nan_to_num(windows[some]), fitted)
    return filtered


def _fit(inside: np.ndarray, offsets: np.ndarray, order: int) -> np.ndarray:
    """(N, size) weights that give, at offset 0, the polynomial fitted to the points inside each
    window (N, size).

    The pseudo-inverse's polynomial passes through the points where they are fewer than its
    coefficients.
    """
    # divided: well conditioned
    powers = (offsets / offsets.shape[-1])[..., None] ** np.arange(order + 1)
    return np.linalg.pinv(powers * inside[..., None])[..., 0, :]


def get(spec: str) -> Filter:
    """The filter that a text names: "one_euro", or "one_euro:min_cutoff=1.0,beta=0.05". Raises
    ClimbEdgeError.
    """
    name, _, rest = spec.partition(":")
    pairs = [[side.strip() for side in part.split("=")] for part in rest.split(",") if part]
    if any(len(pair) != 2 for pair in pairs) or len({pair[0] for pair in pairs}) < len(pairs):
        raise ClimbEdgeError(
            f"filter {spec!r}: expected name:parameter=value,... with each parameter once"
        )
    return Filter(name.strip().replace("-", "_"), dict(pairs))


def _known(name: str, names: Mapping[str, object], what: str) -> str:
    if name not in names:
        raise ClimbEdgeError(
            f"expected a {what}, one of {', '.join(names)}; found"
            f" {name!r}{did_you_mean(name, names)}"
        )
    return name


def _checked(what: str, parameter: str, value: float | str) -> float:
    whole, zero = parameter in WHOLE, parameter in FROM_ZERO
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number < math.inf or (not zero and number == 0) or (whole and number % 1):
        raise ClimbEdgeError(
            f"{what}: expected a {'whole ' * whole}number {'>=' if zero else '>'} 0, found"
            f" {value!r}"
        )
    return int(number) if whole else number


def _grid(name: str, **values: tuple[float, ...]) -> tuple[Filter, ...]:
    return tuple(
        Filter(name, dict(zip(values, row, strict=True)))
        for row in itertools.product(*values.values())
    )


FILTERS = {name: Filter(name) for name in DEFAULTS}
# Savitzky-Golay: orders that smooth (2 reach passes through every point); on 5 frames reach 2, 3
# and 4 are the same fit.
GRIDS = {
    "mean": _grid("mean", reach=(1, 2, 3, 4)),
    "median": _grid("median", reach=(1, 2, 3, 4)),
    "gaussian": _grid("gaussian", reach=(1, 2, 3, 4), sigma=(0.4, 0.6, 0.8, 1.0, 1.5, 2.0)),
    "savitzky_golay": tuple(
        f
        for o in (1, 2, 3)
        for f in _grid("savitzky_golay", reach=(1, 2, 3, 4)[o // 2 :], order=(o,))
    ),
    "one_euro": _grid(
        "one_euro",
        min_cutoff=(0.05, 0.3, 1.0, 3.0, 8.0),
        beta=(0.0, 1.0, 5.0, 20.0, 80.0),
        d_cutoff=(0.3, 1.0, 3.0),
    ),
}
