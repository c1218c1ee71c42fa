"""What is fuzzed: every reader of files that come from elsewhere, with seeds that it can read.

A target reads a file at a path; it may raise ClimbEdgeError and nothing else. Seeds are made by the
project's own writers; `corpus/NAME/` holds what once got through.
"""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from climb_edge.estimators.heatmap_file import HeatmapFile
from climb_edge.estimators.recording import Recording, record
from climb_edge.files.clips import load_clips, select_clips
from climb_edge.refiners.tflite import default_path
from climb_edge.runtime.model_file import ENTRY, read_model
from climb_edge.tracking import climbing
from climb_edge.tracking.curves import curves_of
from climb_edge.tracking.exports import as_rows, write_coco
from climb_edge.tracking.plot import picture
from climb_edge.tracking.track_file import header, read_lines, read_results, write_lines
from convert.graphs.archive import read_models
from convert.graphs.entries import read_entries
from convert.graphs.lint import read_ops
from convert.pipeline.bundle import _manifest
from convert.reports.build import tables
from convert.reports.diff import compare
from convert.reports.matrix import markdown
from convert.reports.schema import read_report
from support.foreign import sparse_graph, two_signatures, typed_graph
from support.graphs import step_graph
from support.layout_folders import brace_folder, coco_folder
from support.motion_capture import asfamc_folder
from support.paths import ROOT
from support.reports import example
from support.scene import (
    Scripted,
    clip_set,
    frames_at,
    result,
    standing,
    write_clips,
    write_heatmaps,
)
from train.config import Finetune, Pretrain
from train.configs import load_config
from train.data.store import load_store, shard_name
from train.fitting.run_folder import Run
from train.layouts import read as read_layout
from train.noise import estimator_noise
from train.studies.cells import read as read_cells
from train.studies.saved_figures import metrics_in
from train.synthesis.motion import load_motion

HERE, OLD_RUN = Path(__file__).parent, ROOT / "tests" / "fixtures" / "v0.1" / "run"


@dataclass(frozen=True)
class Target:
    """A reader: `file` is the name that it wants, `make` fills a folder around seeds and returns
    their paths (whatever else lies there may be needed to read one), `read` reads one.
    """

    name: str
    file: str
    make: Callable[[Path], list[Path]]
    read: Callable[[Path], object]

    @property
    def corpus(self) -> list[Path]:
        return sorted((HERE / "corpus" / self.name).glob("*"))

    def seeds(self, folder: Path) -> list[bytes]:
        """The bytes of the seeds; `folder` is ready then for `try_bytes`."""
        return [stored(path.read_bytes()) for path in self.make(folder)]

    def try_bytes(self, folder: Path, content: bytes) -> None:
        (folder / self.file).write_bytes(content)
        self.read(folder / self.file)


