"""From what a user names (--data, --videos, --noise) to a source of windows; the same again from a
run's config.
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from climb_edge.errors import DAMAGED, ClimbEdgeError, did_you_mean
from climb_edge.estimators.recording import Recording
from climb_edge.evaluation.agreement import Seen, fitted, tell
from climb_edge.evaluation.videos import VideoFolder, seen_in
from climb_edge.files.clips import ClipSet, join_clips, load_clips, select_clips
from train.config import Augmentation
from train.data.recorded import RecordedWindows
from train.data.rendered import RenderedWindows
from train.data.store import at_own_rates, load_store
from train.data.windows import Window
from train.data.workers import usable
from train.noise.library import get
from train.synthesis.motion import generated_clips, mocap_clips

GENERATED = "generated"


def open_source(config: dict, strict: bool = False) -> Source:
    """The windows that a run's config describes: data, videos, group, noise, box, augmentation,
    clips, seed, estimator.

    A video that cannot be used is left out and told of; with `strict` it is an error.
    """
    paths, box = config["data"], config.get("box", "sticky")
    augmentation = Augmentation(**config.get("augmentation", {}))
    recorded = config.get("videos") or any(Path(p).is_dir() for p in paths if p != GENERATED)
    if not recorded:
        noise = get(config["noise"])
        clips = _grouped(join_clips([_coordinates(p, config) for p in paths]), config)
        return RenderedWindows(clips, noise, config["seed"], box, augmentation)
    if len(paths) > 1:
        raise ClimbEdgeError(
            "--data: several were given; recorded data (a store, or clips with --videos) is taken"
            " one at a time"
        )
    if Path(paths[0]).is_dir():
        clips, seen = load_store(paths[0], config.get("group", ()))
        clips = _fitted(clips, seen, config)
        return RecordedWindows(clips, seen, box, config["seed"], augmentation)
    from climb_edge.estimators.blazepose import BlazePose

    clips, videos = _grouped(load_clips(paths[0]), config), VideoFolder(config["videos"])
    estimator = BlazePose(config["estimator"], config.get("weights"))
    names = tqdm(clips.clip.tolist(), unit="clip", desc=f"estimator {config['estimator']}")
    seen, skipped = usable(names, lambda name: seen_in(videos, name, estimator), strict)
    tell_skipped(skipped)
    clips = select_clips(clips, np.isin(clips.clip, list(seen)))
    clips = _fitted(at_own_rates(clips, list(seen.values())), list(seen.values()), config)
    return RecordedWindows(clips, list(seen.values()), box, config["seed"], augmentation)


def tell_skipped(lines: Sequence[str]) -> None:
    """Say what was left out, a line each of the first twenty."""
    for line in lines[:20]:
        print(f"skipped: {line}", file=sys.stderr)
    if len(lines) > 20:
        print(f"skipped: {len(lines) - 20} more", file=sys.stderr)


def _fitted(clips: ClipSet, recordings: list[Recording], config: dict) -> ClipSet:
    """Clips whose labels fit what was recorded of each, told of where that changed them."""
    names = map(str, clips.clip)
    seen = {n: Seen(r.size, len(r)) for n, r in zip(names, recordings, strict=True)}
    clips, changed = fitted(clips, seen, config.get("fit_labels", "no"))
    tell(changed)
    return clips


def _coordinates(path: str, config: dict) -> ClipSet:
    if path == GENERATED:
        return generated_clips(config["clips"], config["seed"])
    if (near := did_you_mean(path, [GENERATED])) and not Path(path).exists():
        raise ClimbEdgeError(f"--data {path}: expected a file or {GENERATED}, found neither{near}")
    if _is_motion(path):
        return mocap_clips(path, seed=config["seed"])
    return load_clips(path)


def _grouped(clips: ClipSet, config: dict) -> ClipSet:
    wanted = config.get("group") or ()
    return select_clips(clips, np.isin(clips.group, wanted)) if wanted else clips


def _is_motion(path: str) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return "kp25_3d.npy" in archive.namelist()
    except DAMAGED:
        return False  # load_clips says what is wrong with it


Source = RenderedWindows | RecordedWindows


def unchanged(source: Source) -> Source:
    """The same windows without augmentation: what a model is judged by."""
    return replace(source, augmentation=Augmentation()) if source.augmentation else source


def batch(source: Source, indices: np.ndarray, epoch: int = 0, maps: bool = True) -> Window:
    """The windows `indices` stacked: (B, ...) arrays."""
    if isinstance(source, RecordedWindows):
        return source.windows(np.asarray(indices), epoch, maps)
    made = [source.window(int(i), epoch, maps) for i in indices]
    given = {name: np.stack([w.given[name] for w in made]) for name in made[0].given}
    return Window(given, np.stack([w.cells for w in made]), np.stack([w.weight for w in made]))
