"""`--qat tfmot`. What it refuses is tested anywhere; what it trains where
tensorflow-model-optimization is: `make test-tfmot`.
"""

import sys
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from convert.checks import graph_checks
from convert.checks.parity import agreement_with_training
from convert.graphs.build import build
from convert.graphs.lint import read_ops
from convert.quantization.aware import Aware, quantization, together
from convert.quantization.recipes import RECIPES
from train.__main__ import main
from train.data.rendered import RenderedWindows
from train.data.sources import open_source
from train.data.splits import Split
from train.fitting import initial_weights, tfmot, tfmot_toolkit
from train.fitting.run_folder import Run
from train.models import registry
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
    "3",
    "--validation-windows",
    "8",
    "--test-windows",
    "8",
]
RECIPE = RECIPES["tfmot_int8"]
installed = pytest.mark.skipif(
    find_spec("tensorflow_model_optimization") is None, reason="needs `make tfmot`"
)


@pytest.fixture(scope="module")
def windows():
    source = RenderedWindows(generated_clips(10, 3, frames=30), NOISES["blazepose"])
    return [source.window(i).frames for i in np.linspace(0, len(source) - 1, 100).astype(int)]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """(a float run, one by tensorflow-model-optimization from it)."""
    folder = tmp_path_factory.mktemp("runs")
    began, trained = folder / "float", folder / "tfmot"
    assert main(["finetune", *TINY, "--epochs", "1", "--out", str(began)]) == 0
    assert main([*going_on(began), "--out", str(trained)]) == 0
    return began, trained


def going_on(began) -> list[str]:
    split = ["--split", str(began / "split.json")]
    return ["finetune", *TINY, *split, "--init", str(began), "--qat", "tfmot", "--epochs", "2"]


def made(windows, shrink=None):
    """(float graph, int8 file's graph, training form) of weights that are not the shipped ones'
    near-nothings.
    """
    definition = registry.get("conv3d")
    plain = initial_weights.initial(definition, "shipped")
    rng = np.random.default_rng(0)
    plain.set_weights([w + 1e-3 * rng.standard_normal(w.shape) for w in plain.get_weights()])
    model = tfmot.quantization_aware(definition, plain, shrink)
    tfmot.stacked_of(model).calibrate(window.maps[None] for window in windows[:20])
    own = build(definition, plain, *tfmot_toolkit.FORM, {})
    found = quantization(
        Aware({"qat": {"scheme": "tfmot"}}, model), definition, own, *tfmot_toolkit.FORM
    )
    return found.plain, replace(own, content=found.under(RECIPE, *RECIPE.quantizers)), model


def kernel(graph) -> np.ndarray:
    """The convolution's weights in a file."""
    return next(op.values for op in read_ops(graph.content)[0] if op.name == "CONV_2D")


@installed
def test_the_file_gives_what_training_saw_on_100_windows(windows):
    own, graph, model = made(windows)
    reasons, share = agreement_with_training(graph, windows, model)
    assert (reasons, len(windows)) == ([], 100) and share >= 0.999
    plain, ops = read_ops(own.content)[0], read_ops(graph.content)[0]
    assert graph_checks.types(ops, plain, RECIPE).verdict == "pass"
    assert {op.activations for op in ops if op.weights} == {"INT8"}
    other = made(windows, "prune:0.9")[2]
    assert agreement_with_training(graph, windows[:3], other)[1] < 0.999, "any model would pass"


@installed
def test_it_begins_where_the_float_model_is_and_is_the_same_in_float(windows):
    definition = registry.get("conv3d")
    plain = initial_weights.initial(definition, "shipped")
    model = tfmot.quantization_aware(definition, plain, None)
    tfmot.stacked_of(model).calibrate([windows[0].maps[None]])
    form, maps = definition.form(plain, *tfmot_toolkit.FORM), windows[0].maps[None]
    stepped, past = [], np.zeros((1, 56, 56, 50), np.float32)
    for frame in maps[0]:
        refined, past = form([frame[None], past])
        past = np.asarray(past)
        stepped.append(np.asarray(refined)[0])
    whole = np.asarray(tfmot.float_windows(model)(maps))[0]
    np.testing.assert_allclose(whole, stepped, atol=1e-4 * whole.max())
    assert 0 < np.abs(np.asarray(model(maps))[0] - whole).max() < 0.05 * whole.max()
    moved = definition.form(initial_weights.initial(definition, "identity"), *tfmot_toolkit.FORM)
    with pytest.raises(
        ClimbEdgeError, match=r"give other values in tf_keras.*run `make tfmot` again"
    ):
        tfmot._compare(tfmot.stacked_of(model).before, moved)


