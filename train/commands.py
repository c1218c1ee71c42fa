"""The options of the commands around training: one frozen dataclass each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from climb_edge.config import LabelOptions
from climb_edge.errors import ClimbEdgeError
from climb_edge.options import Config, again, check_writable, option
from train.config import EstimatorOptions


@dataclass(frozen=True, kw_only=True)
class Annotate(Config):
    """Make targets for unlabelled videos with an offline teacher (pseudo ground truth)."""

    command: ClassVar[str] = "annotate"
    videos: tuple[str, ...] = option(
        "video files, or folders of them", metavar="VIDEO|FOLDER", positional=True
    )
    out: Path = option("where to write", metavar="CLIPS.npz", writes="file")
    jobs: int = option("videos at a time, a process each", 1, metavar="N", low=1)
    strict: bool = option("stop at the first video that cannot be used", False)
    weights: Path | None = again(EstimatorOptions, "weights", None)


@dataclass(frozen=True, kw_only=True)
class Extract(EstimatorOptions, Config):
    """Run the frozen estimator over a clip set's videos once, into a store. Resumes."""

    command: ClassVar[str] = "extract"
    clips: Path = option("the clip set", metavar="CLIPS.npz", positional=True)
    videos: Path = option("its videos", metavar="FOLDER|ZIP")
    out: Path = option("where to write", metavar="STORE", writes="folder")
    jobs: int = option("videos at a time, a process each", 1, metavar="N", low=1)
    strict: bool = option("stop at the first video that cannot be used", False)


@dataclass(frozen=True, kw_only=True)
class Import(LabelOptions, Config):
    """Bring another data set's layout into a clip set, a store or motion capture."""

    command: ClassVar[str] = "import"
    layout: str = option(
        "penn, jhmdb, brace, climbalong, coco, yolo, asfamc, heatmaps",
        metavar="LAYOUT",
        positional=True,
    )
    folder: Path = option("where the data set is", metavar="FOLDER|FILE", positional=True)
    out: Path = option("where to write", metavar="CLIPS.npz|STORE|MOTION.npz")
    strict: bool = option("stop at the first file that cannot be used", False)
    map: tuple[str, ...] = option(
        "of coco and yolo: a keypoint's name there and here (none: leave it out), may be repeated",
        (),
        metavar="THEIRS=OURS",
    )
    rename: tuple[str, ...] = option(
        "of coco and yolo: a clip as its pictures name it and its video's path, may be repeated",
        (),
        metavar="THEIRS=OURS",
    )
    videos: Path | None = option(
        "the clips' videos, to compare sizes and lengths with", None, metavar="FOLDER|ZIP"
    )
    preview: Path | None = option(
        "draw the labels of 6 frames, on images or videos where they are at hand",
        None,
        metavar="PICTURE.jpg",
    )
    option: tuple[str, ...] = option("of the layout, may be repeated", (), metavar="NAME=VALUE")

    def check(self) -> None:
        if self.preview and self.preview.suffix.lower() not in (".jpg", ".jpeg"):
            raise ClimbEdgeError(f"--preview {self.preview}: expected a name that ends in .jpg")
        check_writable(
            "--out", self.out, "folder" if self.layout in ("heatmaps", "climbalong") else "file"
        )


@dataclass(frozen=True, kw_only=True)
class FitNoise(Config):
    """Estimate a noise model from what the estimator saw of clips with truth."""

    command: ClassVar[str] = "fit-noise"
    store: Path = option("what the estimator saw", metavar="STORE", positional=True)
    out: Path = option("where to write", metavar="NOISE.json", writes="file")
    name: str | None = option("name of the noise model (else the file's)", None)


@dataclass(frozen=True, kw_only=True)
class Study(Config):
    """Run a grid of models x setups x seeds: pretrain each, finetune each. Resumes."""

    command: ClassVar[str] = "study"
    config: str = option("a built-in config, or a file", metavar="NAME|FILE.toml")
    out: Path = option("where to write", metavar="runs/NAME", writes="folder")
    jobs: int = option("cells at a time", 1, metavar="N", low=1)
    only: str | None = option("only the cells whose name holds this", None, metavar="TEXT")


@dataclass(frozen=True, kw_only=True)
class Look(Config):
    """Test windows of a run or of several seeds closely: one frame, by pace and keypoint, beside
    tuned filters; whether its score is true.
    """

    command: ClassVar[str] = "look"
    runs: tuple[Path, ...] = option(
        "a run, or several that differ in their seeds", metavar="RUN", positional=True
    )
    beside: tuple[Path, ...] = option(
        "another run of this split, may be repeated; of several runs, one for each",
        (),
        metavar="RUN",
    )
    plot: Path | None = option(
        "draw how true the model's score is", None, metavar="FILE.png", writes="file"
    )


@dataclass(frozen=True, kw_only=True)
class Tables(Config):
    """Markdown, CSV and HTML tables and plots of studies or single runs."""

    command: ClassVar[str] = "tables"
    runs: tuple[Path, ...] = option("runs and studies", metavar="RUN|STUDY", positional=True)
    out: Path = option("where to write", metavar="FOLDER", writes="folder")


@dataclass(frozen=True, kw_only=True)
class Models(Config):
    """List every model and form: parameters, MACs per emitted frame, inputs, outputs, state."""

    command: ClassVar[str] = "models"
    json: Path | None = option(
        "write the list as JSON as well", None, metavar="FILE", writes="file"
    )
    data: str | None = option(
        "measure how fast its windows are read and trained on instead",
        None,
        metavar="STORE|CLIPS.npz|generated",
    )
    noise: str = option("for --data without heatmaps", "blazepose", metavar="NAME|FILE.json")
    preset: str | None = option(
        "with --data: only its model, in its batches and with its augmentation",
        None,
        metavar="NAME|FILE.toml",
    )

    def check(self) -> None:
        if self.preset and not self.data:
            raise ClimbEdgeError(
                f"--preset {self.preset}: says how windows are trained on; name some with --data"
            )
