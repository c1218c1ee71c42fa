"""Models: each against a second implementation in NumPy, its deploy forms against itself, and what
the registry refuses.
"""

import functools
import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import reference

from climb_edge.errors import ClimbEdgeError
from climb_edge.pose.decode import decode
from climb_edge.pose.layout import to_channels, to_frames
from climb_edge.pose.render import render
from train.backend import keras
from train.fitting import initial_weights
from train.fitting.run_folder import Run
from train.layers.float import decoded
from train.models import registry

PARAMETERS = {
    "identity": 0,
    "joint_mixer": 38_084,
    "conv3d": 78_150,
    "deciwatch": 1_708_388,
    "convlstm_sum": 1_875_666,
    "convlstm_concat": 1_872_313,
}
EMITTED = {"all": slice(0, 5), "newest": slice(4, 5), "centre": slice(2, 3)}
PASS_THROUGH = ("identity", "conv3d")  # some weights of theirs give the input back
CONVLSTMS = ("convlstm_sum", "convlstm_concat")


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


# Weights and inputs
# -----------------------------------------------------------------------------------------------


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
    pytest.fail(f"{name} has no second implementation; write it in tests/train/reference.py")


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


# Training forms
# ---------------------------------------------------------------------------------------------------


def test_the_registry_holds_these_models_the_smallest_first():
    assert set(registry.names()) == set(PARAMETERS)
    assert list(registry.names()) == sorted(PARAMETERS, key=PARAMETERS.get)


@every_variant
def test_a_model_has_its_parameters_and_gives_what_it_says(name, switches):
    entry = registry.get(name)
    assert entry.parameters == PARAMETERS[name]
    assert built(name, **switches).count_params() == PARAMETERS[name] + (
        88_080 if switches.get("wide") else 0
    )
    shapes = {"heatmaps": [(2, 5, 56, 56, 25)], "keypoints": [(2, 5, 25, 2), (2, 5, 25, 3)]}[
        entry.output
    ]
    assert answer(name, **switches).shape in shapes


@few_variants
def test_a_model_comes_back_from_its_configuration(name, switches):
    model = built(name, **switches)
    again = keras.Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    assert error(answered(name, again), answer(name, **switches)) < 1e-6


@every_model
def test_weights_come_back_from_their_file(name, tmp_path):
    switches = registry.get(name).switches
    model, again = built(name, **switches), registry.get(name).build(**switches)
    model.save_weights(tmp_path / "model.weights.h5")
    again.load_weights(tmp_path / "model.weights.h5")
    assert len(again.get_weights()) == len(model.get_weights())
    for left, right in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.fixture
def half_precision():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy(policy)


@every_model
def test_a_model_runs_in_half_precision(name, half_precision):
    switches = registry.get(name).switches
    model = registry.get(name).build(**switches)
    model.set_weights(built(name, **switches).get_weights())
    assert all(variable.dtype == "float32" for variable in model.weights)
    assert error(answered(name, model), answer(name, **switches)) < 0.03


@every_model
@pytest.mark.parametrize(
    "shape", [(5, 56, 56, 25), (1, 5, 56, 56, 24), (1, 4, 56, 56, 25), (1, 5, 48, 56, 25)]
)
def test_a_window_of_another_shape_is_refused(name, shape):
    with pytest.raises(ValueError, match="shape"):
        asked(
            name,
            built(name, **registry.get(name).switches),
            np.zeros(shape, np.float32),
            np.zeros((1, 5, 25), np.float32),
        )


