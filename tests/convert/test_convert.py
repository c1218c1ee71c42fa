"""The whole command: files with contracts, a report in three renderings, and gates that close."""

import json
import shutil
import subprocess

import numpy as np
import pytest

from climb_edge.contract import read_model
from climb_edge.pck import Score, drop, worst_keypoint
from climb_edge.refiner import TFLiteRefiner
from convert import graph as graphs
from convert.__main__ import main
from convert.checks import FileChecks, gate
from convert.recipes import RECIPES
from train.__main__ import main as train


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
        "--steps",
        "2",
        "--batch",
        "2",
        "--init",
        "shipped",
    ]
    assert train([*arguments, "--out", str(path)]) == 0
    return path


@pytest.mark.slow
def test_convert_writes_files_that_prove_themselves(trained, tmp_path, capsys):
    out = tmp_path / "out"
    code = main([str(trained), "--out", str(out), "--form", "window-newest"])
    report = json.loads((out / "report.json").read_text())
    files = {f["recipe"]: f for f in report["files"]}
    assert list(files) == list(RECIPES)
    assert files["float32"]["verdict"] == files["float16"]["verdict"] == "pass"
    passed = all(f["verdict"] == "pass" for f in report["files"])  # int8 may fall short on two steps of training
    assert (code, report["verdict"] == "pass") == ((0, True) if passed else (1, False))
    assert report["generated"]["clips"] >= 50
    assert files["int8"]["bytes"] < 0.35 * files["float32"]["bytes"]
    for file in report["files"]:
        rows = {(r["set"], r["averaging"], r["decode"]) for r in file["rows"]}
        assert rows == {(s, *how) for s in ("test", "generated") for how in (("pooled", "dark"), ("study", "argmax"))}
        assert file["speed"][0]["median_ms"] > 0
        path = out / "models" / file["file"]
        assert path.exists() == (file["verdict"] == "pass")
        if path.exists():
            graph, contract = read_model(path)
            assert (contract["sha256"], contract["recipe"], len(graph)) == (
                file["sha256"],
                file["recipe"],
                file["bytes"],
            )
            assert contract["checks"]["verdict"] == "pass"
            TFLiteRefiner(path)
    printed = subprocess.run(
        ["unzip", "-p", out / "models" / report["files"][0]["file"], "contract.json"], capture_output=True, check=False
    )
    assert json.loads(printed.stdout)["model"] == "conv3d"
    page = (out / "report.html").read_text()
    assert "conv3d.window-newest.int8.tflite" in page
    assert "http" not in page.replace("http-equiv", ""), "one self-contained page"
    assert "| conv3d.window-newest.float16.tflite | pass |" in (out / "report.md").read_text()
    capsys.readouterr()
    assert main(["show", str(out)]) == 0
    assert "conv3d.window-newest.float16.tflite" in capsys.readouterr().out


@pytest.mark.slow
def test_a_spoiled_layer_is_refused_and_not_written(trained, tmp_path, capsys, monkeypatch):
    """Sabotage: the file's weights are scaled by 1.1 and moved by a tap between Keras and file."""
    original = graphs.to_tflite

    def spoiled(form, parameters):
        (layer,) = (layer for layer in form.layers if layer.name.startswith("conv2d"))
        kernel, bias = layer.get_weights()
        layer.set_weights([1.1 * np.roll(kernel, 1, axis=0), bias])
        return original(form, parameters)

    monkeypatch.setattr(graphs, "to_tflite", spoiled)
    out = tmp_path / "out"
    assert (
        main([str(trained), "--out", str(out), "--form", "window-newest", "--recipe", "float32", "--recipe", "float16"])
        == 1
    )
    errors = capsys.readouterr().err
    assert "gate failed" in errors
    assert "of the scale from the Keras model" in errors
    assert "PCK@0.05" in errors
    assert not list((out / "models").glob("*.tflite"))
    assert json.loads((out / "report.json").read_text())["verdict"] == "fail"


def scores(right: float, reference: float, clips: int, frames: int = 20):
    """Two scores with these shares of correct keypoints."""
    rng = np.random.default_rng(0)
    made = [
        tuple((rng.random((3, frames, 25)) < share).astype(float) for _ in range(clips)) for share in (right, reference)
    ]
    return [Score(m, 10.0) for m in made]


@pytest.mark.parametrize(("right", "clips", "verdict"), [(0.7, 60, "fail"), (0.9, 12, "not shown")])
def test_the_bad_end_of_the_interval_decides(right, clips, verdict):
    score, base = scores(right, 0.9, clips)
    found = FileChecks()
    gate(RECIPES["float16"], "generated", clips, drop(score, base), worst_keypoint(score, base), found)
    assert found.verdict == verdict


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


def test_an_unknown_form_is_refused(trained, tmp_path, capsys):
    assert main([str(trained), "--out", str(tmp_path), "--form", "step-all"]) == 2
    assert "window-newest" in capsys.readouterr().err
