"""The grammar of `python -m train`: every command and option, and presets that fill options in."""

from __future__ import annotations

import argparse
import tomllib
from importlib.resources import files
from pathlib import Path

from climb_edge.cli import lend_examples
from climb_edge.errors import ClimbEdgeError
from climb_edge.files.atomic import existing_file

_EXAMPLES = """examples:
  python -m train annotate climb.mp4 --out clips.npz                         targets from the heaviest estimator
  python -m train --data clips.npz --videos . --out runs/mine                finetune the shipped Conv3D on them
  python -m train extract clips.npz --videos . --out store                   run the estimator once, train many times
  python -m train --data store --out runs/mine2
  python -m train finetune --data store --init runs/mine2 --qat int8 --out runs/mine8     for integer arithmetic
  python -m train pretrain --data generated --out runs/pre                   from nothing but generated climbing
  python -m train pretrain --preset mission --noise 1.1 --data penn.npz --out runs/study     as the study trained
  python -m train import penn Penn_Action --out penn.npz                     another data set's layout
  python -m train fit-noise store --out mine.json                            the estimator's noise, to pretrain with
  python -m train study --config quick --out runs/quick                      models x setups x seeds
  python -m train tables runs/quick --out docs/quick                         and their tables
  python -m train look runs/mine2                                            its test windows closely
  python -m train models                                                     what can be trained, and what it costs
  python -m train models --data store --preset joint_mixer                   is reading ever the bottleneck?
an interrupted run goes on when the same command is given again

exit codes: 0 done, 2 usage or input, 130 Ctrl-C"""

LOSSES = ("cross_entropy", "mse", "coordinate_mse", "coordinate_mae", "soft_pck", "study")
QAT = ("int8", "tfmot")
ALPHAS = ("0.05", "0.1", "0.2")

# Name, type or choices, default, metavar, help. A default that differs by command is given where
# the command is made.
_TRAINING = (
    ("--model", str, "conv3d", "MODEL", "which refiner; `models` lists them"),
    (
        "--noise",
        str,
        "blazepose",
        "NAME|FILE.json",
        (
            "simulated estimator: a built-in name, the study's 1.1 ... 2.3, or a file of fit-noise;"
            " +bias after a fitted one adds its mean offset; of several, with commas between, a"
            " window has one"
        ),
    ),
    (
        "--box",
        ("sticky", "frame"),
        "sticky",
        None,
        "sticky: as a stream holds it; frame: the study's, each frame's own extent",
    ),
    ("--clips", int, 400, "N", "how many clips to generate"),
    (
        "--split",
        str,
        "auto",
        "RULE|FILE",
        "by-video, by-time, by-window, mission, final, or another run's split.json",
    ),
    ("--epochs", int, 50, "N", "at most so many"),
    ("--steps", int, None, "N", "batches per epoch; else every training window once"),
    ("--batch", int, 16, "N", "windows per batch"),
    ("--learning-rate", float, None, "R", "of Adam"),
    ("--weight-decay", float, 0.0, "R", "of Adam, decoupled"),
    (
        "--schedule",
        ("plateau", "one-cycle"),
        "plateau",
        None,
        "one-cycle: the rate rises for a tenth of all steps, then falls as a cosine",
    ),
    ("--clip-norm", float, 0.0, "N", "of all gradients together; 0: not clipped"),
    (
        "--average",
        float,
        0.0,
        "M",
        "momentum of a moving average of the weights, which is judged and saved; 0: the weights",
    ),
    (
        "--hold",
        float,
        0.0,
        "X",
        (
            "of keypoint models: what a squared displacement, in torso diameters, costs beside the"
            " loss"
        ),
    ),
    (
        "--plateau",
        int,
        5,
        "N",
        "epochs without a lower validation loss before the rate falls to a tenth",
    ),
    ("--stop", int, 10, "N", "epochs without a lower validation loss before it ends"),
    ("--select", ALPHAS, None, None, "validation PCK that chooses the epoch"),
    ("--validation", int, 1000, "N", "windows at most that every epoch is judged by"),
    (
        "--test",
        int,
        None,
        "N",
        "windows at most that the figures at the end are taken of; else all test windows",
    ),
    (
        "--loss",
        LOSSES,
        None,
        None,
        (
            "study: the squared error; else the model's own, cross_entropy of heatmaps or"
            " coordinate_mse of keypoints"
        ),
    ),
    ("--target-sigma", float, 2.0, "CELLS", "width of the target heatmaps; the study's is 1"),
    ("--rotate", float, 0.0, "DEGREES", "augmentation: turn windows by up to so much"),
    ("--scale", float, 0.0, "X", "augmentation: box side times exp of up to so much"),
    ("--shift", float, 0.0, "X", "augmentation: box moved by a normal share of its side"),
    (
        "--drop",
        float,
        0.0,
        "P",
        "augmentation: chance that a keypoint is hidden, for the window and again for a frame",
    ),
    (
        "--deform",
        float,
        0.0,
        "X",
        (
            "augmentation of simulated windows: keypoints displaced by a normal share of the torso,"
            " up to this"
        ),
    ),
    ("--hasten", int, 1, "N", "augmentation of simulated windows: up to so many times as fast"),
    (
        "--precision",
        ("float32", "mixed_float16", "mixed_bfloat16"),
        "float32",
        None,
        "of the arithmetic in training",
    ),
    (
        "--distribute",
        ("none", "mirrored"),
        "none",
        None,
        "tf.distribute strategy over this machine's devices",
    ),
    ("--seed", int, 0, "N", "of data, order and weights; 0 to 4294967295"),
)
_SWITCHES = (
    ("--mirror", "augmentation: exchange left and right in every second window"),
    ("--reverse", "augmentation: play every second window backwards"),
    ("--freeze", "train the last layer alone"),
    ("--whole", "truth in whole cells, as the study's"),
)


