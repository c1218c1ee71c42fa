"""The grammar of `python -m train`."""

from __future__ import annotations

from climb_edge.command_line import Program
from train.commands import Annotate, Extract, FitNoise, Import, Look, Models, Study, Tables
from train.config import Finetune, Pretrain

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
`climb-edge train` is the same program, also in a folder with a train.py of its own

exit codes: 0 done, 1 a cell of a study failed, 2 usage or input, 130 Ctrl-C, 143 SIGTERM"""

PROGRAM = Program(
    "climb-edge train",
    "Train temporal refiners on an estimator's heatmap windows.",
    _EXAMPLES,
    (Finetune, Pretrain, Annotate, Extract, Import, FitNoise, Study, Look, Tables, Models),
    default="finetune",
)
