"""`look`: the test windows of a run, or of several seeds, looked at closely: gains in one frame, by
keypoint and pace, and whether its score is true.

Gains are paired, over the input as it is decoded, with 95 % intervals over clips; filters are tuned
on validation windows.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from climb_edge.errors import DAMAGED, ClimbEdgeError
from climb_edge.evaluation.pck import ALPHAS, Score, drop, torso
from climb_edge.files.truth import WORDS
from climb_edge.pose.layout import WINDOW
from climb_edge.refiners.filters import GRIDS
from climb_edge.streaming.stream import RATE
from train.config import Recipe
from train.data.sources import open_source
from train.data.splits import Split
from train.fitting.metrics import through
from train.fitting.run_folder import Run
from train.fitting.scoring import Judge, Measured
from train.models import registry
from train.studies import reliability
from train.studies.filter_baselines import tuned

EMITTED = {
    "newest frame": [WINDOW - 1],
    "centre frame": [WINDOW // 2],
    "all frames": list(range(WINDOW)),
}


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
    if (
        plot
        and (described := registry.get(Run.open(paths[0]).config()["model"]))
        .build()
        .output_shape[-1]
        != 3
    ):
        raise ClimbEdgeError(
            f"--plot {plot}: {described.name} gives no score to plot; leave it away"
        )
    if len(names := sorted({Run.open(path).config()["model"] for path in paths})) > 1:
        raise ClimbEdgeError(
            f"{paths[0]}: expected runs of one model, found {', '.join(names)}; use --beside"
        )
    seen = [
        _Looked.at(path, others) for path, others in zip(paths, _dealt(paths, beside), strict=True)
    ]
    it = seen[0] if len(seen) == 1 else _Looked.pooled(seen)
    refined, others = it.rows[it.name], {name: m for name, m in it.rows.items() if name != it.name}
    tables = [_gains(it.given, it.rows, emits) for emits in EMITTED]
    tables += [_over(it.name, refined, others, emits) for emits in EMITTED]
    tables += [_paces(it.given, it.rows), _keypoints(it.given, refined)]
    if refined.sure:  # the model gives a score
        rows = reliability.tenths(refined)
        tables.append(reliability.table(rows))
        if plot:
            reliability.plot(
                plot,
                rows,
                f"{it.name}: {sum(map(len, refined.truth))} windows of {len(refined.truth)} clips",
            )
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
    try:
        return json.loads(run.split.read_text(encoding="utf-8"))["sha256"]
    except DAMAGED as error:
        raise ClimbEdgeError(
            f"{run.split}: expected a run's split, found none or a damaged file ({error}); train"
            " again"
        ) from error


@dataclass(frozen=True)
class _Looked:
    """Test windows as they are decoded, and what a model, others and filters make of them."""

    name: str  # the model's
    about: str
    given: Measured
    rows: dict[str, Measured]
    data: object = None  # what tells two runs' clips apart

    @classmethod
    def at(cls, path: Path, beside: Sequence[Path]) -> _Looked:
        run = Run.open(path)
        config = run.config()
        name, source = config["model"], open_source(config)
        parts, recipe = Split.load(run.split, source), Recipe(**config["recipe"])
        if not len(parts.test):
            raise ClimbEdgeError(
                f"{path}: this run has no test windows; train again on more frames"
            )
        fps, plain, refined = (
            source.rate or RATE,
            Judge(source, recipe),
            _refined(run, source, parts),
        )
        given, val = plain(parts.test), plain(parts.val)
        others = {_name(other, path): _refined(Run.open(other), source, parts) for other in beside}
        filters = {
            f.spec: through(given, partial(f, fps=fps))
            for f in (tuned(val, g, fps) for g in GRIDS.values())
        }
        about = (
            f"{len(parts.test)} test windows of {len(given.truth)} clips,"
            f" {WORDS[source.clips.truth]}, inputs {source.inputs_from}, split {parts.rule}, seed"
            f" {config['seed']}."
        )
        return cls(
            name,
            about,
            given,
            {name: refined} | others | filters,
            config.get("data_sha256") or str(path),
        )

    @classmethod
    def pooled(cls, seen: Sequence[_Looked]) -> _Looked:
        """All windows together; a filter is one row, however it was tuned in each run."""

        def shared(name: str) -> str:
            model, apart, _ = name.partition(" (")
            return f"{model} (beside)" if apart else name.split(":")[0]

        rows = [{shared(name): m for name, m in one.rows.items()} for one in seen]
        given = _pool([(one.data, one.given) for one in seen])
        parts = {
            n: _pool([(one.data, row[n]) for one, row in zip(seen, rows, strict=True)])
            for n in rows[0]
        }
        windows = sum(len(t) for t in given.truth)
        about = [f"{len(seen)} runs: {windows} test windows of {len(given.truth)} clips."]
        return cls(
            seen[0].name, "\n".join(about + [f"- {one.about}" for one in seen]), given, parts
        )


def _pool(runs: Sequence[tuple[object, Measured]]) -> Measured:
    """What several runs measured, the windows of one clip together."""
    places: dict = {}
    for n, (data, m) in enumerate(runs):
        for i, clip in enumerate(m.clips):
            places.setdefault((data, clip), []).append((n, i))

    def together(take) -> tuple[np.ndarray, ...]:
        of = [take(m) for _, m in runs]
        return (
            tuple(np.concatenate([of[n][i] for n, i in where]) for where in places.values())
            if all(of)
            else ()
        )

    first = runs[0][1]
    points = {d: together(lambda m, d=d: m.points[d]) for d in first.points}
    clips = tuple(range(len(places)))
    return replace(
        first,
        truth=together(lambda m: m.truth),
        points=points,
        sure=together(lambda m: m.sure),
        clips=clips,
    )


def _refined(run: Run, source, parts: Split) -> Measured:
    """What a run's model makes of the test windows `parts`, which must be its own."""
    config = run.config()
    if (own := Split.load(run.split, source)).sha256 != parts.sha256:
        raise ClimbEdgeError(
            f"{run.path}: its split {own.rule} has other windows; train it with the other run's"
            " --split"
        )
    described = registry.get(config["model"])
    model = run.load_weights(described.build(**config.get("switches", {})))
    return Judge(source, Recipe(**config["recipe"]), described, model)(parts.test)


