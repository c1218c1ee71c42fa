"""Models against a second implementation in NumPy, and mistakes in it that the comparison sees."""

import numpy as np
import pytest

from climb_edge.pose.decode import decode
from support import reference
from support.models import (
    answer,
    answered,
    built,
    error,
    every_model,
    every_variant,
    peaks,
    windows,
)
from train.models import registry

CONVLSTMS = ("convlstm_sum", "convlstm_concat")


# The second implementation
# ----------------------------------------------------------------------------------------


def named(model) -> dict[str, np.ndarray]:
    return {variable.path: np.asarray(variable) for variable in model.weights}


def cell_of(weights: dict, branch: str, gates: str = "ifco") -> dict:
    """A fused cell's weights taken apart; `gates` is the order in which they lie."""
    cell = {}
    for n, gate in enumerate(gates):
        own = slice(25 * n, 25 * (n + 1))
        for part, letter in (("input", "x"), ("hidden", "h")):
            cell[f"W{letter}{gate}"] = weights[f"{branch}_lstm/{part}_kernel"][..., own]
            cell[f"b{letter}{gate}"] = weights[f"{branch}_lstm/{part}_bias"][own]
        cell[f"b{gate}"] = weights[f"{branch}_lstm/position"][..., own]
    for n, gate in enumerate("ifo"):
        cell[f"Wc{gate}"] = weights[f"{branch}_lstm/peephole"][..., 25 * n : 25 * (n + 1)]
    return cell


def taken_apart(weights: dict) -> dict:
    """A bi-ConvLSTM's weights, as `reference.bi_convlstm` asks for them."""
    layers = {path.split("/")[0] for path in weights if "lstm" not in path}
    pairs = {layer: (weights[f"{layer}/kernel"], weights[f"{layer}/bias"]) for layer in layers}
    return pairs | {branch: cell_of(weights, branch) for branch in ("forward", "backward")}


def reference_of(
    name: str, weights: dict, window: np.ndarray, heights: np.ndarray, switches: dict
) -> np.ndarray:
    """The output of the second implementation for one window. A new model brings its own into
    `reference`.
    """
    if name == "identity":
        return reference.identity(window)
    if name == "conv3d":
        return reference.conv3d(window, weights["conv3d/kernel"], weights["conv3d/bias"])
    if name in CONVLSTMS:
        merge = name.removeprefix("convlstm_")
        return reference.bi_convlstm(
            taken_apart(weights), window, merge, switches.get("last_relu", False)
        )
    if name == "deciwatch":
        cells, _ = reference.places(window, switches["subpixel"])
        how = {s: switches[s] for s in ("identity_mask", "every_frame")}
        refined = reference.deciwatch(weights, reference.rows_and_columns(cells), **how)
        return reference.columns_and_rows(refined)
    if name == "joint_mixer":
        cells, found = reference.places(window, subpixel=True)
        how = {s: switches[s] for s in ("gate", "time", "mirrored")} | {
            "told_peaks": switches["peaks"]
        }
        return reference.joint_mixer(weights, cells, np.where(found > 0, heights, 0), **how)
    pytest.fail(f"{name} has no second implementation; write it in tests/support/reference.py")


@every_variant
def test_a_model_is_what_its_definition_says(name, switches):
    expected = reference_of(
        name, named(built(name, **switches)), windows()[1], peaks(10)[5:], switches
    )
    assert error(answer(name, **switches)[1], expected) < 1e-4
    if registry.get(name).output == "heatmaps":
        assert (expected != 0).mean() > 0.1, "too much of the output is cut off to compare anything"


@every_model
def test_windows_of_a_batch_do_not_mix(name):
    switches = registry.get(name).switches
    alone = answered(name, built(name, **switches), 1)
    assert error(answer(name, **switches)[:1], alone) < 1e-5


@pytest.mark.parametrize("subpixel", [True, False])
def test_the_second_decode_is_the_runtimes(subpixel):
    cells, peaks = reference.places(windows()[0], subpixel)
    expected, heights = decode(windows()[0], subpixel)
    np.testing.assert_allclose(cells, expected, atol=1e-4)
    np.testing.assert_allclose(peaks, heights)
    np.testing.assert_array_equal(
        reference.columns_and_rows(reference.rows_and_columns(cells)), cells
    )


# The comparison can fail: each of these mistakes, made in the second implementation, is seen
# --------------------------

SEEN = 1e-3  # ten times the tolerance of the comparison


