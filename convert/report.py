"""The report: one dictionary, rendered as JSON for machines, Markdown for a pull request, HTML for people."""

from __future__ import annotations

import hashlib
import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

from climb_edge.errors import ClimbEdgeError, existing_file, write_json, write_text
from climb_edge.pck import ALPHAS
from convert.checks import Check, blame, worst_of

if TYPE_CHECKING:  # TensorFlow comes with these; to read, show or compare reports takes none
    from convert.run import Conversion, Made

SCHEMA = "climb-edge/report/2"
TRUTH = {"human": "human truth", "pseudo": "pseudo ground truth", "generated": "generated truth"}
CHANGE = "+z.2f"  # points: a sign always, but none of minus zero
SIGNS = {"pass": "✓", "fail": "✗", "not shown": "?", "skipped": "–", "cpu only": "cpu"}


def _interval(value: object, named: str) -> str | None:
    numbers = isinstance(value, list) and len(value) == 3 and all(isinstance(v, FIGURE) for v in value)
    return None if numbers else f"{named} is not [value, low, high]"


# What reading relies on; `build` writes more. A figure that could not be computed is null.
FIGURE = (int, float, type(None))
SECTION = (dict, type(None))  # of a report on a run; null in one on somebody else's file
PCK = {"*": _interval}
SHAPE = {
    "verdict": str, "skipped": [str], "run": SECTION, "test": SECTION, "generated": SECTION,
    "claims": [{"name": str, "delay": int, "frames": int, "raw": PCK, "refined": PCK, "change": PCK, "wins": {"*": bool}}],
    "files": [{
        "file": str, "written": bool, "verdict": str, "reasons": [str], "bytes": int, "weight_ratio": FIGURE,
        "checks": [{"name": str, "verdict": str, "reasons": [str]}],
        "rows": [{"set": str, "truth": str, "averaging": str, "decode": str, "pck": PCK, "drop": PCK}],
        "speed": [{"threads": int, "median_ms": FIGURE, "p95_ms": FIGURE, "naive_ms": FIGURE}],
        "gpu": [{"partitions": FIGURE, "nodes": FIGURE, "total": FIGURE, "max_error": FIGURE}],
    }],
}  # fmt: skip


PARITY: dict = {"rows": [], "keypoints": {}, "worst_keypoint": {}, "histogram": {}, "worst_windows": []}


def build(run: Conversion) -> dict:
    """Everything the renderings show, from one place."""
    from convert.parity import EDGES

    test, generated = run.sets
    files = [_file(m, run.config["model"]) for m in run.made]
    return {
        "schema": SCHEMA, "verdict": worst_of(f["verdict"] for f in files), "skipped": skipped(files),
        "run": {"path": str(run.path), **{k: run.config[k] for k in ("model", "init", "data", "noise", "seed", "data_sha256")}},
        "test": {"windows": len(test.indices), "clips": test.clips, "truth": test.truth, "source": test.source.clips.source},
        "generated": {"windows": len(generated.indices), "clips": generated.clips},
        "said": run.said, "claims": run.claims, "histogram_edges": [e for e in EDGES if e < float("inf")],
        "files": files,
    }  # fmt: skip


def described(file: str, checks: list[Check], content: bytes, **known) -> dict:
    """One file of the report: its checks and their figures, whatever they came to, and what is `known` besides.

    What a check did not come to is absent from `checks`, and its figures are empty.
    """
    figures = {c.name: c.figures for c in checks}
    cpu, shown, types = (figures.get(name, {}) for name in ("cpu", "parity", "types"))
    return {
        "file": file, "written": False, "model": None, "form": None, "emits": None, "recipe": None, "quantizer": None,
        "candidates": [], "left_in_float": [], "sensitivity": [],
        "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(),
        "verdict": worst_of(c.verdict for c in checks),
        "reasons": blame(checks),
        "checks": [{"name": c.name, "verdict": c.verdict, "reasons": c.reasons} for c in checks],
        **{key: shown.get(key, empty) for key, empty in PARITY.items()},
        "cpu": {k: v for k, v in cpu.items() if k != "saturation"}, "saturation": cpu.get("saturation", []),
        "weight_ratio": types.get("weight_ratio"), "quantized_ops": types.get("ops", []),
        "load": figures.get("load", {}), "gpu": [figures["gpu"]] if figures.get("gpu") else [],
        "stream": figures.get("stream", {}), "second": figures.get("second", {}), "speed": figures.get("speed", {}).get("rows", []),
        **known,
    }  # fmt: skip


