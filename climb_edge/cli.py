"""The grammar of the edge part's command line."""

from __future__ import annotations

import argparse
from pathlib import Path

_EXAMPLES = """examples:
  climb-edge track climb.mp4                                  overlay.mp4 and track.jsonl with the refiner inside
  climb-edge track 0 --refiner model.tflite --seconds 20      the first camera
  climb-edge track 0 --page                                   watch it in a browser, also through ssh -L 8321:127.0.0.1:8321
  climb-edge track climb.mp4 --live --page                    play a file as if it were a camera
  climb-edge track climb.mp4 --also csv --also climbing       a table, and moves and path of the hips
  climb-edge track climb.mp4 --compare default,one_euro,gaussian:sigma=2   side by side, a track each
  climb-edge plot track-climb/track.jsonl --joint left_wrist --out wrist.png
  climb-edge evaluate clips.npz --videos videos.zip --estimator lite --refiner default --refiner one_euro
  climb-edge benchmark climb.mp4 --out B.json                 milliseconds of every stage, B.csv beside it
  climb-edge inspect model.tflite                             what a file needs and promises
  climb-edge fetch                                            estimator weights, from package registries

exit codes: 0 done, 1 a gate failed, 2 usage or input, 130 Ctrl-C"""

_BENCHMARKS = """
  climb-edge benchmark --refiner default --refiner mine.tflite --threads 1
  climb-edge benchmark --mediapipe .venv-mediapipe/bin/python
  climb-edge benchmark --soak 100000 --recorded               exit code 1 where memory, open files or threads grow"""


def lend_examples(
    commands: dict[str, argparse.ArgumentParser], examples: str, default: str = ""
) -> None:
    """Give every command its lines of `examples` for its own --help; those that name no command are
    the `default`'s.
    """
    lines: dict[str, list[str]] = {}
    for line in examples.splitlines():
        if line.startswith("  "):
            words = line.split()
            word = words[3 if words[0] == "python" else 1]
            lines.setdefault(word if word in commands else default, []).append(line)
    for name, own in lines.items():
        commands[name].epilog = "\n".join(["examples:", *own])
        commands[name].formatter_class = argparse.RawDescriptionHelpFormatter


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


def several(text: str) -> list[str]:
    """Names of refiners between commas, for argparse; a filter's parameters belong to its name."""
    names: list[str] = []
    for part in text.split(","):
        if names and "=" in part and ":" not in part:
            names[-1] += f",{part}"
        else:
            names.append(part)
    if not all(names):
        raise argparse.ArgumentTypeError(
            f"expected names of refiners between commas, found {text!r}"
        )
    return names