STEP = """
import json, sys
import numpy as np
from train.backend import keras
from train.models import registry

assert keras.backend.backend() == "jax"
model = registry.get(sys.argv[1]).build()
rng = np.random.default_rng(0)
model.set_weights([w + 0.05 * rng.standard_normal(w.shape) for w in model.get_weights()])  # no layer begins with zeros
before = [np.array(v) for v in model.trainable_variables]
given = [rng.uniform(0, 3, (1, *tensor.shape[1:])).astype("float32") for tensor in model.inputs]
model.compile(optimizer="sgd", loss="mse")
loss = model.train_on_batch(given, rng.uniform(0, 50, (1, *model.output_shape[1:])).astype("float32"))
after = [np.asarray(v) for v in model.trainable_variables]
moved = sum(a.size for a, b in zip(after, before) if (a != b).any()) / sum(a.size for a in after)
finite = all(np.isfinite(a).all() for a in after)
print(json.dumps({"loss": float(loss), "moved": moved, "finite": bool(finite), "tensorflow": "tensorflow" in sys.modules}))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [name for name in registry.names() if registry.get(name).parameters]
)
def test_a_model_trains_on_keras_with_jax(name):
    """One step. No model may ask for TensorFlow by itself."""
    if importlib.util.find_spec("jax") is None:
        pytest.skip("needs JAX, which no part of the project installs: pip install jax")
    # a step of a second is not worth ten of compiling
    unoptimised = "--xla_backend_optimization_level=0"
    child = subprocess.run(
        [sys.executable, "-c", STEP, name],
        env={
            **os.environ,
            "KERAS_BACKEND": "jax",
            "JAX_PLATFORMS": "cpu",
            "XLA_FLAGS": unoptimised,
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert child.returncode == 0, child.stderr[-2000:]
    found = json.loads(child.stdout.splitlines()[-1])
    assert np.isfinite(found["loss"]) and found["finite"]
    assert found["moved"] > 0.8, "most weights are not trained"
    assert not found["tensorflow"]


# Deploy forms
# -----------------------------------------------------------------------------------------------------


@functools.cache
def deployed(name: str, form: str, **switches: bool):
    return registry.get(name).form(built(name, **switches), *form.split("-"))


def as_emitted(name: str, answers: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """A training form's answers for some frames (..., 56, 56, 25) as a deploy form emits them:
    keypoints have a score.
    """
    if registry.get(name).output == "heatmaps" or answers.shape[-1] == 3:
        return answers
    score = np.minimum(seen.max((-3, -2)) / reference.FULL_SCORE, 1)
    return np.concatenate([answers, score[..., None]], axis=-1)


def emission(name: str, output) -> np.ndarray:
    """What a deploy form emits, without its batch axis: frames first."""
    output = np.asarray(output)
    return to_frames(output) if registry.get(name).output == "heatmaps" else output[0]


def check_promises(form, name: str, switches: dict, kind: str, emits: str) -> None:
    """The parameters promised, and tensors that TFLite's delegates take: four axes, a batch
    of one.
    """
    assert form.count_params() == registry.get(name).form_parameters(kind, emits, **switches)
    for tensor in (*form.inputs, *form.outputs):
        assert len(tensor.shape) == 4
        assert tensor.shape[0] == 1


@every_variant
def test_a_window_form_gives_what_the_model_gives(name, switches):
    check_window_form(name, switches, "all")


@few_variants
@pytest.mark.parametrize("emits", ["newest", "centre"])
def test_a_window_form_of_one_frame_gives_what_the_model_gives_for_it(name, switches, emits):
    check_window_form(name, switches, emits)


def check_window_form(name: str, switches: dict, emits: str) -> None:
    form, window = deployed(name, f"window-{emits}", **switches), windows()[1]
    check_promises(form, name, switches, "window", emits)
    expected = as_emitted(name, answer(name, **switches)[1], window)[EMITTED[emits]]
    assert (
        error(
            emission(name, form(fed(name, to_channels(window), peaks(10)[None, None, 5:]))),
            expected,
        )
        < 1e-5
    )


def test_the_decode_of_deploy_graphs_is_the_runtimes():
    """Also of maps that no stream should bring: equal maxima, level, empty, negative, and with a
    summit at the border.
    """
    maps = frames(2)[0].copy()
    maps[..., :8] = 0
    maps[10, 20, 0] = maps[14, 22, 0] = maps[14, 24, 0] = 1
    maps[..., 1], maps[..., 2] = 0.25, -1
    maps[0, 30, 3] = maps[30, 55, 4] = maps[55, 0, 5] = 2
    maps[20:22, 20, 6] = 3
    cells, peaks = decode(maps)
    x, y, peak = (
        np.asarray(part)[0, 0, 0] for part in decoded(keras.ops.convert_to_tensor(maps[None]))
    )
    np.testing.assert_allclose(np.stack([x, y], axis=-1), cells, atol=1e-3)
    np.testing.assert_allclose(peak, peaks)


def test_one_emitted_frame_of_conv3d_needs_three_frames_of_its_kernel():
    assert registry.get("conv3d").form_parameters("window", "newest") == 46_925
    assert deployed("conv3d", "window-newest").count_params() == 46_925
    assert deployed("conv3d", "step-newest").count_params() == 46_925


def streamed(
    name: str, form, stream: np.ndarray, resets: tuple[int, ...] = (), first: int = 0
) -> list[np.ndarray]:
    """What a step form emits for each frame, from the zero state on, and again so at every frame of
    `resets`.

    `first`: the frame to which peaks belong that enter with the stream's first.
    """
    zero = [
        np.zeros(tensor.shape, np.float32)
        for tensor in form.inputs[len(form.inputs) + 1 - len(form.outputs) :]
    ]
    state, emitted = zero, []
    for t, frame in enumerate(stream):
        entering = fed(name, frame[None], peaks(11)[None, None, None, t + first])
        outputs = form.predict_on_batch([*entering, *(zero if t in resets else state)])
        # Keras takes a list of one apart
        output, *state = outputs if isinstance(outputs, list) else [outputs]
        emitted.append(output)
    return emitted


@few_variants
@pytest.mark.parametrize("emits", ["newest", "centre"])
def test_a_step_form_gives_what_the_model_gives_from_the_fifth_frame_on(name, switches, emits):
    form, reset = deployed(name, f"step-{emits}", **switches), 6
    check_promises(form, name, switches, "step", emits)
    kept = [tensor.shape for tensor in form.outputs[1:]]
    assert kept == [tensor.shape for tensor in form.inputs[len(form.inputs) - len(kept) :]]
    emitted = streamed(name, form, frames(11), (reset,))
    for t, expected in stream_answers(name, (4, 5, reset + 4), **switches).items():
        assert error(emission(name, emitted[t]), expected[EMITTED[emits]]) < 1e-5, f"frame {t}"


@functools.cache
def stream_answers(name: str, ends: tuple[int, ...], **switches: bool) -> dict[int, np.ndarray]:
    """The training form's answers for the windows of `frames(11)` that end with these frames."""
    seen, heights = (
        np.stack([whole[t - 4 : t + 1] for t in ends]) for whole in (frames(11), peaks(11))
    )
    answers = as_emitted(name, asked(name, built(name, **switches), seen, heights), seen)
    return dict(zip(ends, answers, strict=True))


