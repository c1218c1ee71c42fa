"""Stores: what the frozen estimator saw of a clip set, once, for training to read many times.

A store is a folder: store.json, clips.npz (names and targets), and one shard, a recording, for each
video. `shard` is the whole work on one video: it needs nothing but the video and the estimator,
writes one file whole or not at all, and does nothing where that file is there already, so that any
engine may call it anywhere, twice, in any order.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from climb_edge.errors import ClimbEdgeError, OutputError
from climb_edge.estimators.base import Estimator
from climb_edge.estimators.heatmap_file import HeatmapFile
from climb_edge.estimators.recording import Recording, record
from climb_edge.evaluation.agreement import Seen, fitted, tell
from climb_edge.evaluation.videos import VideoFolder
from climb_edge.files.assets import sha256_of
from climb_edge.files.atomic import write_text
from climb_edge.files.clips import ClipSet, load_clips, save_clips, select_clips
from climb_edge.files.json_file import read_json
from climb_edge.files.temporaries import only_unfinished
from climb_edge.media.frame import Frame
from climb_edge.media.video import READING
from train.data.workers import usable

VERSION = 2
UNLIKE = 0.1  # of a rate: from there on it is told


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
    fit: str = "no",
) -> Extracted:
    """Write or complete the store `out`, with `estimator` (BlazePose variant, its weights' folder),
    `jobs` videos at a time.

    A shard that is damaged, or of another version of its video, is made again. A video that cannot
    be used is left out of the store and told of; with `strict` it ends the extraction. `fit`: what
    becomes of labels that do not fit their video, see `fitted`. Raises ClimbEdgeError where no
    video is left, at the first that labels do not fit, and for a store of another estimator or
    version; OutputError where a shard cannot be written.
    """
    out = Path(out)
    seen: dict[str, Seen] = {}
    _claim(out, _estimator(*estimator).name)
    one = partial(_one, videos.path, estimator, out)
    with tqdm(total=len(clips), unit="clip", desc=f"extract {estimator[0]}") as bar:

        def done(name: str, frames: int | ClimbEdgeError) -> None:
            bar.update()
            if not isinstance(frames, ClimbEdgeError):
                seen[name] = Seen(Recording(out / shard_name(name)).size, frames)
                fitted(select_clips(clips, clips.clip == name), seen, fit)  # before the next one

        found, skipped = usable(clips.clip.tolist(), one, strict, jobs, done)
    kept, changed = fitted(select_clips(clips, np.isin(clips.clip, list(found))), seen, fit)
    tell(changed)
    kept = at_own_rates(kept, [Recording(out / shard_name(str(name))) for name in kept.clip])
    save_clips(out / "clips.npz", kept)
    return Extracted(len(kept), sum(found.values()), tuple(skipped))


def _one(videos: Path, estimator: tuple, out: Path, name: str) -> int:
    try:
        content = _videos(videos).read(name)
        return shard(content, _estimator(*estimator), out / shard_name(name), name)
    except OutputError:
        raise
    except ClimbEdgeError as error:
        raise ClimbEdgeError(str(error) if name in str(error) else f"{name}: {error}") from error


_videos = cache(VideoFolder)  # opened once in each process


@cache
def _estimator(variant: str, weights: str | None):
    from climb_edge.estimators.blazepose import BlazePose

    return BlazePose(variant, weights)


def at_own_rates(clips: ClipSet, seen: Sequence[Recording]) -> ClipSet:
    """The clips with the rates that their videos' frames have; another one is told of."""
    rates = [r.rate or float(fps) for r, fps in zip(seen, clips.fps, strict=True)]
    for name, said, rate in zip(clips.clip, clips.fps, rates, strict=True):
        if abs(said / rate - 1) > UNLIKE:
            print(
                f"note: {name}: its labels say {said:g} frames a second, its video has {rate:.3g};"
                " the video's is kept",
                file=sys.stderr,
            )
    return replace(clips, fps=np.array(rates, np.float32))


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
    about: dict[str, object] = {"content": content, "clip": name}
    if isinstance(source, bytes):
        about |= {"content": hashlib.sha256(source).hexdigest(), "reading": READING}
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
    record(source, estimator, path, about, name=name)
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
    elif out.exists() and not only_unfinished(out, "store.json"):
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
