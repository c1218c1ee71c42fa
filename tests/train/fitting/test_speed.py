"""How fast models train."""

import pytest

from climb_edge.files.clips import save_clips
from train.__main__ import main
from train.config import Augmentation
from train.fitting import speed
from train.synthesis.motion import generated_clips


def test_paces_are_measured_of_every_model_or_as_a_preset_trains_its_own(
    tmp_path, capsys, monkeypatch
):
    asked = []
    monkeypatch.setattr(speed, "SECONDS", 0.01)
    pace = speed._pace
    monkeypatch.setattr(
        speed,
        "_pace",
        lambda s, m, batch: asked.append((s.augmentation, batch)) or pace(s, m, batch),
    )
    clips = tmp_path / "clips.npz"
    save_clips(clips, generated_clips(3, 5, frames=20))
    preset = tmp_path / "mine.toml"
    preset.write_text('[finetune]\nmodel = "joint_mixer"\nbatch = 4\nrotate = 30.0\n')
    assert main(["models", "--data", str(clips), "--preset", str(preset)]) == 0
    head, _, row = capsys.readouterr().out.strip().splitlines()
    assert head == "| model | windows a second read | trained | ratio |"
    model, read, trained, ratio = row.strip("| ").split(" | ")
    assert model == "joint_mixer" and float(read) / float(trained) == pytest.approx(
        float(ratio), abs=0.06
    )
    assert asked == [(Augmentation(rotate=30.0), 4)]
    assert main(["models", "--preset", str(preset)]) == 2
    assert "--data" in capsys.readouterr().err
