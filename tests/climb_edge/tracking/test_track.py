"""From frames to files: overlay, results, `track` and `evaluate` end to end."""

import json
import shutil
import zipfile
from dataclasses import replace

import cv2
import numpy as np
import pytest

from climb_edge.__main__ import main
from climb_edge.cli import parser
from climb_edge.errors import ClimbEdgeError
from climb_edge.estimators.recording import Recording, record
from climb_edge.evaluation.evaluate import evaluate, jitter
from climb_edge.evaluation.videos import VideoFolder, recordings
from climb_edge.files.clips import load_clips
from climb_edge.media.video import read_video
from climb_edge.pose.skeleton import KEYPOINTS
from climb_edge.refiners.base import Identity
from climb_edge.refiners.load import load_refiner
from climb_edge.refiners.tflite import default_path
from climb_edge.streaming.result import Result
from climb_edge.tracking import overlay as overlay_module
from climb_edge.tracking.overlay import Overlay
from climb_edge.tracking.track import track
from climb_edge.tracking.track_file import SCHEMA, header, line, read_lines, write_lines
from support.scene import (
    Late,
    Scripted,
    clip_set,
    standing,
    write_clips,
    write_heatmaps,
    write_shapes,
    write_video,
)


def result(frame: int = 0, person: int | None = 0, shift: float = 0.0) -> Result:
    points = np.concatenate([standing(), np.full((25, 1), 0.9)], axis=1)
    moved = points + [shift, 0, 0]
    return Result(frame, frame / 30, person, "tracking", 0, np.array([0.0, 1, 2, 3]), points, moved)


def test_overlay_draws_raw_on_the_left_and_refined_on_the_right():
    image = np.full((360, 400, 3), 128, np.uint8)
    drawn = Overlay("model").draw(image, [result(shift=60)])
    assert drawn.shape == (360, 800, 3) and (image == 128).all()
    left, right = drawn[:, :400], drawn[:, 400:]
    wrist = np.round(standing()[7]).astype(int)
    assert (left[wrist[1], wrist[0]] == 255).all() and (right[wrist[1], wrist[0] + 60] == 255).all()
    # the outermost on the right-hand side that nothing covers
    thumb = np.round(standing()[14]).astype(int)
    assert (left[thumb[1], thumb[0]] == 255).all() and (right[thumb[1], thumb[0]] == 128).all()
    empty = Overlay("model").draw(image, [Result(0, 0.0)])
    assert (empty[40:320] == 128).all() and (empty != 128).any()  # titles and state only


def test_overlay_scales_large_pictures_and_forgets_trails():
    overlay = Overlay("model")
    assert overlay.draw(np.zeros((2160, 3840, 3), np.uint8), [result()]).shape == (540, 1920, 3)
    for i in range(4):
        overlay.draw(np.zeros((360, 400, 3), np.uint8), [result(i)])
    assert len(overlay._trails) == 2
    overlay.draw(np.zeros((360, 400, 3), np.uint8), [])
    assert not overlay._trails


def test_overlay_tells_box_rate_delay_state_and_confidence(monkeypatch):
    said = []
    monkeypatch.setattr(overlay_module, "label", lambda canvas, text, *rest: said.append(text))
    image, overlay = np.full((360, 400, 3), 128, np.uint8), Overlay("model")
    for i in (0, 1, 2, 5):  # two frames were dropped
        late = replace(result(i), delay=2, bbox=np.array([20.0, 40, 380, 330]))
        late.refined[:, 2] = 0.7
        drawn = overlay.draw(image, [late])
    assert said[-4:] == [
        "estimator",
        "18 fps, 0: tracking 0.90",
        "model",
        "18 fps, delay 2, 0: tracking 0.70",
    ]
    for left in (20, 420):
        assert (drawn[40:330, left] == 240).all() and (drawn[40, left : left + 360] == 240).all()
    overlay.draw(image, [Result(6, 0.2)])
    assert said[-1] == "20 fps, delay 0, lost"


def test_lines_hold_every_field_in_order(tmp_path):
    rows = [result(2, 1), result(2, 0), Result(1, 1 / 30), result(0)]
    write_lines(tmp_path / "t.jsonl", header(Identity(), "e", "v.mp4"), rows)
    first, lines = read_lines(tmp_path / "t.jsonl")
    assert {"schema", "contract", "runtime", "backend", "reason"} <= set(first)
    assert (
        first["schema"] == SCHEMA
        and first["keypoints"] == list(KEYPOINTS)
        and first["refiner"] == "identity"
    )
    lines = list(lines)
    assert [(r["frame"], r["person"]) for r in lines] == [(0, 0), (1, None), (2, 0), (2, 1)]
    for row in lines:
        assert list(row) == ["frame", "t", "person", "state", "delay", "bbox", "raw", "refined"]
    assert (
        np.shape(lines[0]["raw"]) == np.shape(lines[0]["refined"]) == (25, 3)
        and len(lines[0]["bbox"]) == 4
    )
    np.testing.assert_allclose(np.array(lines[0]["raw"])[:, :2], standing(), atol=1e-3)
    assert (
        lines[1]["raw"] is None
        and lines[1]["state"] == "lost"
        and lines[2]["t"] == pytest.approx(2 / 30, abs=1e-6)
    )
    assert line(rows[0])["delay"] == 0


