"""Command line of conversion."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from climb_edge.errors import ClimbEdgeError, GateFailed, run_command, write_json, write_text

_EXAMPLES = """examples:
  python -m convert runs/mine --out out/mine
  python -m convert runs/mine --out out/mine --form window-centre --recipe float16
  python -m convert show out/mine                            the report's tables again
  python -m convert models --out docs/models.md              what each model costs as a file, on CPU and GPU

writes OUT/models/MODEL.FORM-EMITS.RECIPE.tflite with their contracts, and OUT/report.html, .md and .json
exit codes: 0 every file passed, 1 a gate failed or could not be shown, 2 usage or input, 130 Ctrl-C"""

COMMANDS = ("run", "show", "models")


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    top = argparse.ArgumentParser(
        "climb-edge-convert",
        description="Turn a training run into .tflite files that prove themselves.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="{" + ",".join(COMMANDS) + "}")
    run = commands.add_parser("run", help="Convert a run and check the files (the default command).")
    run.add_argument("run", type=Path, metavar="RUN", help="run folder of `python -m train`")
    run.add_argument("--out", type=Path, required=True, metavar="DIR", help="where files and report go")
    run.add_argument(
        "--form", action="append", metavar="FORM-EMITS",
        help="window-all, window-newest, window-centre, step-newest or step-centre; may be repeated (default: step-newest, window-all)",
    )  # fmt: skip
    run.add_argument(
        "--recipe", action="append", metavar="RECIPE",
        help="float32, float16, dynamic_int8 or int8; may be repeated (default: all that suit the model)",
    )  # fmt: skip
    run.add_argument(
        "--force", action="store_true", help="also write files that a gate refuses, marked in their contract"
    )
    show = commands.add_parser("show", help="Print the tables of a report again.")
    show.add_argument("out", type=Path, metavar="DIR", help="what --out was")
    table = commands.add_parser("models", help="Measure every model and form as files, with random weights.")
    table.add_argument("--model", action="append", metavar="NAME", help="may be repeated (default: all)")
    table.add_argument("--form", action="append", metavar="FORM-EMITS", help="may be repeated (default: all)")
    table.add_argument("--no-gpu", action="store_true", help="leave the GPU check out; it takes minutes")
    table.add_argument("--out", type=Path, metavar="TABLE.md", help="write the table as Markdown")
    table.add_argument("--json", type=Path, metavar="FILE", help="write what was measured as JSON")
    for sub in (run, show, table):
        sub.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments and arguments[0] not in (*COMMANDS, "-h", "--help"):
        arguments.insert(0, "run")
    options = parser().parse_args(arguments)
    command = {"run": _run, "show": _show, "models": _models}[options.command]
    return run_command(lambda: command(options), options.debug)


def _run(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from convert.recipes import choose
    from convert.report import build, tables, write
    from convert.run import DEFAULT_FORMS, convert
    from train import models
    from train.runs import Run

    described = models.get(Run.open(options.run).config()["model"])
    recipes, forms = choose(options.recipe, described.output), tuple(options.form or DEFAULT_FORMS)
    with tqdm(total=4 + len(forms) * (len(recipes) + 1), unit="step", desc="convert") as bar:

        def step(what: str) -> None:
            bar.set_postfix_str(what)
            bar.update()

        config, made, sets, claims = convert(options.run, options.out, forms, recipes, options.force, step)
    report = build(config, made, sets, claims, str(options.run))
    write(report, options.out)
    print(tables(report))
    print(f"{options.out}/report.html")
    if report["verdict"] != "pass":
        reasons = "; ".join(f"{f['file']}: {r}" for f in report["files"] for r in f["reasons"])
        raise GateFailed(f"{report['verdict']}: {reasons}")


def _show(options: argparse.Namespace) -> None:
    from convert.report import read, tables

    print(tables(read(options.out)))
    for path in sorted(
        p for pattern in ("*.mp4", "*.jsonl", "report.html", "models/*", "run") for p in options.out.glob(pattern)
    ):
        print(path)


def _models(options: argparse.Namespace) -> None:
    from dataclasses import asdict

    from tqdm import tqdm

    from climb_edge.gpu import why_not
    from convert.table import failures, markdown, measure
    from train import models

    names = options.model or [name for name in models.names() if models.get(name).parameters]
    forms = options.form or list(models.FORMS)
    for name in names:
        if not models.get(name).parameters:
            raise ClimbEdgeError(f"--model {name}: has no file; it is a refiner of the runtime")
    for form in forms:
        if form not in models.FORMS:
            raise ClimbEdgeError(f"--form {form}: expected one of {', '.join(models.FORMS)}")
    gpu = not options.no_gpu and why_not() is None
    if not options.no_gpu and not gpu:
        print(f"GPU check skipped: {why_not()}", file=sys.stderr)
    with tqdm(total=len(names) * (len(forms) * (3 if gpu else 1) + 1), unit="step", desc="models") as bar:

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
            {"schema": "climb-edge/model-files/1", "files": [asdict(row) for row in rows], "baselines": baselines},
        )
    if failed := failures(rows):
        raise GateFailed("; ".join(failed))


if __name__ == "__main__":
    sys.exit(main())
