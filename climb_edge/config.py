"""The options of every `climb-edge` command: one frozen dataclass each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from climb_edge.errors import ClimbEdgeError
from climb_edge.options import Config, check_writable, option

PAGE = 8321  # the live page's port, where none is named


@dataclass(frozen=True, kw_only=True)
class RuntimeOptions:
    """What runs, and on what."""

    estimator: str = option(
        "BlazePose variant, or a file with heatmaps", "full", metavar="lite|full|heavy|HEATMAPS.npz"
    )
    weights: Path | None = option(
        "folder with the estimator's weights, for machines that reach no registry",
        None,
        metavar="FOLDER",
    )
    device: str = option(
        "what runs the refiner; a GPU that fails its self-check is left for the CPU, and the"
        " track's first line says why; auto takes the faster",
        "cpu",
        choices=("cpu", "gpu", "auto"),
    )
    threads: int | None = option(
        "CPU threads (else the cores, at most 4)", None, metavar="N", low=1
    )


@dataclass(frozen=True, kw_only=True)
class RefinerOptions(RuntimeOptions):
    """Several refiners, one after the other."""

    refiner: tuple[str, ...] = option(
        "a .tflite from `python -m convert`, the package's own (default), none (identity), or a"
        " filter: one_euro, gaussian:sigma=2, median:emits=newest, mean, savitzky_golay",
        ("default",),
        metavar="PATH|default|identity|FILTER",
        commas=True,
    )


@dataclass(frozen=True, kw_only=True)
class LabelOptions:
    """How labels are brought to their videos."""

    fit_labels: str = option(
        "labels of another picture size than the video's, or beyond its end: refuse them; scale the"
        " former and leave out the latter; stretch: the same, each side by itself",
        "no",
        choices=("no", "scale", "stretch"),
    )


@dataclass(frozen=True, kw_only=True)
class Track(RuntimeOptions, Config):
    """Track a video or a camera: overlay.mp4 and track.jsonl."""

    command: ClassVar[str] = "track"
    source: str = option(
        "a video file, a folder of pictures, - for standard input, or a camera's number",
        metavar="VIDEO|FOLDER|CAMERA",
        positional=True,
    )
    out: Path | None = option(
        "where to write (else track-NAME in this folder)", None, metavar="DIR", writes="folder"
    )
    refiner: str = option(
        "a .tflite from `python -m convert`, the package's own (default), none (identity), or a"
        " filter: one_euro, gaussian:sigma=2, median:emits=newest, mean, savitzky_golay",
        "default",
        metavar="PATH|default|identity|FILTER",
    )
    compare: tuple[str, ...] = option(
        "draw several refiners side by side instead of --refiner, each with a track of its own;"
        " names as for --refiner",
        (),
        metavar="M1,M2,...",
        commas=True,
    )
    names: tuple[str, ...] = option(
        "what the refiners are called in overlay and tracks, in their order (else by their files)",
        (),
        metavar="N1,N2,...",
        commas=True,
    )
    people: int = option("how many persons to follow at most", 1, metavar="N", low=1)
    seconds: float | None = option("stop after S seconds of video", None, metavar="S", low=0)
    live: bool = option(
        "play a video at its own speed and take the newest frame each time, dropping what nobody"
        " was free for, as it is always done with a camera (else every frame in order)",
        False,
    )
    page: int | None = option(
        "show the overlay as it grows on a page that this machine alone can open; 0: any free port",
        None,
        metavar="PORT",
        low=0,
        high=65535,
        bare=PAGE,
    )
    picture: float | None = option(
        "also write the overlay at S seconds as overlay.jpg", None, metavar="S", low=0
    )
    export: tuple[str, ...] = option(
        "also write track.csv, track.coco.json, or climbing.json with climbing.jpg: moves, time on"
        " the wall and path of the hips",
        (),
        choices=("csv", "coco", "climbing"),
        commas=True,
        old=("also",),
    )

    def check(self) -> None:
        check_writable("--out", self.folder, "folder")

    @property
    def camera(self) -> int | None:
        """The camera's number; None of a video file."""
        is_number = self.source.isdecimal() and not Path(self.source).exists()
        return int(self.source) if is_number else None

    @property
    def folder(self) -> Path:
        """Where the files go."""
        if self.out is not None:
            return self.out
        if self.source == "-":
            return Path("track-stdin")
        return Path(f"track-{'' if self.camera is None else 'camera'}{Path(self.source).stem}")


