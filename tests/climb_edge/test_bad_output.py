"""Outputs that cannot be written: one `error:` line, and the older files stay as they were."""

import os
import resource
import signal
import subprocess
import sys

import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.atomic import write_text
from support.paths import ROOT
from support.scene import (
    write_shapes,
    write_video,
)


def test_an_output_folder_that_is_a_file(refused, tmp_path, heatmaps):
    (tmp_path / "o").write_text("mine")
    video = write_shapes(tmp_path / "v.mp4", 2)
    refused(
        "track",
        video,
        "--estimator",
        heatmaps,
        "--out",
        tmp_path / "o",
        said=[tmp_path / "o", "a file stands"],
    )
    assert (tmp_path / "o").read_text() == "mine"


def limit_files(size: int):
    """What a full disk does: every write beyond `size` bytes fails."""

    def apply():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return apply


NOISY = np.random.default_rng(0).integers(0, 256, (12, 240, 320, 3), np.uint8)


def test_a_full_disk_leaves_the_older_files(tmp_path, heatmaps):
    """The size of every file is limited: writing video and track fails in the middle, the older run
    stays whole.
    """
    video = write_video(tmp_path / "v.mp4", NOISY)
    command = [
        sys.executable,
        "-m",
        "climb_edge",
        "track",
        str(video),
        "--estimator",
        str(heatmaps),
        "--out",
        "o",
        "--refiner",
        "identity",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def run(limit=None):
        return subprocess.run(
            command,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            preexec_fn=limit_files(limit) if limit else None,
        )

    assert run().returncode == 0
    before = {p.name: p.read_bytes() for p in (tmp_path / "o").iterdir()}
    assert set(before) == {"overlay.mp4", "track.jsonl"}
    sizes = sorted(len(content) for content in before.values())
    for limit in (100, sizes[0] - 100, sizes[1] // 2, sizes[1] - 100):
        done = run(limit)
        errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        assert done.returncode == 2 and len(errors) == 1, done.stderr
        assert (
            "o/" in errors[0]
            and "could not be written" in errors[0]
            and "Traceback" not in done.stderr
        )
        assert {p.name: p.read_bytes() for p in (tmp_path / "o").iterdir()} == before, limit


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 KiB; skipped where this user may not mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a small file system (root)")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_folder_that_cannot_be_made_is_one_error(tmp_path):
    (tmp_path / "file").touch()
    for path in (
        tmp_path / ("x" * 300) / "f",
        tmp_path / "file" / "f",
        tmp_path / "new" / ("x" * 300),
    ):
        with pytest.raises(ClimbEdgeError):
            write_text(path, "it")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_really_full_disk(small_disk, tmp_path, heatmaps):
    """In a process of its own: PyAV keeps the file of a failed close open, and the disk could not
    be taken away.
    """
    small, large = write_shapes(tmp_path / "small.mp4", 1), write_video(tmp_path / "v.mp4", NOISY)

    def run(video):
        command = [
            sys.executable,
            "-m",
            "climb_edge",
            "track",
            video,
            "--estimator",
            heatmaps,
            "--refiner",
            "identity",
        ]
        command += ["--out", small_disk]
        return subprocess.run(
            list(map(str, command)), cwd=ROOT, capture_output=True, text=True, timeout=60
        )

    assert run(small).returncode == 0
    before = {p.name: p.read_bytes() for p in small_disk.iterdir()}
    done = run(large)
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode == 2 and len(errors) == 1 and "Traceback" not in done.stderr, done.stderr
    assert str(small_disk) in errors[0] and "no space is left" in errors[0]
    assert {p.name: p.read_bytes() for p in small_disk.iterdir()} == before
