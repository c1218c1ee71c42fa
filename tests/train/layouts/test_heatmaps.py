"""Anybody's heatmaps with keypoints."""

import numpy as np

from support.layout_folders import boxes, heatmaps_folder, maps, targets
from train.layouts import read


def test_own_heatmaps_with_keypoints_are_clips_and_without_are_refused(tmp_path):
    heatmaps_folder(tmp_path)
    got = read("heatmaps", tmp_path)
    assert got.clips.clip.tolist() == ["a", "sub/b"] and got.clips.frame_size[1].tolist() == [
        640,
        900,
    ]
    # of keypoints and boxes
    reach = np.maximum(np.ceil(targets(3)[..., :2].max((0, 1, 2))), boxes(1)[0, 2:])
    assert got.clips.frame_size[0].tolist() == reach.tolist()
    np.testing.assert_allclose(got.clips.keypoints[:3], targets(3)[:, 0, :, :2], rtol=1e-6)
    assert got.clips.visible[:3].all() and len(got.clips.keypoints) == 6
    assert [p.name for p in got.heatmaps] == ["a.npz", "b.npz"] and len(got.warnings) == 2
    np.savez(tmp_path / "c.npz", bboxes=boxes(3), heatmaps=maps(3))
    np.savez(tmp_path / "d.npz", bboxes=boxes(3), heatmaps=maps(3), keypoints=np.zeros((3, 24, 2)))
    np.savez(tmp_path / "e.npz", bboxes=boxes(3), heatmaps=maps(3), keypoints=np.array([None] * 3))
    got = read("heatmaps", tmp_path, frame_size=(1000, 1000))
    assert got.clips.clip.tolist() == ["a", "sub/b"] and got.clips.frame_size[0].tolist() == [
        1000,
        1000,
    ]
    assert (
        "nothing to train towards" in got.skipped[0]
        and "25" in got.skipped[1]
        and "never unpickled" in got.skipped[2]
    )


def test_boxes_without_a_size_are_told_of(tmp_path):
    ends = boxes(3)
    ends[1, 3], ends[2, 0] = ends[1, 1], np.nan
    np.savez(
        tmp_path / "a.npz",
        bboxes=ends,
        heatmaps=maps(3),
        keypoints=targets(3)[:, 0],
        frame_size=[640, 900],
    )
    (said,) = read("heatmaps", tmp_path).warnings
    assert "a.npz: 2 boxes without a size, the first of frame 1; nobody is seen there" in said
