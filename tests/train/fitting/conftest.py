"""Runs that are over in seconds."""

import pytest

from climb_edge.files.clips import save_clips
from train.models import deciwatch
from train.synthesis.motion import generated_clips


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> list[str]:
    """Options of a run that is over in seconds: 12 clips of 12 frames, 2 steps of 2 windows."""
    path = tmp_path_factory.mktemp("tiny") / "clips.npz"
    save_clips(path, generated_clips(12, 5, frames=12))
    return ["--data", str(path), "--steps-per-epoch", "2", "--batch", "2"]


@pytest.fixture
def shallow(monkeypatch):
    """Deciwatch with one layer instead of five of each kind: its graph takes seconds to trace."""
    monkeypatch.setattr(deciwatch, "LAYERS", 1)
