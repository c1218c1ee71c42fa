"""Many videos in processes of their own: what is lost when one of them, or all, must end."""

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from climb_edge.errors import ClimbEdgeError, OutputError
from climb_edge.files.atomic import write_text
from support.paths import ROOT
from support.processes import until
from train.data.workers import usable


def killed(folder: Path, tries: int, name: str) -> str:
    """Kills its process at "b" so many times; refuses "c"."""
    if name == "c":
        raise ClimbEdgeError("c: no video")
    begun = len(list(folder.glob(f"{name}*")))
    (folder / f"{name}{begun}").touch()
    if name == "b" and begun < tries:
        os.kill(os.getpid(), signal.SIGKILL)
    return name.upper()


def test_a_worker_that_dies_costs_its_video_alone_and_only_the_second_time(tmp_path, capsys):
    (once := tmp_path / "once").mkdir()
    made, skipped = usable("abcdef", partial(killed, once, 1), strict=False, jobs=2)
    assert made == {n: n.upper() for n in "abdef"} and skipped == ["c: no video"]
    assert "note: b: the process that worked on it ended by SIGKILL" in capsys.readouterr().err
    (always := tmp_path / "always").mkdir()
    made, skipped = usable("abde", partial(killed, always, 9), strict=False, jobs=2)
    assert made == {n: n.upper() for n in "ade"} and len(list(always.glob("b*"))) == 2
    assert len(skipped) == 1 and "b: " in skipped[0] and "SIGKILL, 2 times" in skipped[0]
    with pytest.raises(ClimbEdgeError, match="SIGKILL, 2 times"):
        usable("b", partial(killed, always, 9), strict=True, jobs=2)


def written(place: Path, name: str) -> None:
    write_text(place / "missing" / name if name == "b" else Path(os.devnull) / name, name)


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_cannot_be_written_is_no_video_that_cannot_be_used(tmp_path, jobs):
    with pytest.raises(OutputError, match="could not be written"):
        usable("ac", partial(written, tmp_path), strict=False, jobs=jobs)


def halves(folder: Path, name: str) -> None:
    from climb_edge.files.atomic import whole_file

    with whole_file(folder / name) as temporary:
        temporary.write_text(str(os.getpid()))
        signal.pause()


WORKS = """
import sys
from functools import partial
from pathlib import Path
sys.path[:0] = ["tests", "tests/train/data"]
from climb_edge.errors import run_command
from test_workers import halves
from train.data.workers import each
if __name__ == "__main__":
    sys.exit(run_command(lambda: list(each(partial(halves, Path(sys.argv[1])), "abc", 2)) and None))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL])
def test_workers_end_with_their_command_and_clear_up(tmp_path, number):
    script = tmp_path / "works.py"
    script.write_text(WORKS)
    (out := tmp_path / "out").mkdir()
    command = subprocess.Popen(
        [sys.executable, script, out],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    until(lambda: len([p for p in out.iterdir() if p.stat().st_size]) == 2, 60)
    workers = [int(p.read_text()) for p in out.iterdir()]
    command.send_signal(number)
    assert command.wait(60) == (-9 if number == signal.SIGKILL else 128 + number)
    until(lambda: not os.listdir(out) and not any(map(runs, workers)))


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
