"""Files and folders that are not finished: how they are named, and how those are removed whose
process was killed.

Each is hidden and named `.climb-edge-HOST-PID-RANDOM.NAME`, so that it shows whose it is.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

_HOST = f"{zlib.crc32(platform.node().encode()):08x}"
_NAME = re.compile(r"\.climb-edge-(?P<host>[0-9a-f]{8})-(?P<pid>\d+)-\w{8}\.")
_LONGEST = 7 * 24 * 3600  # seconds: nobody works on one file for longer


def prefix() -> str:
    """How a temporary name of this process begins."""
    return f".climb-edge-{_HOST}-{os.getpid()}-"


def sweep(folder: Path) -> None:
    """Remove what processes that are gone have left in `folder` under a temporary name.

    Another machine's processes cannot be seen: what is theirs goes after a week.
    """
    left = []
    with contextlib.suppress(PermissionError), os.scandir(folder) as entries:
        left = [e for e in entries if (found := _NAME.match(e.name)) and _abandoned(e, found)]
    for entry in left:
        with contextlib.suppress(FileNotFoundError, PermissionError):  # swept already; another's
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)


def _abandoned(entry: os.DirEntry, found: re.Match) -> bool:
    if found["host"] == _HOST:
        return not _alive(int(found["pid"]))
    try:
        return time.time() - entry.stat(follow_symlinks=False).st_mtime > _LONGEST
    except FileNotFoundError:  # finished meanwhile
        return False


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    with contextlib.suppress(OSError):  # no /proc here
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z"  # it ended, and nobody has asked how
    return True


@contextlib.contextmanager
def scratch_folder(name: str, where: Path | None = None) -> Iterator[Path]:
    """A folder for work in between, in `where` (else the system's temporary folder), that goes
    with the block; `name` tells people what it is.
    """
    where = Path(where or tempfile.gettempdir())
    sweep(where)
    with tempfile.TemporaryDirectory(
        prefix=prefix(), suffix=f".{name}", dir=where, ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


def only_unfinished(folder: Path, name: str) -> bool:
    """Whether `folder` holds nothing but what an interrupted write of its file `name` has left."""
    return all(entry.startswith(".") and entry.endswith(f".{name}") for entry in os.listdir(folder))
