"""The grammar of `python -m convert`."""

from __future__ import annotations

import argparse
from pathlib import Path

from climb_edge.cli import lend_examples
from convert.quantization.recipes import DEFAULT, RECIPES

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
    commands = top.add_subparsers(
        dest="command", required=True, metavar="{" + ",".join(COMMANDS) + "}"
    )
    run = commands.add_parser(
        "run", help="Convert a run and check the files (the default command)."
    )
    run.add_argument("run", type=Path, metavar="RUN", help="run folder of `python -m train`")
    run.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="where files and report go"
    )
    run.add_argument(
        "--form",
        action="append",
        metavar="FORM-EMITS",
        help=(
            "window-all, window-newest, window-centre, step-newest or step-centre; may be repeated"
            " (default: step-newest, window-all)"
        ),
    )
    run.add_argument(
        "--recipe",
        action="append",
        metavar="RECIPE",
        help=(
            f"{', '.join(RECIPES)}, or all; may be repeated (default: those of {', '.join(DEFAULT)}"
            " that suit the model)"
        ),
    )
    run.add_argument(
        "--beside",
        type=Path,
        action="append",
        metavar="RUN",
        default=[],
        help=(
            "a run of `train finetune --qat` from the same float weights and split: its file stands"
            " in the same report; may be repeated"
        ),
    )
    run.add_argument(
        "--skip",
        action="append",
        choices=SKIPPABLE,
        default=[],
        help="leave a check out; the verdict names it",
    )
    run.add_argument(
        "--force",
        action="store_true",
        help="also write files that a gate refuses, marked in their contract",
    )
    run.add_argument(
        "--bundle",
        type=Path,
        metavar="DIR",
        help="also write what an app needs: files, weights, calls",
    )
    check = commands.add_parser(
        "check", help="Check somebody else's .tflite as far as that can be done."
    )
    check.add_argument("file", type=Path, metavar="FILE.tflite")
    check.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="where the report goes"
    )
    check.add_argument(
        "--skip",
        action="append",
        choices=SKIPPABLE,
        default=[],
        help="leave a check out; the verdict names it",
    )
    diff = commands.add_parser(
        "diff", help="Compare two reports; exit code 1 where the second is worse beyond noise."
    )
    diff.add_argument("before", type=Path, metavar="A.json", help="report.json of before")
    diff.add_argument("after", type=Path, metavar="B.json", help="report.json of after")
    matrix = commands.add_parser(
        "matrix", help="The files of several runs' reports in one table: model x form x recipe."
    )
    matrix.add_argument("reports", type=Path, nargs="+", metavar="REPORT.json")
    matrix.add_argument("--out", type=Path, metavar="TABLE.md", help="write the table as Markdown")
    show = commands.add_parser("show", help="Print the tables of a report again.")
    show.add_argument("out", type=Path, metavar="DIR", help="what --out was")
    table = commands.add_parser(
        "models", help="Measure every model and form as files, with random weights."
    )
    table.add_argument(
        "--model", action="append", metavar="NAME", help="may be repeated (default: all)"
    )
    table.add_argument(
        "--form", action="append", metavar="FORM-EMITS", help="may be repeated (default: all)"
    )
    table.add_argument(
        "--no-gpu", action="store_true", help="leave the GPU check out; it takes minutes"
    )
    table.add_argument("--out", type=Path, metavar="TABLE.md", help="write the table as Markdown")
    table.add_argument("--json", type=Path, metavar="FILE", help="write what was measured as JSON")
    for sub in (run, check, diff, matrix, show, table):
        sub.add_argument("--debug", action="store_true", help="show the traceback of an error")
    lend_examples(commands.choices, _EXAMPLES, default="run")
    return top
