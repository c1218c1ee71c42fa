"""From frames to files: `track` end to end."""

import json

import cv2
import numpy as np
import pytest

from climb_edge import api
from climb_edge.__main__ import main
from climb_edge.media.video import VideoInfo, read_video
from climb_edge.refiners.base import Identity
from climb_edge.refiners.tflite import default_path
from climb_edge.tracking.track import track
from climb_edge.tracking.track_file import read_lines
from support.scene import (
    Late,
    Scripted,
    shapes,
    standing,
    write_shapes,
    write_video,
)


@pytest.mark.parametrize("refiner", [Identity(), Late()])
def test_track_writes_every_frame_with_its_own_time(tmp_path, refiner):
    times = [0.0, 0.03, 0.1, 0.13, 0.2, 0.21, 0.3]
    video = write_video(tmp_path / "v.mp4", [np.full((360, 400, 3), 90, np.uint8)] * 7, times)
    script = {i: {0: standing(180 + 4 * i)} for i in range(7) if i != 5}
    done = track(read_video(video), Scripted(script), [refiner], tmp_path / "out", "v.mp4")
    assert (done.frames, done.with_person) == (7, 6)
    drawn = list(read_video(done.overlay))
    np.testing.assert_allclose([f.time for f in drawn], times, atol=1e-3)
    _, rows = read_lines(done.tracks[0])
    rows = list(rows)
    assert [r["frame"] for r in rows] == list(range(7))
    np.testing.assert_allclose([r["t"] for r in rows], times, atol=1e-4)
    assert rows[5]["person"] is None
    for i in (0, 4, 6):  # the pose stands on its own frame
        x, y = np.round(standing(180 + 4 * i)[17]).astype(int)
        assert drawn[i].image[y, x].min() > 180 and drawn[i].image[y, x + 400].min() > 180


def test_ctrl_c_keeps_what_was_done(tmp_path):
    def frames():
        yield from list(read_video(write_shapes(tmp_path / "v.mp4", 6)))[:4]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        track(frames(), Scripted({}), [Identity()], tmp_path / "out", "v.mp4")
    assert len(list(read_video(tmp_path / "out" / "overlay.mp4"))) == 4
    assert len(list(read_lines(tmp_path / "out" / "track.jsonl")[1])) == 4


@pytest.fixture(scope="module")
def man_video(demo_frames, tmp_path_factory):
    """The man of the demo clip, 12 frames of 520 x 520."""
    images = [f.image[:520, 380:900] for f in demo_frames[:12]]
    return write_video(tmp_path_factory.mktemp("man") / "man.mp4", images)


@pytest.mark.network
def test_track_the_demo_end_to_end(man_video, weights_folder, tmp_path, capsys):
    code = main(
        ["track", str(man_video), "--out", str(tmp_path / "o"), "--weights", str(weights_folder)]
    )
    assert code == 0
    assert "12 frames, a person in 12" in capsys.readouterr().out
    first, rows = read_lines(tmp_path / "o" / "track.jsonl")
    rows = list(rows)
    assert first["contract"]["sha256"] and first["refiner"] == default_path().name
    assert [r["frame"] for r in rows] == list(range(12)) and rows[-1]["state"] in (
        "tracking",
        "re-anchored",
    )
    raw, refined = (np.array([r[k] for r in rows])[..., :2] for k in ("raw", "refined"))
    assert np.median(np.linalg.norm(raw[4:] - refined[4:], axis=-1)) < 15
    assert not (raw[4:] == refined[4:]).all()
    assert len(list(read_video(tmp_path / "o" / "overlay.mp4"))) == 12


