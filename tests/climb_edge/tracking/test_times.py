"""Sources whose clock starts late, jumps or is slow, whose frames change size: tracked whole, and
told of.
"""

import json
import time

import av
import cv2
import numpy as np
import pytest

from climb_edge.__main__ import main
from climb_edge.media.live import LONGEST, Newest
from climb_edge.media.video import read_video
from climb_edge.streaming.stream import GAP
from climb_edge.tracking.track_file import read_lines
from support.scene import frames_at, standing, write_heatmaps, write_shapes, write_video
from support.videos import TICKS, encoded

PLAIN = {"bf": "0"}


def grey(count: int, width: int = 400, height: int = 400) -> list[np.ndarray]:
    return [np.full((height, width, 3), 90 + i, np.uint8) for i in range(count)]


@pytest.fixture
def tracked(tmp_path, capsys):
    """Run `track` on a source with somebody in each of 40 frames: header, rows, what was said."""
    heatmaps = write_heatmaps(tmp_path / "h.npz", [standing(180 + 2 * t) for t in range(40)])

    def run(source, *options):
        source = _file(tmp_path, source) if isinstance(source, bytes) else source
        words = ["track", source, "--estimator", heatmaps, "--out", tmp_path / "o", *options]
        assert main(list(map(str, words))) == 0
        header, rows = read_lines(tmp_path / "o" / "track.jsonl")
        return header, list(rows), capsys.readouterr().err

    return run


def _file(folder, content: bytes):
    (folder / "source").write_bytes(content)
    return folder / "source"


def at(start: float, count: int = 20) -> bytes:
    """An MPEG-TS of `count` frames from `start` seconds on."""
    return encoded(
        grey(count),
        container="mpegts",
        options=PLAIN,
        at=lambda _, stamp: stamp + round(start * TICKS),
    )


def test_seconds_count_from_the_first_frame(tracked, tmp_path):
    header, rows, _ = tracked(at(10), "--seconds", 0.5, "--picture", 0.3)
    assert len(rows) == 16 and header["notes"] == []
    assert rows[0]["t"] == pytest.approx(10)  # the container's own
    overlay = list(read_video(tmp_path / "o" / "overlay.mp4"))
    np.testing.assert_allclose([f.time for f in overlay], np.arange(16) / 30, atol=1e-3)
    picture = cv2.imread(str(tmp_path / "o" / "overlay.jpg"))[200, 10, 0]
    assert abs(int(picture) - 99) <= 2  # frame 9


def test_an_overlay_names_its_colours_and_has_square_pixels(tracked, tmp_path):
    tracked(at(10))
    with av.open(str(tmp_path / "o" / "overlay.mp4")) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        tags = (context.colorspace, context.color_primaries, context.color_trc, context.color_range)
        assert tuple(map(int, tags)) == (5, 1, 1, 1)  # BT.601's matrix, else BT.709
        assert not stream.sample_aspect_ratio or stream.sample_aspect_ratio == 1


def test_a_jump_of_hours_begins_the_windows_anew_and_is_told(tracked, tmp_path):
    header, rows, said = tracked(at(0) + at(37_600))
    assert [r["frame"] for r in rows] == list(range(40))
    assert rows[20]["t"] - rows[19]["t"] > 37_000
    states = [r["state"] for r in rows]
    assert states == (["warming up"] * 4 + ["tracking"] * 16) * 2
    assert len(header["notes"]) == 1 and "at frame 20" in header["notes"][0]
    assert f"warning: {header['notes'][0]}" in said
    overlay = [f.time for f in read_video(tmp_path / "o" / "overlay.mp4")]
    assert len(overlay) == 40 and overlay[-1] < 12


def test_a_source_too_slow_to_be_refined_is_told_of(tracked, tmp_path):
    for apart, told in ((GAP + 0.05, True), (GAP - 0.05, False)):
        video = write_video(tmp_path / "v.mp4", grey(8), apart * np.arange(8))
        header, rows, said = tracked(video)
        assert ("no keypoint is refined" in said) == told == bool(header["notes"])
        assert all(r["raw"] == r["refined"] for r in rows) == told


def test_every_image_of_a_coco_export_has_its_own_size(tracked, tmp_path):
    parts = (
        encoded(
            grey(5, *size), container="mpegts", options=PLAIN, at=lambda _, t, s=s: t + s * TICKS
        )
        for size, s in (((400, 400), 0), ((200, 304), 1))
    )
    header, _, _ = tracked(b"".join(parts), "--export", "coco", "--export", "climbing")
    assert header["frame_size"] == [200, 304]
    images = json.loads((tmp_path / "o" / "track.coco.json").read_text())["images"]
    sizes = [(image["width"], image["height"]) for image in images]
    assert sizes == [(400, 400)] * 5 + [(200, 304)] * 5


def test_a_folder_of_pictures_is_tracked(tracked, tmp_path):
    (tmp_path / "frames").mkdir()
    for i, image in enumerate(grey(7)):
        cv2.imwrite(str(tmp_path / "frames" / f"{i + 8}.png"), image)
    header, rows, said = tracked(tmp_path / "frames")
    assert len(rows) == 7 and rows[6]["t"] == pytest.approx(0.2)
    assert "30 a second are assumed" in header["notes"][0] and header["notes"][0] in said


def test_a_live_source_waits_for_no_jump():
    start = time.monotonic()
    with Newest(iter(frames_at(0, LONGEST + 9, LONGEST + 9.05)), paced=True) as frames:
        assert list(frames)[-1].index == 2
    assert time.monotonic() - start < 5


def test_who_closes_early_is_told_what_was_seen_so_far(tmp_path):
    said = []
    frames = read_video(write_shapes(tmp_path / "v.mp4", 18), tell=said.append)
    assert next(frames).index == 0
    frames.close()
    assert said == []  # nothing was wrong, and nothing is missing that was not asked for
