"""Bad input through the real command line: exit code 2, one `error:` line that names the file, no
traceback.
"""

import io
import os
import shutil
import zipfile
from pathlib import Path

import av
import numpy as np
import pytest

from climb_edge.__main__ import main
from climb_edge.media.video import read_video
from climb_edge.pose.skeleton import KEYPOINTS, K
from climb_edge.refiners.tflite import default_path
from climb_edge.tracking.track_file import read_lines
from support.graphs import shipped
from support.scene import (
    clip_set,
    shapes,
    standing,
    write_clips,
    write_heatmaps,
    write_shapes,
    write_video,
)

# --- videos ---


def test_no_such_file(refused, tmp_path):
    refused("track", tmp_path / "nothing.mp4", said=[tmp_path / "nothing.mp4", "no such file"])


def test_a_folder(refused, tmp_path):
    refused("track", tmp_path, said=[tmp_path, "found a folder"])


def test_a_name_too_long_for_a_file_system(refused):
    refused("track", "x" * 5000, said="xxx")


def test_a_text_file_is_no_video(refused, tmp_path):
    (tmp_path / "notes.mp4").write_text("not a video at all\n" * 100)
    refused("track", tmp_path / "notes.mp4", said=[tmp_path / "notes.mp4", "expected a video"])


@pytest.mark.parametrize("kind", ["mp4", "mkv", "empty"])
def test_a_video_without_frames(refused, tmp_path, heatmaps, kind):
    path = tmp_path / f"v.{kind}"
    if kind == "empty":
        path.write_bytes(b"")
    else:
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=30)
            stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
            container.start_encoding()
    refused("track", path, "--estimator", heatmaps, "--out", tmp_path / "o", said=path)
    assert not list((tmp_path / "o").glob("*"))


@pytest.mark.parametrize("count", [1, 4])
def test_a_video_under_five_frames_is_tracked_raw(tmp_path, heatmaps, count):
    video = write_shapes(tmp_path / "v.mp4", count)
    assert (
        main(["track", str(video), "--estimator", str(heatmaps), "--out", str(tmp_path / "o")]) == 0
    )
    rows = list(read_lines(tmp_path / "o" / "track.jsonl")[1])
    assert [(r["frame"], r["state"]) for r in rows] == [(i, "warming up") for i in range(count)]
    assert all(r["raw"] == r["refined"] for r in rows)
    assert len(list(read_video(tmp_path / "o" / "overlay.mp4"))) == count


def test_nobody_in_it_works_and_warns(tmp_path, capsys):
    empty = write_heatmaps(tmp_path / "h.npz", [None] * 6)
    video = write_shapes(tmp_path / "v.mp4", 6)
    assert main(["track", str(video), "--estimator", str(empty), "--out", str(tmp_path / "o")]) == 0
    assert f"warning: {video}: no person" in capsys.readouterr().err
    rows = list(read_lines(tmp_path / "o" / "track.jsonl")[1])
    assert [(r["person"], r["state"]) for r in rows] == [(None, "lost")] * 6


@pytest.mark.network
def test_nobody_in_it_with_the_real_estimator(tmp_path, weights_folder, capsys):
    video = write_video(tmp_path / "v.mp4", [shapes(i, 320, 240) for i in range(5)])
    assert (
        main(["track", str(video), "--weights", str(weights_folder), "--out", str(tmp_path / "o")])
        == 0
    )
    assert "no person was found in any of 5 frames" in capsys.readouterr().err


def test_who_leaves_and_comes_back(tmp_path):
    poses = [standing(180 + 3 * t) if not 6 <= t < 8 else None for t in range(14)]
    video, seen = write_shapes(tmp_path / "v.mp4", 14), write_heatmaps(tmp_path / "h.npz", poses)
    assert main(["track", str(video), "--estimator", str(seen), "--out", str(tmp_path / "o")]) == 0
    states = [r["state"] for r in read_lines(tmp_path / "o" / "track.jsonl")[1]]
    warm = ["warming up"] * 4
    assert states == [*warm, "tracking", "tracking", "lost", "lost", *warm, "tracking", "tracking"]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--people", "0"),
        ("--people", "-1"),
        ("--threads", "-1"),
        ("--seconds", "-1"),
        ("--people", "x"),
    ],
)
def test_numbers_that_mean_nothing_are_usage_errors(tmp_path, option, value, refused):
    video = str(write_shapes(tmp_path / "v.mp4", 2))
    refused("track", video, "--out", tmp_path / "o", option, value, said=[option])
    assert not (tmp_path / "o").exists()


