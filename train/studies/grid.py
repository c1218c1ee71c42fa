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
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tqdm import tqdm

from climb_edge.command_line import as_arguments
from climb_edge.errors import ClimbEdgeError, GateFailed, did_you_mean
from climb_edge.files.atomic import write_json
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

    Raises ClimbEdgeError for a config that says something else, and GateFailed where a cell failed.
    """
    config = _checked(name, load_config(name))
    cells = _cells(name, config)
    wanted = [c for c in cells if not c.reason and (only is None or only in c.name)]
    if not wanted:
        raise ClimbEdgeError(
            f"--only {only}: no cell has that in its name; cells are"
            f" {', '.join(c.name for c in cells)}"
        )
    for cell in cells:
        _look(cell, out)
    about = {"schema": SCHEMA, "name": Path(name).stem, "config": config}
    write_json(out / "study.json", about | {"cells": [asdict(c) for c in cells]})
    with (
        ThreadPoolExecutor(max(jobs, 1)) as pool,
        tqdm(total=len(wanted), unit="cell", desc="study") as bar,
    ):
        work = {pool.submit(_run, cell, config, out): cell for cell in wanted}
        try:
            for done in as_completed(work):
                done.result()
                write_json(out / "study.json", about | {"cells": [asdict(c) for c in cells]})
                bar.set_postfix_str(f"{work[done].name} {work[done].state}")
                bar.update()
        finally:
            pool.shutdown(cancel_futures=True)
    for line in _filters(cells, out):
        tqdm.write(line, file=sys.stderr)
    write_json(out / "study.json", about | {"cells": [asdict(c) for c in cells]})
    if failed := [c for c in wanted if c.state == "failed"]:
        raise GateFailed(
            f"{len(failed)} of {len(wanted)} cells failed: "
            + "; ".join(f"{c.name} ({c.reason})" for c in failed)
        )
    return cells


def _checked(name: str, config: dict) -> dict:
    wrong = [key for key in config if key not in _KEYS]
    if wrong:
        raise ClimbEdgeError(
            f"config {name}: {wrong[0]}: expected one of"
            f" {', '.join(_KEYS)}{did_you_mean(wrong[0], _KEYS)}"
        )
    for key in ("models", "setups", "seeds"):
        if not (isinstance(config.get(key), list) and config[key]):
            raise ClimbEdgeError(
                f"config {name}: {key}: expected a list of at least one, found {config.get(key)!r}"
            )
    if not any(phase in config for phase in PHASES):
        raise ClimbEdgeError(
            f"config {name}: expected a table [pretrain] or [finetune], found neither"
        )
    for key in (*PHASES, "override", "not_run"):
        if not isinstance(config.get(key, {}), dict):
            raise ClimbEdgeError(f"config {name}: {key}: expected a table, found {config[key]!r}")
    for prefix, tables in config.get("override", {}).items():
        if not isinstance(tables, dict) or (set(tables) - {*PHASES, "seeds"}):
            raise ClimbEdgeError(
                f'config {name}: [override."{prefix}"]: expected {", ".join(PHASES)} or seeds,'
                f" found {tables!r}"
            )
    told = {f"[{phase}]": (phase, config.get(phase, {})) for phase in PHASES}
    for prefix, tables in config.get("override", {}).items():
        told |= {f'[override."{prefix}"] {p}': (p, tables.get(p, {})) for p in PHASES}
    for where, (phase, table) in told.items():
        CONFIGS[phase].values(table, f"config {name}: {where}")
    setups = [str(s) for s in config["setups"]]
    return {"override": {}, "not_run": {}} | config | {"setups": setups}


def _cells(name: str, config: dict) -> list[Cell]:
    """The grid of a checked config. Raises ClimbEdgeError for an override or a reason that belongs
    to no cell of it.
    """
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
        cell.reason = next(
            (why for prefix, why in config["not_run"].items() if cell.under(prefix)), None
        )
    return cells


def _seeds(config: dict, model: str, setup: str) -> list[int]:
    """A model may be worth more seeds than the rest of the grid."""
    tables = (
        tables
        for prefix, tables in config["override"].items()
        if f"{model}.{setup}.".startswith(prefix + ".")
    )
    return [config["seeds"], *(t["seeds"] for t in tables if "seeds" in t)][-1]


def _look(cell: Cell, out: Path) -> None:
    """What an earlier call left of a cell."""
    if all((out / cell.name / phase / "metrics.json").is_file() for phase in cell.phases):
        cell.state, cell.reason = "done", None


def _run(cell: Cell, config: dict, out: Path) -> None:
    """Every phase of a cell that is not done, in order."""
    for phase in cell.phases:
        folder = out / cell.name / phase
        if (folder / "metrics.json").is_file():
            continue
        folder.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-P", "-m", "train", *arguments(cell, phase, config, out)]
        with open(folder.with_suffix(".log"), "w", encoding="utf-8") as log:
            code = subprocess.run(
                command, stdout=log, stderr=subprocess.STDOUT, check=False
            ).returncode
        if code == 130:
            raise KeyboardInterrupt
        if code:
            cell.state, cell.reason = "failed", _last_line(folder.with_suffix(".log"), code)
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
    """The filters' rows for every setup and seed, on the data and split of a finished cell; lines
    on what failed.
    """
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
            except ClimbEdgeError as error:
                yield f"filters.{setup}.{seed} {phase}: {error}"
