"""Standard error around native libraries: their notes go, their errors and everybody else's lines
stay.
"""

import os
import subprocess
import sys

import pytest

from climb_edge.runtime.native_log import only_errors
from support.paths import ROOT

LINES = b"INFO: a note\nI0000 00:00:17.1 x.cc:3] another\nERROR: a fault\nours\n"


def test_errors_come_through_and_notes_do_not(capfd):
    with only_errors():
        os.write(2, LINES)
    assert capfd.readouterr().err == "ERROR: a fault\nours\n"


def test_where_it_fails_everything_comes_through(capfd):
    def fail():
        with only_errors():
            os.write(2, LINES)
            raise ValueError("why")

    with pytest.raises(ValueError, match="why"):
        fail()
    assert capfd.readouterr().err == LINES.decode()


def test_a_fresh_process_shows_no_line_of_the_runtime():
    """TFLite says once in a process that it made its delegate."""
    for before in ("", "import os; os.close(2); "):
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                f"{before}from climb_edge.__main__ import main; raise SystemExit(main(['inspect',"
                " 'default']))",
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert "golden test on" in done.stdout
