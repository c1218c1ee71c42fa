"""Deploy graphs: the same numbers as the training form, all weights inside, rules kept."""

import keras
import numpy as np
import pytest

from climb_edge.contract import to_channels, to_frames
from climb_edge.errors import ClimbEdgeError
from climb_edge.runtime import Session
from convert.checks import FRAMES
from convert.graph import to_tflite
from convert.lint import read_ops
from convert.recipes import RECIPES, choose, quantize
from train import models
from train.motion import generated_clips
from train.noise import NOISES
from train.windows import RenderedWindows


@pytest.fixture(scope="module")
def windows():
    source = RenderedWindows(generated_clips(4, 3, frames=30), NOISES["blazepose"])
    return [source.window(i).inputs for i in range(0, 40, 4)]


@pytest.fixture(scope="module")
def model():
    """Random weights: a wrong tap or a flipped axis cannot hide behind symmetry."""
    return models.initial(models.get("conv3d"), "none", seed=3)


@pytest.fixture(scope="module")
def graphs(model):
    code = models.get("conv3d")
    return {e: to_tflite(code.window_form(model, e), code.deploy_parameters(e)) for e in FRAMES}


@pytest.mark.parametrize("emits", FRAMES)
def test_training_form_deploy_form_and_file_agree(model, graphs, windows, emits):
    form, session = models.get("conv3d").window_form(model, emits), Session(graphs[emits])
    for window in windows:
        trained = np.asarray(model(window[None]))[0][FRAMES[emits]]
        scale = np.abs(trained).max()
        deployed = to_frames(np.asarray(form(to_channels(window))))
        assert np.abs(deployed - trained).max() <= 1e-5 * scale
        assert np.abs(to_frames(session.run(to_channels(window))[0]) - trained).max() <= 1e-5 * scale


def test_the_training_form_is_a_3d_convolution_in_plain_numpy(model, windows):
    kernel, bias = model.get_weights()
    window = windows[0]
    padded = np.pad(window, ((2, 2), (2, 2), (2, 2), (0, 0)))
    expected = np.tile(bias.astype(np.float64), (5, 56, 56, 1))
    for t in range(5):
        for y in range(5):
            for x in range(5):
                expected += padded[t : t + 5, y : y + 56, x : x + 56].astype(np.float64) @ kernel[t, y, x]
    expected = np.maximum(expected, 0)
    assert np.abs(np.asarray(model(window[None]))[0] - expected).max() <= 1e-5 * expected.max()


def test_every_form_holds_what_it_states(graphs):
    code = models.get("conv3d")
    assert [code.deploy_parameters(e) for e in ("newest", "centre", "all")] == [46_900, 78_150, 390_750]
    for emits, graph in graphs.items():
        ops, broken = read_ops(graph)
        assert not broken
        assert sum(op.weight_bytes for op in ops) == 4 * (
            code.deploy_parameters(emits) - 25 * (5 if emits == "all" else 1)
        )


def test_a_form_that_lost_weights_is_refused(model):
    code = models.get("conv3d")
    with pytest.raises(ClimbEdgeError, match="46900 parameters"):
        to_tflite(code.window_form(model, "newest"), 50_000)


@pytest.mark.parametrize("name", ["float16", "dynamic_int8", "int8"])
def test_recipes_do_what_they_promise(graphs, windows, name):
    recipe, plain = RECIPES[name], graphs["newest"]
    inputs = [to_channels(w) for w in windows]
    graph = quantize(plain, recipe, inputs)
    weighted = [op for op in read_ops(graph)[0] if op.weights]
    assert [(op.weights, op.activations) for op in weighted] == [(recipe.weights, recipe.activations)]
    session, reference = Session(graph), Session(plain)
    assert session.inputs[0]["dtype"] == session.outputs[0]["dtype"] == np.float32
    error = max(np.abs(session.run(x)[0] - reference.run(x)[0]).max() / reference.run(x)[0].max() for x in inputs)
    assert 0 < error < {"float16": 2e-3, "dynamic_int8": 0.05, "int8": 0.2}[name]


def test_lint_names_a_conv_3d():
    import tensorflow as tf

    layer = keras.Sequential([keras.Input((5, 8, 8, 2), batch_size=1), keras.layers.Conv3D(2, 3, padding="same")])
    owner = tf.Module()
    owner.kept = [v.value for v in layer.variables]
    owner.run = tf.function(lambda x: layer(x), input_signature=[tf.TensorSpec((1, 5, 8, 8, 2))])
    graph = tf.lite.TFLiteConverter.from_concrete_functions([owner.run.get_concrete_function()], owner).convert()
    _, broken = read_ops(graph)
    assert any("CONV_3D" in rule for rule in broken)
    assert any("5 dimensions" in rule for rule in broken)


def test_bytes_that_are_no_flatbuffer_are_a_clear_error():
    with pytest.raises(ClimbEdgeError, match="flatbuffer"):
        read_ops(b"\x20\x00\x00\x00TFL3" + b"\xff" * 64)


def test_an_unknown_recipe_is_refused():
    with pytest.raises(ClimbEdgeError, match="expected one of float32"):
        choose(["int9"])