def _name(other: Path, path: Path) -> str:
    """A run's model, with its folder where the model is that of `path` again."""
    name, own = (Run.open(p).config()["model"] for p in (other, path))
    return f"{name} ({other})" if name == own else name


def score(measured: Measured, emits: str) -> Score:
    """PCK of those frames of every window that EMITTED names."""
    chosen = EMITTED[emits]
    points, truth = (
        [a[:, chosen].reshape(-1, *a.shape[2:]) for a in of]
        for of in (measured.points["ours"], measured.truth)
    )
    return Score.of(points, truth)


def paces(measured: Measured) -> dict[str, list[np.ndarray]]:
    """By clip (W, 25), which keypoints' truth moves slower or faster within a window than the
    median one does.
    """
    with warnings.catch_warnings():
        # a window whose truth has no torso has no pace
        warnings.simplefilter("ignore", RuntimeWarning)
        speed = [
            np.linalg.norm(t[:, -1] - t[:, 0], axis=-1)
            / (WINDOW - 1)
            / np.nanmean(torso(t), axis=1, keepdims=True)
            for t in measured.truth
        ]
    middle = np.nanmedian(np.concatenate(speed))
    return {"slow": [s <= middle for s in speed], "fast": [s > middle for s in speed]}


def _of(score: Score, counts: list[np.ndarray]) -> Score:
    return replace(
        score,
        by_clip=tuple(np.where(c, s, np.nan) for s, c in zip(score.by_clip, counts, strict=True)),
    )


def _gains(given: Measured, rows: dict[str, Measured], emits: str) -> str:
    base = score(given, emits)
    lines = [
        [f"{emits}, gain in points", *(f"@{a}" for a in ALPHAS)],
        ["DARK, PCK in %", *_shares(base)],
    ]
    return _table(lines + [[name, *_changes(score(m, emits), base)] for name, m in rows.items()])


def _over(name: str, refined: Measured, others: dict[str, Measured], emits: str) -> str:
    lines = [[f"{emits}, gain of {name} in points over", *(f"@{a}" for a in ALPHAS)]]
    return _table(
        lines
        + [
            [other, *_changes(score(refined, emits), score(m, emits))]
            for other, m in others.items()
        ]
    )


def _paces(given: Measured, rows: dict[str, Measured]) -> str:
    base, lines = (
        score(given, "newest frame"),
        [["newest frame, gain in points", *(f"@{a}" for a in ALPHAS)]],
    )
    for pace, counts in paces(given).items():
        lines.append([f"{pace} half: DARK, PCK in %", *_shares(_of(base, counts))])
        for name, m in rows.items():
            lines.append(
                [
                    f"{pace}: {name}",
                    *_changes(_of(score(m, "newest frame"), counts), _of(base, counts)),
                ]
            )
    return _table(lines)


def _keypoints(given: Measured, refined: Measured) -> str:
    before, after = (
        score(given, "newest frame").keypoints(),
        score(refined, "newest frame").keypoints(),
    )
    lines = [["newest frame: DARK, then refined", *(f"@{a}" for a in ALPHAS)]]
    for name, shares in before.items():
        lines.append(
            [name, *(f"{100 * v:.1f}, {100 * after[name][a]:.1f}" for a, v in shares.items())]
        )
    return _table(lines)


def _shares(score: Score) -> list[str]:
    return [f"{100 * v:.1f}" for v, *_ in score.pooled().values()]


def _changes(score: Score, base: Score) -> list[str]:
    return [f"{v:+.1f} ({low:+.1f} to {high:+.1f})" for v, low, high in drop(score, base).values()]


def _table(lines: list[list[str]]) -> str:
    head, *rows = lines
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))
