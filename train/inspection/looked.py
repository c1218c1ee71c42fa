"""Test windows of runs, pooled over seeds, and how well each method does on them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.evaluation.pck import Score, torso
from climb_edge.files.truth import WORDS
from climb_edge.pose.layout import WINDOW
from climb_edge.refiners.filters import GRIDS
from climb_edge.streaming.stream import RATE
from train.config import Hyperparameters
from train.data.sources import open_source
from train.data.splits import Split
from train.fitting.metrics import filtered
from train.fitting.run_folder import Run
from train.fitting.scoring import Judge, Measured
from train.models import registry
from train.studies.filter_baselines import tuned

EMITTED = {
    "newest frame": [WINDOW - 1],
    "centre frame": [WINDOW // 2],
    "all frames": list(range(WINDOW)),
}


@dataclass(frozen=True)
class Looked:
    """Test windows as they are decoded, and what a model, others and filters make of them."""

    name: str  # the model's
    about: str
    given: Measured
    rows: dict[str, Measured]
    data: object = None  # what tells two runs' clips apart

    @classmethod
    def at(cls, path: Path, beside: Sequence[Path]) -> Looked:
        run = Run.open(path)
        config = run.config()
        name, source = config["model"], open_source(config)
        parts, fps = Split.load(run.split, source), source.rate or RATE
        if not len(parts.test):
            raise ClimbEdgeError(
                f"{path}: this run has no test windows; train again on more frames"
            )
        plain = Judge(source, Hyperparameters(**config["recipe"]))
        given, refined, val = plain(parts.test), _refined(run, source, parts), plain(parts.val)
        others = {_name(other, path): _refined(Run.open(other), source, parts) for other in beside}
        best = [tuned(val, grid, fps) for grid in GRIDS.values()]
        filters = {f.spec: filtered(given, partial(f, fps=fps)) for f in best}
        about = (
            f"{len(parts.test)} test windows of {len(given.truth)} clips,"
            f" {WORDS[source.clips.truth]}, inputs {source.inputs_from}, split {parts.rule}, seed"
            f" {config['seed']}."
        )
        data = config.get("data_sha256") or str(path)
        return cls(name, about, given, {name: refined} | others | filters, data)

    @classmethod
    def pooled(cls, seen: Sequence[Looked]) -> Looked:
        """All windows together; a filter is one row, however it was tuned in each run."""

        def shared(name: str) -> str:
            model, folder, _ = name.partition(" (")
            return f"{model} (beside)" if folder else name.split(":")[0]

        rows = [{shared(name): m for name, m in one.rows.items()} for one in seen]
        given = _pool([(one.data, one.given) for one in seen])
        data = [one.data for one in seen]
        parts = {n: _pool([*zip(data, [row[n] for row in rows], strict=True)]) for n in rows[0]}
        windows = sum(len(t) for t in given.truth)
        about = [f"{len(seen)} runs: {windows} test windows of {len(given.truth)} clips."]
        about += [f"- {one.about}" for one in seen]
        return cls(seen[0].name, "\n".join(about), given, parts)


def _pool(runs: Sequence[tuple[object, Measured]]) -> Measured:
    """What several runs measured, the windows of one clip together."""
    places: dict = {}
    for n, (data, m) in enumerate(runs):
        for i, clip in enumerate(m.clips):
            places.setdefault((data, clip), []).append((n, i))

    def together(take) -> tuple[np.ndarray, ...]:
        of = [take(m) for _, m in runs]
        found = ([of[n][i] for n, i in where] for where in places.values()) if all(of) else ()
        return tuple(map(np.concatenate, found))

    points = {d: together(lambda m, d=d: m.points[d]) for d in runs[0][1].points}
    truth, sure = together(lambda m: m.truth), together(lambda m: m.sure)
    clips = tuple(range(len(places)))
    return replace(runs[0][1], truth=truth, points=points, sure=sure, clips=clips)


def _refined(run: Run, source, parts: Split) -> Measured:
    """What a run's model makes of the test windows `parts`, which must be its own."""
    config = run.config()
    if (own := Split.load(run.split, source)).sha256 != parts.sha256:
        raise ClimbEdgeError(
            f"{run.path}: its split {own.rule} has other windows; train it with the other run's"
            " --split"
        )
    definition = registry.get(config["model"])
    model = run.load_weights(definition.build(**config.get("switches", {})))
    return Judge(source, Hyperparameters(**config["recipe"]), definition, model)(parts.test)


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


def method_of(score: Score, counts: list[np.ndarray]) -> Score:
    return replace(
        score,
        by_clip=tuple(np.where(c, s, np.nan) for s, c in zip(score.by_clip, counts, strict=True)),
    )
