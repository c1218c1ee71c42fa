"""Files that version 0.1 wrote are read: run, store, clip set, model, track, report.

They lie in tests/fixtures/v0.1, as that version wrote them; the clip sets have a test beside truth.
"""

import gzip
import json
import shutil

import numpy as np
import pytest

from climb_edge.files.truth import Truth
from climb_edge.refiners.tflite import TFLiteRefiner
from climb_edge.tracking.track_file import as_results, read_lines
from convert.reports.schema import read_report
from support.paths import CONV3D, ROOT
from train.config import Augmentation, Hyperparameters
from train.data.sources import open_source
from train.data.splits import Split
from train.data.store import load_store
from train.fitting.run_folder import Run

OLD = ROOT / "tests" / "fixtures" / "v0.1"


def test_a_store_is_read():
    clips, recordings = load_store(OLD / "store")
    assert (clips.truth, len(clips), len(recordings)) == (Truth.HUMAN, 1, 1)
    points = clips.keypoints[np.isfinite(clips.keypoints).all(-1)]
    seen = recordings[0].keypoints[np.isfinite(clips.keypoints).all(-1)][:, :2]
    assert len(points) == 125 and np.abs(points - seen).max() < 14  # a cell


def test_a_run_is_read_under_the_names_of_now():
    run = Run.open(OLD / "run")
    config = run.config()
    recipe, augmentation = (
        Hyperparameters(**config["recipe"]),
        Augmentation(**config["augmentation"]),
    )
    assert (recipe.steps_per_epoch, recipe.validation_windows, recipe.test_windows) == (2, 8, 8)
    assert (recipe.patience, recipe.ema, recipe.whole_cells) == (10, 0.0, False)
    assert augmentation == Augmentation()
    parts = Split.load(run.split, open_source(config))
    assert parts.rule == "by-video" and len(parts.test)
    assert [row["epoch"] for row in run.history()] == [0, 1]


@pytest.mark.slow
def test_a_run_can_be_started_from(tmp_path):
    import train

    metrics = train.finetune(
        model="joint_mixer",
        data="generated",
        clips=12,
        split="by-video",
        init=str(OLD / "run"),
        epochs=0,
        batch=4,
        validation_windows=8,
        test_windows=8,
        out=tmp_path / "run",
    )
    old = json.loads((OLD / "run" / "metrics.json").read_text())
    for name in ("identity", "refined"):
        row, before = metrics["parts"]["test"][name], old["parts"]["test"][name]
        for threshold, (value, *_) in row["ours"]["pooled"].items():
            assert value == pytest.approx(before["ours"]["pooled"][threshold][0], abs=1e-9)


def test_a_run_of_before_is_the_same_run_when_it_is_asked_for_again(tmp_path):
    shutil.copytree(OLD / "run", tmp_path / "run")
    config = Run.open(tmp_path / "run").config()
    assert Run.start(tmp_path / "run", config).config() == config


def test_a_model_is_read_and_computes_what_it_did():
    refiner = TFLiteRefiner(CONV3D, 1)  # repeats the golden test that the file carries
    assert (refiner.contract.model, refiner.delay) == ("conv3d", 0)


def test_a_track_is_read():
    first, rows = read_lines(OLD / "track.jsonl")
    results = as_results(rows)
    assert first["refiner"] == "conv3d.window-all.float16.tflite" and len(results) == 11
    assert results[-1].refined.shape == (25, 3)


def test_a_report_is_read(tmp_path):
    path = tmp_path / "report.json"
    path.write_bytes(gzip.decompress((OLD / "report.json.gz").read_bytes()))
    report = read_report(path)
    assert len(report["files"]) == 8 and report["verdict"] == "not shown"
