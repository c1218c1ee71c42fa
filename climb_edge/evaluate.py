"""`evaluate`: clips and their videos, an estimator, a refiner -> PCK against the clips' truth, streamed."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from climb_edge.boxes import STICKY, BoxRule
from climb_edge.clips import ClipSet
from climb_edge.errors import DAMAGED, ClimbEdgeError
from climb_edge.estimator import Estimator
from climb_edge.motion_metrics import lag_ms
from climb_edge.pck import ALPHAS, Score
from climb_edge.recording import Recording, cached_recording
from climb_edge.refiner import Refiner
from climb_edge.skeleton import K
from climb_edge.stream import RATE, Stream

SCHEMA = "climb-edge/metrics/1"


class VideoFolder:
    """The videos of a clip set: a folder or a ZIP, each at the path that is the clip's name."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._archive = None
        if self.path.is_dir():
            return
        if not self.path.is_file():
            raise ClimbEdgeError(f"{path}: expected a folder or a ZIP of videos, found nothing; check --videos")
        try:
            self._archive = zipfile.ZipFile(self.path)
        except (zipfile.BadZipFile, OSError) as error:
            raise ClimbEdgeError(
                f"{path}: expected a ZIP of videos, found a file that is none or is truncated ({error})"
            ) from error

    def read(self, clip: str) -> bytes:
        """The bytes of one clip's video."""
        try:
            if self._archive is not None:
                return self._archive.read(clip)
            path = (self.path / clip).resolve()
            if not path.is_relative_to(self.path.resolve()):
                raise ClimbEdgeError(
                    f"{clip}: this clip's name leads out of {self.path}; a clip is named by its path inside the folder"
                )
            return path.read_bytes()
        except DAMAGED as error:
            raise ClimbEdgeError(
                f"{self.path}: expected the video of clip {clip}, found none that can be read ({error}); add it, or leave the clip out"
            ) from error


def recordings(
    clips: ClipSet, videos: VideoFolder, estimator: Estimator, step: Callable[[], object] = lambda: None
) -> list[Recording]:
    """What the estimator saw in each clip's video, cached by the video's content; `step` after each clip."""
    result = []
    for name in clips.clip:
        result.append(seen_in(videos, str(name), estimator))
        step()
    return result


def seen_in(videos: VideoFolder, clip: str, estimator: Estimator) -> Recording:
    """What the estimator saw in one clip's video, cached by its content. Raises ClimbEdgeError naming the clip."""
    content = videos.read(clip)
    try:
        return cached_recording(content, hashlib.sha256(content).hexdigest(), estimator)
    except ClimbEdgeError as error:  # bytes have no name: say whose they are
        raise ClimbEdgeError(f"{videos.path}, clip {clip}: {error}") from error


def streamed(
    recording: Recording, refiner: Refiner, frames: int, rule: BoxRule = STICKY
) -> tuple[np.ndarray, np.ndarray]:
    """(raw, refined), each (frames, 25, 2) image pixels, of the first person seen in each frame; NaN without one."""
    raw, refined = np.full((2, frames, K, 2), np.nan, np.float32)
    for r in Stream(recording, refiner, rule).over(recording.frames()):
        if r.person is not None and r.frame < frames and np.isnan(raw[r.frame, 0, 0]):
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

    PCK is taken in image pixels; only keypoints annotated as visible count (J-HMDB annotates some outside the image).
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
        "schema": SCHEMA, "data": clips.source, "estimator": sources[0].name, "refiner": refiner.name, "truth": clips.truth,
        "space": "image pixels", "box": rule.name, "delay": refiner.delay, "clips": len(clips), "frames": len(clips.keypoints),
        "missing": missing, "torso": score.threshold, "pck": {"pooled": score.pooled(), "study": score.study()},
        "keypoints": score.keypoints(), "raw": {"pooled": base.pooled(), "study": base.study()},
        "jitter": jitter(predicted, truth), "raw_jitter": jitter(raws, truth),
        "lag_ms": _lag(predicted, truth, clips), "raw_lag_ms": _lag(raws, truth, clips),
    }  # fmt: skip


def table(metrics: list[dict]) -> str:
    """The metrics of several refiners on the same clips as lines of text, the estimator's own first."""
    first = metrics[0]
    truth = {"human": "human truth", "pseudo": "pseudo ground truth", "generated": "generated truth"}[first["truth"]]
    alone = {
        "refiner": "estimator alone",
        "pck": first["raw"],
        "jitter": first["raw_jitter"],
        "lag_ms": first["raw_lag_ms"],
    }
    wide = max(len(m["refiner"]) for m in [*metrics, alone]) + 1
    lines = [
        f"PCK in %, pooled, {truth}: {first['clips']} clips, {first['frames']} frames, {first['missing']} without a person",
        " " * wide + "delay  " + "".join(f"@{a:<22}" for a in ALPHAS) + "jitter px  lag ms",
    ]
    for row in [alone, *metrics]:
        pck = "".join(
            f"{_percent(v):>5} ({_percent(lo):>5} to {_percent(hi):>5})  "
            for v, lo, hi in row["pck"]["pooled"].values()
        )
        lag = "-" if row["lag_ms"] is None else str(round(row["lag_ms"]))
        lines.append(f"{row['refiner']:{wide}}{row.get('delay', 0):>5}  {pck}{row['jitter']:9.2f}  {lag:>6}")
    return "\n".join(lines)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"


def _lag(predicted: list[np.ndarray], truth: list[np.ndarray], clips: ClipSet) -> float | None:
    """Milliseconds behind the truth, at the clips' rate; None where nothing can be told."""
    lag = lag_ms(predicted, truth, clips.rate or RATE)
    return lag if np.isfinite(lag) else None


def jitter(predicted: list[np.ndarray], truth: list[np.ndarray]) -> float:
    """Mean length of the second difference of the error over time, in pixels: how much a standing point trembles."""
    seconds = [
        np.linalg.norm(np.diff(p - t, n=2, axis=0), axis=-1).ravel() for p, t in zip(predicted, truth, strict=True)
    ]
    every = np.concatenate(seconds)
    return float(np.nanmean(every)) if np.isfinite(every).any() else float("nan")
