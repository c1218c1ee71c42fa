"""Videos with damaged frames or frames of another size: what is whole keeps its own time."""

from pathlib import Path

import av
import numpy as np
import pytest

from climb_edge.media.video import VideoWriter, read_video
from climb_edge.refiners.load import load_refiner
from climb_edge.streaming.result import Result
from climb_edge.tracking.overlay import Overlay
from climb_edge.tracking.track import track
from support.scene import Scripted, shapes, standing, walking


def encode(path: Path, images, container_format: str | None = None) -> Path:
    """H.264 with a key frame every 10 frames, 30 frames a second."""
    with av.open(str(path), "w", format=container_format) as container:
        stream = container.add_stream("libx264", rate=30, options={"g": "10", "sc_threshold": "0"})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def test_frames_around_damaged_ones_keep_their_own_times(tmp_path):
    """The bytes of frames 15 to 18 become noise; a decoder resumes at the key frame 20."""
    path = encode(tmp_path / "v.mp4", [shapes(i % 20) for i in range(40)])
    content, rng = bytearray(path.read_bytes()), np.random.default_rng(0)
    with av.open(str(path)) as container:
        packets = [
            (p.pos, p.size, float(p.pts * p.time_base)) for p in container.demux(video=0) if p.size
        ]
    damaged = [(place, size) for place, size, time in packets if 0.49 < time < 0.61]
    assert len(damaged) == 4
    for place, size in damaged:
        content[place + 4 : place + size] = rng.integers(0, 256, size - 4, np.uint8).tobytes()
    frames = list(read_video(bytes(content)))
    numbers = [round(30 * f.time) for f in frames]
    np.testing.assert_allclose([30 * f.time for f in frames], numbers, atol=0.01)
    assert [n for n in numbers if n < 15 or n >= 20] == [*range(15), *range(20, 40)]
    for number, frame in zip(numbers, frames, strict=True):
        if number < 15 or number >= 20:
            np.testing.assert_allclose(
                frame.image[22:34, 12:90].mean(0),
                shapes(number % 20)[22:34, 12:90].mean(0),
                atol=60,
            )
    done = track(frames, Scripted(walking), [load_refiner("default", 1)], tmp_path / "o", "v.mp4")
    assert done.frames == len(frames) and [r.time for r in done.results] == [f.time for f in frames]


def test_a_video_whose_frames_change_size_is_tracked_and_drawn_to_its_end(tmp_path):
    wide, tall = ([np.full(shape, 120, np.uint8)] * 8 for shape in ((240, 400, 3), (400, 240, 3)))
    both = b"".join(
        encode(tmp_path / "part.h264", images, "h264").read_bytes() for images in (wide, tall)
    )
    frames = list(read_video(both))
    assert [f.image.shape for f in frames] == [(240, 400, 3)] * 8 + [(400, 240, 3)] * 8
    script = [standing(200, 120, 150)] * 8 + [standing(120, 200, 300)] * 8
    done = track(
        frames,
        Scripted(lambda i: {0: script[i]}),
        [load_refiner("default", 1)],
        tmp_path / "o",
        "v.h264",
    )
    states = [r.state for r in done.results]
    # pixels of before mean nothing now
    assert states == (["warming up"] * 4 + ["tracking"] * 4) * 2
    for result in done.results:
        assert np.abs(result.refined[:, :2] - script[result.frame]).max() < 6
    drawn = list(read_video(done.overlay))
    assert [f.image.shape for f in drawn] == [(240, 800, 3)] * 16
    # two panels of 240 x 400 in 800 x 240: 288 wide, black beside them
    inner = drawn[-1].image[100:140]
    assert (
        inner[:, :240].max() < 20
        and inner[:, 560:].max() < 20
        and np.median(inner[:, 270:530]) > 80
    )


def test_trails_end_where_the_frames_change_size():
    overlay = Overlay("refined")
    for size, lengths in ((400, 1), (400, 2), (240, 1), (240, 2)):
        points = np.concatenate([standing(120, 120, 150), np.ones((25, 1))], axis=1)
        overlay.draw(
            np.zeros((240, size, 3), np.uint8),
            [Result(0, 0.0, 0, "tracking", raw=points, refined=points)],
        )
        assert {len(trail) for trail in overlay._trails.values()} == {lengths}


@pytest.mark.parametrize("shape", [(64, 98, 3), (128, 192, 3), (30, 20, 3), (1, 1, 3), (65, 97, 3)])
def test_a_written_video_keeps_its_first_size(tmp_path, shape):
    with VideoWriter(tmp_path / "v.mp4") as video:
        for i, image in enumerate((shapes(0), np.full(shape, 200, np.uint8), shapes(2))):
            video.write(image, i / 30)
    frames = [f.image for f in read_video(tmp_path / "v.mp4")]
    assert [f.shape for f in frames] == [(64, 96, 3)] * 3
    assert frames[1][32, 48].min() > 180 and frames[2][28, 24, 0] > 150
