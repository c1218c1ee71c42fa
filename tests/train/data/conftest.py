"""A person who is not the same in a mirror, recorded."""

import numpy as np
import pytest

from climb_edge.estimators.recording import Recording, record
from support.scene import Scripted, moving, steady
from train.synthesis.motion import clip_set


@pytest.fixture(scope="module")
def scripted(tmp_path_factory):
    """(clips, recordings) of 30 frames of that person; maps on a turned grid, truth exact."""
    path = tmp_path_factory.mktemp("scripted") / "r.zip"
    record(steady(30), Scripted(lambda t: {0: moving(t)}), path)
    pixels = np.stack([moving(t) for t in range(30)]).astype(np.float32)
    return clip_set([("video", "walk", pixels)], 30.0, "human: for a test"), [Recording(path)]
