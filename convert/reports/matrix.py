"""`convert matrix`: the files of several conversions in one table, model x form x recipe, no cell
left blank.
"""

from __future__ import annotations

from climb_edge.errors import ClimbEdgeError
from climb_edge.evaluation.pck import ALPHAS
from convert.quantization.recipes import RECIPES, support
from convert.reports.formatting import number, parity_row, plain, points, worth


def markdown(reports: list[dict]) -> str:
    """Tables of reports (`report.read_report`), one per form. Raises ClimbEdgeError where two are
    of one model.
    """
    if any(report["run"] is None for report in reports):
        raise ClimbEdgeError(
            "a report on somebody else's file has no place in a matrix; name reports of runs"
        )
    models = [report["run"]["model"] for report in reports]
    if twice := [m for m in models if models.count(m) > 1]:
        raise ClimbEdgeError(f"{twice[0]}: two reports are of this model; name one of each")
    forms = list(dict.fromkeys(f"{f['form']}-{f['emits']}" for r in reports for f in r["files"]))
    lines = []
    for form in forms:
        lines += [
            f"## {form}",
            "",
            "| model | recipe | verdict | quantizer | kB | ms, 1 thread (naive) | "
            + " | ".join(f"{tests} @{a}" for tests in ("test", "generated") for a in ALPHAS)
            + " | GPU | second runtime | why |",
            "|---|---|---|---|---|---|" + "---|" * 2 * len(ALPHAS) + "---|---|---|",
        ]
        for report in reports:
            made = {f["recipe"]: f for f in report["files"] if f"{f['form']}-{f['emits']}" == form}
            lines += [
                _row(report["run"]["model"], form, recipe, made.get(recipe)) for recipe in RECIPES
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
        return (
            f"| {model} | {recipe} | {said[0]} |" + " – |" * (5 + 2 * len(ALPHAS)) + f" {said[1]} |"
        )
    checks = {c["name"]: c["verdict"] for c in file["checks"]}
    changes = []
    for tests in ("test", "generated"):
        row = parity_row(file, tests)
        changes += [points(row["drop"][str(a)]) if row else "not run" for a in ALPHAS]
    speed = file["speed"][0] if file["speed"] else None
    gpu = file["gpu"][0] if file["gpu"] else {}
    taken = (
        f" {gpu['nodes']}/{gpu['total']}, {gpu['max_error']:.1e}"
        if gpu.get("max_error") is not None
        else ""
    )
    second = file["second"].get("max_error")
    cells = [
        model,
        recipe,
        file["verdict"],
        file["quantizer"],
        f"{file['bytes'] / 1000:.0f}",
        (
            f"{number(speed['median_ms'])} ({number(speed['naive_ms'], '.1f')})"
            if speed
            else "skipped"
        ),
        *changes,
        f"{checks.get('gpu', 'not run')}{taken}",
        checks.get("second", "not run") + (f" {second:.1e}" if second is not None else ""),
        file["reasons"][0] if file["reasons"] else "",
    ]
    return "| " + " | ".join(plain(c) for c in cells) + " |"