@dataclass(frozen=True, kw_only=True)
class Plot(Config):
    """Draw chosen joints of tracks over time, with jitter and lag."""

    command: ClassVar[str] = "plot"
    tracks: tuple[Path, ...] = option("track files", metavar="TRACK.jsonl", positional=True)
    out: Path = option("where to write", metavar="PLOT.png", writes="file")
    joint: tuple[str, ...] = option(
        "which joints", ("left_wrist", "right_wrist"), metavar="NAME", commas=True
    )
    names: tuple[str, ...] = option(
        "what the tracks are called, in their order (else by their files)",
        (),
        metavar="N1,N2,...",
        commas=True,
    )
    person: int | None = option("number of the person (else the one seen most)", None, metavar="N")


@dataclass(frozen=True, kw_only=True)
class Evaluate(RefinerOptions, LabelOptions, Config):
    """PCK of estimator and refiner against a clip set's truth, streamed."""

    command: ClassVar[str] = "evaluate"
    clips: Path = option("the clip set", metavar="CLIPS.npz", positional=True)
    videos: Path = option("the videos; a clip's name is its path inside", metavar="FOLDER|ZIP")
    out: Path | None = option(
        "also write the metrics here, a list of several", None, metavar="M.json", writes="file"
    )
    box: str = option(
        "the stream's box, or the study's per-frame one", "sticky", choices=("sticky", "frame")
    )
    limit: int | None = option("only the first N clips", None, metavar="N", low=1)


@dataclass(frozen=True, kw_only=True)
class Inspect(Config):
    """Print a model's contract and check it: hash, skeleton, golden test on this runtime."""

    command: ClassVar[str] = "inspect"
    model: Path = option("the model", metavar="M.tflite|default", positional=True)


@dataclass(frozen=True, kw_only=True)
class Benchmark(RefinerOptions, Config):
    """Time every stage of the chain, in turns with the estimator alone and MediaPipe's pose
    solution.
    """

    command: ClassVar[str] = "benchmark"
    source: str | None = option(
        "a video file (else the clip of the demo)", None, metavar="VIDEO", positional=True
    )
    frames: int = option("frames to time", 200, metavar="N", low=1)
    mediapipe: str | None = option(
        "a Python with mediapipe, as `make mediapipe` makes one", None, metavar="PYTHON"
    )
    out: Path | None = option(
        "also write the figures here, and as CSV beside it", None, metavar="B.json", writes="file"
    )
    soak: int | None = option(
        "instead stream N frames and watch memory and speed", None, metavar="N", low=1
    )
    recorded: bool = option("soak on what the estimator said of the video once", False)

    def check(self) -> None:
        if self.soak and len(self.refiner) > 1:
            raise ClimbEdgeError(
                f"--soak: expected one --refiner, found {len(self.refiner)}; soak them one by one"
            )
        if self.out:
            check_writable("--out", self.out.with_suffix(".csv"), "file")


@dataclass(frozen=True, kw_only=True)
class Fetch(Config):
    """Fetch the estimator's weights (lite and heavy need npm) into the cache."""

    command: ClassVar[str] = "fetch"
    only: str | None = option(
        "one file, by name; demo.mp4 is the clip of the demo; vulkan is the software GPU of the GPU"
        " checks (Debian x86-64, needs apt-get; fetched only when it is named)",
        None,
        metavar="NAME",
    )
