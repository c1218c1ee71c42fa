"""Stores: what the frozen estimator saw of a clip set, once, for training to read many times."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from climb_edge.clips import ClipSet, load_clips, save_clips
from climb_edge.errors import DAMAGED, ClimbEdgeError, write_text
from climb_edge.estimator import Estimator
from climb_edge.evaluate import VideoFolder
from climb_edge.recording import Recording, record

VERSION = 1


def extract(
    clips: ClipSet,
    videos: VideoFolder,
    estimator: Estimator,
    out: str | Path,
    step: Callable[[], object] = lambda: None,
) -> None:
    """Write the store `out`: clips.npz, store.json and one recording per clip. What is finished is not done again.

    A recording that turns out damaged is made anew; one of another estimator or video is refused.
    """
    out = Path(out)
    marker = out / "store.json"
    if marker.is_file():
        about = _read(marker)
        if about != _about(estimator.name):
            raise ClimbEdgeError(
                f"{out}: this store holds {about}, asked for {_about(estimator.name)}; choose another --out"
            )
    elif out.exists() and any(out.iterdir()):
        raise ClimbEdgeError(f"{out}: expected an empty folder or a store, found other files; choose another --out")
    write_text(marker, json.dumps(_about(estimator.name)))
    save_clips(out / "clips.npz", clips)
    for name in clips.clip:
        content = videos.read(str(name))
        digest = hashlib.sha256(content).hexdigest()
        if not _finished(out / _shard(str(name)), digest):
            record(content, estimator, out / _shard(str(name)), {"content": digest, "clip": str(name)})
        step()


def load_store(path: str | Path) -> tuple[ClipSet, list[Recording]]:
    """Clips and their recordings, in order. Raises ClimbEdgeError naming what is missing or damaged."""
    path = Path(path)
    if not (path / "store.json").is_file():
        raise ClimbEdgeError(
            f"{path}: expected a store made by `python -m train extract`, found a folder without store.json"
        )
    version = _read(path / "store.json").get("version")
    if version != VERSION:
        raise ClimbEdgeError(f"{path}: store of version {version}, this code reads {VERSION}; extract it again")
    clips = load_clips(path / "clips.npz")
    return clips, [Recording(path / _shard(str(name))) for name in clips.clip]


def _read(marker: Path) -> dict:
    try:
        return dict(json.loads(marker.read_text(encoding="utf-8")))
    except DAMAGED as error:
        raise ClimbEdgeError(f"{marker}: damaged ({error}); delete the store and extract it again") from error


def _about(estimator: str) -> dict:
    return {"version": VERSION, "estimator": estimator}


def _shard(clip: str) -> str:
    return f"{hashlib.sha256(clip.encode()).hexdigest()[:24]}.zip"


def _finished(path: Path, content: str) -> bool:
    try:
        return Recording(path).about.get("content") == content
    except ClimbEdgeError:
        return False
