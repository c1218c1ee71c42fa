"""What studies and single runs hold: cells as their folders tell, in sections that compare."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.json_file import read_json
from climb_edge.files.naming import nearest_path
from train.fitting.run_folder import COLUMNS, Run
from train.studies.published import SETUPS
from train.studies.saved_figures import DAMAGED_METRICS, PARTS, metrics_in, read_metrics_json

SCHEMA = "climb-edge/study/1"
PHASES = ("pretrain", "finetune")


@dataclass(frozen=True)
class CellRun:
    """One phase of one cell of a grid: a run, or the filters of a setup, or why there is none."""

    path: Path
    study: str  # "" for a run given by itself
    model: str
    setup: str
    seed: int
    phase: str
    state: str = "not run"  # done, failed, not run
    reason: str | None = None
    metrics: dict | None = None  # null of the file is NaN here
    history: tuple[dict, ...] = ()
    damaged: bool = False
    label: str = ""  # of its row

    def figures(self, part: str, name: str = "refined") -> dict | None:
        return self.metrics["parts"].get(part, {}).get(name) if self.metrics else None


@dataclass(frozen=True)
class Section:
    """Cells of one phase on one data and split."""

    phase: str
    cells: tuple[CellRun, ...]

    @property
    def setups(self) -> tuple[str, ...]:
        found = dict.fromkeys(c.setup for c in self.cells)
        return (*(s for s in SETUPS if s in found), *(s for s in found if s not in SETUPS))

    @property
    def models(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(c.label for c in self.cells if c.model != "filters"))

    @property
    def parts(self) -> tuple[str, ...]:
        held = any(c.metrics and "held_out" in c.metrics["parts"] for c in self.cells)
        return PARTS if held else PARTS[:1]

    def about(self, key: str):
        """What the cells' metrics say under a key; None where none is done."""
        return next((c.metrics.get(key) for c in self.cells if c.metrics), None)


@dataclass(frozen=True)
class Study:
    """All that was read."""

    cells: tuple[CellRun, ...]
    sections: tuple[Section, ...]


def read(paths: Iterable[str | Path]) -> Study:
    """Studies and runs; a damaged cell has failed. Raises ClimbEdgeError where no other is left."""
    found: dict[tuple, CellRun] = {}
    for path in paths:
        for cell in _cells(Path(path)):
            found.setdefault((cell.path.resolve(), cell.phase), cell)
    cells = tuple(found.values())
    broken = [c for c in cells if c.damaged]
    if broken and not any(c.state == "done" for c in cells):
        raise ClimbEdgeError(broken[0].reason)
    if not cells:
        raise ClimbEdgeError("no runs: expected at least one folder of a study or a run; name one")
    return Study(cells, tuple(_sections(cells)))


def _labelled(cells: Iterable[CellRun]) -> tuple[CellRun, ...]:
    """Rows are named by model; where a model comes again at its setup and seed, also by the study
    or run it is from.
    """
    seen, labelled = set(), []
    for cell in cells:
        place = (cell.model, cell.setup, cell.seed)
        whose = cell.path.parents[1] if cell.study else cell.path
        label = f"{cell.model} ({whose})" if place in seen else cell.model
        labelled.append(replace(cell, label=label))
        seen.add(place)
    return tuple(labelled)


def _sections(cells: tuple[CellRun, ...]) -> Iterator[Section]:
    """One per phase, data and split; what was not run stands in all of its study and phase."""
    for phase in PHASES:
        keys: dict = {}
        here = [c for c in cells if c.phase == phase]
        for cell in here:
            keys.setdefault(_kind(cell) if cell.metrics else None, []).append(cell)
        orphans = keys.pop(None, [])
        placed = {c.study for members in keys.values() for c in members}
        left = [c for c in orphans if c.study not in placed]
        for members in keys.values():
            own = {c.study for c in members}
            kept = {id(c) for c in [*members, *(c for c in orphans if c.study in own)]}
            yield Section(phase, _labelled(c for c in here if id(c) in kept))
        if left:
            yield Section(phase, _labelled(left))


def _kind(cell: CellRun) -> tuple:
    """What two cells must share to be compared; generated data of any seed is of one kind."""
    m = cell.metrics
    data = re.sub(r"seed \d+", "seed N", str(m.get("data")))
    digest = "" if "seed N" in data else m.get("data_sha256")
    inputs = m.get("inputs", "").split()[:1]  # simulated or recorded; runs of before do not say
    return data, digest, m["split"]["rule"], m.get("truth"), m.get("box"), *inputs