def port(text: str) -> int:
    """A TCP port, for argparse."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected a port from 0 (any) to 65535, found {text!r}")
    return int(text)


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    top = argparse.ArgumentParser(
        "climb-edge",
        description="Temporal refining of 2D poses at the edge.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.add_argument("--debug", action="store_true", help="show the traceback of an error")
        return sub

    def runs_estimator(sub: argparse.ArgumentParser, **refiner) -> None:
        sub.add_argument(
            "--refiner",
            **{"default": "default", **refiner},
            metavar="PATH|default|identity|FILTER",
            help=(
                "a .tflite from `python -m convert`, the one inside this package, none, or a"
                " filter: one_euro, gaussian:sigma=2, median:emits=newest, mean, savitzky_golay"
                " (default: default)"
            )
            + (", may be repeated" if refiner else ""),
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
            "--device",
            choices=("cpu", "gpu", "auto"),
            default="cpu",
            help=(
                "what runs the refiner; a GPU that fails its self-check is left for the CPU, and"
                " the track's first line says why; auto takes the faster (default: cpu)"
            ),
        )
        sub.add_argument(
            "--threads",
            type=positive,
            metavar="N",
            help="CPU threads (default: the cores, at most 4)",
        )

    track = command("track", "Track a video or a camera: overlay.mp4 and track.jsonl.")
    track.add_argument("source", metavar="VIDEO|CAMERA", help="a video file, or a camera's number")
    track.add_argument(
        "--people",
        type=positive,
        default=1,
        metavar="N",
        help="how many persons to follow at most (default: 1)",
    )
    track.add_argument("--seconds", type=seconds, metavar="S", help="stop after S seconds of video")
    track.add_argument(
        "--live",
        action="store_true",
        help=(
            "play a video at its own speed and take the newest frame each time, dropping what"
            " nobody was free for, as it is always done with a camera (default: every frame in"
            " order)"
        ),
    )
    track.add_argument(
        "--page",
        nargs="?",
        type=port,
        const=8321,
        metavar="PORT",
        help=(
            "show the overlay as it grows on a page that this machine alone can open (default port:"
            " 8321; 0: any free one)"
        ),
    )
    track.add_argument(
        "--picture",
        type=seconds,
        metavar="S",
        help="also write the overlay at S seconds as overlay.jpg",
    )
    track.add_argument(
        "--also",
        action="append",
        choices=("csv", "coco", "climbing"),
        default=[],
        help=(
            "also write track.csv, track.coco.json, or climbing.json with climbing.jpg: moves, time"
            " on the wall and path of the hips"
        ),
    )
    track.add_argument(
        "--compare",
        type=several,
        metavar="M1,M2,...",
        help=(
            "draw several refiners side by side instead of --refiner, "
            "each with a track of its own; names as for --refiner"
        ),
    )
    track.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="where to write (default: track-NAME in this folder)",
    )
    runs_estimator(track)

    plot = command("plot", "Draw chosen joints of tracks over time, with jitter and lag.")
    plot.add_argument("tracks", nargs="+", type=Path, metavar="TRACK.jsonl")
    plot.add_argument(
        "--joint",
        action="append",
        metavar="NAME",
        help="may be repeated (default: left_wrist, right_wrist)",
    )
    plot.add_argument(
        "--person", type=int, metavar="N", help="number of the person (default: the one seen most)"
    )
    plot.add_argument("--out", type=Path, required=True, metavar="PLOT.png", help="where to write")

    evaluate = command(
        "evaluate", "PCK of estimator and refiner against a clip set's truth, streamed."
    )
    evaluate.add_argument("clips", type=Path, metavar="CLIPS.npz")
    evaluate.add_argument(
        "--videos",
        type=Path,
        required=True,
        metavar="FOLDER|ZIP",
        help="the videos; a clip's name is its path inside",
    )
    evaluate.add_argument(
        "--out", type=Path, metavar="M.json", help="also write the metrics here, a list of several"
    )
    evaluate.add_argument(
        "--box",
        choices=("sticky", "frame"),
        default="sticky",
        help="the stream's box, or the study's per-frame one",
    )
    evaluate.add_argument("--limit", type=positive, metavar="N", help="only the first N clips")
    runs_estimator(evaluate, action="append", default=None)

    inspect = command(
        "inspect",
        "Print a model's contract and check it: hash, skeleton, golden test on this runtime.",
    )
    inspect.add_argument("model", type=Path, metavar="M.tflite")

    benchmark = command(
        "benchmark",
        "Time every stage of the chain, in turns with the estimator alone and MediaPipe's pose"
        " solution.",
    )
    benchmark.add_argument(
        "source", nargs="?", metavar="VIDEO", help="a video file (default: the clip of the demo)"
    )
    benchmark.add_argument(
        "--frames", type=positive, default=200, metavar="N", help="frames to time (default: 200)"
    )
    benchmark.add_argument(
        "--mediapipe",
        metavar="PYTHON",
        help="a Python with mediapipe, as `make mediapipe` makes one",
    )
    benchmark.add_argument(
        "--out",
        type=Path,
        metavar="B.json",
        help="also write the figures here, and as CSV beside it",
    )
    benchmark.add_argument(
        "--soak",
        type=positive,
        metavar="N",
        help="instead stream N frames and watch memory and speed",
    )
    benchmark.add_argument(
        "--recorded", action="store_true", help="soak on what the estimator said of the video once"
    )
    runs_estimator(benchmark, action="append", default=None)

    fetch = command(
        "fetch", "Fetch the estimator's weights (lite and heavy need npm) into the cache."
    )
    fetch.add_argument(
        "--only",
        metavar="NAME",
        help=(
            "one file, by name; demo.mp4 is the clip of the demo; vulkan is the software GPU of the"
            " GPU checks (Debian x86-64, needs apt-get; fetched only when it is named)"
        ),
    )
    lend_examples(commands.choices, _EXAMPLES + _BENCHMARKS)
    return top
