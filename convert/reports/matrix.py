"""`convert matrix`: files of several conversions in one table, model x form x recipe, no gaps."""

from __future__ import annotations

from climb_edge.errors import ClimbEdgeError
from climb_edge.evaluation.pck import ALPHAS
from convert.quantization.recipes import RECIPES, support
from convert.reports.formatting import number, parity_row, plain, points, worth


def markdown(reports: list[dict]) -> str:
    """Tables of reports, one per form. Raises ClimbEdgeError where two are of one model."""
    if any(report["run"] is None for report in reports):
        raise ClimbEdgeError(
            "a report on somebody else's file has no place in a matrix; name reports of runs"
        )
    models = [report["run"]["model"] for report in reports]
    if twice := [m for m in models if models.count(m) > 1]:
        raise ClimbEdgeError(f"{twice[0]}: two reports are of this model; name one of each")
    forms = list(dict.fromkeys(f"{f['form']}-{f['emits']}" for r in reports for f in r["files"]))
    lines, changes = [], [f"{tests} @{a}" for tests in ("test", "generated") for a in ALPHAS]
    heads = ["model", "recipe", "verdict", "quantizer", "kB", "ms, 1 thread (naive)", *changes]
    heads += ["GPU", "second runtime", "why"]
    for form in forms:
        lines += [f"## {form}", "", f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
        for report in reports:
            files = {f["recipe"]: f for f in report["files"] if f"{f['form']}-{f['emits']}" == form}
            lines += [
                _row(report["run"]["model"], form, recipe, files.get(recipe)) for recipe in RECIPES
            ]
        lines.append("")
    for report in reports:
        test = report["test"]
        lines.append(
            f"- {report['run']['model']}: {test['windows']} test windows of {test['clips']} clips"
            f" ({worth(test)}: {test['source']}), {report['generated']['windows']}"
            f" generated of {report['generated']['clips']}."
        )
    return "\n".join(lines)


def _row(model: str, form: str, recipe: str, file: dict | None) -> str:
    if file is None:
        status, reason = support(model, form, recipe)
        said = (status, reason) if status == "refused" else ("not run", "not asked for")
        if status != "refused" and (aware := RECIPES[recipe].aware):
            said = "not trained", f"wants a run of train finetune --qat {aware}"
        return f"| {model} | {recipe} | {said[0]} |{' – |' * (5 + 2 * len(ALPHAS))} {said[1]} |"
    checks = {c["name"]: c["verdict"] for c in file["checks"]}
    cells = [model, recipe, file["verdict"], file["quantizer"], f"{file['bytes'] / 1000:.0f}"]
    times = [f"{number(s['median_ms'])} ({number(s['naive_ms'], '.1f')})" for s in file["speed"]]
    cells += times[:1] or ["skipped"]
    for tests in ("test", "generated"):
        row = parity_row(file, tests)
        cells += [points(row["drop"][str(a)]) if row else "not run" for a in ALPHAS]
    cells.append(checks.get("gpu", "not run"))
    if (gpu := file["gpu"][0] if file["gpu"] else {}).get("max_error") is not None:
        cells[-1] += f" {gpu['nodes']}/{gpu['total']}, {gpu['max_error']:.1e}"
    cells.append(checks.get("second", "not run"))
    if (second := file["second"].get("max_error")) is not None:
        cells[-1] += f" {second:.1e}"
    cells += file["reasons"][:1] or [""]
    return "| " + " | ".join(plain(c) for c in cells) + " |"