# --- clip sets and their videos ---


def rewrite(path: Path, **members) -> Path:
    """A clip set file with some members' bytes replaced."""
    source = zipfile.ZipFile(io.BytesIO(path.read_bytes()))
    with zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            target.writestr(name, members.get(name.removesuffix(".npy"), source.read(name)))
    return path


def npy(array) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def claiming(shape: str) -> bytes:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(64)


@pytest.mark.parametrize(
    ("keypoints", "said"),
    [
        (npy(np.array([None] * 10, object)), "never unpickled"),
        (npy(np.zeros((10, 17, 2), np.float32)), "expected shape (N, 25, 2), found (10, 17, 2)"),
        (npy(np.full((10, K, 2), np.nan, np.float32)), "all are NaN"),
        (claiming("(20000000000, 25, 2)"), "claims"),
        (claiming("(9223372036854775807, 9223372036854775807)"), "claims"),
        (b"\x93NUMPY\x01\x00\x76\x00{'descr'", "truncated, corrupt"),
        (npy(np.zeros(10, [("x", "f4"), ("y", "f4")])), "expected of kind"),
    ],
    ids=["pickled", "shape", "nan", "terabytes", "overflow", "header", "records"],
)
def test_hostile_clip_sets(refused, tmp_path, keypoints, said):
    path = rewrite(write_clips(tmp_path / "c.npz"), keypoints=keypoints)
    refused("evaluate", path, "--videos", tmp_path, said=[path, said])


def test_a_truncated_clip_set(refused, tmp_path):
    path = write_clips(tmp_path / "c.npz")
    path.write_bytes(path.read_bytes()[:-100])
    refused("evaluate", path, "--videos", tmp_path, said=[path, "truncated"])


def test_a_claim_that_both_headers_repeat_stays_out_of_memory(refused, tmp_path):
    """The ZIP's own directory lies as well: 16 GB in a file of a few hundred bytes."""
    path = rewrite(write_clips(tmp_path / "c.npz"), keypoints=claiming("(80000000, 25, 2)"))
    content = bytearray(path.read_bytes())
    place = content.rindex(b"keypoints.npy") - 46
    assert content[place : place + 4] == b"PK\x01\x02"
    content[place + 24 : place + 28] = (0xFFFFFFFE).to_bytes(4, "little")
    path.write_bytes(content)
    refused("evaluate", path, "--videos", tmp_path, said=path)


def test_videos_that_are_missing_or_none(refused, tmp_path, heatmaps, monkeypatch):
    monkeypatch.setenv("CLIMB_EDGE_CACHE", str(tmp_path / "cache"))
    clips = write_clips(tmp_path / "c.npz", clip_set((5,)))
    run = ("evaluate", clips, "--estimator", heatmaps, "--refiner", "identity", "--videos")
    refused(*run, tmp_path / "nowhere", said=[tmp_path / "nowhere", "--videos"])
    refused(*run, tmp_path, said=[tmp_path, "clip0.mp4"])
    (tmp_path / "clip0.mp4").write_text("no video")
    refused(*run, tmp_path, said=[tmp_path, "clip0.mp4", "expected a video"])
    refused(*run, clips.with_name("clip0.mp4"), said=[tmp_path / "clip0.mp4", "ZIP"])
    archive = Path(shutil.make_archive(str(tmp_path / "v"), "zip", tmp_path, "heatmaps.npz"))
    refused(*run, archive, said=[archive, "clip0.mp4"])


@pytest.mark.parametrize("limit", ["-1", "0"])
def test_a_limit_of_no_clips_is_a_usage_error(tmp_path, limit, refused):
    clips = write_clips(tmp_path / "c.npz")
    refused("evaluate", clips, "--videos", tmp_path, "--limit", limit, said=["--limit"])


# --- refiners ---


