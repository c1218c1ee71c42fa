"""Command line of training: what each command prints."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from typing import Any

from climb_edge.command_line import run
from climb_edge.files.atomic import write_json
from train import api
from train.cli import PROGRAM
from train.commands import Annotate, Extract, FitNoise, Import, Look, Models, Study, Tables
from train.config import Augmentation, Finetune, Pretrain


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    return run(PROGRAM, _COMMANDS, arguments)


def _finetune(options: Finetune) -> None:
    _report(options, api.finetune(options))


def _pretrain(options: Pretrain) -> None:
    _report(options, api.pretrain(options))


def _report(options: Finetune | Pretrain, metrics: dict[str, Any]) -> None:
    from train.fitting.metrics import report

    report(options.out, metrics)


def _annotate(options: Annotate) -> None:
    clips = api.annotate(options)
    print(
        f"{clips.source}: {len(clips)} clips, {len(clips.keypoints)} frames,"
        f" {clips.visible.mean():.0%} of keypoints trusted\n{options.out}"
    )


def _extract(options: Extract) -> None:
    seen = api.extract(options)
    asked = seen.clips + len(seen.skipped)
    print(f"{options.out}: {seen.clips} of {asked} clips, {seen.frames} frames")


def _import(options: Import) -> None:
    from climb_edge.evaluation.agreement import fitted, tell
    from train import layouts
    from train.data.sources import tell_skipped
    from train.data.store import from_heatmaps
    from train.layouts.preview import draw, look

    settings = layouts.parse(options.layout, options.option) | {"strict": options.strict}
    for name in ("map", "rename"):
        if given := getattr(options, name):
            settings[name] = given
    found = layouts.read(options.layout, options.folder, **settings)
    tell(found.warnings)
    tell_skipped(found.skipped)
    if found.clips is not None:
        at_hand = look(found, options.folder, options.videos, options.preview is not None)
        tell(at_hand.notes)
        clips, changed = fitted(found.clips, at_hand.seen, options.fit_labels)
        tell(changed)
        found = replace(found, clips=clips)
        if options.preview:
            tell(draw(options.preview, clips, at_hand))
    if found.heatmaps is not None:
        from_heatmaps(found.clips, found.heatmaps, options.out)
    else:
        found.save(options.out)
    print(f"{options.out}: {found.summary()}")


def _fit_noise(options: FitNoise) -> None:
    from tqdm import tqdm

    from train.data.store import load_store
    from train.noise import fit, self_check

    clips, recordings = load_store(options.store)
    with tqdm(total=fit.ROUNDS, unit="round", desc="fit noise") as bar:
        noise = fit.fit(clips, recordings, options.name or options.out.stem, step=bar.update)
    fit.save(options.out, noise, fit.provenance(clips, recordings))
    print(self_check.report(*self_check.check(clips, recordings, noise)))
    print(options.out)


def _study(options: Study) -> None:
    cells = api.study(options)
    states = [c.state for c in cells]
    print(f"{options.out}: " + ", ".join(f"{states.count(s)} {s}" for s in dict.fromkeys(states)))
    print(f"tables: python -m train tables {options.out} --out {options.out}/tables")


def _tables(options: Tables) -> None:
    from train.studies.tables import write

    for path in write(options.runs, options.out):
        print(path)


def _look(options: Look) -> None:
    from train.inspection.look import look

    print(look(options.runs, options.beside, options.plot), end="")


def _models(options: Models) -> None:
    if options.data:
        print(_paces(options))
        return
    from train.models.cost import rows_of_models, table

    rows = rows_of_models()
    print(table(rows))
    if options.json:
        write_json(options.json, {"schema": "climb-edge/models/1", "models": rows})
        print(options.json)


def _paces(options: Models) -> str:
    """How fast windows are read and trained on: of every model, or as a preset trains its own."""
    from train.data.sources import open_source
    from train.fitting import speed
    from train.models import registry

    trained = Finetune.of(
        {"data": options.data, "noise": options.noise, "preset": options.preset, "out": "."}
    )
    models = [trained.model or registry.DEFAULT] if options.preset else registry.names()
    source = open_source(
        {
            "data": [options.data],
            "noise": options.noise,
            "clips": 50,
            "seed": 0,
            "augmentation": asdict(trained.part(Augmentation)),
        }
    )
    return speed.table(speed.paces(source, models, trained.batch))


_COMMANDS = {
    "finetune": _finetune,
    "pretrain": _pretrain,
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
