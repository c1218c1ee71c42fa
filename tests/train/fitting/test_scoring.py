"""Judging: PCK and loss of test windows, against truth that counts."""

import dataclasses

import numpy as np
import pytest

from climb_edge.pose.decode import decode
from train.config import Augmentation, Hyperparameters
from train.data.rendered import RenderedWindows
from train.data.sources import batch
from train.data.windows import targets
from train.fitting import initial_weights
from train.fitting.scoring import Judge
from train.models import registry
from train.noise.library import NOISES
from train.noise.simulators import StudyNoise
from train.synthesis.motion import generated_clips


def test_a_noisy_input_is_judged_by_pck_and_an_exact_one_is_perfect():
    source = RenderedWindows(generated_clips(3, 1, frames=30), NOISES["1.2"])
    indices = np.arange(0, 60, 5)
    noisy = Judge(source, Hyperparameters(batch=5))(indices)
    # the study shifts by 2.95 cells; the threshold is about half a cell
    assert 0.005 < noisy.pck["0.05"] < 0.1
    assert noisy.pck["0.05"] < noisy.pck["0.1"] < noisy.pck["0.2"]
    exact = Judge(
        RenderedWindows(source.clips, StudyNoise("exact", 0.0, (1.0,))), Hyperparameters(batch=5)
    )(indices)
    assert exact.score("study").pooled()["0.05"][0] == 1
    # against exact truth whole cells are half a cell off
    assert noisy.pck["0.05"] < exact.pck["0.05"] < 1
    assert exact.pck["0.1"] == 1


def test_a_judge_keeps_every_windows_points_and_truth_by_clip():
    source = RenderedWindows(generated_clips(3, 1, frames=30), NOISES["blazepose"])
    indices = np.array([0, 3, 30, 31, 32, 60])
    measured = Judge(source, Hyperparameters(batch=4))(indices)
    assert [len(t) for t in measured.truth] == [2, 3, 1]
    windows = batch(source, indices)
    np.testing.assert_array_equal(np.concatenate(measured.truth), windows.cells)
    for reading, subpixel in (("ours", True), ("study", False)):
        np.testing.assert_allclose(
            np.concatenate(measured.points[reading]), decode(windows.inputs, subpixel)[0], atol=5e-3
        )
        assert [p.shape for p in measured.points[reading]] == [t.shape for t in measured.truth]


def test_what_is_judged_is_not_augmented():
    clips, indices = generated_clips(2, 1, frames=20), np.arange(6)
    plain, changed = (
        RenderedWindows(clips, NOISES["blazepose"], augmentation=a)
        for a in (Augmentation(), Augmentation(60, 0.5, True))
    )
    for left, right in zip(
        *(Judge(s, Hyperparameters(batch=4))(indices).truth for s in (plain, changed)), strict=True
    ):
        np.testing.assert_array_equal(left, right)


def test_what_is_not_trusted_is_not_judged():
    clips = generated_clips(2, 1, frames=20)
    trust = np.ones(clips.visible.shape, np.float32)
    trust[:, 4], trust[:, 9] = 0, 0.5
    source = RenderedWindows(dataclasses.replace(clips, weight=trust), NOISES["blazepose"])
    measured = Judge(source, Hyperparameters(batch=4, loss="mse"))(np.arange(6))
    assert np.isnan(measured.truth[0][:, :, 4]).all()
    assert np.isfinite(np.delete(measured.truth[0], 4, axis=2)).all()
    windows = batch(source, np.arange(6))
    each = np.square(targets(windows.cells, 2.0) - windows.inputs).mean((2, 3))
    assert measured.loss == pytest.approx(
        (each * windows.weight).sum() / windows.weight.sum(), rel=1e-4
    )


@pytest.mark.parametrize("name", ["conv3d", "deciwatch"])
def test_the_studys_loss_is_the_squared_error_against_whole_cells(name, shallow):
    source = RenderedWindows(generated_clips(2, 1, frames=20), NOISES["1.1"], box="frame")
    definition, windows = registry.get(name), batch(source, np.arange(5))
    model = initial_weights.initial(definition, "none", seed=1)
    cells = np.clip(np.floor(windows.cells + 0.5), 0, 55)
    outputs = np.asarray(model(windows.inputs))
    if name == "conv3d":
        each = np.square(targets(cells, 1.0) - outputs).mean((2, 3))
    else:
        each = np.square(cells - outputs).mean(-1)
    recipe = Hyperparameters(
        batch=2,
        loss={"conv3d": "mse", "deciwatch": "coordinate_mse"}[name],
        target_sigma=1.0,
        whole_cells=True,
    )
    measured = Judge(source, recipe, definition, model)(np.arange(5))
    assert measured.loss == pytest.approx(each[np.isfinite(windows.cells).all(-1)].mean(), rel=1e-3)
