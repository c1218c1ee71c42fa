"""A closer look at test windows: only what is meant counts, and a score is held against what
happened.
"""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from climb_edge.files.clips import save_clips
from climb_edge.pose.skeleton import INDEX, K
from train.__main__ import main
from train.fitting.scoring import Measured
from train.inspection.looked import _pool, paces, score
from train.inspection.reliability import plot, table, tenths
from train.synthesis.motion import generated_clips


@pytest.fixture
def windows() -> np.ndarray:
    """Truth (200, 5, 25, 2): everybody stands, but for left wrists, which move by a cell a
    frame.
    """
    truth = np.tile(np.random.default_rng(0).uniform(10, 40, (K, 2)), (200, 5, 1, 1))
    truth[:, :, INDEX["left_wrist"], 0] += np.arange(5)
    return truth


def measured(truth: np.ndarray, points: np.ndarray, sure: np.ndarray | None = None) -> Measured:
    halves = [tuple(np.split(a, 2)) for a in (truth, points)]
    return Measured(
        0.0, halves[0], {"ours": halves[1]}, () if sure is None else tuple(np.split(sure, 2))
    )


def test_only_the_frame_that_is_asked_for_counts(windows):
    points = windows.copy()
    points[:, 4] += 100
    assert score(measured(windows, points), "newest frame").pooled()["0.2"][0] == 0
    assert score(measured(windows, points), "centre frame").pooled()["0.2"][0] == 1
    assert score(measured(windows, points), "all frames").pooled()["0.2"][0] == pytest.approx(0.8)


def test_what_moves_faster_than_the_median_keypoint_is_fast(windows):
    found = paces(measured(windows, windows))
    assert [len(halves) for halves in found.values()] == [2, 2]
    expected = np.tile(np.arange(K) == INDEX["left_wrist"], (100, 1))
    for slow, fast in zip(found["slow"], found["fast"], strict=True):
        np.testing.assert_array_equal(fast, expected)
        np.testing.assert_array_equal(slow, ~expected)


def test_a_score_that_is_the_chance_has_no_error_and_one_that_is_not_has(windows):
    rng = np.random.default_rng(1)
    chance = rng.uniform(0.05, 0.95, windows.shape[:-1])
    points = windows + 100.0 * (rng.random(chance.shape) > chance)[..., None]
    for sure, low, high in ((chance, 0, 2), (np.full_like(chance, 0.9), 38, 42)):
        told = table(tenths(measured(windows, points, sure)))
        assert low <= float(told.split("error: ")[1].split()[0]) <= high
    points[0, 0, 0], windows[0, 0, 0] = 0, np.nan  # without truth it says nothing
    assert f"| {windows[..., 0].size - 1} |" in table(
        tenths(measured(windows, points, np.full_like(chance, 0.9)))
    )


def test_a_plot_of_scores_is_drawn(windows, tmp_path):
    rng = np.random.default_rng(1)
    rows = tenths(measured(windows, windows, rng.uniform(0.2, 0.95, windows.shape[:-1])))
    assert [r.low for r in rows] == pytest.approx(np.arange(0.2, 0.95, 0.1)) and {
        r.right for r in rows
    } == {1.0}
    image = cv2.imread(str(plot(tmp_path / "plot.png", rows, "all right")))
    assert image.shape[0] > 400 and image.std() > 10


@pytest.mark.slow
def test_runs_of_one_split_are_compared_and_of_another_refused(tmp_path, capsys):
    save_clips(tmp_path / "clips.npz", generated_clips(12, 5, frames=12))
    runs = [tmp_path / name for name in ("a", "b", "c")]
    common = [
        "pretrain",
        "--data",
        str(tmp_path / "clips.npz"),
        "--steps-per-epoch",
        "2",
        "--batch",
        "2",
        "--epochs",
        "1",
        "--validation-windows",
        "8",
    ]
    for run, more in zip(runs, ([], ["--init", "identity"], ["--split", "by-window"]), strict=True):
        assert main([*common, *more, "--out", str(run)]) == 0
    capsys.readouterr()
    assert main(["look", str(runs[0]), "--beside", str(runs[1])]) == 0
    told = capsys.readouterr().out.splitlines()
    gains = [
        [float(c.split(" ")[1]) for c in line.split("|")[2:5]]
        for line in told
        if line.startswith("| conv3d")
    ]
    # newest frame: over DARK, over DARK, one over the other
    ours, theirs, over = gains[0], gains[1], gains[6]
    assert max(ours) < min(theirs)  # random weights, and those that give their input back
    np.testing.assert_allclose(over, np.subtract(ours, theirs), atol=0.11)
    assert main(["look", str(runs[0]), "--beside", str(runs[2])]) == 2
    assert "by-window has other windows" in capsys.readouterr().err
    assert main(["look", str(runs[0]), str(runs[1])]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("2 runs: ") and told[0].endswith(
        told[1].split(" of ")[1].split(",")[0] + "."
    )  # one split
    gain = [
        float(c.split(" ")[1])
        for c in next(line for line in told if line.startswith("| conv3d")).split("|")[2:5]
    ]
    np.testing.assert_allclose(gain, np.mean([ours, theirs], axis=0), atol=0.11)
    # two splits: what is beside them goes to the run of its own
    both = ["look", str(runs[0]), str(runs[2])]
    again = tmp_path / "again"
    assert (
        main(
            [
                *common,
                "--split",
                str(runs[2] / "split.json"),
                "--init",
                "identity",
                "--out",
                str(again),
            ]
        )
        == 0
    )
    capsys.readouterr()
    assert main([*both, "--beside", str(again), "--beside", str(runs[1])]) == 0
    told = capsys.readouterr().out
    assert told.startswith("2 runs: ") and "| conv3d (beside) |" in told
    assert main([*both, "--beside", str(runs[1])]) == 2
    assert (
        "expected one run of conv3d with its split beside it, found 0 runs"
        in capsys.readouterr().err
    )
    assert main(["look", str(runs[0]), str(runs[1]), "--beside", str(runs[2])]) == 2
    assert "has the split of none of the 2 runs" in capsys.readouterr().err
    assert main(["look", str(runs[0]), "--plot", str(tmp_path / "plot.png")]) == 2
    assert "conv3d gives no score to plot" in capsys.readouterr().err


def test_a_clip_that_two_seeds_test_is_one_clip(windows):
    one, two = measured(windows, windows), measured(windows + 1, windows)
    one, two = replace(one, clips=(3, 7)), replace(two, clips=(7, 9))
    both = _pool([("data", one), ("data", two)])
    assert [len(t) for t in both.truth] == [100, 200, 100] and both.sure == ()
    np.testing.assert_array_equal(both.truth[1], np.concatenate([one.truth[1], two.truth[0]]))
    assert len(_pool([("data", one), ("other", two)]).truth) == 4
