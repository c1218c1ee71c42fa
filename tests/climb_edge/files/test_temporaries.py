"""What killed processes leave: swept by the next write there, and nothing else is."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from climb_edge.files.atomic import write_text
from climb_edge.files.temporaries import only_unfinished, prefix, scratch_folder
from support.paths import ROOT

KILLED = """
import os, signal, sys
from pathlib import Path
from climb_edge.files.atomic import whole_file
from climb_edge.files.temporaries import scratch_folder
with whole_file(sys.argv[1]) as temporary, scratch_folder("trial", Path(sys.argv[1]).parent):
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def killed_while_writing(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, path], cwd=ROOT, timeout=60)
    assert done.returncode == -signal.SIGKILL


@pytest.fixture
def left(tmp_path) -> list[str]:
    """A folder with what a process that was killed while it wrote metrics.json has left in it."""
    killed_while_writing(tmp_path / "metrics.json")
    names = sorted(os.listdir(tmp_path))
    assert len(names) == 2 and all(name.startswith(".climb-edge-") for name in names), names
    return names


def test_the_next_write_sweeps_what_the_dead_left_and_nothing_else(tmp_path, left):
    other_host = tmp_path / ".climb-edge-00000000-1-abcdefgh.metrics.json"
    mine = tmp_path / f"{prefix()}abcdefgh.metrics.json"  # of this process, which lives
    yours = tmp_path / ".metrics.json"
    for path in (other_host, mine, yours):
        path.write_text("x")
    write_text(tmp_path / "another.txt", "whole")
    kept = {p.name for p in (other_host, mine, yours)}
    assert set(os.listdir(tmp_path)) == {"another.txt"} | kept
    week_ago = os.stat(other_host).st_mtime - 8 * 24 * 3600
    os.utime(other_host, (week_ago, week_ago))
    with scratch_folder("trial", tmp_path) as folder:
        assert folder.is_dir() and not other_host.exists() and mine.exists()
    assert not folder.exists()


def test_who_ended_but_was_not_asked_how_is_dead(tmp_path):
    """In a container nobody may ask: process 1 is not always an init."""
    child = subprocess.Popen([sys.executable, "-c", KILLED, tmp_path / "a.txt"], cwd=ROOT)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it stays in the table of processes
    assert len(os.listdir(tmp_path)) == 2
    write_text(tmp_path / "b.txt", "whole")
    assert os.listdir(tmp_path) == ["b.txt"]
    child.wait()


def test_a_folder_with_nothing_but_such_a_file_is_not_taken(tmp_path):
    (tmp_path / ".abc.metrics.json").touch()
    assert only_unfinished(tmp_path, "metrics.json") and not only_unfinished(tmp_path, "a.json")
    (tmp_path / "metrics.json").touch()
    assert not only_unfinished(tmp_path, "metrics.json")
