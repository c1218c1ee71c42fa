"""SIGTERM and SIGHUP end a command as Ctrl-C does."""

import os
import signal
import subprocess
import sys

import pytest

from climb_edge.errors import run_command
from climb_edge.media.video import read_video
from climb_edge.refiners.load import load_refiner
from climb_edge.stopping import PARENT
from climb_edge.tracking.track import track
from climb_edge.tracking.track_file import read_lines
from support.paths import ROOT
from support.processes import until
from support.scene import Scripted, standing, write_shapes

WORKS = """
import sys, time
from climb_edge.errors import run_command
from climb_edge.files.atomic import whole_file

def work():
    with whole_file(sys.argv[1]) as temporary:
        temporary.write_text("half")
        print("working", flush=True)
        time.sleep(60)

sys.exit(run_command(work))
"""


def working(path, **more) -> subprocess.Popen:
    """A command in the middle of writing `path`."""
    child = subprocess.Popen(
        [sys.executable, "-c", WORKS, path], cwd=ROOT, stdout=-1, stderr=-1, text=True, **more
    )
    assert child.stdout.readline() == "working\n"
    return child


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_clears_up_and_is_told_of_once_however_often_it_comes(tmp_path, name):
    child = working(tmp_path / "o.txt")
    for _ in range(3):  # as `timeout` and terminals send it
        child.send_signal(number := getattr(signal, name))
    said = child.communicate(timeout=30)[1]
    assert child.returncode == 128 + number
    assert said == f"stopped by {name}: what was finished is kept\n"
    assert os.listdir(tmp_path) == []


def test_what_nohup_starts_stays_when_the_terminal_goes(tmp_path):
    child = working(
        tmp_path / "o.txt", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
    )
    child.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.5)
    child.terminate()
    assert child.wait(30) == 128 + signal.SIGTERM


def test_a_command_ends_with_the_process_that_started_it(tmp_path):
    starts = (
        "import os, subprocess, sys\n"
        f"os.environ['{PARENT}'] = str(os.getpid())\n"
        "print(subprocess.Popen([sys.executable, '-c', *sys.argv[1:]]).pid, flush=True)\n"
        "os.kill(os.getpid(), 9) if sys.stdin.read() else None\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", starts, WORKS, tmp_path / "o.txt"],
        cwd=ROOT,
        stdin=-1,
        stdout=-1,
        text=True,
    )
    int(parent.stdout.readline())
    assert parent.stdout.readline() == "working\n" and os.listdir(tmp_path)
    parent.communicate("now", timeout=30)
    until(lambda: not os.listdir(tmp_path))


def test_a_track_that_is_told_to_end_keeps_what_was_done(tmp_path, capsys):
    def frames():
        for frame in read_video(video):
            if frame.index == 12:
                os.kill(os.getpid(), signal.SIGTERM)
            yield frame

    video, out = write_shapes(tmp_path / "v.mp4", 20), tmp_path / "out"
    estimator = Scripted(lambda t: {0: standing(180 + 3 * t)})
    refiners = [load_refiner("identity")]
    code = run_command(lambda: track(frames(), estimator, refiners, out, "v.mp4") and None)
    assert code == 143 and "stopped by SIGTERM" in capsys.readouterr().err
    assert sorted(os.listdir(out)) == ["overlay.mp4", "track.jsonl"]
    assert [r["frame"] for r in read_lines(out / "track.jsonl")[1]] == list(range(12))
