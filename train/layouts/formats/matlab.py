"""MATLAB 5 files that nobody has to trust, through SciPy in a process of its own.

SciPy's reader takes numbers from the file as places in memory: one wrong byte can end the whole
process, with no error to catch (github.com/scipy/scipy/pull/25829). So another process reads, with
a bound on its memory, and when it dies, the file it was reading is the damaged one.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.atomic import existing_file
from train.layouts.formats.reading import reading, sane

MAX_FILE = 64 << 20  # bytes; a clip's labels take about a hundred thousand
MAX_VALUES = 20_000_000  # of one array, as its header claims
# bytes of addresses of the reading process: compressed arrays unpack before their size is known
MAX_MEMORY = 8 << 30
_REPLY = struct.Struct("<?Q")  # whether it worked, length of what follows: an .npz, or the reason


class MatFiles:
    """Reads .mat files; a context manager, because it keeps the reading process from file
    to file.
    """

    def __init__(self):
        self._process: subprocess.Popen | None = None

    def __enter__(self) -> MatFiles:
        return self

    def __exit__(self, *error) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def read(self, path: Path, names: tuple[str, ...], what: str) -> dict[str, np.ndarray]:
        """The arrays `names` of a .mat file. Raises ClimbEdgeError for a damaged file, a missing
        array, an absurd size.
        """
        path = existing_file(path, what)
        if path.stat().st_size > MAX_FILE:
            raise ClimbEdgeError(
                f"{path}: expected {what}, found more than {MAX_FILE >> 20} MiB; is it the right"
                " file?"
            )
        if self._process is None:
            root = str(Path(__file__).parents[3])
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", __name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=os.environ
                | {
                    "PYTHONPATH": (
                        os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
                    )
                },
            )
        try:
            self._process.stdin.write(json.dumps([str(path), names, what]).encode() + b"\n")
            self._process.stdin.flush()
            worked, size = _REPLY.unpack(self._process.stdout.read(_REPLY.size))
            content = self._process.stdout.read(size)
        except (OSError, struct.error) as error:
            self.__exit__()
            raise ClimbEdgeError(
                f"{path}: expected {what}, found a file so damaged that it ended SciPy's reader;"
                " copy it again"
            ) from error
        if not worked:
            raise ClimbEdgeError(content.decode())
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return dict(arrays)


def numeric(path: Path, name: str, array: np.ndarray, shape: tuple[int | str, ...]) -> np.ndarray:
    """`array` as float64 of `shape`, a letter standing for any length. Raises ClimbEdgeError for
    anything else.
    """
    fits = (
        array.dtype.kind in "fiub"
        and array.ndim == len(shape)
        and all(isinstance(s, str) or s == n for s, n in zip(shape, array.shape, strict=True))
    )
    if not fits:
        wanted = ", ".join(map(str, shape))
        raise ClimbEdgeError(
            f"{path}: {name} expected as numbers of shape ({wanted}), found {array.dtype}"
            f" {array.shape}; copy it again"
        )
    return sane(path, name, array.astype(np.float64))


def _read(path: str, names: list[str], what: str) -> dict[str, np.ndarray]:
    from scipy.io import loadmat, whosmat
    from scipy.io.matlab import MatReadError

    with reading(Path(path), what, MatReadError):
        shapes = {name: shape for name, shape, _ in whosmat(path)}
        if missing := [n for n in names if n not in shapes]:
            raise ClimbEdgeError(
                f"{path}: expected {what} with {', '.join(names)}; {', '.join(missing)} missing"
            )
        for name in names:
            if math.prod(shapes[name]) > MAX_VALUES:
                raise ClimbEdgeError(
                    f"{path}: {name} claims shape {shapes[name]}, which no clip has; copy it again"
                )
        found = loadmat(path, variable_names=names)
        arrays = {name: np.asarray(found[name]) for name in names}
    for name, array in arrays.items():
        if array.dtype.kind not in "fiubU":
            raise ClimbEdgeError(
                f"{path}: {name} expected as plain numbers or text, found {array.dtype}; copy it"
                " again"
            )
    return arrays


def _serve() -> None:
    """Answer each line [path, names, what] on standard input until it ends."""
    with contextlib.suppress(ImportError, ValueError, OSError):  # Windows has no such bound
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    for line in sys.stdin.buffer:
        try:
            content = io.BytesIO()
            np.savez(content, **_read(*json.loads(line)))
            worked, reply = True, content.getvalue()
        except ClimbEdgeError as error:
            worked, reply = False, str(error).encode(errors="replace")
        sys.stdout.buffer.write(_REPLY.pack(worked, len(reply)) + reply)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    _serve()