@every_model
@pytest.mark.parametrize("emits", ["newest", "centre"])
def test_a_frame_of_nan_is_gone_after_a_reset_and_after_five_frames(name, emits):
    form = deployed(name, f"step-{emits}", **registry.get(name).switches)
    clean, broken = frames(11)[:5], np.full((1, 56, 56, 25), np.nan, np.float32)
    expected = streamed(name, form, clean, first=3)
    assert all(np.isfinite(output).all() for output in expected)
    after_a_reset = streamed(name, form, np.concatenate([clean[:2], broken, clean]), resets=(3,))
    for left, right in zip(after_a_reset[3:], expected, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-6, atol=1e-6)
    last = streamed(name, form, np.concatenate([broken, clean]), first=2)[-1]
    np.testing.assert_allclose(last, expected[-1], rtol=1e-6, atol=1e-6)


# The registry
# -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [("conv3", "conv3d"), ("convlstm_som", "convlstm_sum"), ("DeciWatch", "deciwatch"), ("", "")],
)
def test_an_unknown_model_names_the_nearest(asked, nearest):
    with pytest.raises(ClimbEdgeError, match=f"did you mean {nearest}") as caught:
        registry.get(asked)
    assert all(name in str(caught.value) for name in registry.names())


@every_model
def test_switches_are_turned_by_name_and_nothing_else_is_taken(name):
    entry = registry.get(name)
    assert registry.switched(entry, []) == entry.switches
    for switch, on in entry.switches.items():
        turned = registry.switched(entry, [f"{switch}={'off' if on else 'on'}"])
        assert turned == entry.switches | {switch: not on}
        for wrong in (f"{switch}=maybe", f"{switch}=", switch):
            with pytest.raises(
                ClimbEdgeError, match=f"NAME=on or NAME=off; switches of {name}: .*{switch}"
            ):
                registry.switched(entry, [wrong])
    with pytest.raises(ClimbEdgeError, match=f"--switch unknown=on.*{name}"):
        registry.switched(entry, ["unknown=on"])
    assert registry.switched(entry, []) == entry.switches, "turning a switch changed the default"


