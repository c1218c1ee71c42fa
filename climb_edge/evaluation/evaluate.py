"""`evaluate`: clips and their videos, an estimator, a refiner -> PCK against the clips' truth,
streamed.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from climb_edge.estimators.recording import Recording
from climb_edge.evaluation.pck import ALPHAS, Score
from climb_edge.files.clips import ClipSet
from climb_edge.files.truth import WORDS
from climb_edge.pose.boxes import STICKY, BoxRule
from climb_edge.pose.motion import lag_ms
from climb_edge.pose.skeleton import K
from climb_edge.refiners.base import Refiner
from climb_edge.streaming.stream import RATE, Stream

SCHEMA = "climb-edge/metrics/1"


def streamed(
    recording: Recording, refiner: Refiner, frames: int, rule: BoxRule = STICKY
) -> tuple[np.ndarray, np.ndarray]:
    """(raw, refined), each (frames, 25, 2) image pixels, of the first person seen in each frame;
    NaN without one.
    """
    raw, refined = np.full((2, frames, K, 2), np.nan, np.float32)
    for r in Stream(recording, refiner, rule).over(recording.frames()):
        if r.raw is None or r.refined is None:  # nobody was seen
            continue
        if r.frame < frames and np.isnan(raw[r.frame, 0, 0]):
            raw[r.frame], refined[r.frame] = r.raw[:, :2], r.refined[:, :2]
    return raw, refined


def evaluate(
    clips: ClipSet,
    sources: list[Recording],
    refiner: Refiner,
    rule: BoxRule = STICKY,
    step: Callable[[], object] = lambda: None,
) -> dict:
    """The metrics of a refiner and, under `raw`, of the estimator's own keypoints.

    PCK is taken in image pixels; only keypoints annotated as visible count (J-HMDB annotates some
    outside the image).
    """
    truth = [clips.visible_truth(i) for i in range(len(clips))]
    predicted, raws = [], []
    for recording, t in zip(sources, truth, strict=True):
        raw, refined = streamed(recording, refiner, len(t), rule)
        predicted.append(refined)
        raws.append(raw)
        step()
    score, base = Score.of(predicted, truth), Score.of(raws, truth)
    missing = sum(int(np.isnan(p[:, 0, 0]).sum()) for p in predicted)
    return {
        "schema": SCHEMA,
        "data": clips.source,
        "estimator": sources[0].name,
        "refiner": refiner.name,
        "truth": clips.truth,
        "space": "image pixels",
        "box": rule.name,
        "delay": refiner.delay,
        "clips": len(clips),
        "frames": len(clips.keypoints),
        "missing": missing,
        "torso": score.threshold,
        "pck": {"pooled": score.pooled(), "study": score.study()},
        "keypoints": score.keypoints(),
        "raw": {"pooled": base.pooled(), "study": base.study()},
        "jitter": jitter(predicted, truth),
        "raw_jitter": jitter(raws, truth),
        "lag_ms": _lag(predicted, truth, clips),
        "raw_lag_ms": _lag(raws, truth, clips),
    }


def table(metrics: list[dict]) -> str:
    """Metrics of several refiners on the same clips as lines of text, the estimator's own first."""
    first = metrics[0]
    alone = {"refiner": "estimator alone", "pck": first["raw"]}
    alone |= {key: first[f"raw_{key}"] for key in ("jitter", "lag_ms")}
    wide = max(len(m["refiner"]) for m in [*metrics, alone]) + 1
    about = f"PCK in %, pooled, {WORDS[first['truth']]}: {first['clips']} clips,"
    lines = [
        f"{about} {first['frames']} frames, {first['missing']} without a person",
        " " * wide + "delay  " + "".join(f"@{a:<22}" for a in ALPHAS) + "jitter px  lag ms",
    ]
    for row in [alone, *metrics]:
        pck = "".join(
            f"{_percent(v):>5} ({_percent(lo):>5} to {_percent(hi):>5})  "
            for v, lo, hi in row["pck"]["pooled"].values()
        )
        lag = "-" if row["lag_ms"] is None else str(round(row["lag_ms"]))
        lines.append(
            f"{row['refiner']:{wide}}{row.get('delay', 0):>5}  {pck}{row['jitter']:9.2f}  {lag:>6}"
        )
    return "\n".join(lines)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"


def _lag(predicted: list[np.ndarray], truth: list[np.ndarray], clips: ClipSet) -> float | None:
    """Milliseconds behind the truth, at the clips' rate; None where nothing can be told."""
    lag = lag_ms(predicted, truth, clips.rate or RATE)
    return lag if np.isfinite(lag) else None


def jitter(predicted: list[np.ndarray], truth: list[np.ndarray]) -> float:
    """Mean length of the second difference of the error over time, in pixels: how much a standing
    point trembles.
    """
    seconds = [np.diff(p - t, n=2, axis=0) for p, t in zip(predicted, truth, strict=True)]
    every = np.concatenate([np.linalg.norm(s, axis=-1).ravel() for s in seconds])
    return float(np.nanmean(every)) if np.isfinite(every).any() else float("nan")
