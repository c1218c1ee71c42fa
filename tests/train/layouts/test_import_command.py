"""`import`: its table, its preview, and labels that do not fit the videos at hand."""

import cv2
import numpy as np
import pytest

from climb_edge.files.clips import load_clips
from climb_edge.media.video import VideoWriter, read_video
from support.layout_folders import image, label, people, write_coco
from train.__main__ import main

SIZE = (96, 64)


@pytest.fixture
def folder(tmp_path):
    """Labels of frames 0 to 5 of v.mp4, a video of 6 green frames beside them."""
    p = people(6) * 0.15
    names = ["nose", "Neck", "LShoulder", "RHip", "odd"]
    images = [image(i, f"v/{i:03d}.png", SIZE) for i in range(6)]
    annotations = [label(i, i, p[i, :5]) for i in range(6)]
    write_coco(tmp_path / "a.json", images, annotations, names)
    with VideoWriter(tmp_path / "v.mp4") as writer:
        for i in range(6):
            writer.write(np.full((SIZE[1], SIZE[0], 3), (0, 200, 0), np.uint8), i / 30)
    return tmp_path


def run(folder, *more):
    command = ["import", "coco", str(folder / "a.json"), "--out", str(folder / "c.npz")]
    return main([*command, "--option", "video_suffix=.mp4", *map(str, more)])


def row(text, name):
    """What a table says behind a name."""
    return next(line.split()[1:] for line in text.splitlines() if line.split()[:1] == [name])


def test_the_table_says_what_was_read_and_what_was_left_out(folder, capsys):
    more = [image(9, "still.jpg", SIZE)]
    write_coco(folder / "b.json", more, [label(9, 9, people(1)[0])])
    assert main(["import", "coco", str(folder), "--out", str(folder / "c.npz")]) == 0
    told = capsys.readouterr().out
    assert "1 clips, 6 frames, 6 labelled, pictures of 96 x 64; human truth" in told
    assert row(told, "v") == ["6", "frames", "6", "labelled"]
    assert row(told, "nose") == row(told, "left_shoulder") == ["6", "6"]
    assert row(told, "left_heel") == ["0", "0"]
    left = told.split("left out:")[1]
    assert "Neck" in left and "odd" in left and "still.jpg" in left


def test_a_preview_is_drawn_on_the_video_and_on_grey_without_one(folder, capsys):
    assert run(folder, "--preview", folder / "p.jpg") == 0
    assert "no picture at hand" not in capsys.readouterr().err
    drawn = cv2.imread(str(folder / "p.jpg"))
    assert drawn.shape == (720, 1440, 3)
    corner = drawn[100, 400]  # of the first tile, under no label
    assert corner[1] > 150 and corner[0] < 60 and corner[2] < 60, "the video's green"
    nose = load_clips(folder / "c.npz").keypoints[0, 0] * 480 / SIZE[0]
    x, y = nose.round().astype(int)
    assert drawn[y, x].min() > 150, "the nose is white"
    (folder / "v.mp4").unlink()
    assert run(folder, "--preview", folder / "p.jpg") == 0
    assert "no picture at hand of v.mp4 frame 0" in capsys.readouterr().err
    assert np.ptp(cv2.imread(str(folder / "p.jpg"))[100, 400].astype(int)) < 10, "grey"
    assert run(folder, "--preview", folder / "p.png") == 2


def test_a_preview_is_drawn_on_images_beside_the_labels(folder, capsys):
    (folder / "v.mp4").unlink()
    (folder / "images" / "v").mkdir(parents=True)
    for i in range(6):
        cv2.imwrite(
            str(folder / "images" / "v" / f"{i:03d}.png"),
            np.full((64, 96, 3), (0, 0, 220), np.uint8),
        )
    assert run(folder, "--preview", folder / "p.jpg") == 0
    assert "no picture" not in capsys.readouterr().err
    assert cv2.imread(str(folder / "p.jpg"))[100, 400, 2] > 180


def test_labels_of_other_pictures_are_refused_or_scaled(folder, capsys):
    larger = folder / "large"
    larger.mkdir()
    with VideoWriter(larger / "v.mp4") as writer:
        for frame in list(read_video(folder / "v.mp4"))[:5]:
            writer.write(cv2.resize(frame.image, (192, 128)), frame.time)
    (folder / "v.mp4").unlink()
    assert run(folder, "--videos", larger) == 2
    told = capsys.readouterr().err
    assert "96 x 64" in told and "192 x 128" in told and not (folder / "c.npz").exists()
    assert run(folder, "--videos", larger, "--fit-labels", "scale") == 0
    told = capsys.readouterr()
    assert "the video has 5: 1 labelled frames" in told.err and "5 frames, 5 labelled" in told.out
    assert load_clips(folder / "c.npz").frame_size.tolist() == [[192, 128]]
    assert run(folder, "--videos", folder / "nowhere") == 2
    empty = folder / "empty"
    empty.mkdir()
    assert run(folder, "--videos", empty) == 0
    assert "compared with no video" in capsys.readouterr().err


def test_names_are_mapped_and_clips_renamed(folder):
    assert run(folder, "--map", "odd=left_heel", "--rename", "v.mp4=day 1/wall.mp4") == 0
    clips = load_clips(folder / "c.npz")
    assert clips.clip.tolist() == ["day 1/wall.mp4"]
    assert np.isfinite(clips.keypoints[:, 21]).all()
    assert run(folder, "--map", "odd") == 2
    assert run(folder, "--rename", "w.mp4=x.mp4") == 2
    out = ["--out", str(folder / "x.npz")]
    assert main(["import", "penn", str(folder), "--map", "a=b", *out]) == 2
