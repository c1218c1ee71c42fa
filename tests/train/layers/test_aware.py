"""Quantization-aware training: what is rounded, ranges that follow and stay, runs that resume, and
what is refused.
"""

import json

import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from convert.quantization.recipes import RECIPES, support
from train.__main__ import main
from train.backend import keras
from train.data.rendered import RenderedWindows
from train.fitting import initial_weights
from train.fitting.losses import taught
from train.fitting.run_folder import Run
from train.layers.aware import aware, parts_of, quantization_aware
from train.layers.float import to_channels
from train.layers.rounded import Ranges, rounded, rounded_kernel
from train.models import registry
from train.models.base import Model
from train.noise.library import NOISES
from train.synthesis.motion import generated_clips

TINY = [
    "--data",
    "generated",
    "--clips",
    "6",
    "--batch",
    "2",
    "--steps-per-epoch",
    "2",
    "--validation-windows",
    "8",
]


@pytest.fixture(scope="module")
def windows():
    source = RenderedWindows(generated_clips(1, 3, frames=30), NOISES["blazepose"])
    return np.stack([source.window(i).frames.maps for i in (0, 9)])


@pytest.fixture(scope="module")
def float_run(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "float"
    assert main(["finetune", *TINY, "--epochs", "1", "--out", str(path)]) == 0
    return path


def test_a_tensor_lies_on_256_values_with_zero_among_them():
    found = np.unique(np.asarray(rounded(np.linspace(-2, 5, 5001, dtype=np.float32), -1.03, 3.0)))
    assert len(found) == 256 and 0 in found
    np.testing.assert_allclose(np.diff(found), 4.03 / 255, rtol=1e-3)


def test_a_kernel_is_symmetric_for_each_channel_and_its_gradient_goes_straight_through():
    import tensorflow as tf

    kernel = tf.Variable(
        np.random.default_rng(0).standard_normal((3, 3, 4, 2)).astype(np.float32) * [1, 0.01]
    )
    with tf.GradientTape() as tape:
        made = rounded_kernel(tf.identity(kernel))
    assert (tape.gradient(made, kernel).numpy() == 1).all()
    for channel in (0, 1):
        step = np.abs(kernel.numpy()[..., channel]).max() / 127
        whole = made.numpy()[..., channel] / step
        np.testing.assert_allclose(whole, np.round(whole), atol=1e-3)
        assert np.abs(made.numpy() - kernel.numpy())[..., channel].max() <= 0.501 * step


def test_ranges_follow_their_data_until_they_are_settled():
    ranges = Ranges(("a", "b"))
    with pytest.raises(
        ClimbEdgeError, match="ranges of a, b: expected what training data reach, found none"
    ):
        ranges.values()
    ranges.follow("a", np.array([1.0, 4.0], np.float32))
    with pytest.raises(ClimbEdgeError, match="ranges of b:"):
        ranges.values()
    ranges.follow("b", np.array([-2.0, 3.0], np.float32))
    assert ranges.values() == {"a": (0.0, 4.0), "b": (-2.0, 3.0)}
    ranges.follow("a", np.array([-1.0, 5.0], np.float32))
    low, high = ranges.values()["a"]
    assert -1 < low < 0 and 4 < high < 5
    ranges.tracked.assign(0.0)
    ranges.follow("a", np.array([-9.0, 9.0], np.float32))
    assert ranges.values()["a"] == (low, high)


@pytest.mark.parametrize(
    ("name", "most"),
    [("conv3d", 0.04), pytest.param("convlstm_concat", 0.15, marks=pytest.mark.slow)],
)
def test_the_training_form_computes_what_the_deploy_form_does(windows, name, most):
    """`most`: how far 8 bits may be from float, both as a root mean square. Four seeds give 0.033
    to 0.034 and 0.130 to 0.134.
    """
    definition = registry.get(name)
    plain = initial_weights.initial(definition, "none")
    model = quantization_aware(definition, plain)
    with pytest.raises(ClimbEdgeError, match="found none"):
        definition.form(model, "window", "newest")
    model(windows, training=True)
    assert parts_of(model)[0] is plain
    seen, deployed = np.asarray(model(windows[:1])), definition.form(model, "window", "newest")
    np.testing.assert_array_equal(np.asarray(deployed(to_channels(windows[:1])))[0], seen[0, -1])
    exact = np.asarray(plain(windows[:1]))
    assert 0 < np.sqrt(np.mean((seen - exact) ** 2) / np.mean(exact**2)) < most


def test_of_deciwatch_the_kernels_alone_are_rounded_and_its_seeds_move(windows):
    definition = registry.get("deciwatch")
    plain = initial_weights.initial(definition, "shipped")
    before = plain.get_weights()
    model = quantization_aware(definition, plain)
    whole, seen = np.asarray(plain(windows)), np.asarray(model(windows))
    assert 1e-4 < np.abs(whole - seen).max() < 2  # cells
    kernels = [v for v in plain.trainable_variables if v.name == "kernel"]
    for kernel in kernels:
        kernel.assign(rounded_kernel(keras.ops.convert_to_tensor(kernel)))
    np.testing.assert_allclose(np.asarray(plain(windows)), seen, atol=1e-3)
    plain.set_weights(before)
    a, b = (np.asarray(model(windows, training=True)) for _ in range(2))
    assert np.abs(a - b).max() > 1e-3, "the same dropout twice"


def test_a_teachers_maps_are_a_target_of_full_mass():
    outputs = np.random.default_rng(0).random((1, 5, 56, 56, 25), np.float32)
    np.testing.assert_allclose(
        np.asarray(taught("cross_entropy", outputs)).sum(axis=(2, 3)), 255, rtol=1e-4
    )
    assert taught("mse", outputs) is outputs


def test_a_run_begins_as_its_float_run_quantized_and_resumes(float_run, tmp_path, capsys):
    command = [
        "finetune",
        *TINY,
        "--init",
        str(float_run),
        "--qat",
        "int8",
        "--distill-epochs",
        "1",
        "--epochs",
        "2",
    ]
    whole, half = tmp_path / "whole", tmp_path / "half"
    assert main([*command, "--out", str(whole)]) == 0
    assert json.loads((whole / "config.json").read_text())["qat"] == {
        "scheme": "int8",
        "distill_epochs": 1,
    }
    metrics = json.loads((whole / "metrics.json").read_text())["parts"]["test"]
    kept = json.loads((float_run / "metrics.json").read_text())["parts"]["test"]
    assert (
        metrics["float"]["ours"]["pooled"] == kept["refined"]["ours"]["pooled"]
        and "refined" in metrics
    )
    before = Run(whole).history()[0]["val_pck_0.1"]
    assert abs(before - max(row["val_pck_0.1"] for row in Run(float_run).history())) < 0.03
    definition = registry.get("conv3d")
    model = Run.open(whole).load_weights(quantization_aware(definition, definition.build()))
    assert float(aware(model).ranges.tracked) in (0.0, 1.0) and set(
        aware(model).ranges.values()
    ) == set(definition.ranges)
    capsys.readouterr()
    for changed in ([], ["--qat", "int8"]):  # a float run goes on as one, and the reverse
        there = whole if not changed else float_run
        assert main(["finetune", *TINY, "--epochs", "2", *changed, "--out", str(there)]) == 2
        assert "qat:" in capsys.readouterr().err
    assert main(["finetune", *TINY, "--init", str(whole), "--epochs", "1", "--out", str(half)]) == 2
    assert (
        f"found a quantization-aware one; name the run it began from, {float_run}"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            ["--model", "joint_mixer"],
            "joint_mixer has no graph of int8 arithmetic to train for; its recipes are float32",
        ),
        (
            ["--model", "identity"],
            "identity has no graph of int8 arithmetic to train for; it has no weights",
        ),
        (
            ["--init", "none"],
            "--init none: --qat int8 goes on from a trained float model; name its run, or shipped",
        ),
        (
            ["--precision", "mixed_float16"],
            "--precision mixed_float16: --qat int8 expected float32",
        ),
        (["--freeze"], "--freeze True: --qat int8 expected False"),
    ],
)
def test_what_cannot_be_trained_so_is_refused(tmp_path, capsys, given, said):
    assert main(["finetune", *TINY, "--qat", "int8", *given, "--out", str(tmp_path / "run")]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_teacher_without_a_pupil_is_refused(tmp_path, capsys):
    assert main(["finetune", *TINY, "--distill-epochs", "2", "--out", str(tmp_path / "run")]) == 2
    assert (
        "--distill-epochs 2: the float weights teach a quantization-aware run; add --qat int8"
        in capsys.readouterr().err
    )


def test_what_a_model_without_int8_says_of_its_recipes_is_so():
    for definition in (registry.get(name) for name in registry.names()):
        rounded = type(definition).rounded_weights is not Model.rounded_weights
        assert [bool(definition.ranges), rounded, bool(definition.unaware)].count(True) == 1
        assert bool(definition.ranges) == (type(definition).arithmetic is not Model.arithmetic)
        if "its recipes are" in definition.unaware:
            made = [
                recipe
                for recipe in RECIPES
                if support(definition.name, "", recipe)[0] == "supported"
            ]
            assert definition.unaware == f"its recipes are {', '.join(made[:-1])} and {made[-1]}"
