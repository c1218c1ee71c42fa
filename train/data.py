"""From what a user names (--data, --videos, --noise) to a source of windows; the same again from a run's config."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

from tqdm import tqdm

from climb_edge.clips import ClipSet, join_clips, load_clips
from climb_edge.errors import ClimbEdgeError
from climb_edge.evaluate import VideoFolder, recordings
from train.motion import generated_clips, mocap_clips
from train.noise import NOISES
from train.store import load_store
from train.windows import RecordedWindows, RenderedWindows, Source

GENERATED = "generated"


def open_source(config: dict) -> Source:
    """The windows that a config describes: keys data (list), videos, estimator, weights, noise, clips, seed."""
    paths = config["data"]
    recorded = config.get("videos") or any(Path(p).is_dir() for p in paths if p != GENERATED)
    if not recorded:
        if config["noise"] not in NOISES:
            raise ClimbEdgeError(f"noise {config['noise']!r}: expected one of {', '.join(NOISES)}")
        clips = join_clips([_coordinates(p, config) for p in paths])
        return RenderedWindows(clips, NOISES[config["noise"]], config["seed"])
    if len(paths) > 1:
        raise ClimbEdgeError(
            "--data: several were given; recorded data (a store, or clips with --videos) is taken one at a time"
        )
    if Path(paths[0]).is_dir():
        return RecordedWindows(*load_store(paths[0]))
    from climb_edge.blazepose import BlazePose

    clips, videos = load_clips(paths[0]), VideoFolder(config["videos"])
    estimator = BlazePose(config["estimator"], config.get("weights"))
    with tqdm(total=len(clips), unit="clip", desc=f"estimator {config['estimator']}") as bar:
        return RecordedWindows(clips, recordings(clips, videos, estimator, bar.update))


def _coordinates(path: str, config: dict) -> ClipSet:
    if path == GENERATED:
        return generated_clips(config["clips"], config["seed"])
    if _is_motion(path):
        return mocap_clips(path, seed=config["seed"])
    return load_clips(path)


def _is_motion(path: str) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return "kp25_3d.npy" in archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return False  # load_clips says what is wrong with it


def digest(source: Source) -> str:
    """SHA-256 of the keypoints and clip names that a source trains on."""
    h = hashlib.sha256(source.clips.keypoints.tobytes())
    h.update("\n".join(map(str, source.clips.clip)).encode())
    return h.hexdigest()
