"""Command line of training: finetune (the default), pretrain, annotate, extract, models."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from climb_edge.errors import ClimbEdgeError, run_command, write_json

_EXAMPLES = """examples:
  python -m train annotate climb.mp4 --out clips.npz                         targets from the heaviest estimator
  python -m train --data clips.npz --videos . --out runs/mine                finetune the shipped Conv3D on them
  python -m train extract clips.npz --videos . --out store                   run the estimator once, train many times
  python -m train --data store --out runs/mine2
  python -m train pretrain --data generated --out runs/pre                   from nothing but generated climbing
  python -m train models                                                     what can be trained, and what it costs
an interrupted run goes on when the same command is given again

exit codes: 0 done, 2 usage or input, 130 Ctrl-C"""

COMMANDS = ("finetune", "pretrain", "annotate", "extract", "models")


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    top = argparse.ArgumentParser("climb-edge-train", description="Train temporal refiners on an estimator's heatmap windows.",
                                  epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    commands = top.add_subparsers(dest="command", required=True, metavar="{" + ",".join(COMMANDS) + "}")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.add_argument("--debug", action="store_true", help="show the traceback of an error")
        return sub

    def uses_estimator(sub: argparse.ArgumentParser) -> None:
        sub.add_argument(
            "--estimator",
            default="full",
            choices=("lite", "full", "heavy"),
            help="BlazePose variant (default: full)",
        )
        sub.add_argument("--weights", metavar="FOLDER", help="folder with the estimator's weights")

    def trains(sub: argparse.ArgumentParser, *, init: str, rate: float, epochs: int, select: str) -> None:
        sub.add_argument("--data", action="append", required=True, metavar="STORE|CLIPS.npz|MOTION.npz|generated",
                         help="a store, a clip set (with --videos: through the estimator; without: through --noise), "
                         "3D motion capture through virtual cameras, or generated climbing; may be repeated")  # fmt: skip
        sub.add_argument("--videos", metavar="FOLDER|ZIP", help="videos of the clip set")
        sub.add_argument("--model", default="conv3d", help="which refiner; `models` lists them (default: conv3d)")
        sub.add_argument(
            "--switch",
            action="append",
            default=[],
            metavar="NAME=on|off",
            help="a switch of the model; `models` lists them",
        )
        sub.add_argument(
            "--init",
            default=init,
            metavar="RUN|shipped|none",
            help=f"weights to start from (default: {init})",
        )
        sub.add_argument("--out", type=Path, required=True, metavar="runs/NAME", help="run folder")
        sub.add_argument(
            "--noise",
            default="blazepose",
            metavar="NAME",
            help="simulated estimator: blazepose, or the study's 1.1 ... 2.3 (default: blazepose)",
        )
        sub.add_argument(
            "--clips", type=int, default=400, metavar="N", help="how many clips to generate (default: 400)"
        )
        sub.add_argument("--epochs", type=int, default=epochs, help=f"at most so many (default: {epochs})")
        sub.add_argument(
            "--steps", type=int, metavar="N", help="batches per epoch (default: every training window once)"
        )
        sub.add_argument("--batch", type=int, default=16, help="windows per batch (default: 16)")
        sub.add_argument("--learning-rate", type=float, default=rate, metavar="R", help=f"of Adam (default: {rate})")
        sub.add_argument(
            "--select",
            default=select,
            choices=("0.05", "0.1", "0.2"),
            help=f"validation PCK that chooses the epoch (default: {select})",
        )
        sub.add_argument(
            "--plateau",
            type=int,
            default=5,
            metavar="N",
            help="epochs without a lower validation loss before the rate falls to a tenth (default: 5)",
        )
        sub.add_argument(
            "--stop",
            type=int,
            default=10,
            metavar="N",
            help="epochs without a lower validation loss before it ends (default: 10)",
        )
        sub.add_argument(
            "--loss",
            choices=("cross_entropy", "mse", "coordinate_mse", "coordinate_mae"),
            help="the study's are mse and coordinate_mse (default: cross_entropy of heatmaps, coordinate_mse of keypoints)",
        )
        sub.add_argument(
            "--target-sigma",
            type=float,
            default=2.0,
            metavar="CELLS",
            help="width of the target heatmaps; the study's is 1 (default: 2)",
        )
        sub.add_argument("--seed", type=int, default=0, help="of data, order and weights (default: 0)")
        uses_estimator(sub)

    trains(
        command("finetune", "Finetune a refiner on what the frozen estimator sees (the default command)."),
        init="shipped",
        rate=1e-4,
        epochs=50,
        select="0.1",
    )
    trains(
        command("pretrain", "Train a refiner on simulated heatmaps."),
        init="none",
        rate=1e-3,
        epochs=50,
        select="0.2",
    )

    annotate = command("annotate", "Make targets for unlabelled videos with an offline teacher (pseudo ground truth).")
    annotate.add_argument("videos", nargs="+", metavar="VIDEO")
    annotate.add_argument("--out", type=Path, required=True, metavar="CLIPS.npz")
    annotate.add_argument("--weights", metavar="FOLDER", help="folder with the estimator's weights")

    extract = command("extract", "Run the frozen estimator over a clip set's videos once, into a store. Resumes.")
    extract.add_argument("clips", type=Path, metavar="CLIPS.npz")
    extract.add_argument("--videos", required=True, metavar="FOLDER|ZIP")
    extract.add_argument("--out", type=Path, required=True, metavar="STORE")
    uses_estimator(extract)

    models = command("models", "List every model and form: parameters, MACs per emitted frame, inputs, outputs, state.")
    models.add_argument("--json", type=Path, metavar="FILE", help="write the list as JSON as well")
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments and arguments[0] not in (*COMMANDS, "-h", "--help"):
        arguments.insert(0, "finetune")
    options = parser().parse_args(arguments)
    run = {"finetune": _train, "pretrain": _train, "annotate": _annotate, "extract": _extract, "models": _models}[
        options.command
    ]
    return run_command(lambda: run(options), options.debug)


def _train(options: argparse.Namespace) -> None:
    from train import models  # sets up quiet logging before TensorFlow loads
    from train.data import digest, open_source
    from train.fit import Recipe, fit, measure
    from train.losses import FOR
    from train.runs import Run
    from train.windows import Split, split

    _check(options)
    described = models.get(options.model)
    switches = models.switched(described, options.switch)
    loss = options.loss or FOR[described.output][0]
    if loss not in FOR[described.output]:
        raise ClimbEdgeError(
            f"--loss {loss}: {described.name} gives {described.output}; expected one of {', '.join(FOR[described.output])}"
        )
    config = {
        k: getattr(options, k)
        for k in ("command", "model", "init", "videos", "estimator", "weights", "noise", "clips", "seed")
    }
    config["switches"] = switches
    config["data"] = [d if d == "generated" else str(Path(d).resolve()) for d in options.data]
    config["videos"] = options.videos and str(Path(options.videos).resolve())
    recipe = Recipe(
        options.learning_rate, options.batch, options.epochs, options.steps, options.plateau, options.stop,
        options.select, options.seed, loss=loss, target_sigma=options.target_sigma,
    )  # fmt: skip
    source = open_source(config)
    config |= {"recipe": asdict(recipe), "data_sha256": digest(source), "truth": source.clips.truth}
    run = Run.start(options.out, config)
    parts = Split.load(run.split, source) if run.split.is_file() else split(source, options.seed)
    parts.save(run.split, source)
    print(
        f"{len(source)} windows of {len(source.clips)} clips, split {parts.rule}: {len(parts.train)} train, {len(parts.val)} validation, {len(parts.test)} test"
    )
    model = models.initial(described, options.init, options.seed, switches)
    fit(model, source, parts, run, recipe)
    run.load_weights(model)
    metrics = _metrics(
        source, parts, measure(None, source, parts.test, recipe), measure(model, source, parts.test, recipe)
    )
    run.write_metrics(metrics)
    _print(run, metrics)


def _check(options: argparse.Namespace) -> None:
    for name, least in (("epochs", 0), ("batch", 1), ("clips", 1), ("steps", 1), ("plateau", 1), ("stop", 1)):
        value = getattr(options, name)
        if value is not None and value < least:
            raise ClimbEdgeError(f"--{name} {value}: expected at least {least}")
    if not 0.5 <= options.target_sigma <= 5:
        raise ClimbEdgeError(f"--target-sigma {options.target_sigma}: expected 0.5 to 5 cells")
    if not 0 < options.learning_rate < 10:
        raise ClimbEdgeError(f"--learning-rate {options.learning_rate}: expected a number between 0 and 10")


def _metrics(source, parts, identity, refined) -> dict:
    return {
        "schema": "climb-edge/run/1", "truth": source.clips.truth, "data": source.clips.source, "space": "heatmap cells",
        "split": parts.rule, "windows": len(parts.test), "frames": "all 5 of each window",
        "pck": {"pooled": refined.score.pooled(), "study": refined.score.study()},
        "identity": {"pooled": identity.score.pooled(), "study": identity.score.study()},
        "keypoints": refined.score.keypoints(), "threshold": refined.score.threshold,
        "loss": refined.loss, "identity_loss": identity.loss,
    }  # fmt: skip


def _print(run, metrics: dict) -> None:
    truth = {"human": "human truth", "pseudo": "pseudo ground truth", "generated": "generated truth"}[metrics["truth"]]
    print(f"test PCK in %, pooled, {truth}, {metrics['windows']} windows")
    for name, rows in (("identity", metrics["identity"]), ("refined", metrics["pck"])):
        print(f"  {name:10}" + "  ".join(f"@{a} {100 * v[0]:5.1f}" for a, v in rows["pooled"].items()))
    print(f"{run.path}/ (curves.png, history.csv, metrics.json, best.weights.h5)")


def _annotate(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from climb_edge.clips import save_clips
    from train.annotate import annotate

    with tqdm(unit="frame", desc="teacher") as bar:

        def step(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        clips = annotate(options.videos, options.weights, step=step)
    if not clips.visible.any():
        raise ClimbEdgeError(
            f"{', '.join(options.videos)}: the teacher saw nobody; nothing to train on, choose another video"
        )
    save_clips(options.out, clips)
    print(
        f"{clips.source}: {len(clips)} clips, {len(clips.keypoints)} frames, {clips.visible.mean():.0%} of keypoints trusted\n{options.out}"
    )


def _extract(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from climb_edge.blazepose import BlazePose
    from climb_edge.clips import load_clips
    from climb_edge.evaluate import VideoFolder
    from train.store import extract

    clips = load_clips(options.clips)
    videos, estimator = VideoFolder(options.videos), BlazePose(options.estimator, options.weights)
    with tqdm(total=len(clips), unit="clip", desc=f"extract {options.estimator}") as bar:
        extract(clips, videos, estimator, options.out, bar.update)
    print(f"{options.out}: {len(clips)} clips, {len(clips.keypoints)} frames")


def _models(options: argparse.Namespace) -> None:
    from train.macs import described, table

    rows = described()
    print(table(rows))
    if options.json:
        write_json(options.json, {"schema": "climb-edge/models/1", "models": rows})
        print(options.json)


if __name__ == "__main__":
    sys.exit(main())
