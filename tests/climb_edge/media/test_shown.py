"""Pictures come out as every player shows them."""

import io
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from climb_edge.media.shown import matrix_of_rotation
from climb_edge.media.video import read_video, video_info
from support.scene import shapes
from support.videos import ORIENTATIONS, corners, encoded, jpeg_with_exif, with_matrix

HEVC = {"x265-params": "log-level=none:bframes=0"}


def first(source, **options) -> np.ndarray:
    return next(read_video(source, **options)).image


def alike(image: np.ndarray, wanted: np.ndarray, most: float = 6) -> None:
    """Within `most` grey levels on average: codecs lose a little."""
    assert image.shape == wanted.shape and image.dtype == np.uint8
    assert np.abs(image.astype(int) - wanted).mean() < most


@pytest.mark.parametrize("number", range(8))
def test_a_display_matrix_turns_and_mirrors(number):
    matrix, turn = ORIENTATIONS[number]
    plain = encoded([corners()] * 2)
    np.testing.assert_array_equal(first(with_matrix(plain, *matrix)), turn(first(plain)))


@pytest.mark.parametrize("matrix", [(1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0)])
def test_a_rotation_without_its_matrix_turns_the_same_way(matrix):
    with av.open(io.BytesIO(with_matrix(encoded([corners()] * 2), *matrix))) as container:
        rotation = next(container.decode(video=0)).rotation
    assert matrix_of_rotation(rotation) == matrix


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_and_mirrors_a_picture(tmp_path, orientation):
    content = jpeg_with_exif(corners(), orientation)
    (tmp_path / "p.jpg").write_bytes(content)
    wanted = ORIENTATIONS[orientation - 1][1](corners())
    for source in (content, tmp_path / "p.jpg", tmp_path):  # the folder holds this one
        alike(first(source, tell=lambda said: None), wanted)


@pytest.mark.parametrize(("aspect", "size"), [((4, 3), (128, 64)), ((2, 3), (96, 96))])
def test_pixels_become_square(aspect, size):
    def change(stream):
        stream.codec_context.sample_aspect_ratio = Fraction(*aspect)

    image = first(encoded([corners()] * 2, change=change))
    alike(image, cv2.resize(corners(), size), 8)


def test_an_oblong_pixel_is_turned_with_its_picture():
    def change(stream):
        stream.codec_context.sample_aspect_ratio = Fraction(2, 1)

    content = encoded([corners()] * 2, change=change)
    identity = (1, 0, 0, 1)
    assert first(with_matrix(content, *identity)).shape == (64, 192, 3)
    assert first(with_matrix(content, 0, 1, -1, 0)).shape == (192, 64, 3)


@pytest.mark.parametrize("kind", ["mp4", "mkv"])
def test_covers_and_previews_are_not_the_video(tmp_path, kind):
    """A picture and a small moving preview come before the video."""
    path, count = tmp_path / f"v.{kind}", 6
    with av.open(str(path), "w") as out:
        streams = []
        for codec, width, height in (("mjpeg", 200, 160), ("libx264", 32, 16), ("libx264", 96, 64)):
            stream = out.add_stream(codec, rate=30)
            stream.width, stream.height = width, height
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            streams.append(stream)
        streams[0].disposition = av.stream.Disposition.attached_pic.value
        streams[1].disposition, streams[2].disposition = 0, av.stream.Disposition.default.value
        for i in range(count):
            for stream in streams[i > 0 :]:
                image = np.full((stream.height, stream.width, 3), 60, np.uint8)
                out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        for stream in streams:
            out.mux(stream.encode(None))
    frames = list(read_video(path))
    assert len(frames) == count and {f.image.shape for f in frames} == {(64, 96, 3)}


def test_half_pictures_become_whole_ones_at_their_own_times():
    """A bar that moves 3 pixels between the two halves of a picture has a comb for an edge."""
    images = []
    for i in range(8):
        image = np.zeros((64, 96, 3), np.uint8)
        image[0::2, 8 + 6 * i : 24 + 6 * i] = image[1::2, 11 + 6 * i : 27 + 6 * i] = 200
        images.append(image)
    options = {"x264-params": "tff=1:bframes=0:crf=10", "flags": "+ildct+ilme"}
    said = []
    frames = list(read_video(encoded(images, options=options), "v", said.append))
    np.testing.assert_allclose([f.time for f in frames], np.arange(8) / 30, atol=1e-3)
    for frame in frames[2:6]:
        rows = frame.image[8:56, :, 0].astype(int)
        assert np.abs(rows[1:] - rows[:-1]).max() < 60 and rows.max() > 150
    assert said == ["v: it is interlaced; its half pictures are made whole"]


