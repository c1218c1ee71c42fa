"""The promise of quantization-aware training: the int8 file gives what training saw."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.clips import save_clips
from climb_edge.runtime.session import Session
from convert.__main__ import main as convert
from convert.checks import graph_checks
from convert.checks.parity import Compared, agreement_with_training, numbers
from convert.graphs.build import build
from convert.graphs.lint import output_step, read_ops
from convert.pipeline import run as conversion
from convert.quantization.aware import error_table
from convert.quantization.quantizers import Quantization
from convert.quantization.recipes import KEPT, RECIPES, suited
from support.sabotage import spoiled
from train.__main__ import main as train
from train.data.rendered import RenderedWindows
from train.fitting import initial_weights
from train.layers.aware import aware, quantization_aware
from train.models import registry
from train.noise.library import NOISES
from train.synthesis.motion import generated_clips

RECIPE = RECIPES["qat_int8"]


def made(name: str, form: str, windows, spread: float = 0.0):
    """(float graph, int8 file's graph, quantization-aware model) of weights that no constant's
    zeros are folded out of.
    """
    definition = registry.get(name)
    plain = initial_weights.initial(
        definition, "none" if name.startswith("convlstm") else "shipped"
    )
    rng = np.random.default_rng(0)
    plain.set_weights([w + spread * rng.standard_normal(w.shape) for w in plain.get_weights()])
    model = quantization_aware(definition, plain)
    for window in windows[:4]:
        model(window.maps[None], training=True)
    kind, emits = form.split("-")
    own = build(definition, plain, kind, emits, definition.switches)
    recipe = suited(RECIPE, name)
    rounded = Quantization(replace(own, keras_form=definition.form(model, kind, emits)), [])
    content = rounded.under(recipe, *recipe.quantizers)
    return own, replace(own, content=content), model


@pytest.fixture(scope="module")
def windows():
    source = RenderedWindows(generated_clips(10, 3, frames=30), NOISES["blazepose"])
    return [source.window(i).frames for i in np.linspace(0, len(source) - 1, 100).astype(int)]


@pytest.fixture(scope="module")
def conv3d(windows):
    return made("conv3d", "step-newest", windows)


def test_conv3ds_file_gives_what_training_saw_on_100_windows(conv3d, windows):
    own, graph, model = conv3d
    reasons, share = agreement_with_training(graph, windows, model)
    assert (reasons, len(windows)) == ([], 100) and share > 0.9999
    plain, ops = read_ops(own.content)[0], read_ops(graph.content)[0]
    assert graph_checks.types(ops, plain, RECIPE).verdict == "pass"
    assert {op.activations for op in ops if op.name not in ("QUANTIZE",)} == {"INT8"}
    low, high = aware(model).ranges.values()["refined"]
    assert output_step(graph.content) == pytest.approx((high - low) / 255, rel=1e-5)


def test_a_file_that_does_not_keep_it_is_refused(conv3d, windows):
    _, graph, model = conv3d
    reasons, share = agreement_with_training(
        replace(graph, content=spoiled(graph.content, 1.5)), windows[:2], model
    )
    assert share < 0.999 and "of what training saw, at least 99.9% expected" in reasons[0]


def test_the_error_table_says_which_tensor_costs_what(conv3d, windows):
    model = conv3d[2]
    held = aware(model).ranges.of["kept"]
    low, high = np.asarray(held)
    held.assign([40 * low, 40 * high])  # steps 40 times as wide
    whole, *rows = error_table(model, windows[:3])
    held.assign([low, high])
    names = {"maps", "convolved", "kept", "refined", "weights and constants"}
    assert whole["layer"] == "none" and {row["layer"] for row in rows} == names
    assert rows[0]["layer"] == "kept" and rows[0]["cells"] < 0.5 * whole["cells"]
    assert (
        error_table(initial_weights.initial(registry.get("conv3d"), "shipped"), windows[:1]) == []
    )


@pytest.mark.slow
def test_a_file_that_does_not_pass_says_in_its_report_what_costs_what(tmp_path, monkeypatch):
    for name, value in (("GENERATED_CLIPS", 12), ("PER_CLIP", 3), ("TEST_WINDOWS", 40)):
        monkeypatch.setattr(conversion, name, value)
    save_clips(tmp_path / "clips.npz", generated_clips(12, 5, frames=12))
    runs = [str(tmp_path / name) for name in ("float", "int8", "out")]
    data = [
        "--data",
        str(tmp_path / "clips.npz"),
        "--model",
        "conv3d",
        "--steps-per-epoch",
        "1",
        "--batch",
        "2",
        "--validation-windows",
        "8",
    ]
    assert train([*data, "--epochs", "0", "--out", runs[0]]) == 0
    assert (
        train([*data, "--init", runs[0], "--qat", "int8", "--epochs", "2", "--out", runs[1]]) == 0
    )
    skipped = [word for name in ("gpu", "stream", "second", "speed") for word in ("--skip", name)]
    told = [
        "--form",
        "step-newest",
        "--recipe",
        "float32",
        "--recipe",
        "qat_int8",
        *skipped,
        "--out",
        runs[2],
    ]
    assert convert([runs[1], *told]) == 1  # two test clips show nothing
    files = {
        f["recipe"]: f for f in json.loads((tmp_path / "out" / "report.json").read_text())["files"]
    }
    assert files["qat_int8"]["sensitivity"][0]["layer"] == "none"
    assert {"maps", "refined"} < {row["layer"] for row in files["qat_int8"]["sensitivity"]}
    assert files["float32"]["sensitivity"] == []


def test_what_was_trained_on_may_have_other_values_and_what_was_only_rounded_may_not():
    compared = Compared(SimpleNamespace(name="test"), slice(4, 5), scale=1.0, gain=1.08)
    assert numbers(RECIPE, [compared])[0] == []
    (said,) = numbers(RECIPES["int8"], [compared])[0]
    assert "1.080 times the Keras model's" in said


def test_a_file_without_integers_keeps_no_step(conv3d):
    assert output_step(conv3d[0].content) == 0.0


def test_ranges_that_never_saw_data_make_no_file():
    definition = registry.get("conv3d")
    model = quantization_aware(definition, initial_weights.initial(definition, "shipped"))
    with pytest.raises(
        ClimbEdgeError,
        match="ranges of maps, convolved, kept, refined: expected what training data reach",
    ):
        definition.form(model, "step", "newest")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "form", "least"),
    [
        ("conv3d", "window-all", KEPT),
        ("conv3d", "step-centre", KEPT),
        ("deciwatch", "step-newest", KEPT),
        # Of untrained weights. A sum that lies between two steps is rounded up here and down there,
        # in 3 to 6 of a million values; through a steep sigmoid one step is nine, and the
        # recurrence and the heads carry it on.
        ("convlstm_concat", "step-newest", 0.99),
        ("convlstm_sum", "step-centre", 0.99),
    ],
)
def test_every_models_file_gives_what_training_saw(name, form, least, windows):
    own, graph, model = made(name, form, windows, 1e-3)
    _, share = agreement_with_training(graph, windows[:3], model)
    assert share >= least
    assert (
        graph_checks.types(
            read_ops(graph.content)[0], read_ops(own.content)[0], suited(RECIPE, name)
        ).verdict
        == "pass"
    )
    stepping = graph.runs(Session(graph.content), windows[0])
    assert all(np.isfinite(output).all() for _, outputs in stepping for output in outputs)
