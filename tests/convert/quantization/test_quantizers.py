"""Recipes: what each makes of a graph, what is refused, and what is seen inside a quantized
file.
"""

import io
import zipfile
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from ai_edge_litert.tools.flatbuffer_utils import convert_object_to_bytearray

from climb_edge.errors import ClimbEdgeError
from climb_edge.pose.decode import decode
from climb_edge.runtime.session import Session
from convert.checks import graph_checks
from convert.graphs.build import build, by_tensorflow
from convert.graphs.flatbuffer import parse
from convert.graphs.lint import foreign_weights, read_ops
from convert.model_table import seeded
from convert.quantization.mixed import search
from convert.quantization.quantizers import Quantization
from convert.quantization.recipes import (
    DEFAULT,
    EDGE,
    RECIPES,
    TENSORFLOW,
    choose,
    support,
)
from support.paths import CONV3D, ROOT
from support.recipes import support_table
from support.sabotage import spoiled, with_kernel_behind
from train.backend import keras
from train.data.rendered import RenderedWindows
from train.data.windows import Frames
from train.layers.float import decoded
from train.models import registry
from train.noise.library import NOISES
from train.synthesis.motion import generated_clips


@pytest.fixture(scope="module")
def windows():
    source = RenderedWindows(generated_clips(2, 3, frames=30), NOISES["blazepose"])
    return [source.window(i).frames for i in range(0, 40, 8)]


@pytest.fixture(scope="module")
def conv3d(windows):
    definition, trained = seeded("conv3d")
    return Quantization(build(definition, trained, "step", "newest", definition.switches), windows)


@pytest.mark.parametrize("by", [EDGE, TENSORFLOW])
@pytest.mark.parametrize("name", ["float16", "dynamic_int8", "int8", "int8_io", "int4_weights"])
def test_recipes_do_what_they_promise_by_either_quantizer(conv3d, windows, name, by):
    recipe, plain = RECIPES[name], conv3d.plain
    if by not in recipe.quantizers:
        pytest.skip(f"{by} has no {name}")
    graph = replace(plain, content=conv3d.under(recipe, by))
    ops, plain_ops = read_ops(graph.content)[0], read_ops(plain.content)[0]
    assert graph_checks.types(ops, plain_ops, recipe).verdict == "pass"
    session = Session(graph.content)
    assert {d["dtype"] for d in session.inputs} == {np.dtype(recipe.io).type}
    expected = plain.emitted(Session(plain.content), windows[0])
    error = np.abs(graph.emitted(session, windows[0]) - expected).max() / expected.max()
    assert 0 < error < {"float16": 2e-3, "dynamic_int8": 0.05, "int4_weights": 0.4}.get(name, 0.4)


def test_constants_behind_the_flatbuffer_are_seen_and_brought_inside(conv3d):
    """The quantizer keeps a larger graph's constants outside: a reader of plain buffers sees no
    weights at all.
    """
    recipe, plain = RECIPES["dynamic_int8"], read_ops(conv3d.plain.content)[0]
    inside = conv3d.under(recipe, EDGE)
    outside = with_kernel_behind(inside)
    assert all(b.offset <= 1 for b in parse(outside).buffers)
    ops = read_ops(outside)[0]
    assert [op.weights for op in ops if op.weights] == ["INT8"] and graph_checks.types(
        ops, plain, recipe
    ).verdict == "pass"
    blind = [replace(op, weights=None, values=None) for op in ops]
    assert "hide theirs" in graph_checks.types(blind, plain, recipe).reasons[0]
    with pytest.raises(ClimbEdgeError, match="behind the file"):
        parse(outside[:-1])


def test_a_cut_file_is_a_clear_error(conv3d):
    content = conv3d.plain.content
    for length in range(40, len(content), 20_001):
        with pytest.raises(ClimbEdgeError, match="flatbuffer"):
            read_ops(content[:length])


def test_a_damaged_file_is_read_or_a_clear_error():
    content, rng, said = CONV3D.read_bytes(), np.random.default_rng(0), []
    for _ in range(300):
        damaged = bytearray(content)
        for place in rng.integers(-9000, 3000, 3):
            damaged[place] ^= int(rng.integers(1, 256))
        try:
            read_ops(bytes(damaged))
        except ClimbEdgeError as error:
            said.append(str(error))
    assert any("fit together" in s for s in said) and any("read as one" in s for s in said)


