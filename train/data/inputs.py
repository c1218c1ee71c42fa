"""What a model is given of a window, by name, and the layers that read it."""

from __future__ import annotations

from climb_edge.pose.decode import decode_rendered
from climb_edge.pose.layout import WINDOW
from climb_edge.pose.render import CENTRE, SIZE
from climb_edge.pose.skeleton import K
from train.backend import keras
from train.data.recorded import RecordedWindows
from train.data.sources import Source
from train.data.windows import heatmaps

SHAPES = {
    "points": (WINDOW, K, 3),
    "sigma": (WINDOW, K),
    "background": (WINDOW, K),
    "maps": (WINDOW, SIZE, SIZE, K),
    "cells": (WINDOW, K, 2),
    "weight": (WINDOW, K),
}


class Maps(keras.layers.Layer):
    """Heatmaps (B, 5, 56, 56, 25) of what a window is given."""

    def __init__(self):
        # sums of 255 and places below a cell need single precision
        super().__init__(autocast=False, name="front")

    def call(self, given: dict):
        return heatmaps(given, keras.ops)


class Points(keras.layers.Layer):
    """Keypoints (B, 5, 25, 2) = x, y in cells, as they are decoded from maps; no map is made for
    it.
    """

    def __init__(self, subpixel: bool = True):
        super().__init__(autocast=False, name="front")
        self.subpixel = subpixel

    def call(self, given: dict):
        ops, points = keras.ops, given["points"][..., :2]
        if "sigma" in given:
            return decode_rendered(points, given["sigma"], given["background"], self.subpixel, ops)
        points = ops.where(ops.isfinite(points), points, CENTRE)  # as an empty map decodes
        return points if self.subpixel else ops.clip(ops.round(points), 0, SIZE - 1)


def given_to(reads: str, source: Source) -> tuple[str, ...]:
    """Names of what a model that reads `heatmaps` or `keypoints` is given of a source's windows."""
    if isinstance(source, RecordedWindows):
        return ("maps",) if reads == "heatmaps" else ("points",)
    return ("points", "sigma", "background")


def inputs_named(names: tuple[str, ...]) -> dict:
    """Keras inputs by name."""
    return {name: keras.Input(SHAPES[name], name=name) for name in names}
