"""Labels and their videos: picture sizes and lengths that agree, or both numbers in one message."""

import numpy as np
import pytest

from climb_edge.__main__ import main
from climb_edge.errors import ClimbEdgeError
from climb_edge.evaluation.agreement import Seen, fitted
from support.scene import clip_set, standing, write_clips, write_heatmaps, write_shapes


def test_labels_that_fit_stay_as_they_are():
    clips = clip_set((6, 4))
    same, said = fitted(clips, {"clip0.mp4": Seen((400, 400), 6), "clip1.mp4": Seen((400, 399))})
    assert same is clips and said == []  # an encoder cuts a side to an even number


def test_another_picture_size_is_refused_with_both_or_scaled():
    clips = clip_set((6, 4), weight=np.ones((10, 25), np.float32))
    seen = {"clip1.mp4": Seen((800, 800), 9)}
    with pytest.raises(ClimbEdgeError, match=r"clip1\.mp4: .* 400 x 400, .* 800 x 800; .*scale"):
        fitted(clips, seen)
    scaled, said = fitted(clips, seen, "scale")
    assert scaled.frame_size.tolist() == [[400, 400], [800, 800]] and len(said) == 1
    np.testing.assert_array_equal(scaled.keypoints[:6], clips.keypoints[:6])
    # as a picture is scaled: the edges of pixels, not their centres (DeepLabCut 2906)
    np.testing.assert_allclose(scaled.keypoints[6:] + 0.5, 2 * (clips.keypoints[6:] + 0.5))


def test_another_shape_is_scaled_on_a_request_of_its_own():
    clips, seen = clip_set((6,)), {"clip0.mp4": Seen((800, 600), 6)}
    with pytest.raises(
        ClimbEdgeError, match=r"1\.00 to 1, 1\.33 to 1.*cut, padded or turned.*stretch"
    ):
        fitted(clips, seen, "scale")
    scaled, _ = fitted(clips, seen, "stretch")
    np.testing.assert_allclose(
        scaled.keypoints + 0.5, (clips.keypoints + 0.5) * [2, 1.5], rtol=1e-6
    )


def test_labels_beyond_the_end_are_refused_with_both_numbers_or_left_out():
    """label-studio 6493: 535 frames there, 641 here."""
    clips = clip_set((6, 4), weight=np.ones((10, 25), np.float32))
    seen = {"clip0.mp4": Seen((400, 400), 4)}
    with pytest.raises(
        ClimbEdgeError, match=r"list 6 frames, the video has 4: 2 labelled .*4 to 5"
    ):
        fitted(clips, seen)
    cut, said = fitted(clips, seen, "scale")
    assert cut.offsets.tolist() == [0, 4, 8] and len(cut.weight) == 8 and "2 labelled" in said[0]
    np.testing.assert_array_equal(cut.keypoints, clips.keypoints[[*range(4), *range(6, 10)]])
    clips.keypoints[4:6] = np.nan  # listed, not labelled
    kept, said = fitted(clips, seen)
    assert len(kept.keypoints) == 10 and "do the numbers fit" in said[0]
    clips.keypoints[:4], clips.keypoints[4:6] = np.nan, 1
    with pytest.raises(ClimbEdgeError, match="every label lies beyond"):
        fitted(clips, seen, "scale")


def test_evaluate_refuses_or_fits(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CLIMB_EDGE_CACHE", str(tmp_path / "cache"))
    write_clips(tmp_path / "c.npz", clip_set((8,), frame_size=np.array([[48, 32]])))
    write_shapes(tmp_path / "clip0.mp4", 7)  # 96 x 64
    heatmaps = write_heatmaps(tmp_path / "h.npz", [standing(200 + 2 * t) for t in range(7)])
    command = ["evaluate", tmp_path / "c.npz", "--videos", tmp_path, "--estimator", heatmaps]
    command = [*map(str, command), "--refiner", "identity"]
    assert main(command) == 2
    assert all(text in capsys.readouterr().err for text in ("48 x 32",))
    assert main([*command, "--fit-labels", "scale"]) == 0
    told = capsys.readouterr()
    assert "1 clips, 7 frames" in told.out and "scaled to 96 x 64" in told.err
    assert "has 7: 1 labelled frames beyond" in told.err