def _file(made: Made, model: str) -> dict:
    return described(
        made.file, made.checks, made.graph.content, written=made.written, model=model, form=made.graph.form, emits=made.graph.emits,
        recipe=made.recipe.name, quantizer=made.recipe.quantizers[0], candidates=made.candidates,
        left_in_float=list(made.mixed.floats) if made.mixed else [], sensitivity=made.sensitivity,
    )  # fmt: skip


def skipped(files: list[dict]) -> list[str]:
    """The checks that some file went without."""
    return sorted({c["name"] for f in files for c in f["checks"] if c["verdict"] == "skipped"})


def headline(report: dict) -> str:
    """The verdict in a few words, with what it was reached without."""
    return report["verdict"] + (f" (skipped: {', '.join(report['skipped'])})" if report["skipped"] else "")


def write(report: dict, out: str | Path) -> None:
    """report.json, report.md and report.html in OUT, the latter two of what stands in the first."""
    from jinja2 import Environment, PackageLoader

    from convert.drawings import chart, histogram, windows

    out = Path(out)
    write_json(out / "report.json", report)
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    environment = Environment(
        loader=PackageLoader("convert"),
        autoescape=lambda name: name is not None and "html" in name,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=percent, points=points, number=number, kilobytes=kilobytes, times=times, heat=heat, plain=plain,
        verdict_of=verdict_of, kept_because=kept_because, histogram=histogram, windows=windows,
    )  # fmt: skip
    shared = {
        "report": report, "headline": headline(report), "sets": sets(report), "checks": check_names(report), "truth": TRUTH,
        "alphas": [str(a) for a in ALPHAS], "parity_row": parity_row, "checked": checked, "signs": SIGNS, "change": CHANGE,
    }  # fmt: skip
    write_text(out / "report.md", environment.get_template("report.md").render(**shared))
    write_text(out / "report.html", environment.get_template("report.html").render(**shared, chart=chart(report)))


def read_report(path: str | Path) -> dict:
    """A report.json. Raises ClimbEdgeError when it is none."""
    path = existing_file(path, "a report.json of `python -m convert`")
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ClimbEdgeError(f"{path}: damaged ({error}); convert the run again") from error
    if not isinstance(report, dict) or report.get("schema") != SCHEMA:
        raise ClimbEdgeError(f"{path}: expected a report of schema {SCHEMA}; convert the run again")
    if wrong := _unlike(report, SHAPE, "report"):
        raise ClimbEdgeError(f"{path}: damaged ({wrong}); convert the run again")
    return report


def _unlike(value: object, shape: object, named: str) -> str | None:
    """Where `value` first differs from `shape`: a type or several, [shape of each], {key: shape}, {"*": shape of each}."""
    if shape is _interval:
        return _interval(value, named)
    if not isinstance(value, shape if isinstance(shape, type | tuple) else type(shape)):
        return f"{named} is {type(value).__name__}"
    if isinstance(shape, type | tuple):
        return None
    if isinstance(shape, list):
        inner = [(item, shape[0], f"{named}[{i}]") for i, item in enumerate(value)]
    elif "*" in shape:
        inner = [(item, shape["*"], f"{named}.{key}") for key, item in value.items()]
    elif missing := next((key for key in shape if key not in value), None):
        return f"{named} lacks {missing}"
    else:
        inner = [(value[key], within, f"{named}.{key}") for key, within in shape.items()]
    return next((wrong for one in inner if (wrong := _unlike(*one))), None)


