"""Train temporal refiners of 2D poses on an estimator's heatmap windows.

import train
train.annotate(videos=["climb.mp4"], out="clips.npz")
train.finetune(data="clips.npz", videos=".", out="runs/mine")
"""

from train.api import annotate, extract, finetune, pretrain, study
from train.commands import Annotate, Extract, Study
from train.config import Finetune, Pretrain

__all__ = [
    "Annotate",
    "Extract",
    "Finetune",
    "Pretrain",
    "Study",
    "annotate",
    "extract",
    "finetune",
    "pretrain",
    "study",
]