def stored(content: bytes) -> bytes:
    """A ZIP without compression, so that a changed byte is a changed value; others as they are."""
    if content[:4] != b"PK\x03\x04":
        return content
    again = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(again, "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    return again.getvalue()


@contextmanager
def without_crc() -> Iterator[None]:
    """Read ZIP members whose CRC is wrong: else a change to one never comes to its reader."""
    kept = zipfile.ZipExtFile._update_crc
    zipfile.ZipExtFile._update_crc = lambda *_: None
    try:
        yield
    finally:
        zipfile.ZipExtFile._update_crc = kept


# --- what the edge part reads ---


def _write(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@cache
def _shipped() -> bytes:
    return read_model(default_path())[0]


def _contract(path: Path) -> None:
    inside = io.BytesIO(_shipped())
    with zipfile.ZipFile(inside, "a") as archive:
        archive.writestr(ENTRY, path.read_bytes())
    _, contract = read_model(_write(path.with_name("r.tflite"), inside.getvalue()))
    json.dumps(contract.to_json(), allow_nan=False)


def _contract_seed(folder: Path) -> list[Path]:
    with zipfile.ZipFile(default_path()) as archive:
        return [_write(folder / "seed", archive.read(ENTRY))]


def _track(folder: Path) -> list[Path]:
    class Refiner:
        name, contract, runtime, backend, reason = "r", None, "none", "cpu", "test"

    rows = [result(0), result(1, None), result(2), result(2, 1, 5.0), result(3)]
    write_lines(folder / "seed", header(Refiner(), "e", "v.mp4", (400, 400)), rows)
    return [folder / "seed"]


def _read_track(path: Path) -> None:
    results = read_results(path)
    as_rows(results)
    write_coco(path.with_name("t.json"), read_lines(path)[1], (400, 400), "v.mp4")
    climbing.summaries(results, (400, 400))
    picture(curves_of(results, [3], None, "t", str(path)), ["left_shoulder"], 800)


def _clips(path: Path) -> None:
    clips = load_clips(path)
    assert ([len(points) for _, points in clips] and clips.rate is None) or clips.rate > 0
    select_clips(clips, np.ones(len(clips), bool)).first(1).visible_truth(0)


def _heatmaps(path: Path) -> None:
    estimator = HeatmapFile(path)
    for frame in frames_at(0, 0.1, 0.2):
        estimator(frame)


def _recording(folder: Path) -> list[Path]:
    record(
        frames_at(0, 0.1, 0.2),
        Scripted({0: {0: standing()}, 2: {0: standing(), 1: standing(90)}}),
        folder / "seed",
    )
    return [folder / "seed"]


def _replay(path: Path) -> None:
    recording = Recording(path)
    for frame, _ in zip(recording.frames(), range(50), strict=False):
        recording(frame)


# --- what training reads ---


def _store(folder: Path) -> list[Path]:
    write_clips(folder / "clips.npz", clip_set((3,)))
    shutil.move(_recording(folder)[0], folder / shard_name("clip0.mp4"))
    return [_write(folder / "seed", json.dumps({"version": 2, "estimator": "scripted"}))]


def _motion(folder: Path) -> list[Path]:
    np.savez(
        folder / "m.npz",
        kp25_3d=np.ones((6, 25, 3)),
        offsets=np.array([0, 4, 6]),
        fps=np.array(30.0),
    )
    return [folder / "m.npz"]


def _configs(*names: str) -> Callable[[Path], list[Path]]:
    return lambda _: [ROOT / "train" / "configs" / f"{name}.toml" for name in names]


def _preset(path: Path) -> None:
    for command in (Finetune, Pretrain):
        command.of({"data": ["x"], "out": "y", "preset": str(path)})


def _grids(folder: Path) -> list[Path]:
    import train.studies.grid  # noqa: F401 (late, it brings TensorFlow; before the clock runs)

    return _configs("quick", "penn")(folder)


def _grid(path: Path) -> None:
    from train.studies.grid import _cells, _checked

    _cells(str(path), _checked(str(path), load_config(str(path))))


def _study(folder: Path) -> list[Path]:
    place = folder / "joint_mixer.1.1.0" / "finetune"
    place.mkdir(parents=True)
    for name in ("metrics.json", "config.json", "history.csv"):
        shutil.copy(OLD_RUN / name, place)
    cell = {
        "model": "joint_mixer",
        "setup": "1.1",
        "seed": 0,
        "phases": ["finetune"],
        "state": "done",
    }
    about = {"schema": "climb-edge/study/1", "name": "s", "config": {}, "cells": [cell]}
    return [_write(folder / "seed", json.dumps(about))]


def _takes(folder: Path, suffix: str) -> list[Path]:
    """Another subject's motion capture to the seed's name."""
    asfamc_folder(folder)
    (folder / "07_02.amc").unlink()
    return [shutil.copy(next(folder.glob(f"07*{suffix}")), folder / "seed")]


def _segment(folder: Path) -> list[Path]:
    brace_folder(folder)
    return [next(p for p in sorted(folder.rglob("*.json")))]


# --- what conversion reads ---


def _graphs(folder: Path) -> list[Path]:
    made = step_graph(), typed_graph("INT8"), two_signatures(), sparse_graph()
    return [_write(folder / f"{i}.tflite", graph) for i, graph in enumerate(made)]


def _graph(path: Path) -> None:
    content = path.read_bytes()
    read_ops(content)
    read_ops(content, values=False)
    read_entries(content)


def _archive(folder: Path) -> list[Path]:
    with zipfile.ZipFile(folder / "seed", "w") as archive:
        archive.writestr("a.tflite", typed_graph("INT8"))
    return [folder / "seed"]


def _reports(folder: Path) -> list[Path]:
    theirs = example() | {
        "run": None,
        "test": None,
        "generated": None,
        "claims": [],
        "cannot": ["x"],
    }
    made = example(), example("float32", "int8"), theirs
    _write(folder / "good.json", json.dumps(example()))
    return [_write(folder / f"{i}.json", json.dumps(report)) for i, report in enumerate(made)]


def _report(path: Path) -> None:
    report, good = read_report(path), read_report(path.with_name("good.json"))
    tables(report)
    for pair in ((report, good), (good, report)):
        compare(*pair)
    if report["run"] is not None:
        markdown([report])


TARGETS = {
    t.name: t
    for t in (
        Target("contract", "contract.json", _contract_seed, _contract),
        Target("model", "m.tflite", lambda _: [default_path()], read_model),
        Target("track", "track.jsonl", _track, _read_track),
        Target(
            "clips", "clips.npz", lambda f: [write_clips(f / "seed.npz", clip_set((3, 2)))], _clips
        ),
        Target(
            "heatmaps",
            "h.npz",
            lambda f: [write_heatmaps(f / "seed.npz", [standing(), None])],
            _heatmaps,
        ),
        Target("recording", "r.zip", _recording, _replay),
        Target("store", "store.json", _store, lambda path: load_store(path.parent)),
        Target("motion", "motion.npz", _motion, load_motion),
        Target(
            "noise",
            "n.json",
            lambda _: [ROOT / "train" / "noise" / "blazepose-lite.json"],
            estimator_noise.load,
        ),
        Target("preset", "p.toml", _configs("mission", "final"), _preset),
        Target(
            "grid",
            "g.toml",
            _grids,
            _grid,
        ),
        Target("metrics", "metrics.json", lambda _: [OLD_RUN / "metrics.json"], metrics_in),
        Target(
            "run",
            "config.json",
            lambda _: [OLD_RUN / "config.json"],
            lambda path: Run(path.parent).config(),
        ),
        Target("study", "study.json", _study, lambda path: read_cells([path.parent])),
        Target(
            "coco",
            "x.json",
            lambda f: [coco_folder(f) / "y.json"],
            lambda p: read_layout("coco", p),
        ),
        Target(
            "asf", "07.asf", lambda f: _takes(f, ".asf"), lambda p: read_layout("asfamc", p.parent)
        ),
        Target(
            "amc",
            "07_01.amc",
            lambda f: _takes(f, ".amc"),
            lambda p: read_layout("asfamc", p.parent),
        ),
        Target("graph", "g.tflite", _graphs, _graph),
        Target("archive", "a.task", _archive, read_models),
        Target(
            "manifest",
            "manifest.json",
            lambda f: [_write(f / "seed", '{"schema": "climb-edge/bundle/1", "files": {}}')],
            lambda p: _manifest(p.parent),
        ),
        Target("report", "report.json", _reports, _report),
    )
}
