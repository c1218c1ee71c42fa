"""The grammar of `python -m convert`."""

from __future__ import annotations

from climb_edge.command_line import Program
from convert.config import Check, Convert, Diff, Matrix, Models, Show

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
`climb-edge convert` is the same program, also in a folder with a convert.py of its own
exit codes: 0 every file passed, 1 a gate failed or could not be shown, 2 usage or input, 130 Ctrl-C, 143 SIGTERM"""

PROGRAM = Program(
    "climb-edge convert",
    "Turn a training run into .tflite files that prove themselves.",
    _EXAMPLES,
    (Convert, Check, Diff, Matrix, Show, Models),
    default="run",
)
