"""Video: what time a frame is, which way is up, what is no video."""

import contextlib
import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.media.video import VideoWriter, read_video, video_info
from support.scene import shapes, write_shapes, write_video


def test_steady_times_and_pictures_survive(tmp_path):
    path = write_shapes(tmp_path / "v.mp4", 10)
    frames = list(read_video(path))
    assert [f.index for f in frames] == list(range(10))
    np.testing.assert_allclose([f.time for f in frames], np.arange(10) / 30, atol=1e-4)
    for f in frames:
        assert f.image.shape == (64, 96, 3) and f.image.dtype == np.uint8
        # red square, blue ground
        assert f.image[28, 16 + 4 * f.index, 0] > 150 and f.image[5, 5, 2] > f.image[5, 5, 0]
    info = video_info(path)
    assert info.frames == 10 and info.fps == pytest.approx(30, rel=0.05)


def test_uneven_times_survive(tmp_path):
    times = [0.0, 0.033, 0.1, 0.11, 0.4, 1.25, 1.26]
    path = write_video(tmp_path / "v.mp4", [shapes(i) for i in range(7)], times)
    np.testing.assert_allclose([f.time for f in read_video(path)], times, atol=1e-4)


def test_times_that_stand_still_are_told_apart(tmp_path):
    path = write_video(tmp_path / "v.mp4", [shapes(i) for i in range(4)], [0.0, 0.0, 0.1, 0.1])
    times = [f.time for f in read_video(path)]
    assert (np.diff(times) > 0).all()


def test_bytes_are_read_like_a_file(tmp_path):
    path = write_shapes(tmp_path / "v.mp4", 3)
    for a, b in zip(read_video(path), read_video(path.read_bytes()), strict=True):
        assert a.time == b.time and (a.image == b.image).all()


def test_odd_sides_are_cut_to_even_ones(tmp_path):
    path = write_video(tmp_path / "v.mp4", [np.full((65, 97, 3), 90, np.uint8)] * 2)
    assert next(read_video(path)).image.shape == (64, 96, 3)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_phones_rotation_is_applied(tmp_path, turns):
    """The display matrix of a video held sideways, written into the header bytes of an unrotated
    file.
    """
    path = write_video(tmp_path / "v.mp4", [shapes(0, 96, 64)] * 2)
    content = bytearray(path.read_bytes())
    unit = 1 << 16
    identity = b"".join(
        v.to_bytes(4, "big", signed=True) for v in (unit, 0, 0, 0, unit, 0, 0, 0, 1 << 30)
    )
    place = content.index(identity, content.index(b"tkhd"))
    a, b = {1: (0, -1), 2: (-1, 0), 3: (0, 1)}[turns]
    turned = (a * unit, b * unit, 0, -b * unit, a * unit, 0, 0, 0, 1 << 30)
    content[place : place + 36] = b"".join(v.to_bytes(4, "big", signed=True) for v in turned)
    plain, upright = (next(read_video(bytes(c))).image for c in (path.read_bytes(), content))
    np.testing.assert_array_equal(upright, np.rot90(plain, turns))


def test_a_truncated_video_gives_its_frames_or_one_error(tmp_path):
    content = write_video(tmp_path / "v.mp4", [shapes(i) for i in range(12)]).read_bytes()
    counts = []
    for length in range(0, len(content), max(len(content) // 40, 1)):
        try:
            counts.append(len(list(read_video(content[:length]))))
        except ClimbEdgeError:
            counts.append(0)
    assert counts[0] == 0 and max(counts) >= 8


def test_damaged_bytes_never_crash_or_hang(tmp_path):
    content = write_video(tmp_path / "v.mp4", [shapes(i) for i in range(12)]).read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(120):
        damaged = bytearray(content)
        for place in rng.integers(0, len(content), 3):
            damaged[place] = rng.integers(0, 256)
        try:
            frames = list(read_video(bytes(damaged)))
        except ClimbEdgeError:
            continue
        assert (np.diff([f.time for f in frames]) > 0).all()


def test_a_video_without_a_rate_or_times_gets_them(tmp_path):
    """Raw H.264 holds no time stamps."""
    path = tmp_path / "v.h264"
    with av.open(str(path), "w", format="h264") as container:
        stream = container.add_stream("libx264", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for i in range(6):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(shapes(i), format="rgb24")))
        container.mux(stream.encode(None))
    times = [f.time for f in read_video(path)]
    assert len(times) == 6 and (np.diff(times) > 0).all() and times[0] >= 0


def test_sound_alone_is_no_video(tmp_path):
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        sound = av.AudioFrame.from_ndarray(
            np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
        )
        sound.rate = 44100
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    with pytest.raises(ClimbEdgeError, match="without a video stream"):
        video_info(path)


def test_a_giant_frame_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "wide.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=30)
        stream.width, stream.height, stream.pix_fmt = 8208, 16, "yuv420p"
        container.mux(
            stream.encode(
                av.VideoFrame.from_ndarray(np.zeros((16, 8208, 3), np.uint8), format="rgb24")
            )
        )
        container.mux(stream.encode(None))
    with pytest.raises(ClimbEdgeError, match="8208 x 16"):
        list(read_video(path))


def test_an_interrupted_writer_keeps_the_older_file(tmp_path):
    path = write_shapes(tmp_path / "v.mp4", 2)
    before = path.read_bytes()
    with contextlib.suppress(KeyboardInterrupt), VideoWriter(path) as video:
        video.write(shapes(0), 0)
        raise KeyboardInterrupt
    assert path.read_bytes() == before and [f.name for f in tmp_path.iterdir()] == ["v.mp4"]


def test_written_video_starts_fast_and_plays_anywhere(tmp_path):
    content = write_shapes(tmp_path / "v.mp4", 3).read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    with av.open(str(tmp_path / "v.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")


def test_no_camera_is_one_error_and_no_folder(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "climb_edge", "track", "99"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
    )
    assert done.returncode == 2
    assert [line for line in done.stderr.splitlines() if line.startswith("error: camera 99")]
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
