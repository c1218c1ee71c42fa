"""Commands that are killed at random moments of their processor time, and what they leave."""

import csv
import importlib
import json
import multiprocessing
import os
import random
import signal
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py

from climb_edge.errors import DONE, GATE_FAILED
from climb_edge.media.video import read_video
from climb_edge.runtime.model_file import read_model
from support.paths import ROOT
from support.processes import until

# Forked from one process that has imported everything, a command begins at once.
_WARM = ("train.__main__", "train.fitting.run", "train.fitting.metrics", "train.studies.grid")
_WARM += (
    "convert.__main__",
    "convert.pipeline.run",
    "convert.reports.build",
    "climb_edge.__main__",
)
_WARM += ("matplotlib.figure", "matplotlib.backends.backend_agg", "climb_edge.tracking.track")


def begin(module: str, words: list[str], log: Path, settings: dict | None = None):
    """The process of a command. `settings`: values of module attributes ("module:name"), and of
    the environment.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(_WARM))
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(map(str, (ROOT, ROOT / "tests")))
    try:
        process = context.Process(target=_command, args=(module, words, str(log), settings or {}))
        process.start()
    finally:
        os.environ.pop("PYTHONPATH") if before is None else os.environ.update(PYTHONPATH=before)
    return process


def _command(module: str, words: list[str], log: str, settings: dict) -> None:
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    for name, value in settings.items():
        owner, colon, attribute = name.partition(":")
        if colon:
            setattr(importlib.import_module(owner), attribute, value)
        else:
            os.environ[name] = value
    sys.exit(importlib.import_module(module).main(words))


def processor_time(pid: int) -> float:
    """Seconds that a process and those that it has started have worked."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        own = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
        return own + sum(map(processor_time, children(pid)))
    except (FileNotFoundError, ProcessLookupError):
        return 0.0


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for file in found for child in file.read_text().split()]


def ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def run(process, seconds: float = float("inf")) -> float | None:
    """The processor time that a command took; None where it was killed after so much of it."""
    spent = 0.0
    while process.is_alive():
        if (now := processor_time(process.pid)) >= seconds:
            return _kill(process)
        spent = max(spent, now)
        time.sleep(0.005)
    return spent


def _kill(process) -> None:
    """Kill a command; what it has started ends by itself."""
    left = children(process.pid)
    process.kill()
    process.join()
    until(lambda: all(map(ended, left)), 30)


def kill_at_random(
    command: Callable[[Path], tuple],
    folder: Path,
    same: Callable[[Path, Path], None],
    kills: int,
    seed: int,
    whole: Path | None = None,
    longest: float = 0.0,
) -> Path:
    """Kill a command so often, each time going on where it was, and compare what it makes in the end
    with what it made undisturbed, in the folder that is returned.

    `command` gives what `begin` takes for an output folder. Where `whole` is there already,
    `longest` is about how long it took, in seconds of processor time.
    """
    undisturbed, dice = whole or folder / "whole", random.Random(seed)
    log = folder / "log"

    def start(out: Path):
        module, words, *settings = command(out)
        return begin(module, words, log, *settings)

    def finished(out: Path, process) -> None:
        assert process.exitcode == code, (
            f"{told}: exit code {process.exitcode}: {log.read_text()[-2000:]}"
        )
        assert not list(out.rglob(".*")), told
        same(undisturbed, out)

    told, out, number, code = "undisturbed", folder / "0", 0, DONE
    if not whole:
        process = start(undisturbed)
        longest, code = run(process), process.exitcode
        assert code in (DONE, GATE_FAILED) and longest, log.read_text()[-2000:]
    for kill in range(kills):
        moment = dice.uniform(0.02, 0.98) * longest
        told = f"seed {seed}, kill {kill + 1} after {moment:.2f} of {longest:.2f} s, in {out}"
        before = visible(out)
        process = start(out)
        if run(process, moment) is None and process.exitcode == -signal.SIGKILL:
            assert before <= visible(out), f"{told}: files are lost"
            assert_readable(out, told)
        else:  # what is left to do is less than that
            finished(out, process)
            number += 1
            out = folder / str(number)
    process = start(out)
    run(process)
    finished(out, process)
    return undisturbed


def visible(folder: Path) -> set[Path]:
    """Files with names of their own."""
    return {p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".")}


def assert_readable(folder: Path, told: str) -> None:
    """No half file under a name of its own."""
    for path in visible(folder):
        try:
            _READ.get(path.suffix, Path.read_bytes)(path)
        except Exception as error:
            raise AssertionError(f"{told}: {path} is half a file: {error}") from error


def _read_zip(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None


def _read_csv(path: Path) -> None:
    with open(path, newline="") as stream:
        assert len({len(row) for row in csv.reader(stream)}) == 1


def _read_weights(path: Path) -> None:
    with h5py.File(path) as file:
        file.visititems(lambda name, item: item[...] if isinstance(item, h5py.Dataset) else None)


_READ: dict[str, Callable[[Path], object]] = {
    ".json": lambda path: json.loads(path.read_text()),
    ".jsonl": lambda path: [json.loads(line) for line in path.read_text().splitlines()],
    ".npz": _read_zip,
    ".zip": _read_zip,
    ".csv": _read_csv,
    ".h5": _read_weights,
    ".mp4": lambda path: list(read_video(path)),
    ".tflite": read_model,
}