def parse(arguments: list[str]) -> argparse.Namespace:
    """Options of a command line; `finetune` where no command is named. A preset fills in what is
    not given.
    """
    top, commands = _parser()
    if arguments and arguments[0] not in (*commands, "-h", "--help"):
        arguments = ["finetune", *arguments]
    options = top.parse_args(arguments)
    if not getattr(options, "preset", None):
        return options
    return top.parse_args([arguments[0], *_preset(options), *arguments[1:]])


def _preset(options: argparse.Namespace) -> list[str]:
    """A preset as if it had been typed before all else. Raises ClimbEdgeError for what is no
    option.
    """
    table = load_config(options.preset).get(options.command, {})
    if not isinstance(table, dict):
        raise ClimbEdgeError(
            f"{options.preset}: {options.command}: expected a table, found {str(table)[:80]};"
            " correct it"
        )
    known = {key: value for key, value in vars(options).items() if key not in _NOT_PRESET}
    for key, value in table.items():
        if key not in known:
            raise ClimbEdgeError(
                f"{options.preset}: {key}: no option of {options.command}; correct the preset"
            )
        alike = isinstance(known[key], bool) == isinstance(value, bool)
        if not alike or (isinstance(value, list) and not isinstance(known[key], list)):
            raise ClimbEdgeError(
                f"{options.preset}: {key}: expected {_kind(known[key])}, found {value!r}; correct"
                " the preset"
            )
    # what is given replaces the preset's
    lists = [key for key in table if isinstance(known[key], list) and known[key]]
    return as_arguments({key: value for key, value in table.items() if key not in lists})


_NOT_PRESET = ("command", "preset", "out", "debug")


def _kind(default) -> str:
    return "true or false" if isinstance(default, bool) else "one value"


def as_arguments(table: dict) -> list[str]:
    """Options of a TOML table as a command line: lists are repeated, true and false become --name
    and --no-name.
    """
    told = []
    for key, value in table.items():
        flag = "--" + key.replace("_", "-")
        if isinstance(value, bool):
            told.append(flag if value else f"--no-{flag[2:]}")
            continue
        for item in value if isinstance(value, list) else [value]:
            told.append(f"{flag}={item}")  # one word: a value may begin with a dash
    return told


