"""Stores: what the frozen estimator saw of a clip set, once, for training to read many times.

A store is a folder: store.json, clips.npz (names and targets), and one shard, a recording, for each
video. `shard` is the whole work on one video: it needs nothing but the video and the estimator,
writes one file whole or not at all, and does nothing where that file is there already, so that any
engine may call it anywhere, twice, in any order.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from tqdm import tqdm

from climb_edge.errors import ClimbEdgeError
from climb_edge.estimators.base import Estimator
from climb_edge.estimators.heatmap_file import HeatmapFile
from climb_edge.estimators.recording import Recording, record
from climb_edge.evaluation.videos import VideoFolder
from climb_edge.files.assets import sha256_of
from climb_edge.files.atomic import write_text
from climb_edge.files.clips import ClipSet, load_clips, save_clips, select_clips
from climb_edge.files.json_file import read_json
from climb_edge.media.frame import Frame

VERSION = 2


@dataclass(frozen=True)
class Extracted:
    """What a store holds after an extraction."""

    clips: int
    frames: int
    skipped: tuple[str, ...]  # one line for each video that could not be used


def extract(
    clips: ClipSet,
    videos: VideoFolder,
    estimator: tuple[str, str | None],
    out: str | Path,
    jobs: int = 1,
    strict: bool = False,
) -> Extracted:
    """Write or complete the store `out`, with `estimator` (BlazePose variant, its weights' folder),
    `jobs` videos at a time.

    A shard that is damaged, or of another version of its video, is made again. A video that cannot
    be used is left out of the store and told of; with `strict` it ends the extraction. Raises
    ClimbEdgeError where no video is left, and for a store of another estimator or version.
    """
    out, found, skipped = Path(out), {}, []
    _claim(out, _estimator(*estimator).name)
    with tqdm(total=len(clips), unit="clip", desc=f"extract {estimator[0]}") as bar:
        for name, frames in _all(clips, videos, estimator, out, max(jobs, 1)):
            if isinstance(frames, ClimbEdgeError):
                if strict:
                    raise frames
                skipped.append(str(frames))
            else:
                found[name] = frames
            bar.update()
    if not found:
        raise ClimbEdgeError(
            f"{videos.path}: none of {len(clips)} videos could be used; the first: {skipped[0]}"
        )
    kept = select_clips(clips, np.isin(clips.clip, list(found)))
    save_clips(out / "clips.npz", kept)
    return Extracted(len(kept), sum(found.values()), tuple(skipped))


def _all(clips: ClipSet, videos: VideoFolder, estimator: tuple, out: Path, jobs: int):
    """Yield (clip's name, frames of its video or the error that it ended in) as they come."""
    names = [str(name) for name in clips.clip]
    if jobs == 1:
        yield from ((name, _one(videos.path, name, estimator, out)) for name in names)
        return
    with ProcessPoolExecutor(min(jobs, len(names)), get_context("spawn")) as pool:
        work = {pool.submit(_one, videos.path, name, estimator, out): name for name in names}
        try:
            yield from ((work[done], done.result()) for done in as_completed(work))
        finally:
            pool.shutdown(cancel_futures=True)


def _one(videos: Path, name: str, estimator: tuple, out: Path) -> int | ClimbEdgeError:
    try:
        content = _videos(videos).read(name)
        return shard(content, _estimator(*estimator), out / shard_name(name), name)
    except ClimbEdgeError as error:
        return ClimbEdgeError(str(error) if name in str(error) else f"{name}: {error}")


_videos = cache(VideoFolder)  # opened once in each process


@cache
def _estimator(variant: str, weights: str | None):
    from climb_edge.estimators.blazepose import BlazePose

    return BlazePose(variant, weights)


def shard(
    source: bytes | Iterable[Frame],
    estimator: Estimator,
    path: Path,
    name: str,
    content: str | None = None,
) -> int:
    """The shard of one video, whole or not at all; returns its number of frames. Nothing is done
    where it is there.

    `content`: the SHA-256 of what is recorded, where `source` is not a video's bytes.
    """
    content = content or hashlib.sha256(source).hexdigest()
    about = {"content": content, "clip": name}
    try:
        recording = Recording(path)
        if (
            recording.name == estimator.name
            and recording.about.items() >= about.items()
            and recording.whole()
        ):
            return len(recording)
    except ClimbEdgeError:
        pass  # not there, or damaged: it is made now
    record(source, estimator, path, about)
    return len(Recording(path))


def shard_name(clip: str) -> str:
    """File name of a clip's shard: any clip name makes a valid one."""
    return f"{hashlib.sha256(clip.encode()).hexdigest()[:24]}.zip"


def from_heatmaps(clips: ClipSet, files: Sequence[Path], out: str | Path) -> None:
    """A store of heatmaps that another estimator wrote, one file (see `HeatmapFile`) a clip;
    resumes like `extract`.
    """
    out = Path(out)
    _claim(out, "heatmaps")
    for i, path in enumerate(tqdm(files, unit="clip", desc="heatmaps")):
        estimator = HeatmapFile(path)
        estimator.name = "heatmaps"
        width, height = (int(v) for v in clips.frame_size[i])
        blank = np.broadcast_to(np.uint8(0), (height, width, 3))
        rate = float(clips.fps[i]) if np.isfinite(clips.fps[i]) else 30.0
        frames = (
            Frame(t, t / rate, blank) for t in range(int(clips.offsets[i + 1] - clips.offsets[i]))
        )
        shard(
            frames,
            estimator,
            out / shard_name(str(clips.clip[i])),
            str(clips.clip[i]),
            sha256_of(path),
        )
    save_clips(out / "clips.npz", clips)


def _claim(out: Path, estimator: str) -> None:
    """Begin the store `out`, or go on with it. Raises ClimbEdgeError where it is another's."""
    marker, about = out / "store.json", {"version": VERSION, "estimator": estimator}
    if marker.is_file():
        if (found := _read(marker)) != about:
            raise ClimbEdgeError(
                f"{out}: this store holds {found}, asked for {about}; choose another --out"
            )
    elif out.exists() and any(out.iterdir()):
        raise ClimbEdgeError(
            f"{out}: expected an empty folder or a store, found other files; choose another --out"
        )
    write_text(marker, json.dumps(about))


def load_store(path: str | Path, groups: Sequence[str] = ()) -> tuple[ClipSet, list[Recording]]:
    """Clips (of `groups` alone, where there are any) and their recordings, in order.

    Raises ClimbEdgeError naming what is missing, damaged or of another version.
    """
    path = Path(path)
    if not (path / "store.json").is_file():
        raise ClimbEdgeError(
            f"{path}: expected a store made by `python -m train extract`, found a folder without"
            " store.json"
        )
    version = _read(path / "store.json").get("version")
    if version != VERSION:
        raise ClimbEdgeError(
            f"{path}: store of version {version}, this code reads {VERSION}; extract it again"
        )
    clips = load_clips(path / "clips.npz")
    if groups:
        clips = select_clips(clips, np.isin(clips.group, groups))
    recordings = []
    for name in map(str, clips.clip):
        try:
            recordings.append(Recording(path / shard_name(name)))
        except ClimbEdgeError as error:
            raise ClimbEdgeError(
                f"{error} (clip {name}); give the `extract` command again: only this one is made"
                " anew"
            ) from error
    return clips, recordings


def _read(marker: Path) -> dict:
    return read_json(marker, "the marker of a store", "delete the store and extract it again")
