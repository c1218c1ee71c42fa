"""The report: one dictionary, rendered as JSON for machines, Markdown for a pull request, HTML for people."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from pathlib import Path

import numpy as np

from climb_edge.errors import ClimbEdgeError, existing_file, write_json, write_text
from climb_edge.pck import ALPHAS
from convert.checks import TestSet
from convert.run import Made

SCHEMA = "climb-edge/report/1"
TRUTH = {"human": "human truth", "pseudo": "pseudo ground truth", "generated": "generated truth"}


def build(config: dict, made: list[Made], sets: list[TestSet], rows: list[dict], run: str) -> dict:
    """Everything the three renderings show, from one place."""
    verdicts = {m.checks.verdict for m in made}
    verdict = "fail" if "fail" in verdicts else "not shown" if "not shown" in verdicts else "pass"
    test = sets[0]
    return {
        "schema": SCHEMA, "verdict": verdict,
        "run": {"path": run, **{k: config[k] for k in ("model", "init", "data", "noise", "seed", "data_sha256")}},
        "test": {"windows": len(test.indices), "clips": test.clips, "truth": test.truth, "source": test.source.clips.source},
        "generated": {"windows": len(sets[1].indices), "clips": sets[1].clips},
        "skipped": ["gpu", "second runtime"],
        "claims": rows,
        "files": [
            {
                "file": m.file, "written": m.written, "model": config["model"], "form": m.graph.form, "emits": m.graph.emits, "recipe": m.recipe.name,
                "bytes": len(m.graph.content), "sha256": hashlib.sha256(m.graph.content).hexdigest(), "verdict": m.checks.verdict,
                "reasons": m.checks.reasons, "rows": m.checks.rows, "speed": m.checks.speed, "gpu": [],
                "quantized_ops": m.checks.quantized_ops, "max_error": m.checks.max_error, "worst_keypoint": m.checks.worst,
            }
            for m in made
        ],
    }  # fmt: skip


def write(report: dict, out: str | Path) -> None:
    """report.json, report.md and report.html in OUT."""
    from jinja2 import Environment, PackageLoader

    out = Path(out)
    environment = Environment(
        loader=PackageLoader("convert"),
        autoescape=lambda name: name is not None and "html" in name,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=lambda v: f"{100 * v:.1f}", points=_points, kilobytes=lambda v: f"{v / 1000:.0f}", verdict_of=verdict_of
    )
    shared = {"report": report, "truth": TRUTH, "alphas": [str(a) for a in ALPHAS]}
    write_json(out / "report.json", report)
    write_text(out / "report.md", environment.get_template("report.md").render(**shared))
    write_text(out / "report.html", environment.get_template("report.html").render(**shared, chart=_chart(report)))


def read(out: str | Path) -> dict:
    """The report in OUT. Raises ClimbEdgeError when there is none."""
    path = existing_file(Path(out) / "report.json", "a report of `python -m convert`")
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ClimbEdgeError(f"{path}: damaged ({error}); convert the run again") from error
    if not isinstance(report, dict) or report.get("schema") != SCHEMA:
        raise ClimbEdgeError(f"{path}: expected a report of schema {SCHEMA}; convert the run again")
    return report


def tables(report: dict) -> str:
    """The report's two short tables as plain text."""
    test, lines = report["test"], []
    for claim in report["claims"]:
        lines.append(
            f"PCK in %, {TRUTH[test['truth']]}, {claim['frames']} held-back frames, delay {claim['delay']}: {claim['name']}"
        )
        for label, key in (("estimator alone", "raw"), ("refined", "refined")):
            lines.append(f"  {label:18}" + "".join(f"@{a} {100 * v[0]:5.1f}   " for a, v in claim[key].items()))
        lines.append("  " + verdict_of(claim))
    lines.append(
        f"{'file':42}{'verdict':10}{'kB':>6}{'ms':>8}   PCK change in points against Keras, {report['generated']['clips']} generated clips"
    )
    for file in report["files"]:
        row = next(r for r in file["rows"] if r["set"] == "generated" and r["decode"] == "dark")
        change = " ".join(f"{v[0]:+7.2f}" for v in row["drop"].values())
        lines.append(
            f"{file['file']:42}{file['verdict']:10}{file['bytes'] / 1000:6.0f}{file['speed'][0]['median_ms']:8.2f}   {change}"
        )
    return "\n".join(lines)


def verdict_of(claim: dict) -> str:
    """One sentence: where refining helps on the held-back frames, and where it does not."""
    won, lost = ([f"@{a}" for a, w in claim["wins"].items() if w == side] for side in (True, False))
    better = f"refined is better at {', '.join(won)}" if won else "refined is better nowhere"
    return better + (f"; it is NOT better at {', '.join(lost)}" if lost else "")


def _points(change) -> str:
    value, low, high = change
    return f"{value:+.2f}" if not np.isfinite(low) else f"{value:+.2f} ({low:+.2f} to {high:+.2f})"


def _chart(report: dict) -> str:
    """PCK@0.1 on generated clips against milliseconds per frame; area = file size. A PNG as a data address."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 3.8), layout="constrained")
    axes = figure.subplots()
    colours = {"float32": "#4c6a92", "float16": "#3a9188", "dynamic_int8": "#d98032", "int8": "#b5485d"}
    for file in report["files"]:
        row = next(r for r in file["rows"] if r["set"] == "generated" and r["decode"] == "dark")
        x, y = file["speed"][0]["median_ms"], 100 * row["pck"]["0.1"][0]
        axes.scatter(x, y, s=file["bytes"] / 1500 + 10, color=colours.get(file["recipe"], "#777"), alpha=0.75)
        axes.annotate(
            f"{file['recipe']} {file['emits']}", (x, y), fontsize=7, xytext=(5, 5), textcoords="offset points"
        )
    axes.set(
        xlabel="milliseconds per emitted frame, 1 CPU thread",
        ylabel="PCK@0.1, %, generated clips",
        xscale="log",
    )
    axes.spines[["top", "right"]].set_visible(False)
    picture = io.BytesIO()
    figure.savefig(picture, dpi=130, format="png")
    return "data:image/png;base64," + base64.b64encode(picture.getvalue()).decode()