def load_config(name: str) -> dict:
    """A TOML file, or one of the package's by its name. Raises ClimbEdgeError naming it and the
    built-in ones.
    """
    folder = files("train") / "configs"
    built_in = sorted(
        p.name.removesuffix(".toml") for p in folder.iterdir() if p.name.endswith(".toml")
    )
    path = (
        folder / f"{name}.toml"
        if name in built_in
        else existing_file(name, f"a config (one of {', '.join(built_in)}, or a .toml)")
    )
    try:
        return tomllib.loads(Path(str(path)).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ClimbEdgeError(
            f"{path}: expected TOML, found something else ({error}); correct it"
        ) from error


def _parser() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    top = argparse.ArgumentParser(
        "climb-edge-train",
        description="Train temporal refiners on an estimator's heatmap windows.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", required=True)

    def command(name: str, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.add_argument("--debug", action="store_true", help="show the traceback of an error")
        return sub

    finetune = command(
        "finetune", "Finetune a refiner on what the frozen estimator sees (the default command)."
    )
    _trains(finetune, init="shipped", learning_rate=1e-4, select="0.1")
    finetune.add_argument(
        "--qat",
        choices=QAT,
        help=(
            "train in the arithmetic of an integer graph, from the float weights of --init; "
            "tfmot: by tensorflow-model-optimization, for Conv3D's newest frame (`make tfmot`)"
        ),
    )
    finetune.add_argument(
        "--distil",
        type=int,
        default=0,
        metavar="N",
        help=(
            "with --qat: the float weights' output is a target as well, for so many epochs"
            " (default: 0)"
        ),
    )
    finetune.add_argument(
        "--shrink",
        metavar="WAY",
        help=(
            "with --qat tfmot, before training: prune:0.5 (that part of the weights is zero) or"
            " cluster:16 (only so many values)"
        ),
    )
    pretrain = command("pretrain", "Train a refiner on simulated heatmaps.")
    _trains(pretrain, init="none", learning_rate=1e-3, select="0.2")
    pretrain.set_defaults(qat=None, distil=0, shrink=None)

    annotate = command(
        "annotate",
        "Make targets for unlabelled videos with an offline teacher (pseudo ground truth).",
    )
    annotate.add_argument("videos", nargs="+", metavar="VIDEO")
    annotate.add_argument(
        "--strict", action="store_true", help="stop at the first video that cannot be used"
    )
    _out(annotate, "CLIPS.npz")
    _weights(annotate)

    extract = command(
        "extract", "Run the frozen estimator over a clip set's videos once, into a store. Resumes."
    )
    extract.add_argument("clips", type=Path, metavar="CLIPS.npz")
    extract.add_argument("--videos", required=True, metavar="FOLDER|ZIP")
    extract.add_argument(
        "--jobs",
        type=int,
        default=1,
        metavar="N",
        help="videos at a time, a process each (default: 1)",
    )
    extract.add_argument(
        "--strict", action="store_true", help="stop at the first video that cannot be used"
    )
    _out(extract, "STORE")
    _estimator(extract)

    layout = command(
        "import", "Bring another data set's layout into a clip set, a store or motion capture."
    )
    layout.add_argument(
        "layout", metavar="LAYOUT", help="penn, jhmdb, brace, climbalong, coco, asfamc, heatmaps"
    )
    layout.add_argument("folder", type=Path, metavar="FOLDER|FILE")
    layout.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="of the layout, may be repeated",
    )
    layout.add_argument(
        "--strict", action="store_true", help="stop at the first file that cannot be used"
    )
    _out(layout, "CLIPS.npz|STORE|MOTION.npz")

    noise = command(
        "fit-noise", "Estimate a noise model from what the estimator saw of clips with truth."
    )
    noise.add_argument("store", type=Path, metavar="STORE")
    noise.add_argument("--name", help="name of the preset (default: the file's)")
    _out(noise, "NOISE.json")

    study = command(
        "study", "Run a grid of models x setups x seeds: pretrain each, finetune each. Resumes."
    )
    study.add_argument(
        "--config", required=True, metavar="NAME|FILE.toml", help="a built-in config, or a file"
    )
    study.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="cells at a time (default: 1)"
    )
    study.add_argument("--only", metavar="TEXT", help="only the cells whose name holds this")
    _out(study, "runs/NAME")

    look = command(
        "look",
        "Test windows of a run or of several seeds closely: one frame, by pace and keypoint, beside"
        " tuned filters; whether its score is true.",
    )
    look.add_argument(
        "runs",
        nargs="+",
        type=Path,
        metavar="RUN",
        help="a run, or several that differ in their seeds",
    )
    look.add_argument(
        "--beside",
        action="append",
        type=Path,
        default=[],
        metavar="RUN",
        help="another run of this split, may be repeated; of several runs, one for each",
    )
    look.add_argument(
        "--plot", type=Path, metavar="FILE.png", help="draw how true the model's score is"
    )

    tables = command("tables", "Markdown, CSV and HTML tables and plots of studies or single runs.")
    tables.add_argument("runs", nargs="+", type=Path, metavar="RUN|STUDY")
    _out(tables, "FOLDER")

    models = command(
        "models",
        "List every model and form: parameters, MACs per emitted frame, inputs, outputs, state.",
    )
    models.add_argument("--json", type=Path, metavar="FILE", help="write the list as JSON as well")
    models.add_argument(
        "--data",
        metavar="STORE|CLIPS.npz|generated",
        help="measure how fast its windows are read and trained on instead",
    )
    models.add_argument(
        "--noise", default="blazepose", metavar="NAME|FILE.json", help="for --data without heatmaps"
    )
    models.add_argument(
        "--preset",
        metavar="NAME|FILE.toml",
        help="with --data: only its model, in its batches and with its augmentation",
    )
    lend_examples(commands.choices, _EXAMPLES, default="finetune")
    return top, commands.choices


