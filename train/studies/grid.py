"""`study`: a grid of models x setups x seeds. Every cell is pretrained, then finetuned from its
best epoch, in processes of its own: a cell that fails does not stop the rest, and a study that was
interrupted goes on where it was.

A config (TOML, see `train/configs`) names `models`, `setups` (noises) and `seeds`, the options of
[pretrain] and [finetune], options (and `seeds`) of single cells under [override."MODEL"] or
[override."MODEL.SETUP"], and, under [not_run], cells that are left out, each with its reason. $NAME
in a path is taken from the environment.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from tqdm import tqdm

from climb_edge.command_line import as_arguments
from climb_edge.errors import (
    NOT_WRITTEN,
    ClimbEdgeError,
    GateFailed,
    OutputError,
    did_you_mean,
)
from climb_edge.files.atomic import write_json
from climb_edge.stopping import PARENT
from train.config import Finetune, Pretrain
from train.configs import load_config
from train.studies.cells import PHASES, SCHEMA
from train.studies.filter_baselines import filter_run

CONFIGS = {"pretrain": Pretrain, "finetune": Finetune}
_KEYS = ("models", "setups", "seeds", *PHASES, "override", "not_run")


@dataclass
class Cell:
    """One place of the grid."""

    model: str
    setup: str
    seed: int
    phases: tuple[str, ...]
    state: str = "not run"  # done, failed, not run
    reason: str | None = None
    name: str = field(init=False)

    def __post_init__(self):
        self.name = f"{self.model}.{self.setup}.{self.seed}"

    def under(self, prefix: str) -> bool:
        """Whether `prefix` names this cell: MODEL, MODEL.SETUP (or x of its x.y) or all of it."""
        return self.name == prefix or self.name.startswith(prefix + ".")


def study(name: str, out: Path, jobs: int = 1, only: str | None = None) -> list[Cell]:
    """Run, or go on with, the study that the config `name` describes, in the folder `out`; returns
    its cells.

    Raises ClimbEdgeError for a config that says something else, OutputError where a cell could not
    write, and GateFailed where a cell failed.
    """
    config = _checked(name, load_config(name))
    cells = _cells(name, config)
    wanted = [c for c in cells if not c.reason and (only is None or only in c.name)]
    if not wanted:
        names = ", ".join(c.name for c in cells)
        raise ClimbEdgeError(f"--only {only}: no cell has that in its name; cells are {names}")
    for cell in cells:
        _look(cell, out)
    about = {"schema": SCHEMA, "name": Path(name).stem, "config": config}
    write_json(out / "study.json", about | {"cells": [asdict(c) for c in cells]})
    with (
        ThreadPoolExecutor(max(jobs, 1)) as pool,
        tqdm(total=len(wanted), unit="cell", desc="study") as bar,
    ):
        processes = _Processes()
        work = {pool.submit(_run, cell, config, out, processes): cell for cell in wanted}
        try:
            for done in as_completed(work):
                done.result()
                write_json(out / "study.json", about | {"cells": [asdict(c) for c in cells]})
                bar.set_postfix_str(f"{work[done].name} {work[done].state}")
                bar.update()
        except BaseException:
            processes.end()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
    for line in _filters(cells, out):
        tqdm.write(line, file=sys.stderr)
    write_json(out / "study.json", about | {"cells": [asdict(c) for c in cells]})
    if failed := [c for c in wanted if c.state == "failed"]:
        reasons = "; ".join(f"{c.name} ({c.reason})" for c in failed)
        raise GateFailed(f"{len(failed)} of {len(wanted)} cells failed: {reasons}")
    return cells


def _checked(name: str, config: dict) -> dict:
    def wrong(what: str) -> ClimbEdgeError:
        return ClimbEdgeError(f"config {name}: {what}")

    for key in (k for k in config if k not in _KEYS):
        raise wrong(f"{key}: expected one of {', '.join(_KEYS)}{did_you_mean(key, _KEYS)}")
    for key in ("models", "setups", "seeds"):
        if not (isinstance(config.get(key), list) and config[key]):
            raise wrong(f"{key}: expected a list of at least one, found {config.get(key)!r}")
    if not any(phase in config for phase in PHASES):
        raise wrong("expected a table [pretrain] or [finetune], found neither")
    for key in (*PHASES, "override", "not_run"):
        if not isinstance(config.get(key, {}), dict):
            raise wrong(f"{key}: expected a table, found {config[key]!r}")
    options = {f"[{phase}]": (phase, config.get(phase, {})) for phase in PHASES}
    for prefix, tables in config.get("override", {}).items():
        if not isinstance(tables, dict) or (set(tables) - {*PHASES, "seeds"}):
            raise wrong(
                f'[override."{prefix}"]: expected {", ".join(PHASES)} or seeds, found {tables!r}'
            )
        options |= {f'[override."{prefix}"] {p}': (p, tables.get(p, {})) for p in PHASES}
    for where, (phase, table) in options.items():
        CONFIGS[phase].values(table, f"config {name}: {where}")
    setups = [str(s) for s in config["setups"]]
    return {"override": {}, "not_run": {}} | config | {"setups": setups}


def _cells(name: str, config: dict) -> list[Cell]:
    """The grid of a checked config. Raises ClimbEdgeError for an override or reason of no cell."""
    cells = [
        Cell(model, setup, seed, tuple(p for p in PHASES if p in config))
        for setup in config["setups"]
        for model in config["models"]
        for seed in _seeds(config, model, setup)
    ]
    for key in ("override", "not_run"):
        for prefix in config[key]:
            if not any(cell.under(prefix) for cell in cells):
                raise ClimbEdgeError(
                    f"config {name}: {key} {prefix!r}: no cell has that name; cells are"
                    f" {', '.join(c.name for c in cells)}"
                )
    for cell in cells:
        reasons = (why for prefix, why in config["not_run"].items() if cell.under(prefix))
        cell.reason = next(reasons, None)
    return cells


def _seeds(config: dict, model: str, setup: str) -> list[int]:
    """A model may be worth more seeds than the rest of the grid."""
    seeds = config["seeds"]
    for prefix, tables in config["override"].items():
        if f"{model}.{setup}.".startswith(prefix + "."):
            seeds = tables.get("seeds", seeds)
    return seeds


def _look(cell: Cell, out: Path) -> None:
    """What an earlier call left of a cell."""
    if all((out / cell.name / phase / "metrics.json").is_file() for phase in cell.phases):
        cell.state, cell.reason = "done", None


class _Processes:
    """The processes of the cells that run now; they end together."""

    def __init__(self) -> None:
        self._lock, self._running, self._ending = threading.Lock(), set(), False

    def run(self, command: list[str], log: IO[str]) -> int:
        """The exit code of `command`, which also ends when this process does."""
        environment = os.environ | {PARENT: str(os.getpid())}
        with self._lock:
            if self._ending:
                raise KeyboardInterrupt
            process = subprocess.Popen(
                command, env=environment, stdout=log, stderr=subprocess.STDOUT
            )
            self._running.add(process)
        try:
            return process.wait()
        finally:
            with self._lock:
                self._running.remove(process)

    def end(self) -> None:
        """Tell all to end; each keeps what it has finished. None begins any more."""
        with self._lock:
            self._ending = True
            for process in self._running:
                process.terminate()


def _run(cell: Cell, config: dict, out: Path, processes: _Processes) -> None:
    """Every phase of a cell that is not done, in order."""
    for phase in cell.phases:
        folder = out / cell.name / phase
        if (folder / "metrics.json").is_file():
            continue
        folder.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-P", "-m", "train", *arguments(cell, phase, config, out)]
        log = folder.with_suffix(".log")
        with open(log, "w", encoding="utf-8") as stream:
            code = processes.run(command, stream)
        if code == 130:
            raise KeyboardInterrupt
        if code:
            cell.state, cell.reason = "failed", _last_line(log, code)
            if NOT_WRITTEN in cell.reason:  # the next cell could not write either
                raise OutputError(f"{cell.name}: {cell.reason}")
            return
    cell.state, cell.reason = "done", None


def arguments(cell: Cell, phase: str, config: dict, out: Path) -> list[str]:
    """The command line of one phase of a cell."""
    options = dict(config[phase])
    for prefix, tables in config["override"].items():
        if cell.under(prefix):
            options |= tables.get(phase, {})
    options |= {"model": cell.model, "seed": cell.seed, "out": str(out / cell.name / phase)}
    options.setdefault("noise", cell.setup)
    if phase == "finetune" and "pretrain" in cell.phases:
        options["init"] = str(out / cell.name / "pretrain")
    return [phase, *(_expanded(text) for text in as_arguments(options))]


def _expanded(text: str) -> str:
    unset = [n for n in re.findall(r"\$(\w+)", text) if n not in os.environ]
    if unset:
        raise ClimbEdgeError(
            f"{text}: the environment variable {unset[0]} must name the folder of the data; set it"
        )
    return os.path.expandvars(text)


def _last_line(log: Path, code: int) -> str:
    lines = [x for x in log.read_text(encoding="utf-8", errors="replace").splitlines() if x.strip()]
    said = next((x for x in reversed(lines) if x.startswith("error:")), lines[-1] if lines else "")
    return f"exit code {code}: {said.removeprefix('error: ')[-300:]}; all of it in {log}"


def _filters(cells: list[Cell], out: Path) -> Iterator[str]:
    """Measure the filters of every setup and seed by a finished cell; yields lines on failures."""
    done: dict[tuple, Cell] = {}
    for cell in cells:
        if cell.state == "done":
            done.setdefault((cell.setup, cell.seed), cell)
    for (setup, seed), cell in done.items():
        for phase in cell.phases:
            folder = out / f"filters.{setup}.{seed}" / phase
            if (folder / "metrics.json").is_file():
                continue
            try:
                write_json(folder / "metrics.json", filter_run(out / cell.name / phase))
            except OutputError:
                raise
            except ClimbEdgeError as error:
                yield f"filters.{setup}.{seed} {phase}: {error}"
