"""One-Euro: a low-pass filter that opens with speed (Casiez, Roussel and Vogel, CHI 2012)."""

from __future__ import annotations

import math

import numpy as np


def one_euro(
    points: np.ndarray,
    before: np.ndarray,
    change: np.ndarray,
    speed: np.ndarray,
    period: np.ndarray | float,
    min_cutoff: float,
    beta: float,
    d_cutoff: float,
) -> tuple[np.ndarray, np.ndarray]:
    """(filtered points, filtered speed), both in the shape of `points`.

    `before` and `speed` are those of the frame before, `change` is this frame's unfiltered speed,
    `period` the seconds between the two frames. Cutoffs are in Hz, beta in Hz per unit of speed.
    """
    speed = _low_pass(change, speed, d_cutoff, period)
    return _low_pass(points, before, min_cutoff + beta * np.abs(speed), period), speed


def _low_pass(
    new: np.ndarray,
    before: np.ndarray,
    cutoff: np.ndarray | float,
    period: np.ndarray | float,
) -> np.ndarray:
    w = 2 * math.pi * cutoff * period
    return (w * new + before) / (w + 1)
