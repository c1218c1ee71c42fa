"""Windows: 5 frames of what an estimator says, with the truth, made when they are asked for.

Nothing here keeps heatmaps: a source knows its windows by number and makes one from coordinates or
from a recording. What is random is drawn from (seed, epoch, index), so that any window can be made
again, anywhere, on any backend.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from climb_edge.pose.render import MASS, SIZE, normalise, render


@dataclass(frozen=True)
class Frames:
    """T frames of one person in one box, as a graph takes them; len, slices and `joined` as of a
    list.
    """

    maps: np.ndarray  # (T, 56, 56, 25) float32, each of mass 255 or zero
    peaks: np.ndarray  # (T, 25) float32 0..1: heights of the estimator's native maps

    def __len__(self) -> int:
        return len(self.maps)

    def __getitem__(self, part: slice) -> Frames:
        return Frames(self.maps[part], self.peaks[part])

    @classmethod
    def joined(cls, parts: list[Frames]) -> Frames:
        return cls(
            np.concatenate([p.maps for p in parts]), np.concatenate([p.peaks for p in parts])
        )


@dataclass(frozen=True)
class Window:
    """One training example, or a batch with a leading axis."""

    # what `heatmaps` makes the input of; "points" (5, 25, 3) = x, y in cells, peak height
    given: dict[str, np.ndarray]
    cells: np.ndarray  # (5, 25, 2) float32 true keypoints in cells of the window's box; NaN = none
    weight: np.ndarray  # (5, 25) float32 0..1: how far each target is to be trusted, 0 = none

    @cached_property
    def inputs(self) -> np.ndarray:
        """(5, 56, 56, 25) float32, each map of mass 255 or zero."""
        return heatmaps(self.given).astype(np.float32, copy=False)

    @property
    def peaks(self) -> np.ndarray:
        """(5, 25) float32 0..1: heights of the estimator's native maps; 0 where it saw nothing."""
        points = self.given["points"]
        return np.where(np.isfinite(points).all(-1), points[..., 2], 0).astype(np.float32)

    @property
    def frames(self) -> Frames:
        return Frames(self.inputs, self.peaks)


def heatmaps(given: dict, ops=np):
    """The input maps (..., 5, 56, 56, 25) of windows: recorded ones normalised, simulated ones
    rendered.
    """
    if "maps" in given:
        return normalise(given["maps"], ops)
    points, background = given["points"], given["background"]
    present = ops.isfinite(points[..., 0])
    flat = ops.where(present, background * (MASS / SIZE**2), 0.0)
    share = 1 - background[..., None, None, :]
    return render(points[..., :2], given["sigma"], ops=ops) * share + flat[..., None, None, :]


def targets(cells, sigma: float = 1.0, ops=np):
    """Target heatmaps (..., 5, 56, 56, 25) of true cells (..., 5, 25, 2): a Gaussian at the exact
    place, mass 255.
    """
    return render(cells, sigma, subcell=True, ops=ops)
