"""Every layout: what is damaged is left out and named, and what is imported can be trained on."""

import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from support.layout_folders import (
    boxes,
    brace_folder,
    climbalong_folder,
    coco_folder,
    damage,
    heatmaps_folder,
    image,
    jhmdb_folder,
    label,
    penn_folder,
    people,
    targets,
    write_climbalong,
    write_coco,
    yolo_folder,
)
from support.motion_capture import asfamc_folder, random_take, write_amc, write_asf
from train.layouts import LAYOUTS, defaults, parse, read

FOLDERS = {
    "penn": (penn_folder, "labels/0002.mat"),
    "jhmdb": (jhmdb_folder, "joint_positions/catch/c/joint_positions.mat"),
    "brace": (brace_folder, "dataset/2013/abc/abc_200-204_toprock.json"),
    "climbalong": (climbalong_folder, "inputs/b.npz"),
    "heatmaps": (heatmaps_folder, "sub/b.npz"),
    "coco": (coco_folder, "y.json"),
    "yolo": (yolo_folder, "labels/train/y_0000.txt"),
    "asfamc": (asfamc_folder, "07_02.amc"),
}


def test_every_layout_is_tested_here():
    assert set(FOLDERS) == set(LAYOUTS)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_one_damaged_file_is_left_out_and_named(tmp_path, layout):
    make, victim = FOLDERS[layout]
    make(tmp_path)
    whole = read(layout, tmp_path, strict=True)
    count = len(whole.motion.sequence) if whole.motion else len(whole.clips)
    assert count == 2 and whole.skipped == () and str(whole).startswith("2 ")
    damage(tmp_path / victim)
    got = read(layout, tmp_path)
    assert (len(got.motion.sequence) if got.motion else len(got.clips)) == 1
    assert len(got.skipped) == 1 and victim.rsplit("/", 1)[-1] in got.skipped[0]
    with pytest.raises(ClimbEdgeError, match=victim.rsplit("/", 1)[-1]):
        read(layout, tmp_path, strict=True)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_files_of_noise_zeros_or_nothing_never_end_in_a_traceback(tmp_path, layout):
    make, victim = FOLDERS[layout]
    make(tmp_path)
    path = tmp_path / victim
    content, rng = path.read_bytes(), np.random.default_rng(0)
    for i in range(6 if victim.endswith(".mat") else 30):  # a process of its own reads .mat files
        bad = bytearray(content)
        for place in rng.integers(0, min(len(bad), 2000), 1 + i):
            bad[place] = rng.integers(256)
        path.write_bytes((b"", b"\0" * 500, rng.bytes(500), bytes(bad))[min(i, 3)])
        got = read(layout, tmp_path)
        assert got.skipped or i > 2, "an empty or foreign file must be named"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_folder_an_empty_one_and_a_file_are_named(tmp_path, layout):
    empty, file = tmp_path / "empty", tmp_path / "file.txt"
    empty.mkdir()
    file.write_text("text")
    for place in (tmp_path / "nowhere", empty, file, tmp_path / ("x" * 400)):
        with pytest.raises(ClimbEdgeError, match=place.name[:50]):
            read(layout, place)


def test_layouts_and_their_options_have_names():
    assert defaults("jhmdb") == {"split": 1, "strict": False}
    assert parse("climbalong", ["frame_size=720x1280", "fps=25", "strict=yes", "inputs=in=1"]) == {
        "frame_size": (720, 1280),
        "fps": 25.0,
        "strict": True,
        "inputs": "in=1",
    }
    assert parse("jhmdb", ["split=2"]) == {"split": 2}
    for settings in (["split=two"], ["splits=2"], ["strict=maybe"], ["strict"]):
        with pytest.raises(ClimbEdgeError, match="jhmdb"):
            parse("jhmdb", settings)
    with pytest.raises(ClimbEdgeError, match="no option fps"):
        read("jhmdb", ".", fps=3)
    with pytest.raises(ClimbEdgeError, match="expected one of penn, jhmdb"):
        read("coco2", ".")


def long_coco(folder):
    points = people(6)
    named = [image(i, f"x/{i:06d}.jpg") for i in range(6)]
    write_coco(folder / "x.json", named, [label(i, i, points[i]) for i in range(6)])


@pytest.mark.parametrize(
    ("layout", "make"),
    [
        ("penn", penn_folder),
        ("coco", long_coco),
        (
            "asfamc",
            lambda folder: [
                write_asf(folder / "07.asf", random_take(0, 40)[0]),
                write_amc(folder / "07_01.amc", random_take(0, 40)[1]),
            ],
        ),
        ("climbalong", lambda folder: write_climbalong(folder, "a", boxes(7), targets(7))),
    ],
)
def test_what_is_imported_can_be_trained_on(tmp_path, capsys, layout, make):
    from train.__main__ import main
    from train.data.sources import open_source

    folder, store = tmp_path / "in", layout == "climbalong"
    folder.mkdir()
    make(folder)
    out = str(tmp_path / ("store" if store else "out.npz"))
    assert main(["import", layout, str(folder), "--out", out]) == 0
    assert "frames" in capsys.readouterr().out
    config = {
        "data": [out],
        "noise": "1.1",
        "seed": 0,
        "box": "frame" if store else "sticky",
        "clips": 1,
    }
    window = open_source(config).window(0)
    assert window.inputs.shape == (5, 56, 56, 25)
    assert store or window.weight.any()  # the maps written here show another place than the targets
    assert main(["import", layout, str(folder), "--option", "colour=red", "--out", out]) == 2
    assert "colour" in capsys.readouterr().err
    assert main(["import", layout, str(tmp_path / "nowhere"), "--out", out]) == 2
