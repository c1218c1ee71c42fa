"""The whole command: files with contracts, a report, and gates that close."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from climb_edge.refiners.tflite import TFLiteRefiner
from climb_edge.runtime.isolated import why_not
from climb_edge.runtime.model_file import read_model
from convert.__main__ import main
from convert.checks.speed import naive
from convert.checks.verdict import NAMES
from convert.graphs import build as graphs
from convert.pipeline import run as conversion
from convert.quantization.quantizers import Quantization
from convert.quantization.recipes import RECIPES
from support.paths import CONV3D
from support.sabotage import spoiled
from train.__main__ import main as train
from train.data.sources import open_source
from train.data.splits import Split
from train.fitting.run_folder import Run
from train.models import registry


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run"
    arguments = [
        "pretrain",
        "--data",
        "generated",
        "--clips",
        "12",
        "--epochs",
        "1",
        "--steps-per-epoch",
        "2",
        "--batch",
        "2",
        "--init",
        "shipped",
    ]
    assert train([*arguments, "--out", str(path)]) == 0
    return path


@pytest.fixture
def few(monkeypatch):
    """A handful of windows, for tests of what is refused; whole conversions take all 60 generated
    clips.
    """
    for name, value in (("GENERATED_CLIPS", 12), ("PER_CLIP", 3), ("TEST_WINDOWS", 40)):
        monkeypatch.setattr(conversion, name, value)


RECIPE_NAMES = ("float16", "int8")


@pytest.mark.slow
def test_convert_writes_files_that_prove_themselves(trained, tmp_path, capsys, monkeypatch):
    out, app = tmp_path / "out", tmp_path / "app"
    for name, value in (("PER_CLIP", 3), ("TEST_WINDOWS", 40)):
        monkeypatch.setattr(conversion, name, value)
    chosen = [x for recipe in RECIPE_NAMES for x in ("--recipe", recipe)]
    code = main(
        [str(trained), "--out", str(out), "--form", "step-newest", "--bundle", str(app), *chosen]
    )
    report = json.loads((out / "report.json").read_text())
    files = {f["recipe"]: f for f in report["files"]}
    assert tuple(files) == RECIPE_NAMES
    # int8 may fall short on two steps of training
    passed = all(f["verdict"] == "pass" for f in report["files"])
    assert (code, report["verdict"] == "pass") == ((0, True) if passed else (1, False))
    assert report["generated"]["clips"] >= 50
    assert files["int8"]["bytes"] < 0.6 * files["float16"]["bytes"] and files["int8"]["saturation"]
    for file in report["files"]:
        each = {c["name"]: c["verdict"] for c in file["checks"]}
        assert sorted(each) == sorted(
            NAMES if file["written"] else [n for n in NAMES if n != "contract"]
        )
        assert {each[n] for n in each if n not in ("gpu", "second", "parity")} == {"pass"}
        assert each["gpu"] == ("skipped" if why_not() else "pass") and each["second"] in (
            "pass",
            "skipped",
        )
        rows = {(r["set"], r["averaging"], r["decode"]) for r in file["rows"]}
        assert rows == {
            (s, *how)
            for s in ("test", "generated")
            for how in (("pooled", "dark"), ("study", "argmax"))
        }
        assert (
            file["speed"][0]["median_ms"] < file["speed"][0]["naive_ms"]
            and file["load"]["memory_mb"] > 0
        )
        assert len(file["worst_windows"]) == 10 and sum(file["histogram"]["generated"]) == 180 * 25
        assert {c["quantizer"] for c in file["candidates"]} == set(
            RECIPES[file["recipe"]].quantizers
        )
        path = out / "models" / file["file"]
        assert path.exists() == file["written"] == (file["verdict"] == "pass")
        if path.exists():
            graph, contract = read_model(path)
            kept = contract.sha256, contract.recipe, contract.quantizer, len(graph)
            assert kept == (file["sha256"], file["recipe"], file["quantizer"], file["bytes"])
            assert (
                contract.fps == 30
                and contract.checks.verdict == "pass"
                and (app / "refiners" / file["file"]).is_file()
            )
            TFLiteRefiner(path)
    printed = subprocess.run(
        ["unzip", "-p", out / "models" / report["files"][0]["file"], "contract.json"],
        capture_output=True,
        check=False,
    )
    assert json.loads(printed.stdout)["model"] == "conv3d"
    assert (out / "report.html").is_file() and (out / "report.md").is_file()
    capsys.readouterr()
    assert main(["show", str(out)]) == 0
    assert "conv3d.step-newest.float16.tflite" in capsys.readouterr().out
    assert main(["diff", str(out / "report.json"), str(out / "report.json")]) == 0


def refused(trained, out, capsys, *arguments) -> tuple[str, dict]:
    """What `convert` says of a run that it refuses, and its report."""
    quick = ["--form", "window-newest", "--skip", "gpu", "--skip", "second", "--skip", "speed"]
    assert main([str(trained), "--out", str(out), *quick, *arguments]) == 1
    assert not list((out / "models").glob("*.tflite"))
    report = json.loads((out / "report.json").read_text())
    assert report["verdict"] == "fail" and {"gpu", "second", "speed"} <= set(report["skipped"])
    errors = capsys.readouterr().err
    assert "gate failed: fail" in errors
    return errors, report


@pytest.mark.slow
def test_a_layer_spoiled_on_the_way_to_the_file_is_refused(
    trained, tmp_path, capsys, monkeypatch, few
):
    original = graphs.to_tflite

    def spoiled_form(form, parameters):
        (layer,) = (layer for layer in form.layers if layer.name.startswith("conv2d"))
        kernel, bias = layer.get_weights()
        layer.set_weights([1.1 * np.roll(kernel, 1, axis=0), bias])
        return original(form, parameters)

    monkeypatch.setattr(graphs, "to_tflite", spoiled_form)
    errors, _ = refused(trained, tmp_path, capsys, "--recipe", "float32", "--recipe", "float16")
    assert "of the scale from the Keras model" in errors
    assert "PCK@0.05" in errors


@pytest.mark.slow
def test_one_layers_scale_times_1_1_is_refused(trained, tmp_path, capsys, monkeypatch, few):
    original = Quantization.under
    monkeypatch.setattr(
        Quantization, "under", lambda self, *how, **more: spoiled(original(self, *how, **more), 1.1)
    )
    errors, report = refused(trained, tmp_path, capsys, "--recipe", "dynamic_int8")
    assert "CONV_2D" in errors and "of the scale from the float graph's" in errors
    assert report["files"][0]["candidates"][0]["reason"]


@pytest.mark.slow
def test_calibration_on_noise_is_refused(trained, tmp_path, capsys, monkeypatch, few):
    noise = np.random.default_rng(0).random((4, 1, 56, 56, 125), np.float32)
    monkeypatch.setattr(Quantization, "samples", [{"window": window} for window in noise])
    errors, report = refused(trained, tmp_path, capsys, "--recipe", "int8")
    assert "PCK@" in errors and "times the Keras model's" in errors
    assert report["files"][0]["saturation"][0]["share"] > 0.01


@pytest.mark.slow
def test_a_conv_3d_called_int8_that_stayed_float_is_refused(
    trained, tmp_path, capsys, monkeypatch, few
):
    def unrearranged(definition, model, form, emits, switches):
        graph = graphs.build(definition, model, form, emits, switches)
        return replace(graph, content=naive(model), keras_form=model)

    monkeypatch.setattr(conversion, "build", unrearranged)
    errors, report = refused(trained, tmp_path, capsys, "--recipe", "dynamic_int8")
    assert "CONV_3D" in errors and "no delegate takes it" in errors
    assert "has FLOAT32 weights and FLOAT32 activations, dynamic_int8 promises INT8" in errors
    assert "parity" in report["skipped"], "what does not load is compared with nothing, and says so"


@pytest.mark.slow
def test_what_a_gate_refuses_is_forced_with_a_mark_that_runtimes_repeat(
    trained, tmp_path, capsys, monkeypatch, few
):
    original = Quantization.under
    monkeypatch.setattr(
        Quantization, "under", lambda self, *how, **more: spoiled(original(self, *how, **more), 1.5)
    )
    quick = [
        "--form",
        "window-newest",
        "--skip",
        "gpu",
        "--skip",
        "second",
        "--skip",
        "speed",
        "--force",
    ]
    assert main([str(trained), "--out", str(tmp_path), *quick, "--recipe", "dynamic_int8"]) == 1
    (path,) = (tmp_path / "models").glob("*.tflite")
    assert read_model(path)[1].checks.verdict == "fail"
    with pytest.warns(UserWarning, match="the checks of its conversion say 'fail'.*float graph's"):
        TFLiteRefiner(path)


def test_a_full_disk_leaves_the_older_file(trained, tmp_path):
    """The size of every file is limited while the finished one is written; in a process of
    its own.
    """
    path = tmp_path / "models" / CONV3D.name
    path.parent.mkdir()
    path.write_bytes(CONV3D.read_bytes())
    script = f"""
