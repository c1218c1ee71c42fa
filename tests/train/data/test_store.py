"""Stores: what is finished is kept, what is damaged is made anew alone, and one bad video does not
stop a thousand.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.estimators.heatmap_file import HeatmapFile
from climb_edge.estimators.recording import Recording
from climb_edge.files.clips import load_clips, save_clips
from climb_edge.media.video import read_video
from climb_edge.pose.boxes import STICKY, STUDY
from climb_edge.pose.render import SIZE, render, to_cells
from support.scene import Scripted, standing, write_shapes
from train.__main__ import main
from train.data.recorded import RecordedWindows
from train.data.sources import open_source
from train.data.store import from_heatmaps, load_store, shard, shard_name
from train.synthesis.motion import generated_clips


def walker(index: int) -> dict:
    """One person who walks to the right, is gone in frame 9, and a second one from frame 3 on."""
    people = {0: standing(100 + 8 * index)} if index != 9 else {}
    return people | ({1: standing(400, height=150)} if index >= 3 else {})


@pytest.fixture
def video(tmp_path) -> bytes:
    return write_shapes(tmp_path / "v.mp4", 20).read_bytes()


class Counting(Scripted):
    calls = 0

    def __call__(self, frame):
        self.calls += 1
        return super().__call__(frame)


def test_a_finished_shard_is_not_made_again_and_a_damaged_one_is(tmp_path, video):
    estimator, path = Counting(walker), tmp_path / "s.zip"
    assert shard(video, estimator, path, "a.mp4") == 20
    first, made = path.read_bytes(), estimator.calls
    assert shard(video, estimator, path, "a.mp4") == 20
    assert estimator.calls == made and path.read_bytes() == first
    content = bytearray(first)
    content[len(content) // 2] ^= 0xFF  # inside a map: the table still reads
    path.write_bytes(content)
    assert shard(video, estimator, path, "a.mp4") == 20
    assert estimator.calls == 2 * made and Recording(path).whole()
    shard(video, estimator, path, "b.mp4")
    assert estimator.calls == 3 * made, "a shard of another clip passed for this one's"


def test_a_shard_holds_both_boxes_as_a_stream_holds_them(tmp_path, video):
    shard(video, Scripted(walker), tmp_path / "s.zip", "a.mp4")
    recording = Recording(tmp_path / "s.zip")
    for person in (0, 1):
        box, before = None, None
        for row in np.flatnonzero(recording.person == person):
            frame = recording.frame[row]
            box = STICKY.update(
                box if before == frame - 1 else None, recording.keypoints[row, :, :2]
            )
            before = frame
            np.testing.assert_array_equal(recording.boxes["sticky"][row], box)
            np.testing.assert_array_equal(
                recording.boxes["frame"][row], STUDY.update(None, recording.keypoints[row, :, :2])
            )
    moved = np.abs(np.diff(recording.boxes["sticky"][recording.person == 0], axis=0)).max(1) > 0
    assert 0 < moved.sum() < len(moved), "a walker's sticky box moves now and then"


@pytest.fixture
def folder(tmp_path, person_video):
    """Two videos (the second twice as slow to write), a third that is none, and their clip set."""
    videos = tmp_path / "videos"
    videos.mkdir()
    for name in ("a.mp4", "b.mp4"):
        shutil.copy(person_video, videos / name)
    with open(videos / "b.mp4", "ab") as stream:
        stream.write(b"\0" * 8)  # another content, the same pictures
    (videos / "bad.mp4").write_bytes(b"no video")
    clips = generated_clips(4, 0, frames=40)
    size = next(read_video(person_video)).image.shape[1::-1]
    clips = replace(
        clips,
        clip=np.array(["a.mp4", "b.mp4", "bad.mp4", "gone.mp4"]),
        frame_size=np.tile(np.int32(size), (4, 1)),
        source="made for a test",
    )
    save_clips(tmp_path / "clips.npz", clips)
    return tmp_path


def extract(folder, *options) -> list[str]:
    return [
        "extract",
        str(folder / "clips.npz"),
        "--videos",
        str(folder / "videos"),
        "--out",
        str(folder / "store"),
        *options,
    ]


@pytest.mark.network
@pytest.mark.slow
def test_bad_videos_are_skipped_and_told_of_and_processes_find_what_one_process_finds(
    folder, capsys
):
    assert main(extract(folder, "--jobs", "2")) == 0
    said = capsys.readouterr()
    assert "2 of 4 clips, 80 frames" in said.out
    skipped = [line for line in said.err.splitlines() if line.startswith("skipped:")]
    assert (
        len(skipped) == 2
        and any("bad.mp4" in s for s in skipped)
        and any("gone.mp4" in s for s in skipped)
    )
    clips, (a, b) = load_store(folder / "store")
    assert clips.clip.tolist() == ["a.mp4", "b.mp4"] and len(clips.keypoints) == 80
    np.testing.assert_array_equal(a.keypoints, b.keypoints)
    before = {p.name: p.stat().st_mtime_ns for p in (folder / "store").glob("*.zip")}
    path = folder / "store" / shard_name("b.mp4")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ClimbEdgeError, match=rf"{path.name}.*b\.mp4.*only this one"):
        load_store(folder / "store")
    assert main(extract(folder)) == 0
    after = {p.name: p.stat().st_mtime_ns for p in (folder / "store").glob("*.zip")}
    assert [name for name in before if before[name] != after[name]] == [path.name]
    np.testing.assert_array_equal(load_store(folder / "store")[1][1].keypoints, b.keypoints)
    capsys.readouterr()
    assert main(extract(folder, "--strict")) == 2
    assert main(extract(folder, "--estimator", "lite")) == 2
    assert "choose another --out" in capsys.readouterr().err
    whole = load_clips(folder / "clips.npz")
    save_clips(folder / "clips.npz", replace(whole, frame_size=whole.frame_size // 2))
    assert main(extract(folder)) == 2
    said, (width, height) = capsys.readouterr().err, whole.frame_size[0]
    assert f"{width} x {height}" in said and f"{width // 2} x {height // 2}" in said
    assert main(extract(folder, "--fit-labels", "scale")) == 0
    fitted = load_clips(folder / "store" / "clips.npz")
    np.testing.assert_allclose(fitted.keypoints, 2 * clips.keypoints + 0.5, rtol=1e-5)


@pytest.mark.network
@pytest.mark.slow
def test_an_extraction_that_was_killed_goes_on_without_doing_anything_twice(folder):
    process = subprocess.Popen(
        [sys.executable, "-m", "train", *extract(folder)], stderr=subprocess.DEVNULL
    )
    first = folder / "store" / shard_name("a.mp4")
    deadline = time.monotonic() + 120
    while not first.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    stamp = first.stat().st_mtime_ns
    assert main(extract(folder)) == 0
    assert first.stat().st_mtime_ns == stamp
    clips, recordings = load_store(folder / "store")
    assert [len(r) for r in recordings] == [40, 40] and len(clips) == 2


def test_a_store_of_another_version_or_half_of_one_is_refused(tmp_path):
    store = tmp_path / "store"
    store.mkdir()
    with pytest.raises(ClimbEdgeError, match=r"without store\.json"):
        load_store(store)
    (store / "store.json").write_text(json.dumps({"version": 1, "estimator": "x"}))
    with pytest.raises(ClimbEdgeError, match=r"version 1.*extract it again"):
        load_store(store)
    (store / "store.json").write_text("[" * 100_000)
    with pytest.raises(ClimbEdgeError, match=r"store\.json: .*damaged"):
        load_store(store)


def test_heatmaps_of_another_estimator_become_a_store_that_keeps_their_own_boxes(tmp_path):
    rng = np.random.default_rng(0)
    clips = generated_clips(2, 3, frames=8)
    files = []
    for i, (_, points) in enumerate(clips):
        low, high = points.min(1), points.max(1)
        boxes = np.concatenate([low - 40, high + rng.uniform(20, 60, low.shape)], axis=1)
        maps = render(to_cells(points, boxes[:, None]).astype(np.float32), 1.5)
        files.append(tmp_path / f"{i}.npz")
        np.savez(files[-1], bboxes=boxes, heatmaps=np.moveaxis(maps, -1, 1).astype(np.float32))
    from_heatmaps(clips, files, tmp_path / "store")
    stamps = [p.stat().st_mtime_ns for p in sorted((tmp_path / "store").glob("*.zip"))]
    from_heatmaps(clips, files, tmp_path / "store")
    assert stamps == [p.stat().st_mtime_ns for p in sorted((tmp_path / "store").glob("*.zip"))]
    loaded, recordings = load_store(tmp_path / "store")
    np.testing.assert_array_equal(loaded.keypoints, clips.keypoints)
    source = RecordedWindows(loaded, recordings, "frame")
    assert len(source) == 2 * (8 - 4)
    window = source.window(1)
    with np.load(files[0]) as given:
        boxes, maps = given["bboxes"][1:6], np.moveaxis(given["heatmaps"][1:6], 1, -1)
    np.testing.assert_allclose(
        window.cells, to_cells(clips.keypoints[1:6], boxes[:, None]), atol=1e-3
    )
    # its own maps in its own boxes, not resampled
    np.testing.assert_allclose(window.inputs, maps, atol=0.02)
    assert HeatmapFile(files[0]).name == "0.npz" and window.inputs.shape == (5, SIZE, SIZE, 25)
    assert os.listdir(tmp_path / "store").count("clips.npz") == 1


def test_a_store_whose_labels_are_of_other_pictures_is_not_trained_on(tmp_path):
    clips = generated_clips(1, 3, frames=8)
    boxes = np.tile([0.0, 0, 100, 100], (8, 1))
    maps = np.full((8, 25, SIZE, SIZE), 0.5, np.float32)
    np.savez(tmp_path / "0.npz", bboxes=boxes, heatmaps=maps)
    from_heatmaps(clips, [tmp_path / "0.npz"], tmp_path / "store")
    half = replace(clips, frame_size=clips.frame_size // 2)
    save_clips(tmp_path / "store" / "clips.npz", half)
    config = {"data": [str(tmp_path / "store")], "seed": 0, "box": "frame"}
    with pytest.raises(ClimbEdgeError, match="540 x 960, its video's are 1080 x 1920"):
        open_source(config)
    source = open_source(config | {"fit_labels": "scale"})
    np.testing.assert_allclose(source.clips.keypoints, 2 * clips.keypoints + 0.5, rtol=1e-5)


@pytest.mark.network
def test_labels_that_fit_no_video_end_an_extraction_at_the_first(folder, capsys):
    clips = load_clips(folder / "clips.npz")
    save_clips(folder / "clips.npz", replace(clips, frame_size=2 * clips.frame_size))
    assert main(extract(folder)) == 2
    assert "say --fit-labels scale" in capsys.readouterr().err
    assert len(list((folder / "store").glob("*.zip"))) == 1


def test_a_clip_set_is_cut_to_groups(tmp_path):
    clips = replace(generated_clips(3, 0, frames=6), group=np.array(["x", "y", "x"]))
    save_clips(tmp_path / "c.npz", clips)
    config = {"data": [str(tmp_path / "c.npz")], "noise": "1.1", "seed": 0, "group": ["x"]}
    source = open_source(config)
    assert len(source.clips) == 2 and len(source) == 2 * 2
    np.testing.assert_array_equal(
        source.clips.keypoints[6:], load_clips(tmp_path / "c.npz").keypoints[12:]
    )
    with pytest.raises(ClimbEdgeError, match="groups are x, y"):
        open_source(config | {"group": ["z"]})