@pytest.mark.parametrize("recipe", ["dynamic_int8", "int8", "int4_weights"])
def test_one_layers_scale_that_moved_is_named(conv3d, recipe):
    content = conv3d.under(RECIPES[recipe], EDGE)
    plain = read_ops(conv3d.plain.content)[0]
    assert foreign_weights(read_ops(content)[0], plain) == []
    (said,) = foreign_weights(read_ops(spoiled(content, 1.1))[0], plain)
    assert "CONV_2D" in said and "of the scale from the float graph's" in said


def test_weights_that_match_no_op_of_the_model_are_named(conv3d):
    ops, plain = (
        read_ops(conv3d.under(RECIPES["float16"], EDGE))[0],
        read_ops(conv3d.plain.content)[0],
    )
    turned = [
        replace(op, values=None if op.values is None else op.values.transpose(1, 2, 3, 0))
        for op in ops
    ]
    assert "as those of no op of the float graph" in foreign_weights(turned, plain)[0]
    lost = [
        replace(op, values=None if op.values is None else np.full_like(op.values, np.nan))
        for op in ops
    ]
    assert len(foreign_weights(lost, plain)) == 1 and foreign_weights(ops, plain) == []


def test_mixed_leaves_in_float_what_costs_most(conv3d, windows):
    recipe = RECIPES["int8_mixed"]
    said = []
    found = search(conv3d, recipe, windows[:2], said.append)
    plain, whole = read_ops(conv3d.plain.content)[0], found.sensitivity[0]["cells"]
    tried = {row["layer"]: row["cells"] for row in found.sensitivity[1:-1]}
    assert found.floats and found.floats[0] == min(tried, key=tried.get)
    assert found.sensitivity[-1]["cells"] < whole
    assert len(said) >= len(tried) and any(
        said[0].startswith(f"{layer} in float, 1 of ") for layer in conv3d.layers
    )
    assert not any("CONV_2D" in layer for layer in tried), (
        "the only convolution in float would be no int8 file"
    )
    ops = read_ops(found.content)[0]
    assert graph_checks.types(ops, plain, recipe, found.floats).verdict == "pass"
    kept = {layer.removeprefix("all ") for layer in found.floats}
    assert {op.activations for op in ops if op.name in kept} == {"FLOAT32"}


@pytest.mark.slow
def test_mixed_begins_with_weights_alone_where_int8_does_not_run(windows):
    definition, trained = seeded("joint_mixer")
    plain = build(definition, trained, "step", "newest", definition.switches)
    quantization, recipe = Quantization(plain, windows), RECIPES["int8_mixed"]
    found = search(quantization, recipe, windows[:2])
    assert found.sensitivity[0]["layer"] == "all without weights"
    light = {layer for layer in quantization.layers if layer.startswith("all ")}
    assert (
        light < set(found.floats) and found.sensitivity[-1]["cells"] < found.sensitivity[0]["cells"]
    )
    ops = read_ops(found.content)[0]
    assert (
        graph_checks.types(ops, read_ops(plain.content)[0], recipe, found.floats).verdict == "pass"
    )
    integer = [op for op in ops if op.weights and op.activations == "INT8"]
    assert len(integer) >= 10
    apart = np.abs(
        plain.emitted(Session(found.content), windows[0])
        - plain.emitted(Session(plain.content), windows[0])
    )
    assert apart[..., :2].max() < 2  # cells


def test_saturation_is_counted_at_the_upper_end(conv3d, windows):
    """Calibrated on maps a tenth as high, the quantized graph cuts the real ones off."""
    low = Quantization(conv3d.plain, [Frames(window.maps / 10, window.peaks) for window in windows])
    shares = [
        graph_checks.saturation(
            replace(q.plain, content=q.under(RECIPES["int8"], EDGE)), windows[:1]
        )
        for q in (conv3d, low)
    ]
    of_input = [{s["tensor"]: s["share"] for s in share} for share in shares]
    (name,) = [name for name in of_input[1] if "serving_default_frame" in name]
    assert of_input[1][name] > 10 * of_input[0].get(name, 0) and of_input[1][name] > 1e-3


