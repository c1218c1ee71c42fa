"""ClimbAlong: pairs, cuts, and the heatmaps of each."""

import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.estimators.heatmap_file import HeatmapFile
from climb_edge.media.frame import Frame
from support.layout_folders import boxes, climbalong_folder, maps, targets, write_climbalong
from train.layouts import read


def test_climbalong_pairs_cuts_and_names_the_heatmaps(tmp_path):
    ends, wanted = boxes(6), targets(6)
    ends[4, 2] = ends[4, 0]  # zero width
    wanted[1, 0, 7] = 0  # no annotation
    wanted[2, 0, 8, 2] = 0  # hidden
    write_climbalong(tmp_path, "b.two", ends, wanted)
    write_climbalong(tmp_path, "a", boxes(3), targets(5))
    write_climbalong(tmp_path, "c", boxes(3), None)
    write_climbalong(tmp_path, "d", None, targets(2))
    got = read("climbalong", tmp_path)
    clips = got.clips
    assert clips.clip.tolist() == ["a", "b.two"] and np.diff(clips.offsets).tolist() == [3, 4]
    assert got.heatmaps == (tmp_path / "inputs" / "a.npz", tmp_path / "inputs" / "b.two.npz")
    assert any("3 frames of heatmaps, 5 of targets" in w for w in got.warnings)
    assert any("frame 4 has no box" in w for w in got.warnings) and len(got.warnings) == 2
    assert len(got.skipped) == 2 and "c.npz" in got.skipped[0] and "d.npz" in got.skipped[1]
    second = clips.keypoints[clips.rows(1)]
    np.testing.assert_allclose(second[0], wanted[0, 0, :, :2], rtol=1e-6)
    assert np.isnan(second[1, 7]).all() and np.isfinite(second[2, 8]).all()
    seen = clips.visible[clips.rows(1)]
    assert (seen[1, 7], seen[2, 8], seen[3, 8]) == (0, 0, 1)
    assert clips.frame_size.tolist() == [[1080, 1920]] * 2 and clips.fps.tolist() == [30, 30]
    assert len(HeatmapFile(got.heatmaps[0])(Frame(0, 0.0, None))) == 1
    with pytest.raises(ClimbEdgeError, match="same name"):
        read("climbalong", tmp_path, strict=True)


@pytest.mark.parametrize(
    ("kwargs", "says"),
    [
        ({"observed": maps(3)[:, :24]}, "heatmaps expected shape"),
        ({"observed": maps(2)}, "bboxes expected shape"),
        ({"keypoints": targets(3)[:, 0]}, "keypoints expected shape"),
        ({"bboxes": boxes(3) * 0}, "no frame with a box"),
    ],
)
def test_climbalong_videos_that_do_not_fit_are_left_out(tmp_path, kwargs, says):
    climbalong_folder(tmp_path)
    write_climbalong(tmp_path, "c", **({"bboxes": boxes(3), "keypoints": targets(3)} | kwargs))
    got = read("climbalong", tmp_path)
    assert (
        got.clips.clip.tolist() == ["a", "b"] and len(got.skipped) == 1 and says in got.skipped[0]
    )
