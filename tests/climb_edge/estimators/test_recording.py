"""Recordings: what was seen is replayed, what is damaged is named, a cache repairs itself."""

import io
import json
import pickle
import zipfile

import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.estimators import recording as recording_module
from climb_edge.estimators.base import Observation
from climb_edge.estimators.heatmap_file import HeatmapFile
from climb_edge.estimators.recording import Recording, cached_recording, record
from climb_edge.files.assets import sha256_of
from climb_edge.media.video import read_video
from support.scene import Scripted, standing, write_shapes
from train.data.store import shard


def script(index: int) -> dict:
    """Two persons, then one, then nobody, then one again."""
    people = {0: (0, 1), 1: (0,), 2: (), 3: (4,)}[index]
    return {p: standing(100 + 60 * p + 3 * index, height=90 + 10 * p) for p in people}


@pytest.fixture
def recorded(tmp_path):
    video = write_shapes(tmp_path / "v.mp4", 4)
    record(video, Scripted(script), tmp_path / "r.zip", {"why": "test"})
    return video, tmp_path / "r.zip"


def test_round_trip(recorded):
    video, path = recorded
    recording, estimator = Recording(path), Scripted(script)
    assert len(recording) == 4 and recording.name == "scripted" and recording.size == (96, 64)
    assert recording.about["why"] == "test"
    frames = list(read_video(video))
    assert [f.time for f in recording.frames()] == [f.time for f in frames]
    for frame in frames:
        seen, again = estimator(frame), recording(frame)
        assert [o.person for o in again] == [o.person for o in seen]
        for a, b in zip(seen, again, strict=True):
            assert np.abs(a.native - b.native).max() <= a.native.max() / 65535
            np.testing.assert_array_equal(a.affine, b.affine)
            np.testing.assert_array_equal(a.keypoints, b.keypoints)
            np.testing.assert_allclose(a.bbox, b.bbox, atol=1e-4)
            assert b.score == a.score
    assert recording(frames[3])[0].person == 4 and recording(frames[2]) == []


def test_a_recording_travels_to_another_process(recorded):
    recording = Recording(recorded[1])
    first = recording.observation(0)
    again = pickle.loads(pickle.dumps(recording)).observation(0)
    np.testing.assert_array_equal(first.native, again.native)


def test_a_video_without_anybody_is_recorded_too(tmp_path):
    record(write_shapes(tmp_path / "v.mp4", 3), Scripted({}), tmp_path / "r.zip")
    recording = Recording(tmp_path / "r.zip")
    assert [recording(f) for f in recording.frames()] == [[], [], []]


