"""The options of training: of windows, of fitting, of finetune and pretrain; and presets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from climb_edge.config import LabelOptions
from climb_edge.errors import ClimbEdgeError
from climb_edge.options import Config, again, option
from train.configs import load_config

LOSSES = ("cross_entropy", "mse", "coordinate_mse", "coordinate_mae", "soft_pck", "study")
THRESHOLDS = ("0.05", "0.1", "0.2")


@dataclass(frozen=True)
class Augmentation:
    """How far windows are changed; nothing by default. The study tried a rotation of 45 degrees for
    DeciWatch.
    """

    rotate: float = option(
        "augmentation: turn windows by up to so much, either way",
        0.0,
        metavar="DEGREES",
        low=0,
        high=180,
    )
    scale: float = option(
        "augmentation: box side times exp of up to so much, either way",
        0.0,
        metavar="X",
        low=0,
        high=1,
    )
    mirror: bool = option("augmentation: exchange left and right in every second window", False)
    reverse: bool = option("augmentation: play every second window backwards", False)
    shift: float = option(
        "augmentation: box moved by a normal share of its side, right and down",
        0.0,
        metavar="X",
        low=0,
        high=0.5,
    )
    keypoint_dropout: float = option(
        "augmentation: chance that a keypoint is hidden, for the window and again for a frame",
        0.0,
        metavar="P",
        low=0,
        high=0.9,
        old=("drop",),
    )
    deform: float = option(
        "augmentation of simulated windows: keypoints, true ones too, displaced by a normal share"
        " of the torso, up to this",
        0.0,
        metavar="X",
        low=0,
        high=2,
    )
    speed_up: int = option(
        "augmentation of simulated windows: up to so many times as fast",
        1,
        metavar="N",
        low=1,
        old=("hasten",),
    )

    def __bool__(self) -> bool:
        return self != Augmentation()


@dataclass(frozen=True)
class Hyperparameters:
    """How a model is fitted; the study's training by default."""

    learning_rate: float = option("of Adam", 1e-3, metavar="R", low=1e-12, high=10)
    batch: int = option("windows per batch", 16, metavar="N", low=1)
    epochs: int = option("at most so many", 50, metavar="N", low=0)
    steps_per_epoch: int | None = option(
        "batches per epoch; else every training window once",
        None,
        metavar="N",
        low=1,
        old=("steps",),
    )
    plateau: int = option(
        "epochs without a lower validation loss before the rate falls to a tenth",
        5,
        metavar="N",
        low=1,
    )
    patience: int = option(
        "epochs without a lower validation loss before it ends",
        10,
        metavar="N",
        low=1,
        old=("stop",),
    )
    select: str = option("validation PCK that chooses the epoch", "0.2", choices=THRESHOLDS)
    seed: int = option("of data, order and weights", 0, metavar="N", low=0, high=2**32 - 1)
    validation_windows: int = option(
        "windows at most that every epoch is judged by",
        1000,
        metavar="N",
        low=1,
        old=("validation",),
    )
    test_windows: int | None = option(
        "windows at most that the figures at the end are taken of; else all test windows",
        None,
        metavar="N",
        low=1,
        old=("test",),
    )
    loss: str | None = option(
        "study: the squared error; else the model's own, cross_entropy of heatmaps or"
        " coordinate_mse of keypoints",
        "cross_entropy",
        choices=LOSSES,
    )
    target_sigma: float = option(
        "width of the target heatmaps; the study's is 1", 2.0, metavar="CELLS", low=0.5, high=5
    )
    whole_cells: bool = option("truth in whole cells, as the study's", False, old=("whole",))
    weight_decay: float = option("of Adam, decoupled", 0.0, metavar="R", low=0)
    schedule: str = option(
        "one-cycle: the rate rises for a tenth of all steps, then falls as a cosine",
        "plateau",
        choices=("plateau", "one-cycle"),
    )
    clip_norm: float = option("of all gradients together; 0: not clipped", 0.0, metavar="N", low=0)
    ema: float = option(
        "momentum of a moving average of the weights, which is judged and saved; 0: the weights",
        0.0,
        metavar="M",
        low=0,
        high=0.9999,
        old=("average",),
    )
    displacement_penalty: float = option(
        "of keypoint models: what a squared displacement, in torso diameters, costs beside the"
        " loss",
        0.0,
        metavar="X",
        low=0,
        old=("hold",),
    )
    freeze: bool = option("train the last layer alone", False)


@dataclass(frozen=True, kw_only=True)
class EstimatorOptions(LabelOptions):
    """Which frozen estimator runs."""

    estimator: str = option("BlazePose variant", "full", choices=("lite", "full", "heavy"))
    weights: Path | None = option("folder with the estimator's weights", None, metavar="FOLDER")