def _cells(path: Path) -> Iterator[CellRun]:
    """The cells of a study or run. Raises ClimbEdgeError where a path is neither."""
    if (path / "study.json").is_file():
        yield from _listed(path)
    elif any((path / name).is_file() for name in ("config.json", "metrics.json")):
        yield _single(path)
    else:
        found = f"no such folder{nearest_path(path)}"
        if path.exists():
            found = "a folder without either" if path.is_dir() else "a file"
        raise ClimbEdgeError(
            f"{path}: expected the folder of a study (study.json) or of a run (config.json,"
            f" metrics.json), found {found}; name the --out of `python -m train study`, pretrain or"
            " finetune"
        )


def _listed(path: Path) -> Iterator[CellRun]:
    """Every cell that study.json lists, by phase, then the filters of every setup and seed."""
    file = path / "study.json"
    about = read_metrics_json(file, SCHEMA, "a study")
    try:
        name = str(about.get("name") or path.name)
        listed = [
            (str(c["model"]), str(c["setup"]), int(c["seed"]), [str(p) for p in c["phases"]], c)
            for c in about["cells"]
        ]
        for model, setup, seed, *_ in listed:  # they name the folder that a cell lies in
            if len(folder := f"{model}.{setup}.{seed}") > 200 or {"/", "\0"} & set(folder):
                raise ValueError(f"{folder[:80]!r} names no folder")
    except DAMAGED_METRICS as error:
        raise ClimbEdgeError(
            f"{file}: expected cells with model, setup, seed and phases, found others ({error});"
            " run the study again"
        ) from error
    for model, setup, seed, phases, said in listed:
        state, reason = said.get("state"), said.get("reason")
        for phase in (p for p in PHASES if p in phases):
            folder = path / f"{model}.{setup}.{seed}" / phase
            cell = _look(CellRun(folder, name, model, setup, seed, phase))
            if cell.state == "not run":
                failed = "failed" if state == "failed" else "not run"
                cell = replace(cell, state=failed, reason=str(reason or cell.reason))
                # so that the next phase could not begin
                state, reason = "not run", f"its {phase} was not done"
            yield cell
    for setup, seed, phases in dict.fromkeys((s, n, tuple(p)) for _, s, n, p, _ in listed):
        for phase in (p for p in PHASES if p in phases):
            folder = path / f"filters.{setup}.{seed}" / phase
            yield _look(CellRun(folder, name, "filters", setup, seed, phase))


def _single(path: Path) -> CellRun:
    """A run by itself: what it is stands in its config, or else in its metrics."""
    file = path / "config.json"
    try:
        if file.is_file():
            about = read_json(file, "what a run is, its model, seed and command", "train again")
        else:
            about = metrics_in(file := path / "metrics.json")
        named = (str(about["model"]), _setup(about.get("noise")), int(about["seed"]))
        phase = str(about["command"])
    except DAMAGED_METRICS as error:
        raise ClimbEdgeError(
            f"{file}: expected what a run is, its model, seed and command, found a damaged file"
            f" ({error}); train again"
        ) from error
    if phase not in PHASES:
        raise ClimbEdgeError(
            f"{file}: expected a run of {' or '.join(PHASES)}, found {phase!r}; name another run"
        )
    return _look(CellRun(path, "", *named, phase))


def _setup(noise) -> str:
    noise = str(noise or "")
    return Path(noise).stem if noise.endswith(".json") else noise or "estimator"


def _look(cell: CellRun) -> CellRun:
    """The cell with what its folder holds."""
    file = cell.path / "metrics.json"
    if not file.is_file():
        begun = "begun, not finished: " if (cell.path / "config.json").is_file() else ""
        return replace(cell, reason=f"{begun}no metrics.json")
    try:
        metrics = metrics_in(file)
        if metrics["model"] != cell.model or metrics["command"] != cell.phase:
            raise ClimbEdgeError(
                f"{file}: expected {cell.phase} of {cell.model}, found {metrics['command']} of"
                f" {metrics['model']}; the folder was filled by hand: run the study again"
            )
    except ClimbEdgeError as error:
        return replace(cell, state="failed", reason=str(error), damaged=True)
    cell = replace(cell, state="done", metrics=metrics)
    try:
        history = () if cell.model == "filters" else tuple(Run(cell.path).history())
        if any(row.keys() != set(COLUMNS) for row in history):
            raise ClimbEdgeError(
                f"{cell.path}/history.csv: expected columns {', '.join(COLUMNS)}; found others;"
                " train again"
            )
    except (ClimbEdgeError, csv.Error) as error:  # the figures stand without their curves
        return replace(cell, reason=f"no curves: {error}")
    return replace(cell, history=history)
