"""The real command line that must refuse, and an estimator that needs no weights."""

from pathlib import Path

import pytest

from climb_edge.__main__ import main
from support.scene import (
    standing,
    write_heatmaps,
)


@pytest.fixture
def refused(capsys):
    """Run a command line that must end in one error line which holds all of `said`; returns the
    line.
    """

    def run(*arguments, said=()):
        capsys.readouterr()
        assert main([str(a) for a in arguments]) == 2
        lines = [
            line for line in capsys.readouterr().err.splitlines() if line and "XNNPACK" not in line
        ]
        errors = [line for line in lines if line.startswith("error: ")]
        assert len(errors) == 1 and "Traceback" not in "\n".join(lines), lines
        assert [
            line
            for line in lines
            if line not in errors
            and "fetching" not in line
            and "it/s" not in line
            and not line.lstrip("\r").startswith(("track", "estimator", "refiner"))
        ] == []
        for text in (said,) if isinstance(said, str | Path) else said:
            assert str(text) in errors[0]
        assert main([str(a) for a in arguments] + ["--debug"]) == 2
        assert "Traceback" in capsys.readouterr().err
        return errors[0]

    return run


@pytest.fixture
def heatmaps(tmp_path) -> Path:
    """An estimator without weights: heatmaps of a walking person for 12 frames."""
    return write_heatmaps(tmp_path / "heatmaps.npz", [standing(180 + 3 * t) for t in range(12)])
