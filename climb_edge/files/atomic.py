"""Files that are whole or absent: an interrupted write leaves the old file or the new one, never
half.
"""

from __future__ import annotations

import contextlib
import csv
import errno
import io
import json
import math
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from climb_edge.errors import FULL, NOT_WRITTEN, ClimbEdgeError, OutputError
from climb_edge.files.naming import nearest_path
from climb_edge.files.temporaries import prefix, sweep

_ELSEWHERE = "choose another place (--out; of the cache: CLIMB_EDGE_CACHE)"


@contextlib.contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it over `path` only when the block ends without
    an error.

    An interrupted or failed write leaves the old file (or none), never half of a new one, nor a
    folder made for it; what a killed process left in the folder is removed. Raises OutputError when
    the folder cannot be written or the disk is full.
    """
    path = Path(path)
    temporary, new = None, []
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        new = [folder for folder in path.parents if not folder.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=prefix(), suffix=f".{path.name}")
        os.close(handle)
        temporary = Path(name)
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp makes private files; results are ordinary ones
        temporary.replace(path)
    except OSError as error:
        raise _write_error(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # of the first that holds something
            for folder in new:
                folder.rmdir()


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path` whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_csv(path: str | Path, lines: Iterable[dict], columns: Iterable[str]) -> None:
    """Write a CSV of UTF-8, whole or not at all; what a line lacks, or has as None, is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    write_text(path, text.getvalue())


def write_json(path: str | Path, value: object) -> None:
    """Write `value` as JSON, whole or not at all; JSON has no NaN: what could not be computed is
    null.
    """
    write_text(path, json.dumps(_finite(value), indent=1, allow_nan=False))


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write_error(path: Path, error: OSError) -> OutputError:
    if error.errno == errno.EFBIG:
        found, remedy = (
            "the file grew beyond what the file system, or this user's limit, allows",
            f"raise the limit (ulimit -f) or {_ELSEWHERE}",
        )
    elif error.errno in FULL:
        found, remedy = "no space is left on the device", f"free some space or {_ELSEWHERE}"
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        found, remedy = "the folder may not be written", _ELSEWHERE
    elif error.errno in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
        found, remedy = (
            "a file stands where a folder is needed (or the other way round)",
            _ELSEWHERE,
        )
    else:
        found, remedy = error.strerror or str(error), "see the reason given"
    return OutputError(
        f"{path}: {NOT_WRITTEN}: {found}; what was there before is unchanged; {remedy}"
    )


def existing_file(path: str | Path, what: str) -> Path:
    """Return `path` as a Path when it is a file; raise ClimbEdgeError naming `what` was expected
    otherwise.
    """
    path = Path(path)
    try:
        folder, file = path.is_dir(), path.is_file()
    except OSError:  # a name too long for this file system, a folder that may not be entered
        folder = file = False
    if folder:
        raise ClimbEdgeError(f"{path}: expected {what}, found a folder; name the file itself")
    if not file:
        raise ClimbEdgeError(
            f"{path}: expected {what}, found no such file{nearest_path(path) or '; check the path'}"
        )
    if not os.access(path, os.R_OK):
        raise ClimbEdgeError(
            f"{path}: expected {what}, found a file that this user may not read; change its"
            " permissions"
        )
    return path
