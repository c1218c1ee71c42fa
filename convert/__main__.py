"""Command line of conversion."""

from __future__ import annotations

import argparse
import sys

from climb_edge.errors import ClimbEdgeError, GateFailed, run_command
from climb_edge.files.atomic import write_json, write_text
from convert.cli import COMMANDS, parser


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments and arguments[0] not in (*COMMANDS, "-h", "--help"):
        arguments.insert(0, "run")
    options = parser().parse_args(arguments)
    command = {
        "run": _run,
        "check": _check,
        "diff": _diff,
        "matrix": _matrix,
        "show": _show,
        "models": _models,
    }[options.command]
    return run_command(lambda: command(options), options.debug)


def _run(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from convert.pipeline.bundle import bundle
    from convert.pipeline.run import DEFAULT_FORMS, convert, open_run
    from convert.quantization.recipes import choose
    from convert.reports.build import build, tables, write
    from train.fitting.run_folder import Run

    forms = tuple(options.form or DEFAULT_FORMS)
    config = Run.open(options.run).config()
    trained = [Run.open(path).config().get("qat") for path in (options.run, *options.beside)]
    aware = [qat["scheme"] for qat in trained if qat]
    recipes, said = choose(options.recipe, config["model"], forms, options.force, aware)
    with tqdm(total=4 + len(forms) * (len(recipes) + 2), unit="step", desc="convert") as bar:

        def step(what: str, steps: int = 1) -> None:
            bar.set_postfix_str(what)
            bar.update(steps)

        run = open_run(options.run, forms, tuple(options.skip), step, options.beside)
        run.said = said
        report = build(convert(run, options.out, recipes, options.force, step))
    write(report, options.out)
    print(tables(report))
    print(f"{options.out}/report.html")
    written = [options.out / "models" / m.file for m in run.made if m.written]
    if options.bundle and written:
        variant = (run.estimator or run.config["estimator"]).removeprefix("blazepose-")
        print(bundle(written, report, options.bundle, variant, run.config.get("weights")))
    _judge(report)


def _judge(report: dict) -> None:
    """Raise GateFailed unless the report's verdict is a pass."""
    if report["verdict"] != "pass":
        reasons = "; ".join(f"{f['file']}: {r}" for f in report["files"] for r in f["reasons"])
        raise GateFailed(f"{report['verdict']}: {reasons}")


def _check(options: argparse.Namespace) -> None:
    from convert.check_file import examine
    from convert.reports.build import tables, write

    report = examine(options.file, tuple(options.skip))
    write(report, options.out)
    print(tables(report))
    print(f"{options.out}/report.html")
    _judge(report)


def _diff(options: argparse.Namespace) -> None:
    from convert.reports.diff import compare, lines
    from convert.reports.schema import read_report

    changes = compare(read_report(options.before), read_report(options.after))
    print(lines(changes))
    if worse := [c for c in changes if c.worse]:
        raise GateFailed("; ".join(f"{c.file}: {c.what}" for c in worse))


def _matrix(options: argparse.Namespace) -> None:
    from convert.reports.matrix import markdown
    from convert.reports.schema import read_report

    text = markdown([read_report(path) for path in options.reports])
    print(text)
    if options.out:
        write_text(options.out, text + "\n")


def _show(options: argparse.Namespace) -> None:
    from convert.reports.build import tables
    from convert.reports.schema import read_report

    print(tables(read_report(options.out / "report.json")))
    for path in sorted(
        p
        for pattern in ("*.mp4", "*.jsonl", "report.html", "models/*", "run")
        for p in options.out.glob(pattern)
    ):
        print(path)


def _models(options: argparse.Namespace) -> None:
    from dataclasses import asdict

    from tqdm import tqdm

    from climb_edge.runtime.isolated import why_not
    from convert.model_table import failures, markdown, measure
    from train.models import registry

    names = options.model or [name for name in registry.names() if registry.get(name).parameters]
    forms = options.form or list(registry.FORMS)
    for name in names:
        if not registry.get(name).parameters:
            raise ClimbEdgeError(f"--model {name}: has no file; it is a refiner of the runtime")
    for form in forms:
        if form not in registry.FORMS:
            raise ClimbEdgeError(f"--form {form}: expected one of {', '.join(registry.FORMS)}")
    gpu = not options.no_gpu and why_not() is None
    if not options.no_gpu and not gpu:
        print(f"GPU check skipped: {why_not()}", file=sys.stderr)
    with tqdm(
        total=len(names) * (len(forms) * (3 if gpu else 1) + 1), unit="step", desc="models"
    ) as bar:

        def step(what: str) -> None:
            bar.set_postfix_str(what)
            bar.update()

        rows, baselines = measure(names, forms, gpu, step)
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


if __name__ == "__main__":
    sys.exit(main())
