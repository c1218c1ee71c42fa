"""Parity: what decides, and what shows nothing."""

import numpy as np
import pytest

from climb_edge.evaluation.pck import Score, drop, worst_keypoint
from convert.checks.parity import Compared, gate, parity
from convert.checks.testset import TestSet
from convert.quantization.recipes import RECIPES
from train.data.rendered import RenderedWindows
from train.noise.library import NOISES
from train.synthesis.motion import generated_clips


def scores(right: float, reference: float, clips: int, frames: int = 20):
    """Two scores with these shares of correct keypoints."""
    rng = np.random.default_rng(0)
    made = [
        tuple((rng.random((3, frames, 25)) < share).astype(float) for _ in range(clips))
        for share in (right, reference)
    ]
    return [Score(m, 10.0) for m in made]


@pytest.mark.parametrize(
    ("right", "clips", "verdict"),
    [(0.7, 60, "fail"), (0.9, 12, "not shown"), (0.9, 5, "not shown")],
)
def test_the_bad_end_of_the_interval_decides(right, clips, verdict):
    score, base = scores(right, 0.9, clips)
    recipe = RECIPES["float16"]
    found, reasons = gate(
        recipe, "generated", drop(score, base), worst_keypoint(score, base), clips, "clips"
    )
    assert found == verdict and reasons


def test_too_few_windows_show_nothing_even_where_nothing_changed():
    base, _ = scores(0.9, 0.9, 5)
    same = drop(base, base), worst_keypoint(base, base)
    assert gate(RECIPES["float16"], "test", *same, 5, "stretches")[0] == "not shown"
    assert gate(RECIPES["float16"], "test", *same, 8, "stretches") == ("pass", [])


def test_what_gives_no_numbers_is_not_shown_to_be_alike():
    source = RenderedWindows(generated_clips(1, 0, frames=10), NOISES["blazepose"])
    broken = Compared(
        TestSet("test", source, np.arange(1), "generated"), slice(4, 5), broken="window 0: NaN"
    )
    assert parity(None, RECIPES["float16"], [broken])[0] == "not shown"
    assert parity(None, RECIPES["float16"], [])[0] == "not shown"
