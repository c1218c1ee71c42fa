"""Studies: cells run, fail alone, are left out with a reason, and are not run twice."""

import json

import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.refiners.filters import get
from train.__main__ import main
from train.studies.grid import Cell, arguments, study

TINY = """
models = ["conv3d", "deciwatch", "convlstm_sum"]
setups = ["1.2"]
seeds = [0]

[pretrain]
preset = "mission"
data = "generated"
clips = 12
split = "by-video"
batch = 2
steps_per_epoch = 2
epochs = 1
validation_windows = 8

[finetune]
data = "generated"
clips = 12
seed = 1
steps_per_epoch = 1
epochs = 1
batch = 2
loss = "study"
split = "by-video"
validation_windows = 8
freeze = true

[override."deciwatch"]
finetune = { loss = "mse" }

[not_run]
"convlstm_sum.1" = "too slow for a test"
"""


def states(out) -> dict:
    return {c["name"]: c for c in json.loads((out / "study.json").read_text())["cells"]}


@pytest.mark.slow
def test_a_cell_that_fails_does_not_stop_the_rest_and_is_tried_again(tmp_path, capsys):
    config, out = tmp_path / "tiny.toml", tmp_path / "runs"
    config.write_text(TINY)
    command = ["study", "--config", str(config), "--jobs", "2", "--out", str(out)]
    assert main(command) == 1
    assert "deciwatch.1.2.0 (exit code 2" in capsys.readouterr().err
    cells = states(out)
    assert {n: c["state"] for n, c in cells.items()} == {
        "conv3d.1.2.0": "done",
        "deciwatch.1.2.0": "failed",
        "convlstm_sum.1.2.0": "not run",
    }
    assert "--loss mse" in cells["deciwatch.1.2.0"]["reason"]
    assert cells["convlstm_sum.1.2.0"]["reason"] == "too slow for a test"
    fine = json.loads((out / "conv3d.1.2.0" / "finetune" / "config.json").read_text())
    assert fine["init"] == str(out / "conv3d.1.2.0" / "pretrain") and fine["recipe"]["freeze"]
    filters = json.loads((out / "filters.1.2.0" / "finetune" / "metrics.json").read_text())
    assert filters["split"]["sha256"] == metrics(out, "conv3d.1.2.0")["split"]["sha256"]
    assert {get(spec).name for spec in filters["filters"].values()} | {"identity"} == set(
        filters["parts"]["test"]
    )
    identity = metrics(out, "conv3d.1.2.0")["parts"]["test"]["identity"]
    assert filters["parts"]["test"]["identity"]["ours"] == identity["ours"]
    stamp = (out / "conv3d.1.2.0" / "pretrain" / "metrics.json").stat().st_mtime_ns
    config.write_text(TINY.replace('loss = "mse"', 'loss = "study"'))
    assert main(command) == 0
    assert states(out)["deciwatch.1.2.0"]["state"] == "done"
    assert (out / "conv3d.1.2.0" / "pretrain" / "metrics.json").stat().st_mtime_ns == stamp


def metrics(out, cell) -> dict:
    return json.loads((out / cell / "finetune" / "metrics.json").read_text())


def test_options_of_a_cell_come_from_its_phase_and_its_overrides(tmp_path, monkeypatch):
    monkeypatch.setenv("HERE", "/data")
    config = {
        "pretrain": {
            "data": ["$HERE/a.npz", "generated"],
            "mirror": True,
            "whole_cells": False,
            "steps_per_epoch": 5,
        },
        "override": {
            "conv3d": {"pretrain": {"steps_per_epoch": 7}},
            "conv3d.1.2": {"pretrain": {"epochs": 3}},
        },
    }
    told = arguments(Cell("conv3d", "1.2", 4, ("pretrain",)), "pretrain", config, tmp_path)
    assert told[:3] == ["pretrain", "--data=/data/a.npz", "--data=generated"]
    for word in (
        "--steps-per-epoch=7",
        "--epochs=3",
        "--noise=1.2",
        "--seed=4",
        "--model=conv3d",
        "--mirror",
        "--no-whole-cells",
    ):
        assert told.count(word) == 1
    assert not [word for word in told if word.startswith("--init")]
    other = arguments(Cell("conv3d", "1.1", 4, ("pretrain",)), "pretrain", config, tmp_path)
    assert not [word for word in other if word.startswith("--epochs")]
    monkeypatch.delenv("HERE")
    with pytest.raises(ClimbEdgeError, match="HERE must name the folder"):
        arguments(Cell("conv3d", "1.1", 4, ("pretrain",)), "pretrain", config, tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model = ['conv3d']", "did you mean models"),
        ("models = []\nsetups = ['1.1']\nseeds = [0]\n[pretrain]", "models: expected a list"),
        ("models = ['conv3d']\nsetups = ['1.1']\nseeds = [0]", "expected a table"),
        (
            "models = ['conv3d']\nsetups = ['1.1']\nseeds = [0]\npretrain = 3",
            "pretrain: expected a table",
        ),
        (
            TINY.replace("finetune = {", "finetunes = {"),
            r"override.*deciwatch.*expected pretrain, finetune or seeds",
        ),
        (
            TINY.replace('."deciwatch"]', '."deciwach"]'),
            "override 'deciwach': no cell has that name",
        ),
        (
            TINY.replace('"convlstm_sum.1" =', '"convlstm_sum.2" ='),
            "not_run 'convlstm_sum.2': no cell has that name",
        ),
        ("models = [", "expected TOML"),
        ("a = " + "[" * 5000, "expected TOML"),
    ],
)
def test_a_config_that_says_something_else_is_refused(tmp_path, text, said):
    path = tmp_path / "c.toml"
    path.write_text(text)
    with pytest.raises(ClimbEdgeError, match=said):
        study(str(path), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_only_names_cells(tmp_path):
    (tmp_path / "c.toml").write_text(TINY)
    with pytest.raises(ClimbEdgeError, match=r"conv3d\.1\.2\.0"):
        study(str(tmp_path / "c.toml"), tmp_path / "out", only="nothing")


def test_a_model_may_have_more_seeds_than_the_grid(tmp_path):
    text = TINY.replace("[not_run]", '[override."conv3d.1"]\nseeds = [0, 3]\n\n[not_run]')
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(ClimbEdgeError) as refused:
        study(str(tmp_path / "c.toml"), tmp_path / "out", only="nothing")
    names = "conv3d.1.2.0, conv3d.1.2.3, deciwatch.1.2.0, convlstm_sum.1.2.0"
    assert str(refused.value).endswith(f"cells are {names}")