def damaged_refiner(kind: str) -> bytes:
    good = default_path().read_bytes()
    if kind == "flipped":
        return good[:20000] + bytes([good[20000] ^ 1]) + good[20001:]
    if kind == "bare":
        return good[: good.rindex(b"PK\x03\x04")]
    if kind == "skeleton":
        return shipped(skeleton=list(KEYPOINTS[::-1]))
    return {"truncated": good[:30000], "text": b"not a model\n" * 50, "empty": b""}[kind]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("truncated", "truncated"),
        ("flipped", "SHA-256"),
        ("bare", "no readable contract"),
        ("skeleton", "skeleton"),
        ("text", "expected a TFLite file"),
        ("empty", "expected a TFLite file"),
    ],
)
@pytest.mark.parametrize("command", ["track", "inspect"])
def test_refiners_that_must_not_run(refused, tmp_path, heatmaps, kind, said, command):
    model = tmp_path / f"{kind}.tflite"
    model.write_bytes(damaged_refiner(kind))
    if command == "inspect":
        refused("inspect", model, said=[model, said])
    else:
        video = write_shapes(tmp_path / "v.mp4", 2)
        out = tmp_path / "o"
        refused(
            "track",
            video,
            "--refiner",
            model,
            "--estimator",
            heatmaps,
            "--out",
            out,
            said=[model, said],
        )
        assert not out.exists()


def test_no_such_refiner(refused, tmp_path):
    refused(
        "track",
        write_shapes(tmp_path / "v.mp4", 2),
        "--refiner",
        tmp_path / "no.tflite",
        said=tmp_path / "no.tflite",
    )


def test_inspect_prints_a_good_one(capsys):
    assert main(["inspect", str(default_path())]) == 0
    assert '"emits"' in capsys.readouterr().out


# --- estimators ---


def test_heatmaps_that_are_none(refused, tmp_path):
    (tmp_path / "h.npz").write_bytes(b"PK\x03\x04 nothing")
    refused(
        "track",
        write_shapes(tmp_path / "v.mp4", 2),
        "--estimator",
        tmp_path / "h.npz",
        said=tmp_path / "h.npz",
    )


def test_an_unknown_estimator(refused, tmp_path):
    refused(
        "track",
        write_shapes(tmp_path / "v.mp4", 2),
        "--estimator",
        "huge",
        said=["huge", "lite, full, heavy"],
    )


def test_weights_of_another_hash(refused, tmp_path):
    video, folder = write_shapes(tmp_path / "v.mp4", 2), tmp_path / "weights"
    folder.mkdir()
    refused(
        "track", video, "--weights", folder, said=[folder / "pose_detection.tflite", "no such file"]
    )
    (folder / "pose_detection.tflite").write_bytes(b"\x1c\0\0\0TFL3 something else")
    refused("track", video, "--weights", folder, said=[folder / "pose_detection.tflite", "SHA-256"])


@pytest.fixture
def cut_off(tmp_path, monkeypatch) -> Path:
    """No network: an empty cache, a closed port for pip, and no npm. Gives the cache's folder of
    weights.
    """
    for name in [n for n in os.environ if n.startswith(("PIP_", "npm_"))]:
        monkeypatch.delenv(name)
    for name, value in {
        "CLIMB_EDGE_CACHE": tmp_path / "cache",
        "PATH": tmp_path,
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_RETRIES": "0",
        "PIP_TIMEOUT": "2",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_CACHE_DIR": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }.items():
        monkeypatch.setenv(name, str(value))
    weights = tmp_path / "cache" / "weights"
    weights.mkdir(parents=True)
    return weights


def test_no_network(refused, tmp_path, cut_off):
    video = write_shapes(tmp_path / "v.mp4", 2)
    refused("track", video, said=["pose_detection.tflite", "pip could not fetch", "--weights"])
    assert list(cut_off.iterdir()) == []


@pytest.mark.network
def test_no_npm(refused, tmp_path, weights_folder, cut_off):
    shutil.copy(weights_folder / "pose_detection.tflite", cut_off)
    video = write_shapes(tmp_path / "v.mp4", 2)
    said = ["pose_landmark_lite.tflite", "npm is needed", "--weights"]
    refused("track", video, "--estimator", "lite", said=said)
    assert [f.name for f in cut_off.iterdir()] == ["pose_detection.tflite"]


def test_a_clips_name_cannot_command_a_terminal(refused, tmp_path):
    """Public cases: pallets/click 3832, jamie8johnson/cqs 1341."""
    clips = clip_set((3, 3), clip=np.array(["a\x1b[2J\x9b31m.mp4"] * 2))
    error = refused("evaluate", write_clips(tmp_path / "c.npz", clips), "--videos", tmp_path)
    assert r"a\x1b[2J\x9b31m.mp4" in error and "\x1b" not in error
