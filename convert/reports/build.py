"""The report: one dictionary, as JSON for machines, Markdown for pull requests, HTML for people."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from climb_edge.evaluation.pck import ALPHAS
from climb_edge.files.atomic import write_json, write_text
from convert.checks.verdict import Check, blame, no_parity, worst_of
from convert.reports import formatting
from convert.reports.schema import SCHEMA
from train.studies.page import environment

if TYPE_CHECKING:  # TensorFlow comes with these; to read, show or compare reports takes none
    from convert.pipeline.conversion import Conversion, ConvertedFile


def build(run: Conversion) -> dict:
    """Everything the renderings show, from one place."""
    from convert.checks.parity import EDGES

    test, generated = run.sets
    files = [_file(m, run.config["model"]) for m in run.made]
    return {
        "schema": SCHEMA,
        "verdict": worst_of(f["verdict"] for f in files),
        "skipped": skipped(files),
        "run": {
            "path": str(run.path),
            **{k: run.config[k] for k in ("model", "init", "data", "noise", "seed", "data_sha256")},
        },
        "test": {
            "windows": len(test.indices),
            "clips": test.clips,
            "truth": test.truth,
            "inputs": test.source.inputs_from,
            "source": test.source.clips.source,
        },
        "generated": {"windows": len(generated.indices), "clips": generated.clips},
        "said": run.said,
        "claims": run.claims,
        "histogram_edges": [e for e in EDGES if e < float("inf")],
        "files": files,
    }


def file_row(file: str, checks: list[Check], content: bytes, **known) -> dict:
    """One file of the report: its checks and their figures, whatever they came to, and what is
    `known` besides.

    What a check did not come to is absent from `checks`, and its figures are empty.
    """
    figures = {c.name: c.figures for c in checks}
    cpu, shown, types = (figures.get(name, {}) for name in ("cpu", "parity", "types"))
    return {
        "file": file,
        "written": False,
        **dict.fromkeys(("model", "form", "emits", "recipe", "quantizer")),
        **{key: [] for key in ("candidates", "left_in_float", "sensitivity")},
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "verdict": worst_of(c.verdict for c in checks),
        "reasons": blame(checks),
        "checks": [{"name": c.name, "verdict": c.verdict, "reasons": c.reasons} for c in checks],
        **(shown or no_parity()),
        "cpu": {k: v for k, v in cpu.items() if k != "saturation"},
        "saturation": cpu.get("saturation", []),
        "weight_ratio": types.get("weight_ratio"),
        "quantized_ops": types.get("ops", []),
        "load": figures.get("load", {}),
        "gpu": [figures["gpu"]] if figures.get("gpu") else [],
        "stream": figures.get("stream", {}),
        "second": figures.get("second", {}),
        "speed": figures.get("speed", {}).get("rows", []),
        **known,
    }


def _file(converted: ConvertedFile, model: str) -> dict:
    return file_row(
        converted.file,
        converted.checks,
        converted.graph.content,
        written=converted.written,
        model=model,
        form=converted.graph.form,
        emits=converted.graph.emits,
        recipe=converted.recipe.name,
        quantizer=converted.recipe.quantizers[0],
        candidates=converted.candidates,
        left_in_float=list(converted.mixed.floats) if converted.mixed else [],
        sensitivity=converted.sensitivity,
    )


def skipped(files: list[dict]) -> list[str]:
    """The checks that some file went without."""
    return sorted({c["name"] for f in files for c in f["checks"] if c["verdict"] == "skipped"})


def headline(report: dict) -> str:
    """The verdict in a few words, with what it was reached without."""
    without = f" (skipped: {', '.join(report['skipped'])})" if report["skipped"] else ""
    return report["verdict"] + without


def write(report: dict, out: str | Path) -> None:
    """report.json, report.md and report.html in OUT, the latter two of what stands in the first."""
    from convert.reports import drawings

    out = Path(out)
    write_json(out / "report.json", report)
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    templates = environment("convert")
    filters = ("percent", "points", "number", "kilobytes", "times", "heat", "plain")
    for name in (*filters, "verdict_of", "kept_because"):
        templates.filters[name] = getattr(formatting, name)
    templates.filters |= {"histogram": drawings.histogram, "windows": drawings.windows}
    shared = {
        "report": report,
        "headline": headline(report),
        "sets": formatting.sets(report),
        "checks": formatting.check_names(report),
        "worth": formatting.worth,
        "alphas": [str(a) for a in ALPHAS],
        "parity_row": formatting.parity_row,
        "checked": formatting.checked,
        "signs": formatting.SIGNS,
        "change": formatting.CHANGE,
        "chart": drawings.chart(report),
    }
    for name in ("report.md", "report.html"):
        write_text(out / name, templates.get_template(name).render(**shared))


def tables(report: dict) -> str:
    """The report's two short tables as plain text, and why what did not pass did not."""
    lines = []
    for claim in report["claims"]:
        lines.append(
            f"PCK in %, {formatting.worth(report['test'])}, {claim['frames']} held-back frames,"
            f" delay {claim['delay']}: {claim['name']}"
        )
        for label, key in (("estimator alone", "raw"), ("refined", "refined")):
            shares = "".join(
                f"@{a} {formatting.percent(v[0]):>5}   " for a, v in claim[key].items()
            )
            lines.append(f"  {label:18}{shares}")
        lines.append("  " + formatting.verdict_of(claim))
    lines += [f"cannot be checked: {sentence}" for sentence in report.get("cannot", [])]
    lines += report.get("said", [])
    clips = (report["generated"] or {}).get("clips")
    of = f", {clips} generated clips" if clips else ""
    wide = max([41, *(len(f["file"]) for f in report["files"])]) + 1
    lines.append(
        f"{'file':{wide}}{'verdict':10}{'kB':>6}{'ms':>8}   PCK change in points against Keras{of}"
    )
    for file in report["files"]:
        row = formatting.parity_row(file)
        drops = row["drop"].values() if row else ()
        change = (
            " ".join(f"{formatting.number(v[0], formatting.CHANGE):>7}" for v in drops) or "not run"
        )
        ms = formatting.number(file["speed"][0]["median_ms"], ".2f") if file["speed"] else "-"
        size = formatting.kilobytes(file["bytes"])
        lines.append(f"{file['file']:{wide}}{file['verdict']:10}{size:>6}{ms:>8}   {change}")
    lines += [
        f"{f['file']}: {f['verdict']}: {f['reasons'][0]}" for f in report["files"] if f["reasons"]
    ]
    return "\n".join([*lines, f"verdict: {headline(report)}"])