@pytest.mark.network
def test_who_leaves_and_soon_comes_back_is_the_same_person_who_begins_anew(
    man_video, weights_folder, tmp_path
):
    images = [f.image for f in read_video(man_video)]
    away = [np.full_like(images[0], 128)] * 3
    video = write_video(tmp_path / "v.mp4", [*images[:5], *away, *images[5:9]])
    assert (
        main(["track", str(video), "--out", str(tmp_path / "o"), "--weights", str(weights_folder)])
        == 0
    )
    rows = list(read_lines(tmp_path / "o" / "track.jsonl")[1])
    assert [r["person"] for r in rows] == [0] * 5 + [None] * 3 + [0] * 4
    assert [r["state"] for r in rows[5:9]] == ["lost"] * 3 + ["warming up"]


@pytest.mark.network
def test_a_track_is_also_written_as_a_table_coco_and_a_climbing_summary_and_plotted(
    man_video, weights_folder, tmp_path
):
    out = tmp_path / "out"
    also = [x for kind in ("csv", "coco", "climbing") for x in ("--export", kind)]
    arguments = [
        "track",
        str(man_video),
        "--weights",
        str(weights_folder),
        "--seconds",
        "0.5",
        "--out",
        str(out),
        *also,
    ]
    assert main([*arguments, "--refiner", "identity"]) == 0
    first, rows = read_lines(out / "track.jsonl")
    rows = list(rows)
    assert first["frame_size"] == [520, 520] and (first["runtime"], first["backend"]) == (
        "none",
        "cpu",
    )
    table = (out / "track.csv").read_text().splitlines()
    assert len(table) == 1 + 25 * sum(row["person"] is not None for row in rows)
    coco = json.loads((out / "track.coco.json").read_text())
    assert len(coco["annotations"]) == sum(row["person"] is not None for row in rows) > 0
    (person,) = json.loads((out / "climbing.json").read_text())
    assert (
        person["schema"] == "climb-edge/climbing/1"
        and (out / "climbing.jpg").stat().st_size > 10_000
    )
    assert (
        main(["plot", str(out / "track.jsonl"), "--joint", "nose", "--out", str(out / "plot.png")])
        == 0
    )
    assert cv2.imread(str(out / "plot.png")).shape[1] == 1400
    assert (
        main(["plot", str(out / "track.jsonl"), "--joint", "elbow", "--out", str(out / "plot.png")])
        == 2
    )


def test_refiners_of_the_same_name_are_told_apart_and_the_bar_ends_full(tmp_path, heatmaps, capsys):
    models = []
    for folder in ("old", "new"):
        (tmp_path / folder).mkdir()
        models.append(tmp_path / folder / "m.tflite")
        models[-1].write_bytes(default_path().read_bytes())
    times = [0.01 * i for i in range(9)] + [0.5, 1.0, 1.5]  # no rate tells how many come by 0.2 s
    video, out = write_video(tmp_path / "v.mp4", map(shapes, range(12)), times), tmp_path / "o"
    command = ["track", str(video), "--estimator", str(heatmaps), "--out", str(out)]
    command += ["--compare", ",".join(map(str, models))]
    for seconds in ("0.2", "60"):  # before the video ends, and after
        assert main([*command, "--seconds", seconds]) == 0
        told = capsys.readouterr()
        assert told.err.split("\r")[-1].startswith("track: 100%"), told.err[-300:]
        assert "refiner old/m.tflite," in told.out and "refiner new/m.tflite," in told.out
    assert read_lines(out / "track-new-m.jsonl")[0]["refiner"] == "new/m.tflite"
    assert main([*command, "--names", "before,after"]) == 0
    assert read_lines(out / "track-after.jsonl")[0]["refiner"] == "after"
    assert main([*command, "--names", "before"]) == 2
    assert "expected 2 different names" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("frames", "fps", "seconds", "total"),
    [(90, 30, 1, 31), (20, 30, 1, 20), (0, 30, 1, 31), (0, 0, 1, None), (90, 30, None, 90)],
)
def test_the_bar_begins_with_what_is_known(frames, fps, seconds, total):
    assert api._frames_until(VideoInfo(frames, fps), seconds) == total
