"""`annotate`: targets for a video that nobody labelled, from an offline teacher.

The teacher is the heaviest estimator at hand, decoded from its heatmaps and smoothed both ways in
time by a local quadratic fit in which every frame counts by its own confidence. Such targets are
pseudo ground truth: good for finetuning and for comparisons against the teacher, worth nothing as a
claim against truth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.estimators.recording import Recording, cached_recording
from climb_edge.files.assets import available, sha256_of
from climb_edge.files.atomic import existing_file
from climb_edge.files.clips import ClipSet
from climb_edge.files.truth import Truth
from climb_edge.media.video import video_info
from climb_edge.pose.skeleton import K
from train.data.workers import usable
from train.layouts.formats.image_names import VIDEO_SUFFIXES

REACH = 3  # frames on either side
TRUSTED = 0.3  # confidence from which a target is called visible
LEAST = 0.05  # confidence under which there is no target


def heaviest(weights: str | Path | None = None) -> str:
    """The heaviest estimator that can be had here."""
    return next(
        v
        for v in ("heavy", "full")
        if v == "full" or available(f"pose_landmark_{v}.tflite", weights)
    )


def smooth(
    points: np.ndarray, confidence: np.ndarray, reach: int = REACH
) -> tuple[np.ndarray, np.ndarray]:
    """Both-ways smoothing of (T, N, 2) points with confidence (T, N); returns the same shapes.

    Around each frame a quadratic in time is fitted to the frames within `reach`, weighted by
    confidence and by closeness (tricube); its value there is the result, and the weighted mean
    confidence its confidence. NaN points count nothing; where fewer than three frames are known
    there is no result.
    """
    frames = len(confidence)
    padded = np.pad(np.nan_to_num(points), ((reach, reach), (0, 0), (0, 0)))
    trust = np.pad(np.where(np.isfinite(points).all(-1), confidence, 0), ((reach, reach), (0, 0)))
    offset = np.arange(-reach, reach + 1)
    near = (1 - np.abs(offset / (reach + 1)) ** 3) ** 3
    basis = np.stack([np.ones_like(offset), offset / reach, (offset / reach) ** 2], axis=1).astype(
        float
    )  # (2 reach + 1, 3)
    rows = np.arange(frames)[:, None] + np.arange(2 * reach + 1)
    w = trust[rows] * near[None, :, None]  # (T, 2 reach + 1, N)
    normal = np.einsum("twn,wi,wj->tnij", w, basis, basis) + 1e-9 * np.eye(3)
    right = np.einsum("twn,wi,twnc->tnic", w, basis, padded[rows])
    known = (w > 1e-3).sum(1) >= 3
    fitted = np.linalg.solve(normal, right)[:, :, 0]
    result = np.where(known[..., None], fitted, np.nan)
    return result, np.where(known, (w * trust[rows]).sum(1) / np.maximum(w.sum(1), 1e-9), 0)


def annotate(
    videos: Sequence[str | Path],
    weights: str | Path | None = None,
    threads: int | None = None,
    step: Callable[[int, int], object] = lambda done, total: None,
    strict: bool = False,
    jobs: int = 1,
) -> tuple[ClipSet, list[str]]:
    """Pseudo ground truth of the first person of each video, and what was left out; a clip's name
    is its file's name. `jobs` videos at a time, in processes of their own.

    A folder stands for all videos in it, each named by its path inside. `step(frames done, frames
    in all)` is called as the teacher goes on. A video that cannot be used is left out, a line of
    the second result says why; with `strict` it is an error. Raises ClimbEdgeError where no video
    is left.
    """
    named = _named(videos)
    infos, unread = usable(
        named.values(), lambda v: video_info(existing_file(v, "a video")), strict
    )
    total, done = sum(i.frames for i in infos.values()), 0

    def tick() -> None:
        nonlocal done
        done += 1
        step(done, max(total, done))

    teacher = heaviest(weights), weights, threads
    # frame by frame as long as that needs no other process
    see = partial(_seen, teacher, step=tick) if jobs == 1 else partial(_seen, teacher)
    seen, unseen = usable(infos, see, strict, jobs)
    recordings = {name: seen[video] for name, video in named.items() if video in seen}
    names = list(recordings)
    parts = [_targets(r) for r in recordings.values()]
    lengths = [len(points) for points, _ in parts]
    points, confidence = (
        np.concatenate(column).astype(np.float32) for column in zip(*parts, strict=True)
    )
    clips = ClipSet(
        keypoints=points,
        visible=(confidence >= TRUSTED).astype(np.uint8),
        weight=confidence,
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        frame_size=np.array([r.size for r in recordings.values()], np.int32),
        fps=np.array([r.rate or np.nan for r in recordings.values()], np.float32),
        clip=np.array(names),
        group=np.array(["annotated"] * len(names)),
        split=np.array(["train"] * len(names)),
        source=f"pseudo ground truth: {_teacher(*teacher).name},"
        f" smoothed over {2 * REACH + 1} frames",
        truth=Truth.PSEUDO,
    )
    return clips, unread + unseen


def _named(videos: Sequence[str | Path]) -> dict[str, Path]:
    """The videos by the names of their clips, folders opened."""
    found: dict[str, Path] = {}
    for path in map(Path, videos):
        inside = {path.name: path}
        if path.is_dir():
            files = (p for p in path.rglob("[!.]*") if p.suffix.lower() in VIDEO_SUFFIXES)
            inside = {p.relative_to(path).as_posix(): p for p in sorted(files)}
        if not inside:
            raise ClimbEdgeError(
                f"{path}: expected a folder with videos ({', '.join(sorted(VIDEO_SUFFIXES))}),"
                " found none; name them, or their folder"
            )
        if twice := found.keys() & inside.keys():
            raise ClimbEdgeError(
                f"two videos have the same name, {min(twice)}; rename one: clips are named by it"
            )
        found |= inside
    return found


def _seen(teacher: tuple, video: Path, step: Callable[[], object] | None = None) -> Recording:
    """What the teacher (variant, weights' folder, threads) sees in a video."""
    return cached_recording(video, sha256_of(video), _teacher(*teacher), step)


@cache
def _teacher(variant: str, weights: str | Path | None, threads: int | None):
    from climb_edge.estimators.blazepose import BlazePose

    return BlazePose(variant, weights, threads=threads)


def _targets(recording: Recording) -> tuple[np.ndarray, np.ndarray]:
    """Smoothed keypoints (T, 25, 2) and confidence (T, 25) of the first person seen in each frame,
    track by track.
    """
    points, trust = np.full((len(recording), K, 2), np.nan), np.zeros((len(recording), K))
    for person in dict.fromkeys(recording.person.tolist()):
        rows = np.flatnonzero(recording.person == person)
        rows = rows[np.isnan(points[recording.frame[rows], 0, 0])]
        own, own_trust = np.full(points.shape, np.nan), np.zeros(trust.shape)
        own[recording.frame[rows]] = recording.keypoints[rows, :, :2]
        own_trust[recording.frame[rows]] = (
            recording.keypoints[rows, :, 2] * recording.score[rows, None]
        )
        smoothed, confidence = smooth(own, own_trust)
        seen = recording.frame[rows]
        keep = (confidence[seen] >= LEAST) & np.isfinite(smoothed[seen]).all(-1)
        points[seen] = np.where(keep[..., None], smoothed[seen], np.nan)
        trust[seen] = np.where(keep, np.clip(confidence[seen], 0, 1), 0)
    return points, trust
