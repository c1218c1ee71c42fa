"""The table of recipes as README.md has it."""

from collections.abc import Iterable

from convert.quantization.recipes import RECIPES, SUPPORT, support


def support_table(models: Iterable[str]) -> str:
    """The table of README.md: models x recipes, with the reason of what is not plainly supported
    below it.
    """
    lines = ["| model | " + " | ".join(RECIPES) + " |", "|---|" + "---|" * len(RECIPES)]
    reasons: dict[str, int] = {}
    for model in models:
        cells = []
        for recipe in RECIPES:
            status, reason = support(model, "", recipe)
            if not reason and (
                partly := [s for s in SUPPORT if s.forms and s.covers(model, s.forms[0], recipe)]
            ):
                status, reason = "some forms", partly[0].reason
            note = f" ({reasons.setdefault(reason, len(reasons) + 1)})" if reason else ""
            cells.append({"supported": "yes"}.get(status, status) + note)
        lines.append(f"| {model} | " + " | ".join(cells) + " |")
    return "\n".join(lines + [""] + [f"({number}) {reason}." for reason, number in reasons.items()])
