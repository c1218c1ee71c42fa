"""A page of tables and pictures, as Markdown and as HTML."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Iterable, Iterator, Sequence
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


@dataclass
class Table:
    """Columns under optional groups (text, number of columns); a row is as long as `columns`, its
    places are marks, or text that is none.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str | Mark]]
    groups: Sequence[tuple[str, int]] = ()

    def __post_init__(self):
        self.rows = [[m if isinstance(m, Mark) else Mark(m) for m in row] for row in self.rows]


@dataclass
class Page:
    """What is shown, in order; rendered twice (train/templates)."""

    title: str
    blocks: list[dict] = field(default_factory=list)

    def heading(self, text: str, level: int = 2) -> None:
        self.blocks.append({"kind": "heading", "text": text, "level": level})

    def text(self, text: str) -> None:
        self.blocks.append({"kind": "text", "text": text})

    def lines(self, lines: Iterable[str]) -> None:
        if lines := list(lines):
            self.blocks.append({"kind": "lines", "lines": lines})

    def table(self, table: Table) -> None:
        self.blocks.append({"kind": "table", "table": table})

    def picture(self, path: Path, text: str) -> None:
        self.blocks.append({"kind": "picture", "path": path, "text": text})

    def write(self, out: Path) -> list[Path]:
        """tables.md, which names its pictures, and tables.html, which holds them."""
        templates = environment("train")
        templates.filters["plain"] = _plain
        templates.filters["embedded"] = lambda p: base64.b64encode(p.read_bytes()).decode()
        written = [out / "tables.md", out / "tables.html"]
        for path in written:
            write_text(path, templates.get_template(path.name).render(page=self))
        return written


def environment(package: str):
    """The templates of a package, for jinja2: HTML is escaped, lines of control leave no trace."""
    from jinja2 import Environment, PackageLoader, select_autoescape

    of, escape = PackageLoader(package), select_autoescape()
    return Environment(loader=of, autoescape=escape, trim_blocks=True, lstrip_blocks=True)


def _plain(text: str) -> str:
    """Text that Markdown shows as it is: reasons and paths come from elsewhere."""
    text = html.escape(" ".join(text.split()), quote=False)
    return "".join("\\" + c if c in "\\|*`[]" else c for c in text)


def percent(share: float) -> str:
    """A share in %: one decimal, two below 10."""
    return f"{100 * share:.{2 if round(100 * share, 2) < 10 else 1}f}"


def number(value: float, form: str = ".2f") -> str:
    return format(value, form) if math.isfinite(value) else "–"


def between(values: Sequence[float], form: str = ".2f") -> str:
    """The least and the largest value that is a number, once where they read the same."""
    known = [v for v in values if math.isfinite(v)] or [math.nan]
    return " to ".join(dict.fromkeys(number(v, form) for v in (min(known), max(known))))


def with_bounds(value: float, low: float, high: float, word: str) -> str:
    """A percentage (0 to 100) and, where they are numbers, its bounds."""
    if not math.isfinite(value):
        return "–"
    around = f" ({percent(low / 100)} {word} {percent(high / 100)})" if math.isfinite(low) else ""
    return percent(value / 100) + around


def spread(seeds: Sequence[float]) -> tuple[float, float, float]:
    """Mean, least and largest of shares, as percentages."""
    return 100 * sum(seeds) / len(seeds), 100 * min(seeds), 100 * max(seeds)


def bold(
    columns: Sequence[Sequence[float]], texts: Sequence[Sequence[str]]
) -> Iterator[list[Mark]]:
    """Texts as marks, by row; the best of each column is bold, with all that print the same."""
    best = []
    for values, shown in zip(zip(*columns, strict=True), zip(*texts, strict=True), strict=True):
        known = [(v, t) for v, t in zip(values, shown, strict=True) if math.isfinite(v)]
        best.append({max(known)[1]} if known else set())
    for values, shown in zip(columns, texts, strict=True):
        every = zip(values, shown, best, strict=True)
        yield [Mark(t, bold=math.isfinite(v) and t in top) for v, t, top in every]
