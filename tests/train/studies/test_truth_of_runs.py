"""Truth of a run in all that is printed of it, and whether an estimator saw the inputs."""

import contextlib
import io
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.clips import load_clips, save_clips, select_clips
from climb_edge.files.truth import Truth
from climb_edge.pose.render import render, to_cells
from train.__main__ import main
from train.data.store import from_heatmaps
from train.inspection.look import look
from train.studies import cells
from train.studies.tables import write
from train.synthesis.motion import generated_clips


def run(command: str, out, *options: str) -> tuple[dict, str]:
    """Metrics and standard output of a run without an epoch."""
    given = [
        "--model",
        "conv3d",
        "--epochs",
        "0",
        "--test-windows",
        "8",
        "--validation-windows",
        "8",
    ]
    with contextlib.redirect_stdout(io.StringIO()) as said:
        assert main([command, *options, *given, "--out", str(out)]) == 0
    return json.loads((out / "metrics.json").read_text()), said.getvalue()


@pytest.fixture(scope="module")
def mixed(tmp_path_factory) -> list[str]:
    """Options that name 80 frames labelled by people and 600 by a teacher, a file each."""
    folder, made = tmp_path_factory.mktemp("mixed"), generated_clips(68, 5, frames=10)
    options = []
    for name, truth, chosen in (
        ("people", Truth.HUMAN, np.arange(68) < 8),
        ("a teacher", Truth.PSEUDO, np.arange(68) >= 8),
    ):
        clips = replace(select_clips(made, chosen), source=name, truth=truth)
        save_clips(folder / f"{name}.npz", clips)
        options += ["--data", str(folder / f"{name}.npz")]
    return options


@pytest.fixture(scope="module")
def finetuned(tmp_path_factory, mixed) -> tuple:
    """Folder, metrics and output of a run on them that no video was named for."""
    out = tmp_path_factory.mktemp("finetuned") / "run"
    return out, *run("finetune", out, *mixed)


@pytest.mark.slow
def test_figures_of_a_mixed_set_say_pseudo_and_that_no_estimator_saw_it(finetuned):
    out, metrics, said = finetuned
    assert (metrics["truth"], metrics["inputs"]) == ("pseudo", "simulated by blazepose")
    assert json.loads((out / "config.json").read_text())["truth"] == "pseudo"
    assert said.startswith("inputs: simulated by blazepose; no estimator saw these clips: add --v")
    assert "PCK in %, pooled, pseudo ground truth, inputs simulated by blazepose, " in said


@pytest.mark.slow
def test_tables_and_a_closer_look_say_so_too(finetuned, tmp_path):
    write([finetuned[0]], tmp_path)
    text = (tmp_path / "tables.md").read_text()
    assert "people; a teacher; pseudo ground truth; inputs simulated by blazepose; " in text
    about = look([finetuned[0]]).splitlines()[0]
    assert "clips, pseudo ground truth, inputs simulated by blazepose, split" in about


@pytest.mark.slow
def test_runs_of_before_are_read_and_do_not_claim_what_they_did_not_state(finetuned, tmp_path):
    out, metrics, _ = finetuned
    folders = [tmp_path / name for name in ("before", "recorded", "again")]
    for folder, changes in zip(
        folders, ({"inputs": None}, {"inputs": "recorded by blazepose-lite"}, {}), strict=True
    ):
        shutil.copytree(out, folder)
        told = {k: v for k, v in (metrics | changes).items() if v is not None}
        (folder / "metrics.json").write_text(json.dumps(told))
    sections = cells.read([out, *folders]).sections
    assert [len(s.cells) for s in sections] == [2, 1, 1], "what was seen is not mixed"
    write([folders[0]], tmp_path / "tables")
    text = (tmp_path / "tables" / "tables.md").read_text()
    assert "pseudo ground truth; inputs not stated; " in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"truth": "certain"}, "truth expected one of generated, rendered, pseudo, human, found"),
        ({"inputs": 3}, "inputs: expected text, found 3"),
    ],
)
def test_metrics_of_unknown_worth_are_refused(finetuned, tmp_path, changes, said):
    shutil.copytree(finetuned[0], tmp_path / "run")
    (tmp_path / "run" / "metrics.json").write_text(json.dumps(finetuned[1] | changes))
    with pytest.raises(ClimbEdgeError, match=rf"run.metrics\.json: .*{said}"):
        cells.read([tmp_path / "run"])


@pytest.mark.slow
def test_pretraining_is_meant_to_be_simulated_and_names_its_noise(tmp_path, mixed):
    _, said = run("pretrain", tmp_path / "run", *mixed, "--noise", "2.1")
    assert said.startswith("inputs: simulated by 2.1\n")


@pytest.mark.slow
def test_a_store_of_heatmaps_is_recorded_and_keeps_its_truth(tmp_path):
    clips = replace(generated_clips(3, 5, frames=24), truth=Truth.PSEUDO)
    files = []
    for i in range(len(clips)):
        points = clips.keypoints[clips.rows(i)]
        low, high = points.min(1), points.max(1)
        boxes = np.concatenate([low - 10, high + 10], 1)
        maps = np.moveaxis(render(to_cells(points, boxes[:, None]), 2.0), -1, 1)
        files.append(tmp_path / f"{i}.npz")
        np.savez(files[-1], bboxes=boxes, heatmaps=maps.astype(np.float32))
    from_heatmaps(clips, files, tmp_path / "store")
    assert load_clips(tmp_path / "store" / "clips.npz").truth is Truth.PSEUDO
    metrics, said = run("finetune", tmp_path / "run", "--data", str(tmp_path / "store"))
    assert (metrics["truth"], metrics["inputs"]) == ("pseudo", "recorded by heatmaps")
    assert said.startswith("inputs: recorded by heatmaps\n")
    assert "PCK in %, pooled, pseudo ground truth, inputs recorded by heatmaps, " in said