@pytest.mark.parametrize("content", [b"", b"[1]\n", b'{"schema": "x"}\n', b"\xff\xfe\n", b"{"])
def test_what_is_no_track_is_refused(tmp_path, content):
    (tmp_path / "t.jsonl").write_bytes(content)
    with pytest.raises(ClimbEdgeError, match=r"t\.jsonl"):
        read_lines(tmp_path / "t.jsonl")


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


def test_jitter_is_the_second_difference_of_the_error():
    truth = np.random.default_rng(0).normal(0, 50, (9, 25, 2))
    # drift is none
    assert jitter([truth + 7 + np.arange(9)[:, None, None]], [truth]) == pytest.approx(0, abs=1e-9)
    shaken = truth + np.where(np.arange(9) % 2, 1.0, -1.0)[:, None, None] * [3, 4]
    assert jitter([shaken], [truth]) == pytest.approx(4 * 5)
    assert np.isnan(jitter([truth[:2]], [truth[:2]]))


@pytest.fixture
def walk(tmp_path):
    """Clips of walking persons, their recordings by an estimator that is 10 pixels off to the
    right.
    """
    clips = load_clips(write_clips(tmp_path / "c.npz", clip_set((8, 7))))
    sources = []
    for i, (name, keypoints) in enumerate(clips):
        video = write_shapes(tmp_path / name, len(keypoints))
        script = {t: {0: p + [10, 0]} for t, p in enumerate(keypoints) if not (i == 1 and t == 6)}
        record(video, Scripted(script), tmp_path / f"{i}.zip")
        sources.append(Recording(tmp_path / f"{i}.zip"))
    return clips, sources


@pytest.mark.parametrize("refiner", [Identity(), Late()])
def test_evaluate_counts_what_was_predicted(walk, refiner):
    clips, sources = walk
    metrics = evaluate(clips, sources, refiner)
    torso = 200 * np.hypot(0.04, 0.32)
    # 64.5: 10 px are wrong at 0.05 and 0.1, right at 0.2
    assert metrics["torso"] == pytest.approx(torso, rel=1e-4)
    assert [metrics["pck"]["pooled"][a][0] for a in ("0.05", "0.1")] == [0, 0]
    assert (
        metrics["pck"]["pooled"]["0.2"][0]
        == pytest.approx(14 / 15)
        == metrics["raw"]["pooled"]["0.2"][0]
    )
    assert (metrics["missing"], metrics["frames"], metrics["clips"]) == (1, 15, 2)
    assert (
        metrics["raw_jitter"] < 0.1
        and metrics["space"] == "image pixels"
        and metrics["delay"] == refiner.delay
    )
    assert set(metrics) >= {
        "schema",
        "data",
        "estimator",
        "refiner",
        "truth",
        "keypoints",
        "jitter",
        "box",
    }


def test_a_video_shorter_or_longer_than_its_truth_is_counted_as_annotated(walk, tmp_path):
    clips, sources = walk
    for i, count in enumerate((12, 5)):
        video = write_shapes(tmp_path / "v.mp4", count)
        record(video, Scripted(lambda t: {0: standing(200 + 2 * t)}), tmp_path / f"{i}.zip")
        sources[i] = Recording(tmp_path / f"{i}.zip")
    metrics = evaluate(clips, sources, Identity())
    assert metrics["frames"] == 15 and metrics["missing"] == 2
    assert metrics["pck"]["pooled"]["0.2"][0] == pytest.approx(13 / 15)


def test_videos_come_from_a_folder_or_a_zip(tmp_path):
    (tmp_path / "in" / "a").mkdir(parents=True)
    video = write_shapes(tmp_path / "in" / "a" / "v.mp4", 2).read_bytes()
    with zipfile.ZipFile(tmp_path / "v.zip", "w") as archive:
        archive.writestr("a/v.mp4", video)
    for where in (tmp_path / "in", tmp_path / "v.zip"):
        assert VideoFolder(where).read("a/v.mp4") == video
        with pytest.raises(ClimbEdgeError, match=r"b\.mp4"):
            VideoFolder(where).read("b.mp4")
    (tmp_path / "secret").write_bytes(b"x")
    with pytest.raises(ClimbEdgeError, match="leads out"):
        VideoFolder(tmp_path / "in").read("../secret")


