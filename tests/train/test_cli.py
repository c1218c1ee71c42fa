"""Options: what a preset fills in and what wins over it, which presets are refused, and that every
built-in one loads.
"""

import re
from importlib.resources import files

import pytest

from climb_edge.__main__ import main as edge
from climb_edge.errors import ClimbEdgeError
from convert.__main__ import main as convert
from train.__main__ import main
from train.cli import PROGRAM
from train.config import load_config
from train.studies import grid

DATA = ["--data", "generated", "--out", "OUT"]
BUILT_IN = sorted(
    p.name.removesuffix(".toml") for p in files("train.configs").iterdir() if p.suffix == ".toml"
)
STUDIES = [name for name in BUILT_IN if "models" in load_config(name)]
PRESETS = [name for name in BUILT_IN if name not in STUDIES]


@pytest.fixture
def preset(tmp_path):
    """A function that writes a preset and gives its path."""

    def write(text: str | bytes) -> str:
        path = tmp_path / "mine.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


def given(options) -> dict:
    return {
        name: value
        for name, value in vars(options).items()
        if name not in ("out", "preset", "command", "data")
    }


@pytest.mark.parametrize(
    ("program", "run"),
    [("climb-edge", edge), ("python -m train", main), ("python -m convert", convert)],
)
def test_every_commands_help_has_an_example_of_it(program, run, capsys):
    def help_of(*command):
        with pytest.raises(SystemExit) as ended:
            run([*command, "--help"])
        assert ended.value.code == 0
        return capsys.readouterr().out

    commands = re.findall(r"^    ([a-z][a-z-]+)\b", help_of(), re.MULTILINE)
    assert len(commands) >= 6
    if run is edge:  # two of them are the other programs, with examples of their own
        assert commands[-2:] == ["train", "convert"]
        commands = commands[:-2]
    for command in commands:
        own = help_of(command).split("examples:\n")[1]
        assert f"  {program} {command} " in own or (
            command in ("finetune", "run") and f"  {program} " in own
        )


def test_no_command_is_finetune_and_commands_have_their_own_defaults():
    fine, pre = PROGRAM.parse(DATA), PROGRAM.parse(["pretrain", *DATA])
    assert (fine.command, fine.init, fine.learning_rate, fine.select) == (
        "finetune",
        "shipped",
        1e-4,
        "0.1",
    )
    assert (pre.command, pre.init, pre.learning_rate, pre.select) == (
        "pretrain",
        "none",
        1e-3,
        "0.2",
    )
    shared = given(fine).keys() & given(pre)
    assert given(fine).keys() - shared == {"qat", "distill_epochs", "shrink"}
    differing = {n for n in shared if given(fine)[n] != given(pre)[n]}
    assert differing == {"init", "learning_rate", "select"}


def test_a_preset_fills_in_what_is_not_given_and_nothing_else(preset):
    path = preset(
        '[pretrain]\nlearning_rate = 0.5\nwhole_cells = true\nbox = "frame"\nsteps_per_epoch = 7\nmodel ='
        ' "deciwatch"\n'
    )
    plain, filled = (
        given(PROGRAM.parse(["pretrain", *DATA])),
        given(PROGRAM.parse(["pretrain", "--preset", path, *DATA])),
    )
    changed = {name: value for name, value in filled.items() if value != plain[name]}
    assert changed == {
        "learning_rate": 0.5,
        "whole_cells": True,
        "box": "frame",
        "steps_per_epoch": 7,
        "model": "deciwatch",
    }


@pytest.mark.parametrize("first", [True, False])
def test_what_is_given_wins_over_the_preset_also_where_it_is_the_default(preset, first):
    path = preset(
        '[pretrain]\nlearning_rate = 0.5\nwhole_cells = true\nbox = "frame"\ntarget_sigma = 1.0\nepochs'
        " = 3\n"
    )
    own = ["--learning-rate", "0.25", "--no-whole-cells", "--box", "sticky", "--target-s", "2.0"]
    chosen = ["--preset", path]
    options = PROGRAM.parse(["pretrain", *(chosen + own if first else own + chosen), *DATA])
    assert (options.learning_rate, options.whole_cells, options.box) == (0.25, False, "sticky")
    assert (options.target_sigma, options.epochs) == (2.0, 3)


def test_a_preset_is_of_one_command(preset):
    path = preset("[pretrain]\nepochs = 3\n[finetune]\nepochs = 4\n")
    assert PROGRAM.parse(["pretrain", "--preset", path, *DATA]).epochs == 3
    assert PROGRAM.parse(["--preset", path, *DATA]).epochs == 4
    assert PROGRAM.parse(["--preset", preset("[pretrain]\nepochs = 3\n"), *DATA]).epochs == 50


