"""Tracking and evaluation from Python: commands of `climb-edge` as functions.

Every function takes a config, or that config's options by name, as the command line has them:
dashes are underscores, what may be repeated is a list. All raise ClimbEdgeError for what cannot be
done, with a message that names the option or file, what was expected and what to do.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from climb_edge.config import Evaluate, Track
from climb_edge.options import configured

if TYPE_CHECKING:
    from climb_edge.media.frame import Frame
    from climb_edge.media.live import Newest
    from climb_edge.media.video import VideoInfo
    from climb_edge.tracking.live_page import Page
    from climb_edge.tracking.track import Moment, Tracked


def track(config: Track | None = None, **options: Any) -> Tracked:
    """Track a video or a camera; write overlay.mp4 and track.jsonl.

        done = climb_edge.track(source="climb.mp4", out="track")
        done.results[0].refined  # (25, 3): x, y in image pixels and a score

    Ctrl-C ends a camera; what was seen is kept. Raises ClimbEdgeError for what is no video.
    """
    from tqdm import tqdm

    from climb_edge.estimators.load import load_estimator
    from climb_edge.media.decoder import is_pipe
    from climb_edge.media.live import Newest
    from climb_edge.media.video import read_camera, read_video, video_info
    from climb_edge.refiners.load import load_refiners
    from climb_edge.tracking.exports import write_exports
    from climb_edge.tracking.track import track

    chosen = configured(Track, config, options)
    camera = chosen.camera
    live = camera is not None or chosen.live
    info = None if camera is not None or is_pipe(chosen.source) else video_info(chosen.source)
    notes: list[str] = []
    with ExitStack() as opened:
        # first: a port that is taken shows before models are loaded
        page = None
        if chosen.page is not None:
            page = opened.enter_context(_page(chosen.page, chosen.source))
        specs = chosen.compare or (chosen.refiner,)
        refiners = load_refiners(specs, chosen.threads, chosen.device, chosen.names)
        estimator = load_estimator(chosen.estimator, chosen.weights, chosen.people, chosen.threads)
        frames = (
            read_video(chosen.source, tell=notes.append) if camera is None else read_camera(camera)
        )
        newest = opened.enter_context(Newest(frames, paced=camera is None)) if live else None
        supply: Iterator[Frame] = newest or frames
        if chosen.seconds is not None:
            supply = _until(newest or frames, chosen.seconds)
        total = None if info is None or live else _frames_until(info, chosen.seconds)
        bar = opened.enter_context(tqdm(total=total, unit="frame", desc="track"))

        def watch(moment: Moment) -> None:
            if live:
                bar.set_postfix(dropped=moment.dropped, refresh=False)
            if page:
                page.show(moment)

        fps = info.fps if info and info.fps else 30.0
        where = (chosen.folder, chosen.source, fps)
        done = track(supply, estimator, refiners, *where, bar.update, chosen.picture, watch, notes)
        bar.total = done.frames  # what a container says before it is read may be wrong
        bar.refresh()
    return replace(
        done, exports=tuple(write_exports(done, chosen.export, chosen.folder, chosen.source))
    )


def _page(port: int, source: str) -> Page:
    """The open live page, its address printed."""
    from climb_edge.tracking.live_page import Page

    page = Page(port, Path(source).name)
    print(f"live page: {page.url}", flush=True)
    return page


def _frames_until(info: VideoInfo, seconds: float | None) -> int | None:
    """About how many frames a video has up to `seconds`; None where nobody knows."""
    known = [info.frames] if info.frames else []
    known += [int(seconds * info.fps) + 1] if seconds is not None and info.fps else []
    return min(known, default=None)


def _until(frames: Generator[Frame, None, None] | Newest, seconds: float) -> Iterator[Frame]:
    """The frames of the first `seconds`; then the source is closed, and has said what it must."""
    first = None
    with closing(frames):
        for frame in frames:
            first = frame.time if first is None else first
            if frame.time - first > seconds:
                return
            yield frame


def evaluate(config: Evaluate | None = None, **options: Any) -> list[dict[str, Any]]:
    """PCK of estimator and refiners against a clip set's truth; a dict of metrics per refiner.

        found = climb_edge.evaluate(clips="clips.npz", videos="videos", refiner=["default"])
        found[0]["pck"]["pooled"]["0.1"]  # (value, low, high)

    With `out` the metrics are written there as well: the dict of one refiner, a list of several.
    """
    from tqdm import tqdm

    from climb_edge.estimators.load import load_estimator
    from climb_edge.evaluation.agreement import Seen, fitted, tell
    from climb_edge.evaluation.evaluate import evaluate
    from climb_edge.evaluation.videos import VideoFolder, recordings
    from climb_edge.files.atomic import write_json
    from climb_edge.files.clips import load_clips
    from climb_edge.pose.boxes import RULES
    from climb_edge.refiners.load import load_refiners

    chosen = configured(Evaluate, config, options)
    clips = load_clips(chosen.clips).first(chosen.limit)
    refiners = load_refiners(chosen.refiner, chosen.threads, chosen.device)
    estimator = load_estimator(chosen.estimator, chosen.weights, threads=chosen.threads)
    with tqdm(total=len(clips), unit="clip", desc=f"estimator {chosen.estimator}") as bar:
        sources = recordings(clips, VideoFolder(chosen.videos), estimator, bar.update)
    seen = {n: Seen(r.size, len(r)) for n, r in zip(clips.clip.tolist(), sources, strict=True)}
    clips, changed = fitted(clips, seen, chosen.fit_labels)
    tell(changed)
    with tqdm(total=len(clips) * len(refiners), unit="clip", desc="refiners") as bar:
        metrics = [evaluate(clips, sources, r, RULES[chosen.box], bar.update) for r in refiners]
    if chosen.out:
        write_json(chosen.out, metrics[0] if len(metrics) == 1 else metrics)
    return metrics
