"""What a command line means: the nearest name to a misspelt one, several values in one option,
programs under climb-edge, and how to install what is missing.
"""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from climb_edge.__main__ import main
from climb_edge.cli import PROGRAM
from climb_edge.errors import run_command
from climb_edge.installation import install_line
from convert.cli import PROGRAM as CONVERT
from support.paths import ROOT
from train.cli import PROGRAM as TRAIN


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("trak v.mp4", "climb-edge trak: expected a command"),
        ("trak v.mp4", "did you mean track?"),
        ("trian --data x", "did you mean train?"),
        ("track --source v.mp4", "its value is given without --source"),
        ("plot t.jsonl --ot p.png", "--ot: no such option; did you mean --out?"),
        ("track v.mp4 w.mp4", "w.mp4: expected an option, found a word too many"),
        ("track v.mp4 --export csv,cocoo", "--export cocoo: expected one of csv, coco"),
        ("track v.mp4 --export csv,cocoo", "did you mean coco?"),
        ("track v.mp4 --export csv,,coco", "--export: expected values between commas"),
        ("inspect defualt", "did you mean default?"),
        ("inspect one-euroo", "did you mean one_euro?"),
        ("inspect gaussain:sigma=2.5", "did you mean gaussian?"),
        ("train extrct", "climb-edge train extrct: expected a command"),
        ("train extrct", "did you mean extract?"),
        ("train --dta x --out y", "climb-edge train finetune: --dta: no such option; did you mean"),
        ("convert dif a b", "did you mean diff?"),
        ("fetch --only demo.mp", "did you mean demo.mp4?"),
    ],
)
def test_a_misspelt_word_names_the_nearest(refused, words, said):
    refused(*words.split(), said=said)


def test_a_path_is_no_misspelt_command(tmp_path, monkeypatch):
    """`convert RUN` may be a run called like a command, or lie in a folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dif").mkdir()
    for run in ("dif", "./diff", "runs/diff", "mine"):
        assert CONVERT.parse([run, "--out", "o"]).run == Path(run)


@pytest.mark.parametrize(
    ("program", "words", "option", "values"),
    [
        (PROGRAM, "track v --export csv,coco --export climbing", "export", "csv coco climbing"),
        (PROGRAM, "track v --also csv,coco", "export", "csv coco"),
        (PROGRAM, "plot t --out p --joint nose,left_wrist", "joint", "nose left_wrist"),
        (PROGRAM, "track v --compare a:x=1,runs/lr=2/b", "compare", "a:x=1 runs/lr=2/b"),
        (PROGRAM, "benchmark --refiner mean:reach=2,emits=newest,default", "refiner", ""),
        (CONVERT, "r --out o --recipe float16,int8", "recipe", "float16 int8"),
        (CONVERT, "r --out o --skip gpu,second", "skip", "gpu second"),
        (TRAIN, "--data d --out o --switch a=on,b=off", "switch", "a=on b=off"),
        (TRAIN, "--data a,b.npz --out o", "data", "a,b.npz"),
    ],
)
def test_several_values_of_one_option(program, words, option, values):
    expected = tuple(values.split()) or ("mean:reach=2,emits=newest", "default")
    assert getattr(program.parse(words.split()), option) == expected


def test_a_program_under_climb_edge_is_the_one_beside_it(tmp_path):
    """Also in a folder with a train.py and a convert.py of somebody else."""
    for name in ("train.py", "convert.py"):
        (tmp_path / name).write_text("raise SystemExit('not this one')\n")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    for program in ("train", "convert"):
        done = subprocess.run(
            [sys.executable, "-m", "climb_edge", program, "--help"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"usage: climb-edge {program} ")


def test_without_the_program_beside_it_the_error_names_an_install_line(tmp_path, monkeypatch):
    monkeypatch.setattr("climb_edge.__main__.__file__", str(tmp_path / "climb_edge/__main__.py"))
    monkeypatch.setattr(sys, "path", list(sys.path))  # which the program changes
    said = []
    monkeypatch.setattr("sys.stderr.write", said.append)
    assert main(["train", "--help"]) == 2
    assert "expected the package train" in "".join(said) and "[train]" in "".join(said)


@pytest.mark.parametrize(
    ("missing", "extra"), [("keras.ops", "[train]"), ("tensorflow", "[train]"), ("cv2", "")]
)
def test_a_missing_package_names_what_brings_it(capsys, missing, extra):
    def command():
        raise ModuleNotFoundError(name=missing)

    assert run_command(command) == 2
    said = capsys.readouterr().err
    assert f"{missing.split('.')[0]} is not installed" in said
    assert shlex.split(said)[-2:] == ["--editable", f"{ROOT}{extra}"]


@pytest.mark.parametrize(
    ("told", "what"),
    [
        (None, "climb-edge[train]"),
        ({"url": "file:///home/me/climb edge"}, "climb-edge[train] @ file:///home/me/climb edge"),
        (
            {"url": "https://host/c.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            "climb-edge[train] @ git+https://host/c.git@abc",
        ),
    ],
)
def test_the_install_line_of_an_installed_package_says_where_it_came_from(
    tmp_path, monkeypatch, told, what
):
    about = tmp_path / "climb_edge-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: climb-edge\nVersion: 1.0\n")
    if told:
        (about / "direct_url.json").write_text(json.dumps(told))
    monkeypatch.setattr("climb_edge.installation.__file__", str(tmp_path / "climb_edge/i.py"))
    monkeypatch.syspath_prepend(tmp_path)
    assert shlex.split(install_line("train"))[-2:] == ["install", what]