def _trains(sub: argparse.ArgumentParser, **defaults) -> None:
    sub.add_argument(
        "--data",
        action="append",
        required=True,
        metavar="STORE|CLIPS.npz|MOTION.npz|generated",
        help=(
            "a store, a clip set (with --videos: through the estimator; without: through --noise), "
            "3D motion capture through virtual cameras, or generated climbing; may be repeated"
        ),
    )
    sub.add_argument("--videos", metavar="FOLDER|ZIP", help="videos of the clip set")
    sub.add_argument(
        "--strict", action="store_true", help="with --videos: stop at the first that cannot be used"
    )
    sub.add_argument(
        "--group",
        action="append",
        default=[],
        metavar="NAME",
        help="only the clips of this group; may be repeated",
    )
    sub.add_argument(
        "--preset",
        metavar="NAME|FILE.toml",
        help="options from a file: mission and final are the study's",
    )
    sub.add_argument(
        "--switch",
        action="append",
        default=[],
        metavar="NAME=on|off",
        help="a switch of the model; `models` lists them",
    )
    sub.add_argument(
        "--init",
        default=defaults["init"],
        metavar="RUN|shipped|identity|none",
        help=f"weights to start from (default: {defaults['init']})",
    )
    _out(sub, "runs/NAME")
    for name, kind, default, metavar, text in _TRAINING:
        default = defaults.get(name[2:].replace("-", "_"), default)
        shown = text if default is None else f"{text} (default: {default})"
        typed = {"choices": kind} if isinstance(kind, tuple) else {"type": kind}
        sub.add_argument(name, default=default, metavar=metavar, help=shown, **typed)
    for name, text in _SWITCHES:
        sub.add_argument(name, action=argparse.BooleanOptionalAction, default=False, help=text)
    _estimator(sub)


def _out(sub: argparse.ArgumentParser, what: str) -> None:
    sub.add_argument("--out", type=Path, required=True, metavar=what, help="where to write")


def _estimator(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--estimator",
        default="full",
        choices=("lite", "full", "heavy"),
        help="BlazePose variant (default: full)",
    )
    _weights(sub)


def _weights(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--weights", metavar="FOLDER", help="folder with the estimator's weights")
