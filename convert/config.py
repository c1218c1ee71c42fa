"""The options of every conversion command: one frozen dataclass each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from climb_edge.options import Config, again, check_writable, option
from convert.quantization.recipes import DEFAULT, RECIPES
from train.models.registry import FORMS

SKIPPABLE = ("gpu", "stream", "second", "speed")


@dataclass(frozen=True, kw_only=True)
class Checking:
    """What every check of a file takes."""

    out: Path = option("where the report goes", metavar="DIR", writes="folder")
    skip: tuple[str, ...] = option(
        "leave a check out; the verdict names it", (), choices=SKIPPABLE, commas=True
    )


@dataclass(frozen=True, kw_only=True)
class Convert(Checking, Config):
    """Convert a run and check the files (the default command)."""

    command: ClassVar[str] = "run"
    run: Path = option("run folder of `python -m train`", metavar="RUN", positional=True)
    form: tuple[str, ...] = option(
        "which deploy forms", ("step-newest", "window-all"), choices=FORMS, commas=True
    )
    recipe: tuple[str, ...] = option(
        f"{', '.join(RECIPES)}, or all (else those of {', '.join(DEFAULT)} that suit the model)",
        (),
        metavar="RECIPE",
        commas=True,
    )
    qat_run: tuple[Path, ...] = option(
        "a run of `train finetune --qat` from the same float weights and split: its file stands in"
        " the same report; may be repeated",
        (),
        metavar="RUN",
        old=("beside",),
    )
    force: bool = option("also write files that a gate refuses, marked in their contract", False)
    bundle: Path | None = option(
        "also write what an app needs: files, weights, calls", None, metavar="DIR", writes="folder"
    )

    def check(self) -> None:
        check_writable("--out", self.out / "models", "folder")


@dataclass(frozen=True, kw_only=True)
class Check(Checking, Config):
    """Check somebody else's .tflite as far as that can be done."""

    command: ClassVar[str] = "check"
    file: Path = option("the file", metavar="FILE.tflite", positional=True)


@dataclass(frozen=True, kw_only=True)
class Diff(Config):
    """Compare two reports; exit code 1 where the second is worse beyond noise."""

    command: ClassVar[str] = "diff"
    before: Path = option("report.json of before", metavar="A.json", positional=True)
    after: Path = option("report.json of after", metavar="B.json", positional=True)


@dataclass(frozen=True, kw_only=True)
class Matrix(Config):
    """The files of several runs' reports in one table: model x form x recipe."""

    command: ClassVar[str] = "matrix"
    reports: tuple[Path, ...] = option("reports", metavar="REPORT.json", positional=True)
    out: Path | None = option(
        "write the table as Markdown", None, metavar="TABLE.md", writes="file"
    )


@dataclass(frozen=True, kw_only=True)
class Show(Config):
    """Print the tables of a report again."""

    command: ClassVar[str] = "show"
    out: Path = option("what --out was", metavar="DIR", positional=True)


@dataclass(frozen=True, kw_only=True)
class Models(Config):
    """Measure every model and form as files, with random weights."""

    command: ClassVar[str] = "models"
    model: tuple[str, ...] = option("which models (else all)", (), metavar="NAME", commas=True)
    form: tuple[str, ...] = option("which deploy forms", FORMS, choices=FORMS, commas=True)
    gpu: bool = option("the GPU check, which takes minutes", True)
    out: Path | None = again(Matrix, "out", None)
    json: Path | None = option(
        "write what was measured as JSON", None, metavar="FILE", writes="file"
    )
