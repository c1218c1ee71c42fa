"""`tables`: the study's own tables, as Markdown, CSV and HTML with plots, from finished studies and
single runs.

Cells that were measured on the same data by the same split stand in one section; nothing else is
mixed. Readings and averages are those of `train.fitting.scoring` and `climb_edge.evaluation.pck`:
`ours` is sub-pixel against exact truth, `study` is argmax against truth in whole cells; `pooled` is
over all keypoints, `study` the mean over batches.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from climb_edge.files.atomic import write_csv
from climb_edge.files.truth import WORDS
from train.studies import comparison, observations, plots, published
from train.studies.cells import Section, read
from train.studies.groups import detail_lines, detail_table, group_lines, group_table
from train.studies.page import OURS, THEIRS, Page, between
from train.studies.rows import rows_of

TITLES = {
    "pretrain": "Pretraining",
    "finetune": "Finetuning",
    "test": "test",
    "held_out": "held-out video",
}
SPLITS = {
    "mission": (
        "Every test frame also stands in training windows: these figures say how well a refiner"
        " knows its training videos."
    ),
    "by-window": "Windows were shuffled: neighbours in time of test windows stand in training.",
}
_SCALARS = {1: ("1.1", "1.2", "1.3"), 2: ("2.1", "2.2", "2.3")}


def write(paths: Iterable[str | Path], out: str | Path) -> list[Path]:
    """Tables, a CSV for each and the plots in `out`; returns the files. Raises ClimbEdgeError."""
    study, out, files = read(paths), Path(out), []
    names = dict.fromkeys(c.study or str(c.path) for c in study.cells)
    page = Page("Tables of " + ", ".join(names))
    page.text(
        "PCK in %, in heatmap cells. Shown first: ours, sub-pixel keypoints against exact truth,"
        " pooled over all keypoints. Beside it the study's own way: argmax against truth in whole"
        " cells, mean over batches of 16 frames. The CSV files hold all four combinations. Of"
        " several seeds the mean is shown. Bold: the best of a column among ours. Rows marked"
        f" “{published.MARK}” are the study's, on its own data, and compete with nothing here."
    )
    for number, section in enumerate(study.sections):
        again = [s.phase for s in study.sections[:number]].count(section.phase)
        slug = section.phase + (f"-{again + 1}" if again else "")
        for part in section.parts:
            files += _part(page, section, part, out, f"{slug}-{part}")
        page.heading(f"{TITLES[section.phase]}: cost and curves")
        page.table(comparison.cost_table(section.cells))
        page.text(
            "Milliseconds: the training form in Keras on the machine that trained, which may have"
            " been busy; not the deployed file."
        )
        files.append(_csv(out / f"{slug}-cost.csv", comparison.cost_lines(section.cells)))
        for label in section.models:
            cells = [c for c in section.cells if c.label == label]
            own = {s: [c for c in cells if c.setup == s] for s in section.setups}
            name = re.sub(r"\W+", "_", label)
            files.append(plots.curves(out / f"{slug}-curves-{name}.png", label, own))
            page.picture(
                files[-1], f"{label}: loss and validation PCK by epoch, dotted: the best epoch"
            )
    return files + page.write(out)


def _part(page: Page, section: Section, part: str, out: Path, slug: str) -> Iterator[Path]:
    """Tables 1 to 4, changes, details and the plot of one part of a section; yields the files."""
    rows = rows_of(section, part)
    theirs = published.beside(section.phase, part, section.about("truth"))
    page.heading(f"{TITLES[section.phase]}, {TITLES[part]}")
    _about(page, section, part)
    tables = [
        ((f"Table {k}: {of}", f"Table {k + 2}: {of}"), (f"{k}", f"{k + 2}"), six, theirs)
        for k, six in _SCALARS.items()
        if {*six} & {*section.setups} and (of := f"shifting-scalar {k}")
    ]
    if other := tuple(s for s in section.setups if s not in published.SETUPS):
        titles = ("Other input", "Keypoint groups: other input")
        tables.append((titles, ("other", "other-groups"), other, ()))
    for (title, groups), names, setups, beside in tables:
        page.heading(title, 3)
        page.text("Ours: sub-pixel, exact truth, pooled.")
        page.table(comparison.pck_table(rows, setups, OURS, beside))
        page.text("The study's own way: argmax, whole cells, mean over batches.")
        page.table(comparison.pck_table(rows, setups, THEIRS, beside))
        if beside:
            data, cells = published.KINDS[section.phase, part]
            page.text(
                f"{published.MARK}: {data}; mean thresholds {cells[0]:.2f}, {cells[1]:.2f} and"
                f" {cells[2]:.2f} cells; always the study's own way."
            )
        lines = comparison.pck_lines(rows, setups, beside)
        yield _csv(out / f"{slug}-table{names[0]}.csv", lines)
        page.heading(f"{groups}, PCK@0.2 by keypoint group", 3)
        page.text(
            "Ours: sub-pixel, exact truth, pooled. Of several seeds the mean (least .. most)."
        )
        page.table(group_table(rows, setups, OURS))
        page.text("The study's own way: argmax, whole cells, mean over batches.")
        page.table(group_table(rows, setups, THEIRS))
        yield _csv(out / f"{slug}-table{names[1]}.csv", group_lines(rows, setups))
    if part == "held_out":
        page.heading("Best setup of each model", 3)
        page.table(comparison.best_table(rows, section.setups))
    yield plots.points(out / f"{slug}-pck.png", section.setups, rows)
    page.picture(
        out / f"{slug}-pck.png",
        "PCK by row and setup, ours and pooled, with 95 % intervals over clips",
    )
    page.heading("What each setup changed", 3)
    if {*section.setups} & {*published.SETUPS}:
        changes = list(comparison.change_lines(rows, theirs))
        page.table(comparison.change_table(changes))
        yield _csv(out / f"{slug}-changes.csv", changes)
        whose = {"ours": comparison.points_of_rows(rows)}
        for v in ("mission", "final") if theirs else ():
            whose[f"{published.MARK}; {v}"] = observations.points_of(theirs, v)
        page.lines(
            f"{observation}: {verdict} ({name}): {why}."
            for name, points in whose.items()
            for observation, verdict, why in observations.sentences(points)
        )
        page.text(observations.RULE + " The study observed it of finetuned models.")
    else:
        page.text("not shown: none of the study's six setups is here.")
    page.heading("Every seed: 95 % interval over clips, jitter, lag", 3)
    page.text(
        "Jitter: mean second difference in cells per frame², of the row and of the truth. Lag:"
        " positive is late; sought within 2 frames, so that a row which hardly moves within its"
        " windows may show that end, or none."
    )
    page.table(detail_table(rows, section.setups))
    yield _csv(out / f"{slug}-details.csv", detail_lines(rows, section.setups))


def _about(page: Page, section: Section, part: str) -> None:
    """What was measured, on what, and what is missing."""
    done = [c for c in section.cells if c.metrics]
    if done:
        windows = between([c.metrics["windows"][part] for c in done], ",")
        rule = section.about("split")["rule"]
        inputs = ", ".join(
            i or "not stated" for i in dict.fromkeys(c.metrics.get("inputs") for c in done)
        )
        page.text(
            f"{section.about('data')}; {WORDS[section.about('truth')]}; inputs {inputs};"
            f" {windows} windows, {section.about('frames')}; split {rule}; box"
            f" {section.about('box')}. {SPLITS.get(rule, '')}"
        )
    splits: dict[tuple, set] = {}
    for c in done:
        splits.setdefault((c.setup, c.seed), set()).add(c.metrics["split"]["sha256"])
    page.lines(
        f"{s}, seed {n}: its rows were measured on different windows and do not compare"
        for (s, n), found in splits.items()
        if len(found) > 1
    )
    page.lines(
        f"{c.label} {c.setup}, seed {c.seed}: {f'{c.state}: ' * (c.state != 'done')}{c.reason}"
        for c in section.cells
        if c.state != "done" or c.reason
    )
    tuned = {
        f"{c.setup}, seed {c.seed}": c.metrics["filters"] for c in done if c.metrics["filters"]
    }
    page.lines(
        f"filters, tuned on validation windows, {where}: {', '.join(map(str, f.values()))}"
        for where, f in tuned.items()
    )


def _csv(path: Path, lines: Iterable[dict]) -> Path:
    """Lines as a CSV with every column that one of them has; NaN is an empty place."""
    lines = [{k: "" if v != v else v for k, v in line.items()} for line in lines]
    write_csv(path, lines, dict.fromkeys(k for line in lines for k in line))
    return path