import resource, sys
from pathlib import Path
from convert.pipeline import run as conversion
from convert.checks.verdict import Check
from convert.pipeline.conversion import ConvertedFile
from convert.graphs.build import Graph
from convert.quantization.recipes import RECIPES
from climb_edge.runtime.model_file import read_model
graph, contract = read_model({str(path)!r})
state = tuple((tensor.name, tensor.shape) for tensor in contract.state)
made = ConvertedFile(RECIPES["float16"], Graph("conv3d", "step", "newest", "heatmaps", 0, state, graph), [Check("lint")])
conversion.GENERATED_CLIPS = conversion.TEST_WINDOWS = 1
run = conversion.open_run({str(trained)!r}, ("step-newest",))
original = conversion.write_model
def full(*arguments):
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    original(*arguments)
conversion.write_model = full
import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
conversion._write(made, run, Path({str(path)!r}), False)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    assert "could not be written" in done.stderr.splitlines()[-1], done.stderr[-2000:]
    assert path.read_bytes() == CONV3D.read_bytes()
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.slow
def test_somebody_elses_file_is_checked_as_far_as_it_can_be(tmp_path, capsys):
    theirs = tmp_path / "theirs.tflite"
    theirs.write_bytes(read_model(CONV3D)[0])
    assert main(["check", str(theirs), "--out", str(tmp_path / "out"), "--skip", "gpu"]) == 0
    report = json.loads((tmp_path / "out/report.json").read_text())
    verdicts = {c["name"]: c["verdict"] for c in report["files"][0]["checks"]}
    assert {verdicts[n] for n in ("lint", "load", "cpu", "speed")} == {"pass"} and verdicts[
        "gpu"
    ] == "skipped"
    assert any("PCK" in sentence for sentence in report["cannot"])
    assert verdicts["types"] == verdicts["contract"] == "skipped", "nobody says what it should be"
    content = bytearray(CONV3D.read_bytes())
    content[1000] ^= 1
    ours = tmp_path / "ours.tflite"
    ours.write_bytes(content)
    assert (
        main(
            [
                "check",
                str(ours),
                "--out",
                str(tmp_path / "changed"),
                "--skip",
                "gpu",
                "--skip",
                "speed",
            ]
        )
        == 1
    )
    assert "the file was changed" in capsys.readouterr().err
    assert "PCK" in (tmp_path / "out/report.html").read_text()
    theirs.write_bytes(b"\x1c\0\0\0TFL3" + b"\xff" * 500)
    capsys.readouterr()
    assert main(["check", str(theirs), "--out", str(tmp_path / "out")]) == 2
    assert "flatbuffer" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["config.json", "best.weights.h5"])
