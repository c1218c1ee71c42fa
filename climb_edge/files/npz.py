"""Read .npz files that nobody has to trust: no pickles, no half files, no claim of size believed
before it is checked.
"""

from __future__ import annotations

import io
import math
import zipfile
from pathlib import Path

import numpy as np

from climb_edge.errors import DAMAGED, ClimbEdgeError
from climb_edge.files.archive import open_member
from climb_edge.files.atomic import existing_file

MAX_HEADER = 1 << 16  # bytes; NumPy reads as many as a header claims
# Bytes of all arrays of one file together, unpacked.
MAX_BYTES = 1 << 30  # five million frames of keypoints
MAX_MAPS = 8 << 30  # of heatmaps: 27,000 frames


def read_npz(
    path: str | Path,
    names: dict[str, str],
    what: str,
    most: int = MAX_BYTES,
    content: bytes | None = None,
) -> dict[str, np.ndarray]:
    """Read the arrays `names` (name -> allowed dtype kinds, as in "fiu") of an .npz file, or of its
    `content` where that lies inside the file `path`.

    A name ending in "?" may be missing. Headers are read and checked before anything is unpacked;
    the arrays take `most` bytes together. Raises ClimbEdgeError for a file that is no .npz,
    truncated, corrupt, pickled, lacks an array or claims too much.
    """
    path = existing_file(path, what)
    try:
        with zipfile.ZipFile(path if content is None else io.BytesIO(content)) as archive:
            members = {
                i.filename.removesuffix(".npy"): i
                for i in archive.infolist()
                if i.filename.endswith(".npy")
            }
            wanted = {
                n.removesuffix("?"): k
                for n, k in names.items()
                if not n.endswith("?") or n[:-1] in members
            }
            if missing := [n for n in wanted if n not in members]:
                raise ClimbEdgeError(
                    f"{path}: expected {what} with arrays {', '.join(wanted)}; {', '.join(missing)}"
                    " missing"
                )
            claimed = sum(members[n].file_size for n in wanted)
            if claimed > most:
                raise ClimbEdgeError(
                    f"{path}: claims {claimed / 1e9:.3g} GB of arrays, at most"
                    f" {most / 1e9:.3g} GB are read; split it into several files"
                )
            for n, kinds in wanted.items():
                _check_header(archive, members[n], path, n, kinds)
            return {n: _read(archive, members[n]) for n in wanted}
    except DAMAGED as error:
        raise ClimbEdgeError(
            f"{path}: expected {what}, found a file that is truncated, corrupt or of another kind"
            f" ({error}); make or copy it again"
        ) from error


def _header(stream: io.BytesIO) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(stream)
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, _, dtype = read(stream)
    return shape, dtype


def _check_header(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, name: str, kinds: str
) -> None:
    with open_member(archive, member, member.file_size) as stream:
        shape, dtype = _header(io.BytesIO(stream.read(MAX_HEADER)))
    if dtype.hasobject:
        raise ClimbEdgeError(
            f"{path}: array {name} holds Python objects, which are never unpickled; save plain"
            " numbers or text"
        )
    if dtype.kind not in kinds:
        raise ClimbEdgeError(
            f"{path}: array {name} expected of kind {kinds!r}, found {dtype}; save it with that"
            " type"
        )
    size = math.prod(shape) * dtype.itemsize
    if size > member.file_size:
        raise ClimbEdgeError(
            f"{path}: array {name} claims shape {shape} = {size / 1e9:.3g} GB, but only"
            f" {member.file_size} bytes are there; make the file again"
        )


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    with open_member(archive, member, member.file_size) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


def expect_shape(
    path: str | Path, name: str, array: np.ndarray, shape: tuple[int | str, ...]
) -> None:
    """Raise ClimbEdgeError unless `array` has `shape`; a letter in `shape` stands for any
    length.
    """
    fits = array.ndim == len(shape) and all(
        isinstance(s, str) or s == n for s, n in zip(shape, array.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join(map(str, shape))
        raise ClimbEdgeError(
            f"{path}: array {name} expected shape ({wanted}), found {array.shape}; rearrange it"
        )
