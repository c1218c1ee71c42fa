"""Training from Python: each command of `python -m train` as a function.

Every function takes a config, or that config's options by name, as the command line has them:
dashes are underscores, what may be repeated is a list. All raise ClimbEdgeError for what cannot be
done, with a message that names the option or file, what was expected and what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from climb_edge.errors import ClimbEdgeError
from climb_edge.options import configured
from train.commands import Annotate, Extract, Study
from train.config import Finetune, Pretrain

if TYPE_CHECKING:
    from climb_edge.files.clips import ClipSet
    from train.data.store import Extracted
    from train.studies.grid import Cell


def finetune(config: Finetune | None = None, **options: Any) -> dict[str, Any]:
    """Finetune a refiner on what the frozen estimator sees; returns what metrics.json holds.

        metrics = train.finetune(data="clips.npz", videos="videos", epochs=8, out="runs/mine")
        metrics["parts"]["test"]["refined"]["ours"]["pooled"]["0.1"]  # (value, low, high)

    A run that was interrupted goes on when the same call is made again.
    """
    from train.fitting.run import train  # sets up quiet logging before TensorFlow loads

    return train(configured(Finetune, config, options))


def pretrain(config: Pretrain | None = None, **options: Any) -> dict[str, Any]:
    """Train a refiner on simulated heatmaps; returns what metrics.json holds.

    train.pretrain(model="joint_mixer", data="generated", clips=100, out="runs/pretrained")
    """
    from train.fitting.run import train

    return train(configured(Pretrain, config, options))


def annotate(config: Annotate | None = None, **options: Any) -> ClipSet:
    """Targets for unlabelled videos from an offline teacher, written to `out` and returned.

        clips = train.annotate(videos=["climb.mp4"], out="clips.npz")

    A video that cannot be used is left out and told of on standard error; with `strict` it is an
    error.
    """
    from tqdm import tqdm

    from climb_edge.files.clips import save_clips
    from train.data.annotate import annotate
    from train.data.sources import tell_skipped

    chosen = configured(Annotate, config, options)
    with tqdm(unit="frame", desc="teacher") as bar:

        def step(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        clips, skipped = annotate(
            chosen.videos, chosen.weights, None, step, chosen.strict, chosen.jobs
        )
    tell_skipped(skipped)
    if not clips.visible.any():
        raise ClimbEdgeError(
            f"{', '.join(chosen.videos)}: the teacher saw nobody; nothing to train on, choose"
            " another video"
        )
    save_clips(chosen.out, clips)
    return clips


def extract(config: Extract | None = None, **options: Any) -> Extracted:
    """Run the frozen estimator over a clip set's videos once, into the store `out`.

        train.extract(clips="clips.npz", videos="videos", estimator="lite", out="store")
        train.finetune(data="store", out="runs/mine")

    A store that was interrupted is completed by the same call.
    """
    from climb_edge.evaluation.videos import VideoFolder
    from climb_edge.files.clips import load_clips
    from train.data.sources import tell_skipped
    from train.data.store import extract

    chosen = configured(Extract, config, options)
    clips, estimator = load_clips(chosen.clips), (chosen.estimator, chosen.weights)
    where = (VideoFolder(chosen.videos), estimator, chosen.out)
    seen = extract(clips, *where, chosen.jobs, chosen.strict, chosen.fit_labels)
    tell_skipped(seen.skipped)
    return seen


def study(config: Study | None = None, **options: Any) -> list[Cell]:
    """Run, or go on with, a grid of models x setups x seeds; returns its cells.

        cells = train.study(config="quick", out="runs/quick")

    Raises GateFailed where a cell failed; what the others gave is kept.
    """
    from train.studies.grid import study

    chosen = configured(Study, config, options)
    return study(chosen.config, chosen.out, chosen.jobs, chosen.only)