def test_a_preset_does_not_stay_for_the_next_call(preset):
    PROGRAM.parse(["pretrain", "--preset", preset("[pretrain]\nepochs = 3\n"), *DATA])
    assert PROGRAM.parse(["pretrain", *DATA]).epochs == 50


@pytest.mark.parametrize(
    ("name", "command"),
    [(n, c) for n in PRESETS for c in ("pretrain", "finetune") if c in load_config(n)],
)
def test_every_built_in_preset_sets_options_of_the_command(name, command):
    options, plain = (
        PROGRAM.parse([command, "--preset", name, *DATA]),
        PROGRAM.parse([command, *DATA]),
    )
    values = load_config(name)[command]
    assert values
    for key, value in values.items():
        assert getattr(options, key) == value
    assert given(options) == given(plain) | values


def test_the_built_in_presets_are_the_studys():
    assert PRESETS == ["final", "joint_mixer", "mission", "shipped_mixer"]
    for name, fine, split, select in (
        ("mission", 1e-6, "mission", "0.2"),
        ("final", 1e-4, "final", "0.05"),
    ):
        pre, options = (
            PROGRAM.parse([c, "--preset", name, *DATA]) for c in ("pretrain", "finetune")
        )
        assert (pre.learning_rate, pre.split, pre.select) == (1e-3, "by-window", "0.2")
        assert (options.learning_rate, options.split, options.select) == (fine, split, select)
        for each in (pre, options):
            assert (each.loss, each.target_sigma, each.whole_cells, each.box) == (
                "study",
                1.0,
                True,
                "frame",
            )
            assert (each.batch, each.epochs, each.plateau, each.patience) == (16, 50, 5, 10)


@pytest.mark.parametrize("name", STUDIES)
def test_every_built_in_study_has_cells_whose_options_are_understood(name, tmp_path, monkeypatch):
    config = grid._checked(name, load_config(name))
    for variable in re.findall(r"\$(\w+)", str(config)):
        monkeypatch.setenv(variable, str(tmp_path))
    assert grid._cells(name, config)
    phases = tuple(p for p in grid.PHASES if p in config)
    for model in config["models"]:
        for setup in config["setups"]:
            for phase in phases:
                cell = grid.Cell(model, setup, 0, phases)
                options = PROGRAM.parse(grid.arguments(cell, phase, config, tmp_path))
                assert (options.command, options.model, options.noise) == (phase, model, setup)
                for key, value in config[phase].items():
                    if key not in ("data", "group") and key not in str(config["override"]):
                        assert getattr(options, key) == value


# What is refused
# --------------------------------------------------------------------------------------------------


def refused(arguments: list[str], capsys) -> str:
    """The one line of an error with exit code 2."""
    try:
        code = main(arguments)
    except SystemExit as stopped:  # argparse tells the usage first
        code = stopped.code
    error = capsys.readouterr().err
    assert code == 2, error
    assert "Traceback" not in error
    said = [line for line in error.splitlines() if "error: " in line]
    assert len(said) == 1
    assert error.splitlines()[-1] == said[0]
    return said[0]


def test_an_unknown_preset_names_the_built_in_ones(tmp_path, capsys):
    out = str(tmp_path / "out")
    said = refused(["pretrain", "--data", "generated", "--preset", "misson", "--out", out], capsys)
    assert "misson" in said
    assert all(name in said for name in BUILT_IN)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[pretrain]\nlerning_rate = 1e-3\n", "lerning_rate"),
        ("[pretrain]\nlearning-rate = 1e-3\n", "learning-rate"),
        ("[pretrain]\nepochs = 3\n[pretrain.more]\nepochs = 3\n", "more"),
        ("[pretrain]\n" + ".".join(["a"] * 2_000) + " = 1\n", "a"),
    ],
    ids=["misspelt", "dash", "table", "deep table"],
)
def test_a_key_that_is_no_option_is_named(preset, tmp_path, capsys, text, named):
    path, out = preset(text), str(tmp_path / "out")
    said = refused(["pretrain", "--data", "generated", "--preset", path, "--out", out], capsys)
    assert named in said and "no option of pretrain" in said and "mine.toml" in said


