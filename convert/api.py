"""Conversion from Python: commands of `python -m convert` as functions.

Every function takes a config, or that config's options by name, as the command line has them:
dashes are underscores, what may be repeated is a list. All raise ClimbEdgeError for what cannot be
done, with a message that names the option or file, what was expected and what to do.
"""

from __future__ import annotations

from typing import Any

from climb_edge.options import configured
from convert.config import Check, Convert


def convert(config: Convert | None = None, **options: Any) -> dict[str, Any]:
    """Turn a training run into .tflite files that prove themselves; returns what report.json holds.

        report = convert.convert(run="runs/mine", out="out/mine", recipe=["float16"])
        report["verdict"]  # pass, fail or not shown

    A file that a gate refuses is not written, unless `force` is set; its row says why.
    """
    from tqdm import tqdm

    from convert.pipeline.bundle import bundle, refuse_foreign
    from convert.pipeline.run import convert, open_run
    from convert.quantization.recipes import choose
    from convert.reports.build import build, write
    from train.fitting.run_folder import Run

    chosen = configured(Convert, config, options)
    if chosen.bundle:
        refuse_foreign(chosen.bundle)
    trained = [Run.open(path).config() for path in (chosen.run, *chosen.qat_run)]
    aware = [run["qat"]["scheme"] for run in trained if run.get("qat")]
    model = trained[0]["model"]
    recipes, said = choose(list(chosen.recipe), model, chosen.form, chosen.force, aware)
    steps = 4 + len(chosen.form) * (len(recipes) + 2)
    with tqdm(total=steps, unit="step", desc="convert") as bar:

        def step(what: str, steps: int = 1) -> None:
            bar.set_postfix_str(what)
            bar.update(steps)

        run = open_run(chosen.run, chosen.form, chosen.skip, step, chosen.qat_run)
        run.said = said
        report = build(convert(run, chosen.out, recipes, chosen.force, step))
    write(report, chosen.out)
    written = [chosen.out / "models" / m.file for m in run.made if m.written]
    if chosen.bundle and written:
        variant = (run.estimator or run.config["estimator"]).removeprefix("blazepose-")
        bundle(written, report, chosen.bundle, variant, run.config.get("weights"))
    return report


def check(config: Check | None = None, **options: Any) -> dict[str, Any]:
    """Check somebody else's .tflite as far as that can be done; returns what report.json holds.

    report = convert.check(file="theirs.tflite", out="out/theirs")
    report["files"][0]["reasons"]
    """
    from convert.check_file import examine
    from convert.reports.build import write

    chosen = configured(Check, config, options)
    report = examine(chosen.file, chosen.skip)
    write(report, chosen.out)
    return report
