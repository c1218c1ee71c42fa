"""`look`: the test windows of a run, or of several seeds, looked at closely: gains in one frame, by
keypoint and pace, and whether its score is true.

Gains are paired, over the input as it is decoded, with 95 % intervals over clips; filters are tuned
on validation windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from climb_edge.errors import ClimbEdgeError
from climb_edge.evaluation.pck import ALPHAS, Score, drop
from climb_edge.files.json_file import read_json
from train.fitting.run_folder import Run
from train.fitting.scoring import Measured
from train.inspection import reliability
from train.inspection.looked import EMITTED, Looked, method_of, paces, score
from train.models import registry


def look(paths: Sequence[Path], beside: Sequence[Path] = (), plot: Path | None = None) -> str:
    """Markdown tables of the run `paths[0]`, with gains over it and over the runs `beside` it, or
    of several together.

    Several are seeds of one training: a clip that more than one of them tests is one clip for the
    intervals, and what is beside them stands beside the one whose split it has. `plot`: a PNG of
    how true the model's score is.

    Raises ClimbEdgeError for what is no finished run, has no test windows, or was split otherwise
    than the run it is beside, for runs of two models, and for the plot of a model that gives no
    score.
    """
    if plot:
        definition = registry.get(Run.open(paths[0]).config()["model"])
        if definition.build().output_shape[-1] != 3:
            raise ClimbEdgeError(
                f"--plot {plot}: {definition.name} gives no score to plot; leave it away"
            )
    if len(names := sorted({Run.open(path).config()["model"] for path in paths})) > 1:
        raise ClimbEdgeError(
            f"{paths[0]}: expected runs of one model, found {', '.join(names)}; use --beside"
        )
    seen = [*map(Looked.at, paths, _dealt(paths, beside))]
    it = seen[0] if len(seen) == 1 else Looked.pooled(seen)
    refined, others = it.rows[it.name], {name: m for name, m in it.rows.items() if name != it.name}
    tables = [_gains(it.given, it.rows, emits) for emits in EMITTED]
    tables += [_over(it.name, refined, others, emits) for emits in EMITTED]
    tables += [_paces(it.given, it.rows), _keypoints(it.given, refined)]
    if refined.sure:  # the model gives a score
        rows = reliability.tenths(refined)
        tables.append(reliability.table(rows))
        if plot:
            windows = f"{sum(map(len, refined.truth))} windows of {len(refined.truth)} clips"
            reliability.plot(plot, rows, f"{it.name}: {windows}")
    return "\n\n".join([it.about, *tables]) + "\n"


def _dealt(paths: Sequence[Path], beside: Sequence[Path]) -> list[list[Path]]:
    """For each run those beside it: of several runs, those of its split, one of every model."""
    if len(paths) == 1:
        return [list(beside)]
    splits = [_split_of(path) for path in paths]
    for other in beside:
        if _split_of(other) not in splits:
            raise ClimbEdgeError(
                f"--beside {other}: has the split of none of the {len(paths)} runs; train it with"
                " the --split of one"
            )
    dealt = [[other for other in beside if _split_of(other) == split] for split in splits]
    every = {Run.open(other).config()["model"] for other in beside}
    for path, others in zip(paths, dealt, strict=True):
        if sorted(Run.open(other).config()["model"] for other in others) != sorted(every):
            raise ClimbEdgeError(
                f"{path}: expected one run of {', '.join(sorted(every))} with its split beside it,"
                f" found {len(others)} runs"
            )
    return dealt


def _split_of(path: Path) -> str:
    run = Run.open(path)
    found = read_json(run.split, "a run's split", "train again").get("sha256")
    if not isinstance(found, str):
        raise ClimbEdgeError(f"{run.split}: expected a run's split, found no hash; train again")
    return found


def _gains(given: Measured, rows: dict[str, Measured], emits: str) -> str:
    base = score(given, emits)
    lines = [["DARK, PCK in %", *_shares(base)]]
    lines += [[name, *_changes(score(m, emits), base)] for name, m in rows.items()]
    return _table(f"{emits}, gain in points", lines)


def _over(name: str, refined: Measured, others: dict[str, Measured], emits: str) -> str:
    own = score(refined, emits)
    lines = [[other, *_changes(own, score(m, emits))] for other, m in others.items()]
    return _table(f"{emits}, gain of {name} in points over", lines)


def _paces(given: Measured, rows: dict[str, Measured]) -> str:
    base, lines = score(given, "newest frame"), []
    for pace, counts in paces(given).items():
        before = method_of(base, counts)
        lines.append([f"{pace} half: DARK, PCK in %", *_shares(before)])
        for name, m in rows.items():
            after = method_of(score(m, "newest frame"), counts)
            lines.append([f"{pace}: {name}", *_changes(after, before)])
    return _table("newest frame, gain in points", lines)


def _keypoints(given: Measured, refined: Measured) -> str:
    before, after = (score(m, "newest frame").keypoints() for m in (given, refined))
    lines = [
        [name, *(f"{100 * v:.1f}, {100 * after[name][a]:.1f}" for a, v in shares.items())]
        for name, shares in before.items()
    ]
    return _table("newest frame: DARK, then refined", lines)


def _shares(score: Score) -> list[str]:
    return [f"{100 * v:.1f}" for v, *_ in score.pooled().values()]


def _changes(score: Score, base: Score) -> list[str]:
    return [f"{v:+.1f} ({low:+.1f} to {high:+.1f})" for v, low, high in drop(score, base).values()]


def _table(title: str, lines: list[list[str]]) -> str:
    head = [title, *(f"@{a}" for a in ALPHAS)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *lines))
