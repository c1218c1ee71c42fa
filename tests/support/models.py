"""Every model with random weights, frames for it, and what it answers."""

import functools

import numpy as np
import pytest

from climb_edge.pose.render import render
from train.backend import keras
from train.models import registry


def variants(name: str) -> list[dict[str, bool]]:
    """A model's switches: as they come, each turned over, and all of them."""
    default = registry.get(name).switches
    turned = [default, *(default | {switch: not on} for switch, on in default.items())]
    return (
        [*turned, {switch: not on for switch, on in default.items()}]
        if len(default) > 1
        else turned
    )


def cases(few: bool = False) -> list:
    """(name, switches) of every model; `few`: as they come, and all turned over."""
    made = []
    for name in registry.names():
        chosen = variants(name)
        chosen = [chosen[0], chosen[-1]] if few and len(chosen) > 1 else chosen
        for switches in chosen:
            shown = [name, *(f"{s}-{'on' if on else 'off'}" for s, on in switches.items())]
            made.append(pytest.param(name, switches, id=" ".join(shown)))
    return made


every_model = pytest.mark.parametrize("name", registry.names())


every_variant = pytest.mark.parametrize(("name", "switches"), cases())


few_variants = pytest.mark.parametrize(("name", "switches"), cases(few=True))


def randomise(model, seed: int = 0) -> None:
    """Every weight random, and of a size at which gates are between their ends and half of the
    ReLUs let through.
    """
    rng = np.random.default_rng(seed)
    # coordinates are tens; all else is about one
    sizes = {"embed": 0.05, "recover": 0.05, "denoise": 5, "refine": 5}
    # or little of a token would be left after ten layers that add to it
    sizes |= {"out": 0.4, "narrow": 0.8}
    for variable in model.weights:
        layer, kind = variable.path.split("/")[-2:]
        if layer == "taught":
            variable.assign(rng.random(variable.shape) < 0.8)
        elif "kernel" in kind:
            size = sizes.get(layer, 1) / np.sqrt(np.prod(variable.shape[:-1]))
            variable.assign(size * rng.normal(size=variable.shape))
        elif kind == "gamma":
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
        else:
            variable.assign(0.3 * rng.normal(size=variable.shape))


@functools.cache
def built(name: str, **switches: bool):
    """A model with random weights, one for all tests: none of them may change it."""
    model = registry.get(name).build(**switches)
    randomise(model)
    return model


@functools.cache
def frames(count: int) -> np.ndarray:
    """(count, 56, 56, 25) maps: a blob each on a rough floor. Some blobs are at the border, and
    some maps are empty.
    """
    rng = np.random.default_rng(1)
    cells = rng.uniform(2, 53, (count, 25, 2))
    cells[:, 3, 0], cells[:, 4, 1] = 0, 55
    maps = render(cells, rng.uniform(1, 2, (count, 25)), subcell=True)
    maps = (maps + rng.uniform(0, 0.3, maps.shape)).astype(np.float32)
    maps[::2, ..., 7] = 0
    return maps


@functools.cache
def peaks(count: int) -> np.ndarray:
    """(count, 25) heights of native maps to the frames; some frames show nothing of a keypoint, one
    shows all but one.
    """
    heights = np.random.default_rng(2).uniform(0.05, 1, (count, 25)).astype(np.float32)
    heights[3:5, 2], heights[1, 9], heights[:4, 11], heights[5:10, 11] = 0, 0, 0, 0
    return heights


def windows(count: int = 2) -> np.ndarray:
    return frames(5 * count).reshape(count, 5, 56, 56, 25)


def fed(name: str, window: np.ndarray, heights: np.ndarray) -> list[np.ndarray]:
    """What a model takes of maps (..., 56, 56, 25) and heights (..., 25)."""
    return [window, heights] if registry.get(name).peaks else [window]


def asked(name: str, model, window: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """What a training form gives for windows (B, 5, 56, 56, 25) and heights (B, 5, 25)."""
    given = fed(name, window, heights)
    return np.asarray(keras.ops.cast(model(given if len(given) > 1 else window), "float32"))


def answered(name: str, model, count: int = 2) -> np.ndarray:
    """What a training form of a model gives for the first of `windows()`."""
    return asked(name, model, windows()[:count], peaks(10).reshape(2, 5, 25)[:count])


@functools.cache
def answer(name: str, **switches: bool) -> np.ndarray:
    """What a model gives for `windows()`; switches as in `built`."""
    return answered(name, built(name, **switches))


def error(actual, expected) -> float:
    """The largest difference, as a part of the largest expected value."""
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    assert actual.shape == expected.shape
    assert np.isfinite(actual).all()
    return np.abs(actual - expected).max() / np.abs(expected).max()