def test_a_run_that_is_none_is_refused(trained, tmp_path, capsys, missing):
    broken = tmp_path / "run"
    shutil.copytree(trained, broken)
    (broken / missing).unlink()
    assert main([str(broken), "--out", str(tmp_path / "out")]) == 2
    assert str(broken) in capsys.readouterr().err


def test_data_that_changed_since_is_refused(trained, tmp_path, capsys):
    broken = tmp_path / "run"
    shutil.copytree(trained, broken)
    config = json.loads((broken / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps({**config, "data_sha256": "0" * 64}))
    assert main([str(broken), "--out", str(tmp_path / "out")]) == 2
    assert "changed since" in capsys.readouterr().err


def test_a_run_without_test_windows_is_refused(trained, tmp_path, capsys):
    broken = tmp_path / "run"
    shutil.copytree(trained, broken)
    source = open_source(json.loads((broken / "config.json").read_text()))
    parts = Split.load(broken / "split.json", source)
    replace(parts, test=parts.test[:0]).save(broken / "split.json", source)
    assert main([str(broken), "--out", str(tmp_path / "out")]) == 2
    assert "no test windows" in capsys.readouterr().err


def test_weights_that_are_no_numbers_are_refused(trained, tmp_path, capsys):
    broken = tmp_path / "run"
    shutil.copytree(trained, broken)
    definition = registry.get("conv3d")
    model = Run.open(broken).load_weights(definition.build(**definition.switches))
    model.set_weights([np.full_like(w, np.nan) for w in model.get_weights()])
    model.save_weights(broken / "best.weights.h5")
    assert main([str(broken), "--out", str(tmp_path / "out")]) == 2
    assert "NaN" in capsys.readouterr().err


def test_data_that_was_moved_away_is_named(trained, tmp_path, capsys):
    broken = tmp_path / "run"
    shutil.copytree(trained, broken)
    config = json.loads((broken / "config.json").read_text())
    (broken / "config.json").write_text(
        json.dumps({**config, "data": [str(tmp_path / "gone.npz")]})
    )
    assert main([str(broken), "--out", str(tmp_path / "out")]) == 2
    assert "gone.npz" in capsys.readouterr().err


def test_an_unknown_form_is_refused(trained, tmp_path, capsys):
    assert main([str(trained), "--out", str(tmp_path), "--form", "step-all"]) == 2
    assert "window-newest" in capsys.readouterr().err