def tables(report: dict) -> str:
    """The report's two short tables as plain text, and why what did not pass did not."""
    lines = []
    for claim in report["claims"]:
        truth = TRUTH.get((report["test"] or {}).get("truth"), "truth unknown")
        lines.append(f"PCK in %, {truth}, {claim['frames']} held-back frames, delay {claim['delay']}: {claim['name']}")
        for label, key in (("estimator alone", "raw"), ("refined", "refined")):
            lines.append(f"  {label:18}" + "".join(f"@{a} {percent(v[0]):>5}   " for a, v in claim[key].items()))
        lines.append("  " + verdict_of(claim))
    lines += [f"cannot be checked: {sentence}" for sentence in report.get("cannot", [])]
    lines += report.get("said", [])
    clips = (report["generated"] or {}).get("clips")
    of = f", {clips} generated clips" if clips else ""
    wide = max([41, *(len(f["file"]) for f in report["files"])]) + 1
    lines.append(f"{'file':{wide}}{'verdict':10}{'kB':>6}{'ms':>8}   PCK change in points against Keras{of}")
    for file in report["files"]:
        row = parity_row(file)
        change = " ".join(f"{number(v[0], CHANGE):>7}" for v in row["drop"].values()) if row else "not run"
        ms = number(file["speed"][0]["median_ms"], ".2f") if file["speed"] else "-"
        lines.append(f"{file['file']:{wide}}{file['verdict']:10}{kilobytes(file['bytes']):>6}{ms:>8}   {change}")
    lines += [f"{f['file']}: {f['verdict']}: {f['reasons'][0]}" for f in report["files"] if f["reasons"]]
    return "\n".join([*lines, f"verdict: {headline(report)}"])


def parity_row(file: dict, tests: str = "generated") -> dict | None:
    """The row of a file that the gates look at: DARK, pooled."""
    return next((r for r in file["rows"] if r["set"] == tests and r["decode"] == "dark"), None)


def sets(report: dict) -> dict[str, str]:
    """Name of every test set that some file was compared on -> what its truth is."""
    return {r["set"]: TRUTH.get(r["truth"], r["truth"]) for f in report["files"] for r in f["rows"]}


def check_names(report: dict) -> list[str]:
    """Every check that some file came to, in the order in which most files did."""
    longest = sorted(report["files"], key=lambda f: -len(f["checks"]))
    return list(dict.fromkeys(c["name"] for f in longest for c in f["checks"]))


def checked(file: dict, name: str) -> dict | None:
    """A file's check of this name; the worst where several were made of it, None where it did not come to it."""
    found = [c for c in file["checks"] if c["name"] == name]
    return min(found, key=lambda c: c["verdict"] == "pass", default=None)


def verdict_of(claim: dict) -> str:
    """One sentence: where refining helps on the held-back frames, and where it does not."""
    won, lost = ([f"@{a}" for a, w in claim["wins"].items() if w == side] for side in (True, False))
    better = f"refined is better at {', '.join(won)}" if won else "refined is better nowhere"
    return better + (f"; it is NOT better at {', '.join(lost)}" if lost else "")


def kept_because(candidates: list[dict]) -> str:
    """Why the quantizer that was kept was: rules first, then the distance from float, then the size."""
    kept = next((c for c in candidates if c.get("kept")), None)
    others = [c for c in candidates if c is not kept]
    if kept is None:
        return "none could make it"
    if not others:
        return "the only one"
    if all(c["reason"] for c in others):
        return "the best of those that break rules" if kept["reason"] else "the other breaks rules"
    if any(c.get("cells") == kept.get("cells") for c in others):
        return "as close to float, and no larger"
    return "closer to float"


def known(value: float | None) -> bool:
    """Whether a figure could be computed: JSON has null, Python NaN for one that could not."""
    return value is not None and math.isfinite(value)


def number(value: float | None, form: str = ".2f") -> str:
    """A figure, or a dash where there is none."""
    return format(value, form) if known(value) else "–"


def percent(share: float | None) -> str:
    """A share in %, one decimal."""
    return number(100 * share, ".1f") if known(share) else "–"


def kilobytes(size: float | None) -> str:
    """Bytes in kB."""
    return number(size / 1000, ".0f") if size else "–"


def times(base: float | None, own: float | None) -> str:
    """How many times as fast as a baseline."""
    ratio = base / own if known(base) and own else None
    return number(ratio, ".2f" if (ratio or 0) < 10 else ".1f") + ("x" if ratio else "")


def points(change: list) -> str:
    """A change in points, with its interval where it has one."""
    value, low, high = change
    between = f" ({number(low, CHANGE)} to {number(high, CHANGE)})" if known(low) and known(high) else ""
    return number(value, CHANGE) + between


def heat(change: float | None, full: float = 2.0) -> str:
    """A cell's colour: red for points lost, green for points won, in full at 2."""
    if not known(change):
        return ""
    colour = "179,38,30" if change < 0 else "44,122,75"
    return f"background:rgba({colour},{min(abs(change) / full, 1) * 0.7:.2f})"


def plain(text: object) -> str:
    """Text in one line that Markdown shows as it stands."""
    return re.sub(r"([\\`|<>\[\]*])", r"\\\1", " ".join(str(text).split()))