def test_a_damaged_member_is_named(recorded):
    _, path = recorded
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo("maps/000001")
    content = bytearray(path.read_bytes())
    content[member.header_offset + 30 + len(member.filename) + member.compress_size // 2] ^= 0xFF
    path.write_bytes(content)
    recording = Recording(path)
    assert isinstance(recording.observation(0), Observation)
    with pytest.raises(ClimbEdgeError, match=r"r\.zip.*truncated or corrupt"):
        recording.observation(1)


def test_truncated_or_foreign_files_are_refused(recorded):
    _, path = recorded
    content = path.read_bytes()
    for bad in (b"", b"text", content[: len(content) // 2], content[:-10]):
        path.write_bytes(bad)
        with pytest.raises(ClimbEdgeError, match=r"r\.zip"):
            Recording(path)


def test_the_cache_is_used_and_repairs_itself(tmp_path, monkeypatch):
    monkeypatch.setenv("CLIMB_EDGE_CACHE", str(tmp_path / "cache"))
    video, looks = write_shapes(tmp_path / "v.mp4", 4), []

    def counted(index):
        looks.append(index)
        return script(index)

    def cached():
        return cached_recording(video, sha256_of(video), Scripted(counted))

    first = cached()
    assert len(looks) == 4 and first.path.is_relative_to(tmp_path / "cache")
    assert cached().path == first.path and len(looks) == 4
    first.path.write_bytes(first.path.read_bytes()[:-50])
    repaired = cached()
    assert len(looks) == 8
    np.testing.assert_array_equal(repaired.keypoints, first.keypoints)


def test_an_interrupted_recording_leaves_nothing(tmp_path):
    video = write_shapes(tmp_path / "v.mp4", 4)

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record(video, Scripted(script), tmp_path / "r.zip", step=stop)
    assert [f.name for f in tmp_path.iterdir()] == ["v.mp4"]


def heatmap_file(tmp_path, heatmaps, bboxes):
    np.savez(tmp_path / "h.npz", heatmaps=heatmaps, bboxes=bboxes)
    return HeatmapFile(tmp_path / "h.npz")


def test_one_infinite_heatmap_loses_one_frame_not_all(tmp_path):
    maps = np.zeros((2, 25, 56, 56), np.float32)
    maps[:, :, 20, 30] = 0.9
    maps[0, 0, 0, 0] = np.inf
    boxes = np.array([[0, 0, 112, 112]] * 2, np.float32)
    estimator = heatmap_file(tmp_path, maps, boxes)
    frames = list(read_video(write_shapes(tmp_path / "v.mp4", 3)))
    assert estimator(frames[0]) == [] and estimator(frames[2]) == []
    (seen,) = estimator(frames[1])
    np.testing.assert_allclose(seen.keypoints[0], [60, 40, 0.9], atol=1e-3)


def test_heatmaps_of_another_shape_are_refused(tmp_path):
    with pytest.raises(ClimbEdgeError, match="heatmaps expected shape"):
        heatmap_file(tmp_path, np.zeros((2, 17, 56, 56), np.float32), np.zeros((2, 4)))
    with pytest.raises(ClimbEdgeError, match="bboxes expected shape"):
        heatmap_file(tmp_path, np.zeros((2, 25, 56, 56), np.float32), np.zeros((3, 4)))


def rebuilt(path, table=None, about=None):
    """A recording's file with some arrays or keys changed, and its table deflated."""
    source = zipfile.ZipFile(io.BytesIO(path.read_bytes()))
    arrays = dict(np.load(io.BytesIO(source.read("table.npz")))) | (table or {})
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    told = json.loads(source.read("about.json"))
    members = {name: source.read(name) for name in source.namelist()} | {
        "table.npz": stream.getvalue(),
        "about.json": json.dumps(about(told) if about else told),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in members.items():
            target.writestr(name, content)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"about": lambda told: [told]}, "names no estimator"),
        ({"about": lambda told: {"version": 3}}, "names no estimator"),
        ({"table": {"frame": np.zeros((1, 4), int)}}, "array frame expected shape"),
        ({"table": {"affine": np.zeros((3, 2, 3))}}, "array affine expected shape"),
        ({"table": {"frame": np.array([3, 1, 0, 0])}}, "not in the order"),
        ({"table": {"frame": np.array([0, 0, 1, 10**12])}}, "not in the order of its 4 frames"),
        ({"table": {"times": np.array([0, np.inf, 1, 2])}}, "not finite"),
        ({"table": {"grid": np.array([10**6, 10**6, 25])}}, "its maps are of"),
        ({"table": {"times": np.zeros(20_000)}}, "at most"),
    ],
)
def test_a_recording_that_contradicts_itself_is_refused_and_made_anew(
    recorded, changes, said, monkeypatch
):
    video, path = recorded
    monkeypatch.setattr(recording_module, "MAX_FRAMES", 1000)
    rebuilt(path, **changes)
    with pytest.raises(ClimbEdgeError, match=said) as caught:
        Recording(path)
    assert str(path) in str(caught.value)
    assert shard(video.read_bytes(), Scripted(script), path, "v.mp4") == 4
    assert len(Recording(path)) == 4


def test_a_map_that_unpacks_to_more_than_a_map_is_not_unpacked(recorded):
    path = recorded[1]
    source = zipfile.ZipFile(io.BytesIO(path.read_bytes()))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            bomb = name == "maps/000000"
            target.writestr(name, bytes(8 << 20) if bomb else source.read(name))
    with pytest.raises(ClimbEdgeError, match="claims 8388608 bytes"):
        Recording(path).observation(0)
