"""Command line of training: finetune (the default), pretrain, annotate, extract, import, fit-noise,
study, tables, look, models.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict

from climb_edge.errors import ClimbEdgeError, run_command
from climb_edge.files.atomic import write_json
from train.cli import parse


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    return run_command(lambda: _run(arguments), "--debug" in arguments)


def _run(arguments: list[str]) -> None:
    options = parse(arguments)
    _COMMANDS[options.command](options)


def _train(options: argparse.Namespace) -> None:
    from train.fitting.metrics import report
    from train.fitting.run import train  # sets up quiet logging before TensorFlow loads

    report(options.out, train(options))


def _annotate(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from climb_edge.files.clips import save_clips
    from train.data.annotate import annotate
    from train.data.sources import tell_skipped

    with tqdm(unit="frame", desc="teacher") as bar:

        def step(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        clips, skipped = annotate(options.videos, options.weights, step=step, strict=options.strict)
    tell_skipped(skipped)
    if not clips.visible.any():
        raise ClimbEdgeError(
            f"{', '.join(options.videos)}: the teacher saw nobody; nothing to train on, choose"
            " another video"
        )
    save_clips(options.out, clips)
    print(
        f"{clips.source}: {len(clips)} clips, {len(clips.keypoints)} frames,"
        f" {clips.visible.mean():.0%} of keypoints trusted\n{options.out}"
    )


def _extract(options: argparse.Namespace) -> None:
    from climb_edge.evaluation.videos import VideoFolder
    from climb_edge.files.clips import load_clips
    from train.data.sources import tell_skipped
    from train.data.store import extract

    clips = load_clips(options.clips)
    seen = extract(
        clips,
        VideoFolder(options.videos),
        (options.estimator, options.weights),
        options.out,
        options.jobs,
        options.strict,
    )
    tell_skipped(seen.skipped)
    print(f"{options.out}: {seen.clips} of {len(clips)} clips, {seen.frames} frames")


def _import(options: argparse.Namespace) -> None:
    from train import layouts
    from train.data.sources import tell_skipped
    from train.data.store import from_heatmaps

    settings = layouts.parse(options.layout, options.option) | {"strict": options.strict}
    found = layouts.read(options.layout, options.folder, **settings)
    for line in found.warnings:
        print(f"note: {line}", file=sys.stderr)
    tell_skipped(found.skipped)
    if found.heatmaps is not None:
        from_heatmaps(found.clips, found.heatmaps, options.out)
    else:
        found.save(options.out)
    print(f"{options.out}: {found}")


def _fit_noise(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from train.data.store import load_store
    from train.noise import fit

    clips, recordings = load_store(options.store)
    with tqdm(total=fit.ROUNDS, unit="round", desc="fit noise") as bar:
        noise = fit.fit(clips, recordings, options.name or options.out.stem, step=bar.update)
    fit.save(options.out, noise, fit.provenance(clips, recordings))
    print(fit.report(*fit.check(clips, recordings, noise)))
    print(options.out)


def _study(options: argparse.Namespace) -> None:
    from train.studies.grid import study

    cells = study(options.config, options.out, options.jobs, options.only)
    states = [c.state for c in cells]
    print(f"{options.out}: " + ", ".join(f"{states.count(s)} {s}" for s in dict.fromkeys(states)))
    print(f"tables: python -m train tables {options.out} --out {options.out}/tables")


def _tables(options: argparse.Namespace) -> None:
    from train.studies.tables import write

    for path in write(options.runs, options.out):
        print(path)


def _look(options: argparse.Namespace) -> None:
    from train.studies.look import look

    print(look(options.runs, options.beside, options.plot), end="")


def _models(options: argparse.Namespace) -> None:
    if options.data:
        print(_paces(options))
        return
    if options.preset:
        raise ClimbEdgeError(
            f"--preset {options.preset}: says how windows are trained on; name some with --data"
        )
    from train.models.cost import described, table

    rows = described()
    print(table(rows))
    if options.json:
        write_json(options.json, {"schema": "climb-edge/models/1", "models": rows})
        print(options.json)


def _paces(options: argparse.Namespace) -> str:
    """How fast windows are read and trained on: of every model, or as a preset trains its own."""
    from train.data.augment import Augmentation
    from train.data.sources import open_source
    from train.fitting import speed
    from train.models import registry

    preset = [f"--preset={options.preset}"] if options.preset else []
    trained = parse(["finetune", f"--data={options.data}", "--out=.", *preset])
    config = vars(options) | {"data": [options.data], "clips": 50, "seed": 0}
    source = open_source(config | {"augmentation": asdict(Augmentation.of(vars(trained)))})
    return speed.table(
        speed.paces(source, [trained.model] if preset else registry.names(), trained.batch)
    )


_COMMANDS = {
    "finetune": _train,
    "pretrain": _train,
    "annotate": _annotate,
    "extract": _extract,
    "import": _import,
    "fit-noise": _fit_noise,
    "study": _study,
    "tables": _tables,
    "look": _look,
    "models": _models,
}

if __name__ == "__main__":
    sys.exit(main())