def test_several_refiners_see_the_same_estimate_and_stand_side_by_side(tmp_path):
    asked = []

    class Counted(Scripted):
        def __call__(self, frame):
            asked.append(frame.index)
            return super().__call__(frame)

    script = {i: {0: standing(50 + 4 * i, 34, 50)} for i in range(9)}
    video = write_shapes(tmp_path / "v.mp4", 9)
    names = ["identity", "median", "median:emits=newest", "one-euro"]
    done = track(
        read_video(video),
        Counted(script),
        [load_refiner(n) for n in names],
        tmp_path / "o",
        "v.mp4",
    )
    assert asked == list(range(9))
    assert [p.name for p in done.tracks] == [
        "track.jsonl",
        "track-median-reach-1-emits-centre.jsonl",
        "track-median-reach-1-emits-newest.jsonl",
        "track-one_euro-min_cutoff-0.05-beta-80.0-d_cutoff-1.0-emits-newest.jsonl",
    ]
    for name, path in zip(names, done.tracks, strict=True):
        alone = track(
            read_video(video), Scripted(script), [load_refiner(name)], tmp_path / "alone", "v.mp4"
        )
        assert path.read_text() == alone.tracks[0].read_text()
    drawn = [f.image for f in read_video(done.overlay)]
    assert len(drawn) == 9 and drawn[0].shape == (2 * 64, 3 * 96, 3)  # five panels and a black one
    assert drawn[8][64:, 192:].max() < 20 < drawn[8][64:, 96:192].max()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("default", ["default"]),
        ("a.tflite,one-euro", ["a.tflite", "one-euro"]),
        ("gaussian:sigma=2,reach=1,identity", ["gaussian:sigma=2,reach=1", "identity"]),
    ],
)
def test_names_between_commas(text, names):
    assert parser().parse_args(["track", "v.mp4", "--compare", text]).compare == names


@pytest.mark.parametrize("packed", [False, True])
def test_the_evaluate_command(tmp_path, monkeypatch, capsys, packed):
    monkeypatch.setenv("CLIMB_EDGE_CACHE", str(tmp_path / "cache"))
    write_clips(tmp_path / "c.npz", clip_set((8,)))
    videos = tmp_path / "videos"
    videos.mkdir()
    write_shapes(videos / "clip0.mp4", 8)
    if packed:
        videos = shutil.make_archive(str(tmp_path / "videos"), "zip", videos)
    heatmaps = write_heatmaps(tmp_path / "h.npz", [standing(200 + 2 * t) for t in range(8)])
    arguments = [
        "evaluate",
        str(tmp_path / "c.npz"),
        "--videos",
        str(videos),
        "--estimator",
        str(heatmaps),
    ]
    assert main([*arguments, "--refiner", "identity", "--out", str(tmp_path / "m.json")]) == 0

    def no_constant(name):
        raise AssertionError(f"{name} is no JSON")

    metrics = json.loads((tmp_path / "m.json").read_text(), parse_constant=no_constant)
    assert metrics["pck"]["pooled"]["0.05"] == [1, None, None]  # one clip: no interval
    assert "100.0" in capsys.readouterr().out
    several = [
        *arguments,
        "--refiner",
        "identity",
        "--refiner",
        "median:emits=newest",
        "--limit",
        "1",
    ]
    assert main([*several, "--out", str(tmp_path / "several.json")]) == 0
    rows = json.loads((tmp_path / "several.json").read_text())
    assert [row["refiner"] for row in rows] == ["identity", "median:reach=1,emits=newest"] and rows[
        0
    ] == metrics
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in said[2:]] == [
        "estimator",
        "identity",
        "median:reach=1,emits=newest",
    ]


@pytest.mark.network
def test_real_clips_keep_a_plausible_figure(data_folder, weights_folder, tmp_path):
    """The first J-HMDB clips in one piece: human truth, real video, real estimator, the shipped
    refiner.
    """
    from climb_edge.estimators.blazepose import BlazePose

    clips = load_clips(data_folder / "jhmdb_train.npz")
    videos = VideoFolder(data_folder / "jhmdb_train_videos.zip")
    one = clip_set(
        (int(clips.offsets[1]),),
        clips.source,
        **{k: getattr(clips, k)[clips.rows(0)] for k in ("keypoints", "visible")},
        clip=clips.clip[:1],
    )
    metrics = evaluate(one, recordings(one, videos, BlazePose("full", weights_folder)), Identity())
    assert metrics["truth"] == "human" and metrics["frames"] == clips.offsets[1]
    assert metrics["raw"]["pooled"]["0.2"][0] > 0.5
    assert metrics["pck"]["pooled"]["0.2"][0] == pytest.approx(
        metrics["raw"]["pooled"]["0.2"][0], abs=0.05
    )


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
    also = [x for kind in ("csv", "coco", "climbing") for x in ("--also", kind)]
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