@installed
@pytest.mark.parametrize(("shrink", "values"), [("prune:0.75", None), ("cluster:8", 8)])
def test_what_was_shrunk_stays_so_in_training_and_in_the_file(windows, tmp_path, shrink, values):
    began, run = tmp_path / "float", tmp_path / "run"
    assert main(["finetune", *TINY, "--epochs", "1", "--out", str(began)]) == 0
    assert main([*going_on(began), "--shrink", shrink, "--out", str(run)]) == 0
    definition = registry.get("conv3d")
    plain = Run.open(began).load_weights(definition.build())
    aware = together(run, [], definition, plain, None, None)["tfmot"]
    own = build(definition, plain, *tfmot_toolkit.FORM, {})
    found = quantization(aware, definition, own, *tfmot_toolkit.FORM)
    weights = kernel(replace(own, content=found.under(RECIPE, *RECIPE.quantizers)))
    if values:
        assert max(len(np.unique(np.round(channel, 7))) for channel in weights) <= values
    else:
        assert 0.74 < np.mean(weights == 0) < 0.8


@installed
def test_a_run_resumes_to_the_same_result(runs, tmp_path, monkeypatch):
    began, whole = runs
    half = tmp_path / "half"
    write, written = Run.write_history, []

    def stop(run, rows):
        write(run, rows)
        written.append(rows)
        if len(written) == 3:  # the second epoch's history stands, its state does not
            raise KeyboardInterrupt

    monkeypatch.setattr(Run, "write_history", stop)
    assert main([*going_on(began), "--out", str(half)]) == 130
    monkeypatch.setattr(Run, "write_history", write)
    assert main([*going_on(began), "--out", str(half)]) == 0
    a, b = (Run(path).history() for path in (whole, half))
    assert [{k: v for k, v in row.items() if k != "seconds"} for row in a] == [
        {k: v for k, v in row.items() if k != "seconds"} for row in b
    ]
    assert a[1]["loss"] != a[2]["loss"]


@installed
def test_its_file_stands_beside_those_of_the_float_run(runs, tmp_path, capsys):
    began, trained = runs
    definition = registry.get("conv3d")
    plain = Run.open(began).load_weights(definition.build())
    config = Run.open(began).config()
    source = open_source(config)
    parts = Split.load(Run(began).split, source)
    assert list(together(began, [trained], definition, plain, parts, source)) == ["tfmot"]
    with pytest.raises(ClimbEdgeError, match="a run of --qat tfmot is there already"):
        together(began, [trained, trained], definition, plain, parts, source)
    with pytest.raises(
        ClimbEdgeError, match="expected a run of `train finetune --qat`, found a float one"
    ):
        together(trained, [began], definition, plain, parts, source)
    with pytest.raises(ClimbEdgeError, match="began from other float weights"):
        together(
            began,
            [trained],
            definition,
            initial_weights.initial(definition, "identity"),
            parts,
            source,
        )
    with pytest.raises(ClimbEdgeError, match="has other test windows"):
        together(began, [trained], definition, plain, replace(parts, test=parts.test[1:]), source)
    assert (
        quantization(Aware({"qat": {"scheme": "tfmot"}}, None), definition, None, "window", "all")
        is None
    )


def test_without_it_the_install_line_is_given(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_model_optimization", None)
    assert main(["finetune", *TINY, "--qat", "tfmot", "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert (
        "run `make tfmot`, then .venv-tfmot/bin/python -m train" in said
        and not (tmp_path / "run").exists()
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--model", "convlstm_sum"], "convlstm_sum is not made of the plain layers of tf_keras"),
        (["--model", "deciwatch"], "(of ours only conv3d is); use --qat int8"),
        (["--distill-epochs", "1"], "--distill-epochs 1: --qat tfmot expected 0"),
        (["--schedule", "one-cycle"], "--schedule one-cycle: --qat tfmot expected plateau"),
        (["--init", "none"], "--init none: --qat tfmot goes on from a trained float model"),
        (
            ["--shrink", "prune:1.5"],
            "--shrink prune:1.5: expected prune:PART with a part between 0 and 1",
        ),
        (["--shrink", "cluster:x"], "--shrink cluster:x: expected"),
        (["--shrink", "zip"], "--shrink zip: expected"),
        (
            ["--shrink", "prune:0.5", "--qat", "int8"],
            "--shrink prune:0.5: tensorflow-model-optimization does it",
        ),
    ],
)
def test_what_it_is_not_for_is_refused(tmp_path, capsys, monkeypatch, given, said):
    monkeypatch.setattr(tfmot_toolkit, "toolkit", lambda: None)
    assert main(["finetune", *TINY, "--qat", "tfmot", *given, "--out", str(tmp_path / "run")]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
