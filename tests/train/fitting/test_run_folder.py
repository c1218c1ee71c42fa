"""Run folders: what they hold, and what is refused."""

import json
import re

import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.atomic import write_json
from support.runs import history
from train.__main__ import main
from train.fitting.run_folder import Run
from train.models import registry


@pytest.mark.slow
def test_a_run_folder_holds_what_it_promises_and_is_not_mixed_up(tmp_path, tiny, capsys):
    out = tmp_path / "run"
    assert main(["pretrain", *tiny, "--epochs", "2", "--init", "identity", "--out", str(out)]) == 0
    for name in (
        "config.json",
        "split.json",
        "history.csv",
        "curves.png",
        "best.weights.h5",
        "metrics.json",
    ):
        assert (out / name).stat().st_size > 0
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["truth"] == "generated" and metrics["schema"] == "climb-edge/run/2"
    assert list(metrics["parts"]) == ["test"] and list(metrics["parts"]["test"]) == [
        "identity",
        "refined",
    ]
    assert 0 < metrics["parts"]["test"]["identity"]["ours"]["pooled"]["0.1"][0] < 1
    assert [int(r["epoch"]) for r in history(out)] == [0, 1, 2]
    assert list((out / "tensorboard").rglob("events*"))
    assert re.search(r"4/4 .*epoch 2 .*PCK \d+\.\d/", capsys.readouterr().err), "the bar shows PCK"
    assert main(["pretrain", *tiny, "--epochs", "2", "--seed", "7", "--out", str(out)]) == 2
    assert "another config" in capsys.readouterr().err
    (out / "best.weights.h5").write_bytes(b"damaged")
    with pytest.raises(ClimbEdgeError, match=r"best\.weights\.h5"):
        Run.open(out).load_weights(registry.get("conv3d").build())


def test_nan_weights_are_refused(tmp_path):
    model = registry.get("conv3d").build()
    model.set_weights([np.full_like(w, np.nan) for w in model.get_weights()])
    run = Run.start(tmp_path / "run", {"model": "conv3d"})
    run.save_weights(model)
    with pytest.raises(ClimbEdgeError, match="NaN"):
        Run.open(tmp_path / "run").load_weights(registry.get("conv3d").build())


def test_a_run_knows_its_files_by_any_way_of_writing_their_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    write_json(
        tmp_path / "out" / "config.json",
        {"init": str(tmp_path / "pre"), "data": ["a", "b"], "seed": 0},
    )
    (tmp_path / "out" / "state.npz").touch()
    Run.start("out", {"init": "pre", "data": ["./a", str(tmp_path / "b")], "seed": 0})
    for other in ({"init": "pre2"}, {"data": ["a"]}, {"data": ["b", "a"]}, {"seed": 1}):
        with pytest.raises(ClimbEdgeError, match="another config"):
            Run.start("out", {"init": "pre", "data": ["a", "b"], "seed": 0} | other)


def test_another_number_of_epochs_is_all_that_is_named(tmp_path):
    config = {"model": "conv3d", "recipe": {"epochs": 2, "batch": 16}, "qat": {"scheme": "int8"}}
    Run.start(tmp_path / "run", config)
    (tmp_path / "run" / "state.npz").touch()
    with pytest.raises(ClimbEdgeError, match=r"config \(epochs: 2 there, 3 asked\);"):
        Run.start(tmp_path / "run", config | {"recipe": {"epochs": 3, "batch": 16}})


def test_a_run_that_was_refused_does_not_keep_its_folder(tmp_path, tiny, capsys):
    out = str(tmp_path / "run")
    assert (
        main(["pretrain", *tiny, "--epochs", "1", "--init", str(tmp_path / "none"), "--out", out])
        == 2
    )
    assert (
        main(
            ["pretrain", *tiny, "--epochs", "1", "--init", "identity", "--seed", "3", "--out", out]
        )
        == 0
    )
    assert Run.open(out).config()["seed"] == 3