def test_what_is_refused_is_said_and_left_out_of_all():
    with pytest.raises(ClimbEdgeError, match="expected one of float32"):
        choose(["int9"], "conv3d", ["step-newest"])
    with pytest.raises(ClimbEdgeError, match="aborts while it prepares"):
        choose(["int8"], "deciwatch", ["step-newest"])
    chosen = {
        (model, *names): choose(names or None, model, ["step-newest"], force=names == ("int8",))
        for model, *names in (("deciwatch", "int8"), ("deciwatch",), ("conv3d",), ("conv3d", "all"))
        for names in [tuple(names)]
    }
    found = {key: [r.name for r in recipes] for key, (recipes, _) in chosen.items()}
    assert found["deciwatch", "int8"] == ["int8"] and found["conv3d", "all"] == [
        n for n, r in RECIPES.items() if not r.aware
    ]
    assert found["deciwatch",] == ["float32", "float16", "dynamic_int8"] and found[
        "conv3d",
    ] == list(DEFAULT)
    assert "deciwatch int8: left out: the runtime aborts" in chosen["deciwatch",][1][0]
    assert "conv3d int4_weights: warning: single keypoints" in chosen["conv3d", "all"][1][0]
    assert chosen["conv3d",][1] == []
    with pytest.raises(
        ClimbEdgeError, match="expected a run of `python -m train finetune --qat int8`, found none"
    ):
        choose(["qat_int8"], "conv3d", ["step-newest"])
    with pytest.raises(ClimbEdgeError, match="'qat_int8': refused for joint_mixer"):
        choose(["qat_int8"], "joint_mixer", ["step-newest"], aware=["int8"])
    (alone,) = choose(["qat_int8"], "deciwatch", ["step-newest"], aware=["int8"])[0]
    assert (alone.name, alone.weights, alone.activations) == ("qat_int8", "INT8", "FLOAT32")
    assert [r.name for r in choose(None, "conv3d", ["step-newest"], aware=["int8"])[0]] == [
        *DEFAULT,
        "qat_int8",
    ]
    with pytest.raises(
        ClimbEdgeError,
        match="'tfmot_int8': expected a run of `python -m train finetune --qat tfmot`",
    ):
        choose(["tfmot_int8"], "conv3d", ["step-newest"], aware=["int8"])
    both, said = choose(None, "conv3d", ["step-newest", "window-all"], aware=["int8", "tfmot"])
    assert [r.name for r in both] == [*DEFAULT, "qat_int8", "tfmot_int8"]
    assert said == [
        "conv3d tfmot_int8 as window-all: left out: "
        + support("conv3d", "window-all", "tfmot_int8")[1]
    ]
    with pytest.raises(
        ClimbEdgeError, match=r"'tfmot_int8': refused for conv3d: .* as step-newest"
    ):
        choose(["tfmot_int8"], "conv3d", ["window-all"], aware=["tfmot"])
    assert support("conv3d", "step-newest", "float16") == ("supported", "")


def test_the_table_of_the_readme_is_the_one_in_the_code():
    page = ROOT.joinpath("README.md").read_text(encoding="utf-8")
    assert support_table(registry.names()) in page


def test_quantized_weights_that_are_too_large_are_refused(conv3d):
    plain = read_ops(conv3d.plain.content)[0]
    ops = read_ops(conv3d.under(RECIPES["float16"], EDGE))[0]
    said = " ".join(graph_checks.types(ops, plain, RECIPES["int8"]).reasons)
    assert "has FLOAT16 weights" in said and "0.50 of float, at most 0.3" in said


def test_a_packed_graph_takes_a_contract_behind_it(conv3d):
    content = bytes(convert_object_to_bytearray(parse(conv3d.plain.content)))
    stream = io.BytesIO(content)
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("contract.json", "{}")
    window = Frames(np.zeros((5, 56, 56, 25), np.float32), np.ones((5, 25), np.float32))
    window.maps[:, 20, 20] = 255
    outputs = [
        replace(conv3d.plain, content=c).emitted(Session(c), window)
        for c in (conv3d.plain.content, stream.getvalue())
    ]
    np.testing.assert_array_equal(*outputs)


def test_a_decoder_whose_constants_are_halved_gives_the_same_places():
    """1e-10 is 0 in half precision, and its logarithm no number: of maps with empty cells beside
    their maximum.
    """
    entering = keras.Input(batch_shape=(1, 56, 56, 25), name="frame")
    form = keras.Model([entering], [keras.ops.concatenate(decoded(entering), axis=-1)])
    session = Session(by_tensorflow(SimpleNamespace(keras_form=form), "float16", []))
    maps = np.zeros((56, 56, 25), np.float32)
    maps[20, 20:22], maps[19, 20], maps[40:43, 40, :5] = [[3], [1]], 2, 1
    (found,) = session.run(maps[None])
    cells, peaks = decode(maps)
    np.testing.assert_allclose(found.reshape(3, 25), np.stack([*cells.T, peaks]), atol=0.01)