@pytest.mark.parametrize(
    "text",
    [
        "[pretrain",
        "[pretrain]\nepochs = \n",
        "[pretrain]\nepochs = 3\nepochs = 4\n",
        "{}",
        "\0",
        b"\xff\xfe",
        b'[pretrain]\nbox = "\xe9"\n',
        "a = " + "[" * 100_000,
        "a = " + "{b = " * 100_000,
        "a = 1" + "0" * 5000,
        "[pretrain]\nepochs = 2020-13-45\n",
    ],
    ids=[
        "half",
        "no value",
        "twice",
        "json",
        "nul",
        "utf-16",
        "latin-1",
        "deep lists",
        "deep tables",
        "huge number",
        "no date",
    ],
)
def test_a_preset_that_is_no_toml_is_refused(preset, tmp_path, capsys, text):
    path, out = preset(text), str(tmp_path / "out")
    said = refused(["pretrain", "--data", "generated", "--preset", path, "--out", out], capsys)
    assert "mine.toml: expected TOML" in said
    assert len(said) < 600


def test_a_folder_is_no_preset(tmp_path, capsys):
    said = refused(
        ["--data", "generated", "--preset", str(tmp_path), "--out", str(tmp_path / "out")], capsys
    )
    assert "found a folder" in said


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("pretrain = 5\n", "pretrain"),
        ("[[pretrain]]\nepochs = 3\n", "pretrain"),
        ("[pretrain]\nepochs = [1]\n", "epochs"),
        ("[pretrain]\nepochs = 2.5\n", "epochs"),
        ("[pretrain]\nepochs = 1979-05-27\n", "epochs"),
        ('[pretrain]\nlearning_rate = "fast"\n', "learning_rate"),
        ("[pretrain]\nlearning_rate = [1e-3]\n", "learning"),
        ('[pretrain]\nselect = "0.3"\n', "select"),
        ('[pretrain]\nbox = "bogus"\n', "box"),
        ('[pretrain]\nprecision = "bogus"\n', "precision"),
        ('[pretrain]\nloss = "bogus"\n', "loss"),
        ('[pretrain]\ndistribute = "bogus"\n', "distribute"),
        ('[pretrain]\nmirror = "no"\n', "mirror"),
        ('[pretrain]\ncommand = "models"\n', "command"),
        ("[pretrain]\nseed = -1\n", "seed"),
    ],
)
def test_a_value_that_the_command_line_would_refuse_is_refused_in_a_preset(
    preset, tmp_path, capsys, text, named
):
    path, out = preset(text), str(tmp_path / "out")
    arguments = [
        "--data",
        "generated",
        "--clips",
        "5",
        "--steps-per-epoch",
        "1",
        "--batch",
        "1",
        "--preset",
        path,
        "--out",
        out,
    ]
    own = [] if "epochs" in text else ["--epochs", "0"]
    assert named in refused(["pretrain", *arguments, *own], capsys)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--epochs", "-1"),
        ("--batch", "0"),
        ("--steps-per-epoch", "0"),
        ("--validation-windows", "0"),
        ("--test-windows", "0"),
        ("--learning-rate", "nan"),
        ("--learning-rate", "0"),
        ("--weight-decay", "-1"),
        ("--weight-decay", "inf"),
        ("--target-sigma", "0.1"),
        ("--clip-norm", "-1"),
        ("--ema", "1"),
        ("--schedule", "cosine"),
        ("--shift", "0.6"),
        ("--keypoint-dropout", "1"),
        ("--rotate", "181"),
        ("--scale", "-0.1"),
        ("--seed", "-1"),
        ("--seed", "4294967296"),
        ("--switch", "unknown=on"),
        ("--loss", "coordinate_mse"),
        ("--precision", "float64"),
        ("--box", "round"),
        ("--select", "0.3"),
        ("--split", "by-magic"),
    ],
)
def test_a_value_out_of_bounds_is_one_line_and_exit_code_2(tmp_path, capsys, option, value):
    out = str(tmp_path / "out")
    arguments = [
        "pretrain",
        "--data",
        "generated",
        "--clips",
        "12",
        "--epochs",
        "0",
        option,
        value,
        "--out",
        out,
    ]
    said = refused(arguments, capsys)
    assert option in said or value in said


def test_a_split_that_is_neither_a_rule_nor_a_file_names_the_rules(tmp_path, capsys):
    arguments = [
        "pretrain",
        "--data",
        "generated",
        "--clips",
        "12",
        "--epochs",
        "0",
        "--split",
        "by-magic",
    ]
    assert "by-video" in refused([*arguments, "--out", str(tmp_path / "out")], capsys)


def test_a_group_that_nobody_is_of_names_the_groups(tmp_path, capsys):
    arguments = [
        "pretrain",
        "--data",
        "generated",
        "--clips",
        "3",
        "--group",
        "nobody",
        "--out",
        str(tmp_path / "out"),
    ]
    assert "its groups are climb" in refused(arguments, capsys)


def test_load_config_raises_for_what_is_no_file():
    with pytest.raises(ClimbEdgeError, match=r"nowhere\.toml"):
        load_config("nowhere.toml")