@dataclass(frozen=True, kw_only=True)
class Training(Hyperparameters, Augmentation, EstimatorOptions, Config):
    """What finetune and pretrain share."""

    data: tuple[str, ...] = option(
        "a store, a clip set (with --videos: through the estimator; without: through"
        " --noise), 3D motion capture through virtual cameras, or generated climbing; may be"
        " repeated",
        metavar="STORE|CLIPS.npz|MOTION.npz|generated",
    )
    out: Path = option("where to write", metavar="runs/NAME", writes="folder")
    videos: Path | None = option("videos of the clip set", None, metavar="FOLDER|ZIP")
    strict: bool = option("with --videos: stop at the first that cannot be used", False)
    group: tuple[str, ...] = option(
        "only the clips of this group; may be repeated", (), metavar="NAME"
    )
    preset: str | None = option(
        "options from a file: mission and final are the study's", None, metavar="NAME|FILE.toml"
    )
    loss: str | None = again(Hyperparameters, "loss", None)
    model: str | None = option("one of `models` (else that of --init's run, else conv3d)", None)
    switch: tuple[str, ...] = option(
        "a switch of the model; `models` lists them", (), metavar="NAME=on|off", commas=True
    )
    init: str = option("weights to start from", metavar="RUN|shipped|identity|none")
    noise: str = option(
        "simulated estimator: a built-in name, the study's 1.1 ... 2.3, or a file of fit-noise;"
        " +bias after a fitted one adds its mean offset; of several, with commas between, every"
        " window has one",
        "blazepose",
        metavar="NAME|FILE.json",
    )
    box: str = option(
        "sticky: as a stream holds it; frame: the study's, each frame's own extent",
        "sticky",
        choices=("sticky", "frame"),
    )
    clips: int = option("how many clips to generate", 400, metavar="N", low=1)
    split: str = option(
        "by-video, by-time, by-window, mission, final, or another run's split.json",
        "auto",
        metavar="RULE|FILE",
    )
    precision: str = option(
        "of the arithmetic in training",
        "float32",
        choices=("float32", "mixed_float16", "mixed_bfloat16"),
    )
    distribute: str = option(
        "tf.distribute strategy over this machine's devices", "none", choices=("none", "mirrored")
    )

    @classmethod
    def of(cls, values: Mapping[str, Any], where: str = "") -> Self:
        """A config of `values` over those of their preset, if they name one. What is given replaces
        the preset's. Errors as in Config.of.
        """
        preset = values.get("preset")
        return super().of({**(cls.preset_of(preset) if preset else {}), **values}, where)

    @classmethod
    def preset_of(cls, name: str) -> dict[str, Any]:
        """What a preset says of this command. Raises ClimbEdgeError for what is no option."""
        table = load_config(name).get(cls.command, {})
        if not isinstance(table, dict):
            raise ClimbEdgeError(
                f"{name}: {cls.command}: expected a table, found {str(table)[:80]}; correct it"
            )
        if own := {"preset", "out"} & set(table):
            raise ClimbEdgeError(
                f"{name}: {own.pop()}: no option of {cls.command} that a preset may set; give it on"
                " the command line"
            )
        return cls.values(table, name)


@dataclass(frozen=True, kw_only=True)
class Finetune(Training):
    """Finetune a refiner on what the frozen estimator sees (the default command)."""

    command: ClassVar[str] = "finetune"
    learning_rate: float = again(Training, "learning_rate", 1e-4)
    select: str = again(Training, "select", "0.1")
    init: str = again(Training, "init", "shipped")
    qat: str | None = option(
        "train in the arithmetic of an integer graph, from the float weights of --init; tfmot: by"
        " tensorflow-model-optimization, for Conv3D's newest frame (`make tfmot`)",
        None,
        choices=("int8", "tfmot"),
    )
    distill_epochs: int = option(
        "with --qat: the float weights' output is a target as well, for so many epochs",
        0,
        metavar="N",
        low=0,
        old=("distil",),
    )
    shrink: str | None = option(
        "with --qat tfmot, before training: prune:0.5 (that part of the weights is zero) or"
        " cluster:16 (only so many values)",
        None,
        metavar="WAY",
    )

    def check(self) -> None:
        if self.distill_epochs and not self.qat:
            raise ClimbEdgeError(
                f"--distill-epochs {self.distill_epochs}: the float weights teach a"
                " quantization-aware run; add --qat int8"
            )
        if self.shrink and self.qat != "tfmot":
            raise ClimbEdgeError(
                f"--shrink {self.shrink}: tensorflow-model-optimization does it; add --qat tfmot,"
                " or leave it out"
            )
        if not self.qat:
            return
        if self.init in ("none", "identity"):
            raise ClimbEdgeError(
                f"--init {self.init}: --qat {self.qat} goes on from a trained float model; name its"
                " run, or shipped"
            )
        for given, needed in (("precision", "float32"), ("freeze", False), ("distribute", "none")):
            if getattr(self, given) != needed:
                raise ClimbEdgeError(
                    f"--{given} {getattr(self, given)}: --qat {self.qat} expected {needed}; leave"
                    f" --{given} out"
                )


@dataclass(frozen=True, kw_only=True)
class Pretrain(Training):
    """Train a refiner on simulated heatmaps."""

    command: ClassVar[str] = "pretrain"
    init: str = again(Training, "init", "none")
    qat: ClassVar[None] = None
    distill_epochs: ClassVar[int] = 0