def test_an_interlaced_video_is_turned_as_well():
    options = {"x264-params": "tff=1:bframes=0", "flags": "+ildct+ilme"}
    content = encoded([corners()] * 3, options=options)
    alike(first(with_matrix(content, 0, 1, -1, 0), tell=print), np.rot90(corners(), 3), 8)


def deep(image: np.ndarray) -> av.VideoFrame:
    """RGB (H, W, 3) of 8 bits as a frame of 16."""
    return av.VideoFrame.from_ndarray(image.astype(np.uint16) * 257, format="rgb48le")


def test_ten_bits_are_eight():
    content = encoded([deep(corners())] * 3, codec="libx265", pix_fmt="yuv420p10le", options=HEVC)
    alike(first(content), corners())


@pytest.mark.parametrize(("transfer", "grey"), [(16, 0.58), (18, 0.75)])
def test_high_dynamic_range_is_pressed_into_the_ordinary_one(transfer, grey):
    """ITU-R BT.2408: a white wall stands at 58 % of PQ and 75 % of HLG, and looks nearly white."""

    def change(stream):
        context = stream.codec_context
        context.color_trc, context.color_primaries, context.colorspace = transfer, 9, 9

    images = [deep(np.full((64, 96, 3), round(255 * level), np.uint8)) for level in (grey, 1, 0)]
    options = {"x265-params": "log-level=none"}
    content = encoded(
        images, codec="libx265", pix_fmt="yuv420p10le", options=options, change=change
    )
    said = []
    white, brightest, black = (f.image for f in read_video(content, "v", said.append))
    assert 200 < white.mean() < 240 and brightest.mean() > 240 and black.mean() < 3
    assert np.ptp(white) < 6  # no colour comes in
    assert len(said) == 1 and "high dynamic range" in said[0]


def test_grey_is_in_three_channels():
    content = encoded([corners()] * 2, codec="ffv1", pix_fmt="gray", container="matroska")
    grey = cv2.cvtColor(corners(), cv2.COLOR_RGB2GRAY)
    alike(first(content), np.repeat(grey[..., None], 3, axis=2))


@pytest.mark.parametrize("codec", ["ffv1", "png"])
def test_transparency_is_left_out(codec):
    clear = np.dstack([corners(), np.full((64, 96), 128, np.uint8)])
    frame = av.VideoFrame.from_ndarray(clear, format="rgba")
    pix_fmt = "rgba" if codec == "png" else "bgra"
    alike(
        first(
            encoded(
                [frame] * 2,
                codec=codec,
                pix_fmt=pix_fmt,
                container="mov" if codec == "png" else "matroska",
            )
        ),
        corners(),
    )


@pytest.mark.parametrize(
    "matrix", [av.video.reformatter.Colorspace.ITU709, av.video.reformatter.Colorspace.ITU601]
)
def test_colours_are_those_of_the_videos_own_colour_space(matrix):
    def change(stream):
        stream.codec_context.colorspace = matrix

    frame = av.VideoFrame.from_ndarray(corners(), format="rgb24").reformat(
        format="yuv420p", dst_colorspace=matrix
    )
    image = first(encoded([frame] * 2, options={"crf": "5"}, change=change))
    assert np.abs(image[10, 10].astype(int) - corners()[10, 10]).max() < 8


def test_a_folder_of_pictures_is_a_video(tmp_path):
    """By number, whatever lies beside them; what is no picture inside is told of."""
    for i in range(12):
        cv2.imwrite(str(tmp_path / f"{i}.png"), shapes(i)[..., ::-1])
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "3.png").write_text("no picture either")
    said = []
    frames = list(read_video(tmp_path, tell=said.append))
    assert [f.index for f in frames] == list(range(11)) and video_info(tmp_path).frames == 12
    np.testing.assert_allclose([f.time for f in frames], np.arange(11) / 30)
    for frame, number in zip(frames, (0, 1, 2, *range(4, 12)), strict=True):
        np.testing.assert_array_equal(frame.image, shapes(number))
    assert "3.png" in said[0] and "30 a second are assumed" in said[1]
