"""Command line of conversion."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from climb_edge.errors import ClimbEdgeError, GateFailed, run_command, write_json, write_text
from climb_edge.options import lend_examples
from convert.recipes import DEFAULT, RECIPES

_EXAMPLES = """examples:
  python -m convert runs/mine --out out/mine
  python -m convert runs/mine --out out/mine --form window-centre --recipe float16
  python -m convert runs/mine --out out/mine --recipe all --bundle out/app
  python -m convert runs/mine --out out/mine --skip gpu --skip second
  python -m convert diff main/report.json branch/report.json     has anything got worse?
  python -m convert check refiner.tflite --out out/theirs    somebody else's file: what can be checked of it
  python -m convert matrix a/report.json b/report.json --out docs/conversions.md    several runs' files in one table
  python -m convert show out/mine                            the report's tables again
  python -m convert models --out docs/models.md              what each model costs as a file, on CPU and GPU

writes OUT/models/MODEL.FORM-EMITS.RECIPE.tflite with their contracts, and OUT/report.html, .md and .json
exit codes: 0 every file passed, 1 a gate failed or could not be shown, 2 usage or input, 130 Ctrl-C"""

SKIPPABLE = ("gpu", "stream", "second", "speed")
COMMANDS = ("run", "check", "diff", "matrix", "show", "models")


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
        help=f"{', '.join(RECIPES)}, or all; may be repeated (default: those of {', '.join(DEFAULT)} that suit the model)",
    )  # fmt: skip
    run.add_argument(
        "--beside", type=Path, action="append", metavar="RUN", default=[],
        help="a run of `train finetune --qat` from the same float weights and split: its file stands in the same report; may be repeated",
    )  # fmt: skip
    run.add_argument(
        "--skip", action="append", choices=SKIPPABLE, default=[], help="leave a check out; the verdict names it"
    )
    run.add_argument(
        "--force", action="store_true", help="also write files that a gate refuses, marked in their contract"
    )
    run.add_argument("--bundle", type=Path, metavar="DIR", help="also write what an app needs: files, weights, calls")
    check = commands.add_parser("check", help="Check somebody else's .tflite as far as that can be done.")
    check.add_argument("file", type=Path, metavar="FILE.tflite")
    check.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the report goes")
    check.add_argument(
        "--skip", action="append", choices=SKIPPABLE, default=[], help="leave a check out; the verdict names it"
    )
    diff = commands.add_parser("diff", help="Compare two reports; exit code 1 where the second is worse beyond noise.")
    diff.add_argument("before", type=Path, metavar="A.json", help="report.json of before")
    diff.add_argument("after", type=Path, metavar="B.json", help="report.json of after")
    matrix = commands.add_parser(
        "matrix", help="The files of several runs' reports in one table: model x form x recipe."
    )
    matrix.add_argument("reports", type=Path, nargs="+", metavar="REPORT.json")
    matrix.add_argument("--out", type=Path, metavar="TABLE.md", help="write the table as Markdown")
    show = commands.add_parser("show", help="Print the tables of a report again.")
    show.add_argument("out", type=Path, metavar="DIR", help="what --out was")
    table = commands.add_parser("models", help="Measure every model and form as files, with random weights.")
    table.add_argument("--model", action="append", metavar="NAME", help="may be repeated (default: all)")
    table.add_argument("--form", action="append", metavar="FORM-EMITS", help="may be repeated (default: all)")
    table.add_argument("--no-gpu", action="store_true", help="leave the GPU check out; it takes minutes")
    table.add_argument("--out", type=Path, metavar="TABLE.md", help="write the table as Markdown")
    table.add_argument("--json", type=Path, metavar="FILE", help="write what was measured as JSON")
    for sub in (run, check, diff, matrix, show, table):
        sub.add_argument("--debug", action="store_true", help="show the traceback of an error")
    lend_examples(commands.choices, _EXAMPLES, default="run")
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments and arguments[0] not in (*COMMANDS, "-h", "--help"):
        arguments.insert(0, "run")
    options = parser().parse_args(arguments)
    command = {"run": _run, "check": _check, "diff": _diff, "matrix": _matrix, "show": _show, "models": _models}[
        options.command
    ]
    return run_command(lambda: command(options), options.debug)


def _run(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from convert.bundle import bundle
    from convert.recipes import choose
    from convert.report import build, tables, write
    from convert.run import DEFAULT_FORMS, convert, open_run
    from train.runs import Run

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
    from convert.foreign import examine
    from convert.report import tables, write

    report = examine(options.file, tuple(options.skip))
    write(report, options.out)
    print(tables(report))
    print(f"{options.out}/report.html")
    _judge(report)


def _diff(options: argparse.Namespace) -> None:
    from convert.diff import compare, lines
    from convert.report import read_report

    changes = compare(read_report(options.before), read_report(options.after))
    print(lines(changes))
    if worse := [c for c in changes if c.worse]:
        raise GateFailed("; ".join(f"{c.file}: {c.what}" for c in worse))


def _matrix(options: argparse.Namespace) -> None:
    from convert.matrix import markdown
    from convert.report import read_report

    text = markdown([read_report(path) for path in options.reports])
    print(text)
    if options.out:
        write_text(options.out, text + "\n")


def _show(options: argparse.Namespace) -> None:
    from convert.report import read_report, tables

    print(tables(read_report(options.out / "report.json")))
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
