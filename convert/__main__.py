"""Command line of conversion: what each command prints."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from climb_edge.command_line import run
from climb_edge.errors import ClimbEdgeError, GateFailed, printable
from climb_edge.files.atomic import write_json, write_text
from convert import api
from convert.cli import PROGRAM
from convert.config import Check, Convert, Diff, Matrix, Models, Show


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    return run(PROGRAM, _COMMANDS, arguments)


def _run(options: Convert) -> None:
    report = api.convert(options)
    _print(report, options.out)
    if options.bundle and (options.bundle / "manifest.json").is_file():
        print(options.bundle)
    _judge(report)


def _check(options: Check) -> None:
    report = api.check(options)
    _print(report, options.out)
    _judge(report)


def _print(report: dict[str, Any], out: Path) -> None:
    from convert.reports.build import tables

    print(printable(tables(report)))
    print(f"{out}/report.html")


def _judge(report: dict[str, Any]) -> None:
    """Raise GateFailed unless the report's verdict is a pass."""
    if report["verdict"] != "pass":
        reasons = "; ".join(f"{f['file']}: {r}" for f in report["files"] for r in f["reasons"])
        raise GateFailed(f"{report['verdict']}: {reasons}")


def _diff(options: Diff) -> None:
    from convert.reports.diff import compare, lines
    from convert.reports.schema import read_report

    changes = compare(read_report(options.before), read_report(options.after))
    print(printable(lines(changes)))
    if worse := [c for c in changes if c.worse]:
        raise GateFailed("; ".join(f"{c.file}: {c.what}" for c in worse))


def _matrix(options: Matrix) -> None:
    from convert.reports.matrix import markdown
    from convert.reports.schema import read_report

    text = markdown([read_report(path) for path in options.reports])
    print(printable(text))
    if options.out:
        write_text(options.out, text + "\n")


def _show(options: Show) -> None:
    from convert.reports.build import tables
    from convert.reports.schema import read_report

    print(printable(tables(read_report(options.out / "report.json"))))
    for path in sorted(
        p
        for pattern in ("*.mp4", "*.jsonl", "report.html", "models/*", "run")
        for p in options.out.glob(pattern)
    ):
        print(path)


def _models(options: Models) -> None:
    from dataclasses import asdict

    from tqdm import tqdm

    from climb_edge.runtime.isolated import why_not
    from convert.model_page import failures, markdown
    from convert.model_table import measure
    from train.models import registry

    names = options.model or [name for name in registry.names() if registry.get(name).parameters]
    for name in names:
        if not registry.get(name).parameters:
            raise ClimbEdgeError(f"--model {name}: has no file; it is a refiner of the runtime")
    gpu = options.gpu and why_not() is None
    if options.gpu and not gpu:
        print(f"GPU check skipped: {why_not()}", file=sys.stderr)
    with tqdm(
        total=len(names) * (len(options.form) * (3 if gpu else 1) + 1), unit="step", desc="models"
    ) as bar:

        def step(what: str) -> None:
            bar.set_postfix_str(what)
            bar.update()

        rows, baselines = measure(names, options.form, gpu, step)
    print(markdown(rows, baselines))
    if options.out:
        write_text(options.out, markdown(rows, baselines) + "\n")
    if options.json:
        write_json(
            options.json,
            {
                "schema": "climb-edge/model-files/1",
                "files": [asdict(row) for row in rows],
                "baselines": baselines,
            },
        )
    if failed := failures(rows):
        raise GateFailed("; ".join(failed))


_COMMANDS = {
    "run": _run,
    "check": _check,
    "diff": _diff,
    "matrix": _matrix,
    "show": _show,
    "models": _models,
}

if __name__ == "__main__":
    sys.exit(main())
