"""`look`: a run's test windows looked at closely: gains in one frame, by keypoint and pace, and whether its score is true.

Gains are paired, over the input as it is decoded, with 95 % intervals over clips; filters are tuned on validation windows.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from climb_edge.contract import WINDOW
from climb_edge.errors import ClimbEdgeError
from climb_edge.filters import GRIDS
from climb_edge.pck import ALPHAS, Score, correct, drop, torso
from climb_edge.stream import RATE
from train import models
from train.data import open_source
from train.filtering import tuned
from train.fit import Recipe
from train.judge import Judge, Measured
from train.losses import SURE
from train.runs import Run
from train.splits import Split
from train.training import through

EMITTED = {"newest frame": [WINDOW - 1], "centre frame": [WINDOW // 2], "all frames": list(range(WINDOW))}
BINS = np.linspace(0, 1, 11)


def look(path: Path, beside: Sequence[Path] = ()) -> str:
    """Markdown tables of the run `path`, with gains over it and over the runs `beside` it.

    Raises ClimbEdgeError for what is no finished run, has no test windows, or was split otherwise than `path`.
    """
    run = Run.open(path)
    config = run.config()
    described, source = models.get(config["model"]), open_source(config)
    parts, recipe = Split.load(run.split, source), Recipe(**config["recipe"])
    if not len(parts.test):
        raise ClimbEdgeError(f"{path}: this run has no test windows; train again on more frames")
    fps, plain, refined = source.rate or RATE, Judge(source, recipe), _refined(run, source, parts)
    given, val = plain(parts.test), plain(parts.val)
    others = {_name(other, path): _refined(Run.open(other), source, parts) for other in beside}
    filtered = {f.spec: through(given, partial(f, fps=fps)) for f in (tuned(val, grid, fps) for grid in GRIDS.values())}
    rows = {described.name: refined} | others | filtered
    about = f"{len(parts.test)} test windows of {len(given.truth)} clips, split {parts.rule}, seed {config['seed']}."
    tables = [_gains(given, rows, emits) for emits in EMITTED]
    tables += [_over(described.name, refined, others | filtered, emits) for emits in EMITTED]
    tables += [_paces(given, rows), _keypoints(given, refined)]
    return "\n\n".join([about, *tables, *([reliability(refined)] if refined.sure else [])]) + "\n"


def _refined(run: Run, source, parts: Split) -> Measured:
    """What a run's model makes of the test windows `parts`, which must be its own."""
    config = run.config()
    if (own := Split.load(run.split, source)).sha256 != parts.sha256:
        raise ClimbEdgeError(
            f"{run.path}: its split {own.rule} has other windows; train it with the other run's --split"
        )
    described = models.get(config["model"])
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
        [a[:, chosen].reshape(-1, *a.shape[2:]) for a in of] for of in (measured.points["ours"], measured.truth)
    )
    return Score.of(points, truth)


def paces(measured: Measured) -> dict[str, list[np.ndarray]]:
    """By clip (W, 25), which keypoints' truth moves slower or faster within a window than the median one does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a window whose truth has no torso has no pace
        speed = [
            np.linalg.norm(t[:, -1] - t[:, 0], axis=-1) / (WINDOW - 1) / np.nanmean(torso(t), axis=1, keepdims=True)
            for t in measured.truth
        ]
    middle = np.nanmedian(np.concatenate(speed))
    return {"slow": [s <= middle for s in speed], "fast": [s > middle for s in speed]}


def _of(score: Score, counts: list[np.ndarray]) -> Score:
    return replace(score, by_clip=tuple(np.where(c, s, np.nan) for s, c in zip(score.by_clip, counts, strict=True)))


def _gains(given: Measured, rows: dict[str, Measured], emits: str) -> str:
    base = score(given, emits)
    lines = [[f"{emits}, gain in points", *(f"@{a}" for a in ALPHAS)], ["DARK, PCK in %", *_shares(base)]]
    return _table(lines + [[name, *_changes(score(m, emits), base)] for name, m in rows.items()])


def _over(name: str, refined: Measured, others: dict[str, Measured], emits: str) -> str:
    lines = [[f"{emits}, gain of {name} in points over", *(f"@{a}" for a in ALPHAS)]]
    return _table(lines + [[other, *_changes(score(refined, emits), score(m, emits))] for other, m in others.items()])


def _paces(given: Measured, rows: dict[str, Measured]) -> str:
    base, lines = score(given, "newest frame"), [["newest frame, gain in points", *(f"@{a}" for a in ALPHAS)]]
    for pace, counts in paces(given).items():
        lines.append([f"{pace} half: DARK, PCK in %", *_shares(_of(base, counts))])
        for name, m in rows.items():
            lines.append([f"{pace}: {name}", *_changes(_of(score(m, "newest frame"), counts), _of(base, counts))])
    return _table(lines)


def _keypoints(given: Measured, refined: Measured) -> str:
    before, after = score(given, "newest frame").keypoints(), score(refined, "newest frame").keypoints()
    lines = [["newest frame: DARK, then refined", *(f"@{a}" for a in ALPHAS)]]
    for name, shares in before.items():
        lines.append([name, *(f"{100 * v:.1f}, {100 * after[name][a]:.1f}" for a, v in shares.items())])
    return _table(lines)


def reliability(measured: Measured) -> str:
    """Scores in tenths against the share that lay within SURE torso diameters; all frames of the windows."""
    right = np.concatenate([correct(p, t)[ALPHAS.index(SURE)].ravel() for p, t in zip(measured.points["ours"], measured.truth, strict=True)])  # fmt: skip
    sure = np.concatenate([s.ravel() for s in measured.sure])
    sure, right = sure[np.isfinite(right)], right[np.isfinite(right)]
    part = np.clip(np.digitize(sure, BINS) - 1, 0, len(BINS) - 2)
    lines, apart = [["score", "keypoints", "mean score", f"within {SURE} torso diameters"]], 0.0
    for i in np.unique(part):
        own = part == i
        apart += own.mean() * abs(sure[own].mean() - right[own].mean())
        lines.append([f"{BINS[i]:.1f} to {BINS[i + 1]:.1f}", f"{own.sum()}", f"{sure[own].mean():.2f}", f"{right[own].mean():.2f}"])  # fmt: skip
    return _table(lines) + f"\n\nExpected calibration error: {100 * apart:.1f} points."


def _shares(score: Score) -> list[str]:
    return [f"{100 * v:.1f}" for v, *_ in score.pooled().values()]


def _changes(score: Score, base: Score) -> list[str]:
    return [f"{v:+.1f} ({low:+.1f} to {high:+.1f})" for v, low, high in drop(score, base).values()]


def _table(lines: list[list[str]]) -> str:
    head, *rows = lines
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))
