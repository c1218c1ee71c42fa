"""A page of tables and pictures, as Markdown and as HTML."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from climb_edge.evaluation import pck
from climb_edge.files.atomic import write_text

ALPHAS = tuple(map(str, pck.ALPHAS))
# (reading, averaging): what is shown, and the study's own
OURS, THEIRS = ("ours", "pooled"), ("study", "study")
VARIANTS = (OURS, THEIRS, ("ours", "study"), ("study", "pooled"))


@dataclass(frozen=True)
class Mark:
    """One place of a table. theirs: a published figure, never the best of anything."""

    text: str
    bold: bool = False
    theirs: bool = False


@dataclass(frozen=True)
class Table:
    """Columns under optional groups (text, number of columns); a row is as long as `columns`."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Mark, ...], ...]
    groups: tuple[tuple[str, int], ...] = ()

    def markdown(self) -> str:
        lines = [self.columns]
        # Markdown has one header row: the groups take it, the columns follow as the first line
        if self.groups:
            lines = [
                [t for text, span in self.groups for t in (text, *[""] * (span - 1))],
                self.columns,
            ]
        shown = [[_escaped(text) for text in line] for line in lines]
        shown.insert(1, ["---", *["---:"] * (len(self.columns) - 1)])
        for row in self.rows:
            wraps = ["**" if m.bold else "*" if m.theirs else "" for m in row]
            shown.append(
                [
                    w + _escaped(m.text) + w if m.text else ""
                    for m, w in zip(row, wraps, strict=True)
                ]
            )
        return "\n".join("| " + " | ".join(line) + " |" for line in shown)


@dataclass
class Page:
    """What is told, in order; rendered twice."""

    title: str
    blocks: list[dict] = field(default_factory=list)

    def heading(self, text: str, level: int = 2) -> None:
        self.blocks.append({"kind": "heading", "text": text, "level": level})

    def text(self, text: str) -> None:
        self.blocks.append({"kind": "text", "text": text})

    def lines(self, lines: list[str]) -> None:
        if lines:
            self.blocks.append({"kind": "lines", "lines": lines})

    def table(self, table: Table) -> None:
        self.blocks.append({"kind": "table", "table": table})

    def picture(self, path: Path, text: str) -> None:
        self.blocks.append({"kind": "picture", "path": path, "text": text})

    def markdown(self) -> str:
        shown = [f"# {_escaped(self.title)}"]
        for block in self.blocks:
            match block["kind"]:
                case "heading":
                    shown.append("#" * block["level"] + " " + _escaped(block["text"]))
                case "text":
                    shown.append(_escaped(block["text"]))
                case "lines":
                    shown.append("\n".join("- " + _escaped(line) for line in block["lines"]))
                case "table":
                    shown.append(block["table"].markdown())
                case "picture":
                    shown.append(f"![{_escaped(block['text'])}]({block['path'].name})")
        return "\n\n".join(shown) + "\n"

    def write(self, out: Path) -> list[Path]:
        """tables.md, which names its pictures, and tables.html, which holds them."""
        from jinja2 import Environment, PackageLoader

        environment = Environment(
            loader=PackageLoader("train"), autoescape=True, trim_blocks=True, lstrip_blocks=True
        )
        environment.filters["embedded"] = lambda p: base64.b64encode(p.read_bytes()).decode()
        write_text(out / "tables.md", self.markdown())
        write_text(out / "tables.html", environment.get_template("tables.html").render(page=self))
        return [out / "tables.md", out / "tables.html"]


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is: reasons and paths come from elsewhere."""
    text = html.escape(" ".join(text.split()), quote=False)
    return "".join("\\" + c if c in "\\|*`[]" else c for c in text)


def percent(share: float) -> str:
    """A share in %: one decimal, two below 10."""
    return f"{100 * share:.{2 if round(100 * share, 2) < 10 else 1}f}"


def number(value: float, form: str = ".2f") -> str:
    return format(value, form) if math.isfinite(value) else "–"


def bold(
    columns: Sequence[Sequence[float]], texts: Sequence[Sequence[str]]
) -> Iterator[list[Mark]]:
    """Texts as marks, by row; the highest of each column is bold, with all that print the same. NaN
    is never best.
    """
    best = []
    for values, shown in zip(zip(*columns, strict=True), zip(*texts, strict=True), strict=True):
        known = [(v, t) for v, t in zip(values, shown, strict=True) if math.isfinite(v)]
        best.append({max(known)[1]} if known else set())
    for values, shown in zip(columns, texts, strict=True):
        every = zip(values, shown, best, strict=True)
        yield [Mark(t, bold=math.isfinite(v) and t in top) for v, t, top in every]


def detail_lines(rows: list, setups: tuple[str, ...]) -> Iterator[dict]:
    """Every seed of every row: PCK in % with its interval over clips, ours and pooled;
    jitter; lag.
    """
    for row, setup in ((r, s) for s in setups for r in rows):
        for e in (e for e in row.entries.get(setup, ()) if e.figures):
            line = {"setup": setup, "row": row.label, "seed": e.seed}
            for a in ALPHAS:
                three = (100 * v for v in e.figures["ours"]["pooled"][a])
                line |= dict(zip((f"@{a}", f"@{a} low", f"@{a} high"), three, strict=True))
            yield line | {k: e.figures[k] for k in ("jitter", "truth_jitter", "lag_ms")}


def detail_table(rows: list, setups: tuple[str, ...]) -> Table:
    """The lines of `detail_lines`; after several seeds their spread."""
    lines, forms = [], {"jitter": ".3f", "truth_jitter": ".3f", "lag_ms": "+.1f"}
    for row, setup in ((r, s) for s in setups for r in rows):
        for line in detail_lines([row], (setup,)):
            told = (
                with_bounds(line[f"@{a}"], line[f"@{a} low"], line[f"@{a} high"], "to")
                for a in ALPHAS
            )
            moves = (number(line[k], form) for k, form in forms.items())
            lines.append((setup, row.label, str(line["seed"]), *told, *moves))
        spread = [row.values(setup, OURS, a) for a in ALPHAS]
        if len(spread[0]) > 1:
            told = (
                with_bounds(*(100 * v for v in (sum(vs) / len(vs), min(vs), max(vs))), "..")
                for vs in spread
            )
            lines.append(
                (setup, row.label, f"mean of {len(spread[0])} (min .. max)", *told, "", "", "")
            )
    names = (
        "setup",
        "row",
        "seed",
        *(f"@{a}" for a in ALPHAS),
        "jitter",
        "truth's jitter",
        "lag, ms",
    )
    return Table(names, tuple(tuple(map(Mark, line)) for line in lines))


def with_bounds(value: float, low: float, high: float, word: str) -> str:
    if not math.isfinite(value):
        return "–"
    around = f" ({percent(low / 100)} {word} {percent(high / 100)})" if math.isfinite(low) else ""
    return percent(value / 100) + around
