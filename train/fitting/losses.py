"""Losses by name, each masked by keypoint: of heatmaps, or of coordinates."""

from __future__ import annotations

from climb_edge.evaluation.pck import ALPHAS
from climb_edge.pose.render import MASS, SIZE
from climb_edge.pose.skeleton import LEFT_HIP, LEFT_SHOULDER, RIGHT_HIP, RIGHT_SHOULDER
from train.backend import keras
from train.data.windows import targets

SURE, SCORE_WEIGHT = 0.2, 0.05  # torso diameters a score speaks of; its part of the loss
FLOOR = 1e-3  # added to every cell, so that no logarithm is infinite; a map's mass is 255


def mse(target, predicted):
    """The study's loss: mean squared error of each map of (B, 5, 56, 56, 25); (B, 5, 25)."""
    return keras.ops.mean(keras.ops.square(target - predicted), axis=(2, 3))


def cross_entropy(target, predicted):
    """Cross-entropy of each map, read as a distribution over cells, against its target; returns (B,
    5, 25).

    Only where the mass lies counts, as in decoding: under the squared error a refiner that lets
    diffuse maps vanish, or blurs sharp ones, is cheap, and PCK falls while the loss does. Targets
    as wide as the estimator's own maps (sigma 2) were measured to be worth 2 points at @0.1 over
    the study's sigma 1: a convolution that need not sharpen keeps the sub-cell place. A small term
    holds the mass at 255, so that the peak still tells a score. What a model without a last ReLU
    puts below zero counts as zero.
    """
    ops = keras.ops
    predicted = ops.maximum(predicted, 0.0)
    total = ops.sum(predicted, axis=(2, 3))
    share = (predicted + FLOOR) / (total + FLOOR * SIZE**2)[:, :, None, None]
    surprise = -ops.sum(target / MASS * ops.log(share), axis=(2, 3))
    return surprise + 0.01 * ops.square(total / MASS - 1)


def coordinate_mse(target, predicted):
    """The study's loss of coordinates (B, 5, 25, 2): mean squared error in cells; (B, 5, 25)."""
    return keras.ops.mean(keras.ops.square(target - predicted[..., :2]), axis=-1)


def coordinate_mae(target, predicted):
    """DeciWatch's loss (Zeng et al., ECCV 2022, eq. 8): absolute error in cells; (B, 5, 25)."""
    return keras.ops.mean(keras.ops.abs(target - predicted[..., :2]), axis=-1)


def soft_pck(target, predicted):
    """What PCK counts, smooth at each of its thresholds, of (B, 5, 25, 3); returns (B, 5, 25).

    target: x, y in cells and the torso diameter d is measured in. Absolute errors pull from afar;
    d^2 / (d^2 + (0.7 a)^2) is 0 at the truth and nears 1 beyond threshold a. predicted: x, y and,
    where there is one, a score, which learns the chance that its keypoint lies within SURE of the
    truth.
    """
    ops = keras.ops
    squared = ops.sum(ops.square(predicted[..., :2] - target[..., :2]), axis=-1)
    squared = squared / ops.square(target[..., 2])
    loss = 0.5 * (ops.sqrt(squared + 0.03**2) - 0.03)
    loss = loss + sum(0.7 * a * squared / (squared + (0.7 * a) ** 2) for a in ALPHAS)
    if predicted.shape[-1] == 2:
        return loss
    right = ops.cast(ops.stop_gradient(squared) <= SURE**2, "float32")
    score = ops.clip(predicted[..., 2], 1e-6, 1 - 1e-6)
    return loss - SCORE_WEIGHT * (right * ops.log(score) + (1 - right) * ops.log(1 - score))


def _torso(cells):
    """Torso diameter (B, 5, 25) of true cells (B, 5, 25, 2): the frame's, else the window's mean,
    else a quarter box.
    """
    ops = keras.ops
    side = [
        ops.sqrt(ops.sum(ops.square(cells[..., a, :] - cells[..., b, :]), axis=-1))
        for a, b in ((LEFT_SHOULDER, LEFT_HIP), (RIGHT_SHOULDER, RIGHT_HIP))
    ]
    size = (side[0] + side[1]) / 2
    known = ops.cast(size > 0, "float32")  # no number is not
    size = ops.where(size > 0, size, 0.0)
    count = ops.sum(known, axis=-1, keepdims=True)
    mean = ops.sum(size, axis=-1, keepdims=True) / ops.maximum(count, 1.0)
    mean = ops.where(count > 0, mean, SIZE / 4)
    return ops.where(known > 0, size, mean)[..., None] * ops.ones_like(cells[..., 0])


def displaced(given, cells, predicted):
    """Squared distance of (B, 5, 25, 2 or 3) from the keypoints as decoded (B, 5, 25, 2), in torso
    diameters; (B, 5, 25).
    """
    ops = keras.ops
    return ops.sum(ops.square(predicted[..., :2] - given), axis=-1) / ops.square(_torso(cells))


LOSSES = {
    "cross_entropy": cross_entropy,
    "mse": mse,
    "coordinate_mse": coordinate_mse,
    "coordinate_mae": coordinate_mae,
    "soft_pck": soft_pck,
}
FOR = {
    "heatmaps": ("cross_entropy", "mse"),
    "keypoints": ("coordinate_mse", "coordinate_mae", "soft_pck"),
}  # default first


def target_of(name: str, cells, sigma: float, whole: bool = False):
    """What a loss compares with, from true cells (B, 5, 25, 2), NaN where there are none: heatmaps,
    cells, or both that and the torso's diameter (B, 5, 25, 3).

    `whole`: the truth is rounded to whole cells and clipped to the map first, as the study's is.
    """
    ops = keras.ops
    if whole:
        cells = ops.clip(ops.floor(cells + 0.5), 0.0, SIZE - 1.0)
    if name in FOR["heatmaps"]:
        return targets(cells, sigma, ops)
    known = ops.where(ops.isfinite(cells), cells, 0.0)
    if name != "soft_pck":
        return known
    return ops.concatenate([known, _torso(cells)[..., None]], axis=-1)


def taught(name: str, outputs):
    """What a loss compares with, from a teacher's outputs: maps (B, 5, 56, 56, 25) of full mass, or
    coordinates.
    """
    if name != "cross_entropy":
        return outputs
    outputs = keras.ops.maximum(outputs, 0.0)
    mass = keras.ops.sum(outputs, axis=(2, 3), keepdims=True)
    return outputs * (MASS / keras.ops.maximum(mass, 1e-6))


def masked(loss, target, predicted, weight):
    """A loss of each keypoint (B, 5, 25), weighted by `weight` (B, 5, 25), as one number."""
    ops = keras.ops
    return ops.sum(loss(target, predicted) * weight) / ops.maximum(ops.sum(weight), 1e-6)
