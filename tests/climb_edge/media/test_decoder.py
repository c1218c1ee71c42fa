"""What is opened as a video, and what is still got out of a damaged one."""

import contextlib
import io
import os
import subprocess
import sys
import threading

import av
import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.media.video import read_video
from support.scene import shapes, write_shapes
from support.videos import encoded

STORED = {"bf": "3", "b-adapt": "0", "g": "12"}


def read(source) -> tuple[list, list[str]]:
    said: list[str] = []
    return list(read_video(source, "v", said.append)), said


def alone(content: bytes) -> list[float]:
    """Seconds of the frames that a decoder without threads finds."""
    found = []
    with av.open(io.BytesIO(content)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for packet in container.demux(stream):
            with contextlib.suppress(av.FFmpegError):
                found += [frame.time for frame in packet.decode()]
    return found


@pytest.mark.parametrize("share", [0.5, 0.6, 0.7])
@pytest.mark.parametrize("container", ["mp4", "matroska"])
def test_a_cut_video_gives_every_frame_that_decodes_and_says_what_is_missing(container, share):
    """As many as a decoder without threads finds, wherever the cut is."""
    rng = np.random.default_rng(0)
    images = [shapes(i % 18) + rng.integers(0, 30, (64, 96, 3), np.uint8) for i in range(60)]
    content = encoded(images, container=container, options=STORED)
    cut = content[: int(share * len(content))]
    frames, said = read(cut)
    assert 20 < len(frames) < 60 and [f.time for f in frames] == alone(cut)
    assert len(said) == 1 and f"{len(frames)} frames decode, its header promises 60" in said[0]


def test_a_whole_video_promises_nothing_that_it_does_not_keep(tmp_path):
    for container in ("mp4", "matroska", "mpegts", "avi", "webm"):
        codec = "libvpx" if container == "webm" else "libx264"
        options = {"deadline": "realtime"} if container == "webm" else {"bf": "0"}
        frames, said = read(
            encoded([shapes(i) for i in range(18)], None, container, codec, options=options)
        )
        assert len(frames) == 18 and not said, container


@pytest.mark.parametrize("name", ["2024-05-12T10:15:30.mp4", "http:climb.mp4", "50%02d.mp4"])
def test_a_name_is_no_address(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write_shapes(tmp_path / name, 3)
    assert len(list(read_video(name))) == 3


def test_an_address_is_no_name():
    with pytest.raises(ClimbEdgeError, match="no such file"):
        next(read_video("http://127.0.0.1/climb.mp4"))


def test_a_named_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    content = encoded([shapes(i) for i in range(9)], container="matroska")
    writer = threading.Thread(target=pipe.write_bytes, args=(content,))
    writer.start()
    frames = list(read_video(pipe))
    writer.join()
    assert len(frames) == 9 and frames[8].time == pytest.approx(8 / 30, abs=1e-3)


def test_standard_input_is_tracked(tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from climb_edge.media.video import *; print(len(list(read_video('-'))))",
        ],
        input=encoded([shapes(i) for i in range(9)], container="mpegts"),
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == b"9\n"


def test_tags_that_are_no_unicode_do_not_matter(tmp_path):
    content = encoded([shapes(0)] * 2, change=lambda stream: stream.metadata.update(title="x"))
    broken = content.replace(b"Lavf", b"\xff\xfe\xfdf")
    assert broken != content and len(list(read_video(broken))) == 2
