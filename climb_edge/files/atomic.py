"""Files that are whole or absent: an interrupted write leaves the old file or the new one, never
half.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.naming import nearest_path


@contextlib.contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it over `path` only when the block ends without
    an error.

    An interrupted or failed write leaves the old file (or none), never half of a new one, nor a
    folder made for it. Raises ClimbEdgeError when the folder cannot be written or the disk is full.
    """
    path = Path(path)
    temporary, new = None, []
    try:
        new = [folder for folder in path.parents if not folder.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=f".{path.name}")
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


def _write_error(path: Path, error: OSError) -> ClimbEdgeError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        found, remedy = "no space is left on the device", "free some space or choose another --out"
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        found, remedy = "the folder may not be written", "choose another --out"
    elif error.errno in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
        found, remedy = (
            "a file stands where a folder is needed (or the other way round)",
            "choose another --out",
        )
    else:
        found, remedy = error.strerror or str(error), "see the reason given"
    return ClimbEdgeError(
        f"{path}: could not be written: {found}; what was there before is unchanged; {remedy}"
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
