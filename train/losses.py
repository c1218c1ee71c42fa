"""Losses by name, each masked by keypoint: of heatmaps, or of coordinates."""

from __future__ import annotations

from climb_edge.heatmaps import MASS, SIZE
from train.backend import keras
from train.windows import targets

FLOOR = 1e-3  # added to every cell, so that no logarithm is infinite; a map's mass is 255


def mse(target, predicted):
    """The study's loss: mean squared error of each map of (B, 5, 56, 56, 25); returns (B, 5, 25)."""
    return keras.ops.mean(keras.ops.square(target - predicted), axis=(2, 3))


def cross_entropy(target, predicted):
    """Cross-entropy of each map, read as a distribution over cells, against its target; returns (B, 5, 25).

    Only where the mass lies counts, as in decoding: under the squared error a refiner that lets diffuse maps vanish, or
    blurs sharp ones, is cheap, and PCK falls while the loss does. Targets as wide as the estimator's own maps (sigma 2)
    were measured to be worth 2 points at @0.1 over the study's sigma 1: a convolution that need not sharpen keeps the
    sub-cell place. A small term holds the mass at 255, so that the peak still tells a score. What a model without a
    last ReLU puts below zero counts as zero.
    """
    ops = keras.ops
    predicted = ops.maximum(predicted, 0.0)
    total = ops.sum(predicted, axis=(2, 3))
    share = (predicted + FLOOR) / (total + FLOOR * SIZE**2)[:, :, None, None]
    surprise = -ops.sum(target / MASS * ops.log(share), axis=(2, 3))
    return surprise + 0.01 * ops.square(total / MASS - 1)


def coordinate_mse(target, predicted):
    """The study's loss of coordinate models: squared error in cells of (B, 5, 25, 2), mean of x and y; (B, 5, 25)."""
    return keras.ops.mean(keras.ops.square(target - predicted), axis=-1)


def coordinate_mae(target, predicted):
    """Absolute error in cells (DeciWatch's own loss, Zeng et al., ECCV 2022, eq. 8), mean of x and y; (B, 5, 25)."""
    return keras.ops.mean(keras.ops.abs(target - predicted), axis=-1)


LOSSES = {
    "cross_entropy": cross_entropy,
    "mse": mse,
    "coordinate_mse": coordinate_mse,
    "coordinate_mae": coordinate_mae,
}
FOR = {"heatmaps": ("cross_entropy", "mse"), "keypoints": ("coordinate_mse", "coordinate_mae")}  # the default first


def target_of(name: str, cells, sigma: float, whole: bool = False):
    """What a loss compares with, from true cells (B, 5, 25, 2), NaN where there are none: heatmaps or cells.

    `whole`: the truth is rounded to whole cells and clipped to the map first, as the study's is.
    """
    ops = keras.ops
    if whole:
        cells = ops.clip(ops.floor(cells + 0.5), 0.0, SIZE - 1.0)
    if name in FOR["heatmaps"]:
        return targets(cells, sigma, ops)
    return ops.where(ops.isfinite(cells), cells, 0.0)


def masked(loss, target, predicted, weight):
    """A loss of each keypoint (B, 5, 25), counted by that keypoint's weight (B, 5, 25), as one number."""
    ops = keras.ops
    return ops.sum(loss(target, predicted) * weight) / ops.maximum(ops.sum(weight), 1e-6)