@pytest.mark.parametrize("mistake", ["axes", "time", "bias"])
def test_a_wrong_conv3d_is_seen(mistake):
    weights = named(built("conv3d"))
    kernel, bias = weights["conv3d/kernel"], weights["conv3d/bias"]
    wrong = {
        "axes": (kernel.swapaxes(1, 2), bias),
        "time": (kernel[::-1], bias),
        "bias": (kernel, 0 * bias),
    }[mistake]
    assert error(answer("conv3d")[1], reference.conv3d(windows()[1], *wrong)) > SEEN


@pytest.mark.parametrize("gates", ["fico", "icfo", "ocfi", "ifoc", "iocf", "cfio"])
def test_gates_in_another_order_are_seen(gates):
    assert _cell_error(cell_of(named(built("convlstm_sum")), "forward", gates)) > SEEN


@pytest.mark.parametrize(
    "part",
    [
        "Wci",
        "Wcf",
        "Wco",
        "bi",
        "bf",
        "bc",
        "bo",
        *(f"b{source}{gate}" for source in "xh" for gate in "ifco"),
    ],
)
def test_a_dropped_peephole_or_bias_is_seen(part):
    cell = cell_of(named(built("convlstm_sum")), "forward")
    assert _cell_error(cell | {part: 0 * cell[part]}) > SEEN


@pytest.mark.parametrize("part", [f"W{source}{gate}" for source in "xh" for gate in "ifco"])
def test_a_transposed_kernel_of_the_cell_is_seen(part):
    cell = cell_of(named(built("convlstm_sum")), "forward")
    assert _cell_error(cell | {part: cell[part].swapaxes(0, 1)}) > SEEN


def test_the_cell_alone_agrees_and_its_gates_are_between_their_ends():
    cell = cell_of(named(built("convlstm_sum")), "forward")
    assert _cell_error(cell) < 1e-5
    states = np.abs(reference.convlstm(cell, windows()[1])[-1])
    assert 0.1 < np.median(states) < 0.9


def _cell_error(cell: dict) -> float:
    states = built("convlstm_sum").get_layer("forward_lstm")(windows()[1:])[0]
    return error(states, np.stack(reference.convlstm(cell, windows()[1])))


def _transposed(weights: dict, layer: str) -> dict:
    kernel, bias = weights[layer]
    return weights | {layer: (kernel.swapaxes(0, 1), bias)}


@pytest.mark.parametrize(
    "mistake", ["backward runs forward", "branches exchanged", "transposed", "last ReLU"]
)
def test_a_wrong_bi_convlstm_is_seen(mistake):
    weights, back, last_relu = (
        taken_apart(named(built("convlstm_concat", last_relu=False))),
        -1,
        False,
    )
    if mistake == "backward runs forward":
        back = 1
    elif mistake == "branches exchanged":
        weights |= {"forward": weights["backward"], "backward": weights["forward"]}
    elif mistake == "transposed":
        weights = _transposed(weights, "backward_conv1")
    else:
        last_relu = True
    wrong = reference.bi_convlstm(weights, windows()[1], "concat", last_relu, back)
    assert error(answer("convlstm_concat", last_relu=False)[1], wrong) > SEEN


@pytest.mark.parametrize(
    "mistake",
    [
        "mask",
        "every frame",
        "whole cells",
        "rows and columns",
        "no norm",
        "no positions",
        "one head",
        "a ReLU",
        "taps",
    ],
)
def test_a_wrong_deciwatch_is_seen(mistake, monkeypatch):
    switches = registry.get("deciwatch").switches
    weights, options = named(built("deciwatch", **switches)), {}
    coordinates = reference.rows_and_columns(
        reference.places(windows()[1], mistake != "whole cells")[0]
    )
    if mistake == "mask":
        options["identity_mask"] = False
    elif mistake == "every frame":
        options["every_frame"] = True
    elif mistake == "rows and columns":
        coordinates = coordinates.reshape(5, 25, 2)[..., ::-1].reshape(5, 50)
    elif mistake == "no norm":
        options["norm"] = lambda w, name, x: (
            x if name.startswith("encoder1") else reference.layer_norm(w, name, x)
        )
    elif mistake == "no positions":
        monkeypatch.setattr(reference, "sine_positions", lambda count: 0.0)
    elif mistake == "one head":
        monkeypatch.setattr(reference, "HEADS", 1)
    elif mistake == "a ReLU":
        monkeypatch.setattr(reference, "LEAK", 0.0)
    else:
        weights["recover/kernel"] = weights["recover/kernel"][::-1]
    wrong = reference.deciwatch(weights, coordinates, **options)
    if mistake == "rows and columns":
        wrong = wrong.reshape(5, 25, 2)[..., ::-1].reshape(5, 50)
    assert error(answer("deciwatch", **switches)[1], reference.columns_and_rows(wrong)) > SEEN
