"""Test windows: which, and in what groups."""

import numpy as np

from convert.checks.testset import TestSet, clip_to_stream, of_part
from train.data.rendered import RenderedWindows
from train.noise.library import NOISES
from train.synthesis.motion import generated_clips


def test_windows_of_few_clips_are_all_those_of_their_frames():
    source = RenderedWindows(generated_clips(3, 0, frames=40), NOISES["blazepose"])
    chosen = np.flatnonzero(
        (source.clip == 1) & (source.position % 5 == 0) & (source.position < 20)
    )
    wider = of_part(source, chosen, 300)
    assert source.position[wider].tolist() == list(range(16)) and set(source.clip[wider]) == {1}
    tests = TestSet("test", source, wider, "generated")
    assert tests.unit == "stretches" and [len(g) for g in tests.groups] == [5, 5, 5, 1]
    many = RenderedWindows(generated_clips(12, 0, frames=10), NOISES["blazepose"])
    assert of_part(many, np.arange(0, len(many), 5), 300).tolist() == list(range(0, len(many), 5))
    _, stretches = clip_to_stream(tests, frames=20, most=6)
    assert [len(s) for s in stretches] == [6, 6, 4]
