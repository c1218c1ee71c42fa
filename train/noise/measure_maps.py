"""What an estimator's maps look like: width, background and height of their peaks."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from climb_edge.estimators.base import Observation
from climb_edge.pose.boxes import SIZE, box_affine
from climb_edge.pose.decode import decode
from climb_edge.pose.render import normalise, warp
from climb_edge.pose.skeleton import GROUPS
from train.noise.measure import (
    GROUP_OF,
    NEAR,
    Figures,
    Recorded,
    first_rows,
    group,
    slope,
    sticky_boxes,
)

MAPS = 400  # observations whose maps are looked at


def mean_heights(recordings: Sequence[Recorded]) -> np.ndarray:
    """Mean height (13,) of the native maps of each report group, with truth or without."""
    heights = [r.keypoints[first_rows(r), :, 2] for r in recordings]
    return group(np.concatenate(heights), np.nanmean)


def measure_maps(recordings: Sequence[Recorded], at: np.ndarray) -> Figures:
    """Blur and background of the native maps in a stream's boxes, brought to the heights `at`
    (13,).

    Background: the mass farther than NEAR cells from the peak, spread over all cells. Blur: of the
    Gaussian that has the rest of the mass and the map's height; that of the curvature alone would
    miss how broad a real map's foot is.
    """
    rows = [(r, row, box) for r in recordings for row, box in sticky_boxes(r)]
    looked = [_map(r.observation(row), box) for r, row, box in rows[:: max(len(rows) // MAPS, 1)]]
    height, sigma, background = np.moveaxis(np.array(looked), -1, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        log = np.log(sigma)
        falls, fades = (
            -np.array([slope(height[:, list(ks)], values[:, list(ks)]) for ks in GROUPS.values()])
            for values in (log, background)
        )
        lower = at[GROUP_OF] - height
        log, background = log - falls[GROUP_OF] * lower, background - fades[GROUP_OF] * lower
        return {
            "blur": np.exp(group(log, np.nanmean)),
            "blur_slope": falls,
            "blur_spread": group(log, np.nanstd),
            "blur_lowest": np.nanquantile(sigma, 0.01),
            "blur_highest": np.nanquantile(sigma, 0.99),
            "background": group(background, np.nanmean),
            "background_slope": fades,
            "background_spread": group(background, np.nanstd),
        }


def _map(observation: Observation, box: np.ndarray) -> np.ndarray:
    """(25, 3): height of the native map, blur in cells, background share; NaN without a map."""
    maps = normalise(warp(observation.native, observation.affine, box_affine(box)))
    maps /= np.maximum(maps.sum((0, 1)), 1e-9)
    peak, top = decode(maps)
    offset = np.indices((SIZE, SIZE))[::-1, ..., None] - peak.T[:, None, None]
    away = np.linalg.norm(offset, axis=0) > NEAR
    background = (maps * away).sum((0, 1)) * SIZE**2 / np.maximum(away.sum((0, 1)), 1)
    background = np.clip(background, 0, 0.9)
    sigma = np.sqrt((1 - background) / (2 * np.pi * np.maximum(top - background / SIZE**2, 1e-6)))
    none = (top <= 0) | ~np.isfinite(observation.keypoints[:, 2])
    figures = np.stack([observation.keypoints[:, 2], sigma, background], axis=-1)
    return np.where(none[:, None], np.nan, figures)