@every_model
def test_shipped_weights_are_loaded_or_refused(name):
    entry = registry.get(name)
    if initial_weights.shipped_weights(name).is_file():
        assert all(
            np.isfinite(w).all() for w in initial_weights.initial(entry, "shipped").get_weights()
        )
    else:
        with pytest.raises(ClimbEdgeError, match=f"ships no weights of {name}"):
            initial_weights.initial(entry, "shipped")


@every_model
def test_init_identity_gives_the_input_back_or_is_refused(name):
    entry = registry.get(name)
    if name in PASS_THROUGH:
        np.testing.assert_allclose(
            initial_weights.initial(entry, "identity")(windows()), windows(), atol=1e-5
        )
    else:
        with pytest.raises(ClimbEdgeError, match=f"--init identity: {name} has no weights"):
            initial_weights.initial(entry, "identity")


@every_model
def test_init_none_follows_the_seed_and_gives_no_two_kernels_alike(name):
    first, same, other = (
        initial_weights.initial(registry.get(name), "none", seed).get_weights()
        for seed in (3, 3, 4)
    )
    for left, right in zip(first, same, strict=True):
        np.testing.assert_array_equal(left, right)
    drawn = [
        (a, b) for a, b in zip(first, other, strict=True) if a.ndim > 1 and len(np.unique(a)) > 2
    ]
    assert all((a != b).any() for a, b in drawn)
    assert len({a.tobytes() for a, _ in drawn}) == len(drawn)


@pytest.fixture
def run_of(tmp_path):
    """A function that makes a run folder with a model's random weights."""

    def make(name: str, **switches: bool) -> str:
        run = Run.start(
            tmp_path / "run", {"model": name, "switches": registry.get(name).switches | switches}
        )
        run.save_weights(built(name, **registry.get(name).switches | switches))
        return str(run.path)

    return make


def test_init_from_a_run_takes_its_weights(run_of):
    loaded = initial_weights.initial(registry.get("conv3d"), run_of("conv3d")).get_weights()
    for left, right in zip(loaded, built("conv3d").get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_run_of_another_model_is_refused(run_of):
    with pytest.raises(ClimbEdgeError, match="holds conv3d, asked for identity"):
        initial_weights.initial(registry.get("identity"), run_of("conv3d"))


def test_a_run_with_other_switches_is_refused(run_of):
    entry, path = registry.get("convlstm_concat"), run_of("convlstm_concat", last_relu=True)
    with pytest.raises(ClimbEdgeError, match=r"last_relu=on.*asked for.*last_relu=off"):
        initial_weights.initial(entry, path)
    initial_weights.initial(entry, path, switches={"last_relu": True})


def test_a_mirrored_model_takes_weights_of_a_plain_one(run_of):
    entry, path = registry.get("joint_mixer"), run_of("joint_mixer")
    plain, mirrored = (
        initial_weights.initial(entry, path, switches={"mirrored": on}).get_weights()
        for on in (False, True)
    )
    for left, right in zip(plain, mirrored, strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_run_from_before_a_switch_was_there_counts_as_it_comes(tmp_path):
    run = Run.start(tmp_path / "run", {"model": "joint_mixer"})
    run.save_weights(built("joint_mixer", **registry.get("joint_mixer").switches))
    initial_weights.initial(registry.get("joint_mixer"), str(run.path))
    with pytest.raises(ClimbEdgeError, match=r"gate=on.*asked for.*gate=off"):
        initial_weights.initial(
            registry.get("joint_mixer"), str(run.path), switches={"gate": False}
        )


@pytest.mark.filterwarnings("ignore:Skipping nested container")
def test_a_run_whose_weights_are_another_models_is_refused(tmp_path):
    run = Run.start(tmp_path / "run", {"model": "conv3d", "switches": {}})
    run.save_weights(built("convlstm_sum"))
    with pytest.raises(ClimbEdgeError, match=r"best\.weights\.h5: expected weights of conv3d"):
        initial_weights.initial(registry.get("conv3d"), str(run.path))
