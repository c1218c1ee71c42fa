"""Command line of the edge part: track, plot, evaluate, benchmark, inspect, fetch. Heavy imports
happen inside the commands.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from math import isfinite
from pathlib import Path

from climb_edge.cli import parser
from climb_edge.errors import ClimbEdgeError, run_command
from climb_edge.files.atomic import write_json


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    options = parser().parse_args(arguments)
    commands = {
        "track": _track,
        "benchmark": _benchmark,
        "plot": _plot,
        "evaluate": _evaluate,
        "inspect": _inspect,
        "fetch": _fetch,
    }
    return run_command(lambda: commands[options.command](options), options.debug)


def _estimator(options: argparse.Namespace, people: int = 1):
    from climb_edge.estimators.load import load_estimator

    return load_estimator(options.estimator, options.weights, people, options.threads)


def _track(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from climb_edge.media.live import Newest
    from climb_edge.media.video import read_camera, read_video, video_info
    from climb_edge.refiners.load import load_refiner
    from climb_edge.tracking.track import track

    camera = options.source.isdecimal() and not Path(options.source).exists()
    live = camera or options.live
    info = None if camera else video_info(options.source)
    with contextlib.ExitStack() as opened:
        # first: a port that is taken shows before models are loaded
        page = opened.enter_context(_page(options))
        refiners = [
            load_refiner(r, options.threads, options.device)
            for r in options.compare or [options.refiner]
        ]
        estimator = _estimator(options, options.people)
        frames = read_camera(int(options.source)) if camera else read_video(options.source)
        if live:
            frames = opened.enter_context(Newest(frames, paced=not camera))
        if options.seconds is not None:
            frames = _until(frames, options.seconds)
        out = options.out or Path(f"track-{'camera' if camera else ''}{Path(options.source).stem}")
        bar = opened.enter_context(
            tqdm(total=(not live and info.frames) or None, unit="frame", desc="track")
        )

        def watch(moment) -> None:
            if live:
                bar.set_postfix(dropped=moment.dropped, refresh=False)
            if page:
                page.show(moment)

        fps = info.fps if info and info.fps else 30.0
        done = track(
            frames,
            estimator,
            refiners,
            out,
            options.source,
            fps,
            bar.update,
            options.picture,
            watch,
        )
    if live:
        print(f"{done.dropped} frames dropped")
    if not done.with_person:
        print(
            f"warning: {options.source}: no person was found in any of {done.frames} frames",
            file=sys.stderr,
        )
    print(f"{done.frames} frames, a person in {done.with_person}")
    print(done.overlay)
    for refiner, path in zip(refiners, done.tracks, strict=True):
        print(
            f"{path}: refiner {refiner.name}, delay {refiner.delay} frames; {refiner.backend}"
            f" ({refiner.reason})"
        )
    for path in _also(options, done, out):
        print(path)


def _page(options: argparse.Namespace):
    """The open live page, its address printed; nothing where none was asked for."""
    if options.page is None:
        return contextlib.nullcontext()
    from climb_edge.tracking.live_page import Page

    page = Page(options.page, Path(options.source).name)
    print(f"live page: {page.url}", flush=True)
    return page


def _also(options: argparse.Namespace, done, out: Path):
    """Write the track in the other forms that were asked for; yields their paths."""
    from climb_edge.tracking import climbing, exports
    from climb_edge.tracking.track import write_picture

    if done.last is None:
        return
    size = (done.last.shape[1], done.last.shape[0])
    if "csv" in options.also:
        exports.write_csv(out / "track.csv", done.results)
        yield out / "track.csv"
    if "coco" in options.also:
        exports.write_coco(out / "track.coco.json", done.results, size, options.source)
        yield out / "track.coco.json"
    if "climbing" in options.also:
        found, image = climbing.summaries(done.results, size), done.last
        for summary in found:
            image = climbing.draw(image, summary)
        write_json(out / "climbing.json", [summary.as_dict() for summary in found])
        write_picture(out / "climbing.jpg", image)
        yield from (out / "climbing.json", out / "climbing.jpg")


def _plot(options: argparse.Namespace) -> None:
    from climb_edge.tracking.plot import plot

    joints = options.joint or ["left_wrist", "right_wrist"]
    for curve in plot(options.tracks, joints, options.out, options.person):
        lag = (
            f", {round(curve.lag)} ms after raw"
            if curve.kind != "raw" and isfinite(curve.lag)
            else ""
        )
        print(f"{curve.track} {curve.kind}: jitter {curve.jitter:.2f} px a frame squared{lag}")
    print(options.out)


def _until(frames, seconds: float):
    for frame in frames:
        if frame.time > seconds:
            return
        yield frame


def _evaluate(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from climb_edge.evaluation.evaluate import evaluate, table
    from climb_edge.evaluation.videos import VideoFolder, recordings
    from climb_edge.files.clips import load_clips
    from climb_edge.pose.boxes import RULES
    from climb_edge.refiners.load import load_refiner

    clips = load_clips(options.clips).first(options.limit)
    refiners = [
        load_refiner(r, options.threads, options.device) for r in options.refiner or ["default"]
    ]
    with tqdm(total=len(clips), unit="clip", desc=f"estimator {options.estimator}") as bar:
        sources = recordings(clips, VideoFolder(options.videos), _estimator(options), bar.update)
    with tqdm(total=len(clips) * len(refiners), unit="clip", desc="refiners") as bar:
        metrics = [evaluate(clips, sources, r, RULES[options.box], bar.update) for r in refiners]
    if options.out:
        write_json(options.out, metrics[0] if len(metrics) == 1 else metrics)
    print(table(metrics))


def _benchmark(options: argparse.Namespace) -> None:
    if options.soak:
        from climb_edge.evaluation.soak import command
    else:
        from climb_edge.evaluation.benchmark import command
    command(options)


def _inspect(options: argparse.Namespace) -> None:
    from climb_edge.runtime.golden import check_graph
    from climb_edge.runtime.model_file import read_model
    from climb_edge.runtime.session import Session

    graph, contract = read_model(options.model)
    error = check_graph(options.model, Session(graph, 1, source=options.model), contract)
    shown = contract.to_json()
    del shown["golden"]["samples"]
    print(json.dumps(shown, indent=1))
    print(
        f"{len(graph)} bytes of graph, hash right; golden test on {Session.version()}: {error:.2g}"
        f" of the scale away, {contract.golden.tolerance:g} allowed"
    )
    if error > contract.golden.tolerance:
        raise ClimbEdgeError(
            f"{options.model}: this runtime computes it wrongly; use {contract.runtime}"
        )


def _fetch(options: argparse.Namespace) -> None:
    from climb_edge.files.assets import ASSETS, available, locate
    from climb_edge.runtime.vulkan import fetch_software_vulkan

    if options.only == "vulkan":
        print(fetch_software_vulkan())
        return
    if options.only and options.only not in ASSETS:
        raise ClimbEdgeError(
            f"--only {options.only!r}: expected one of {', '.join(ASSETS)}, vulkan"
        )
    for name in [options.only] if options.only else [n for n in ASSETS if n.endswith(".tflite")]:
        if available(name):
            print(locate(name))
        else:
            print(
                f"skipped {name}: npm is not installed, and only its package has it",
                file=sys.stderr,
            )


if __name__ == "__main__":
    sys.exit(main())
