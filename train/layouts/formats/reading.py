"""Reading other people's files: found, opened and turned into numbers, or one clear error."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from climb_edge.errors import DAMAGED, ClimbEdgeError
from climb_edge.files.atomic import existing_file
from climb_edge.files.naming import nearest_path

MAX_TEXT = 1 << 30  # bytes of a JSON, CSV, ASF or AMC file
LARGEST = 1e9  # of any number in a file of labels: no pixel, visibility or frame count comes near

# Beside DAMAGED, what the parsers of foreign files raise on content of another form.
_MALFORMED = (*DAMAGED, IndexError, ArithmeticError, AttributeError, csv.Error)


@contextmanager
def reading(path: Path, what: str, *more: type[Exception]) -> Iterator[None]:
    """Whatever a parser raises on damaged, hostile or foreign content becomes a ClimbEdgeError
    naming the file.
    """
    try:
        yield
    except (*_MALFORMED, *more) as error:
        reason = f"{type(error).__name__}: {error}"[:200]
        raise ClimbEdgeError(
            f"{path}: expected {what}, found a file that is damaged or of another form ({reason});"
            " copy or export it again"
        ) from error


def find(folder: str | Path, pattern: str, what: str) -> list[Path]:
    """Files below `folder` that match `pattern`, in order. Raises ClimbEdgeError when there is no
    folder or no file.
    """
    folder = existing_folder(folder, what)
    found = sorted(p for p in folder.glob(pattern) if p.is_file())
    if not found:
        raise ClimbEdgeError(
            f"{folder}: expected {what} ({pattern}), found none; name the data set's top folder"
        )
    return found


def is_file(path: str | Path) -> bool:
    """Whether `path` is a file; a name that no file system takes is none."""
    try:
        return Path(path).is_file()
    except OSError:
        return False


def existing_folder(folder: str | Path, what: str) -> Path:
    """Return `folder` as a Path when it is one; raise ClimbEdgeError otherwise."""
    folder = Path(folder)
    try:
        found = "a folder" if folder.is_dir() else "a file" if folder.exists() else "nothing there"
    except OSError as error:
        found = error.strerror
    if found != "a folder":
        raise ClimbEdgeError(
            f"{folder}: expected a folder with {what}, found"
            f" {found}{nearest_path(folder) or '; check the path'}"
        )
    return folder


def read_text(path: Path, what: str) -> str:
    """A text file of bounded size. Bytes that are no UTF-8 are replaced: they occur in comments and
    names only.
    """
    path = existing_file(path, what)
    with reading(path, what):
        if path.stat().st_size > MAX_TEXT:
            raise ClimbEdgeError(
                f"{path}: larger than {MAX_TEXT >> 20} MiB; split it into several files"
            )
        return path.read_bytes().decode("utf-8-sig", errors="replace")


def read_json(path: Path, what: str) -> dict:
    """A JSON object. Raises ClimbEdgeError for another kind of file, deep nesting or numbers
    without end.
    """
    text = read_text(path, what)
    with reading(path, what):
        content = json.loads(text)
    if not isinstance(content, dict):
        raise ClimbEdgeError(
            f"{path}: expected {what}, found a JSON {type(content).__name__}; export it again"
        )
    return content


def read_csv(path: Path, columns: Sequence[str], what: str) -> list[dict[str, str]]:
    """Rows of a CSV file with a header that names at least `columns`; every row has a value for
    each of them.
    """
    text = read_text(path, what)
    with reading(path, what):
        rows = list(csv.DictReader(text.splitlines()))
    if not rows or any(row.get(c) is None for row in rows for c in columns):
        raise ClimbEdgeError(
            f"{path}: expected {what} with columns {', '.join(columns)} filled in every row; copy"
            " it again"
        )
    return rows


def as_numbers(path: Path, name: str, value: object, shape: tuple[int | str, ...]) -> np.ndarray:
    """`value` (nested lists, from JSON) as float64 of `shape`, a letter standing for any length.

    Raises ClimbEdgeError for text, ragged rows, numbers too large for a float and any other shape.
    """
    with reading(path, f"numbers in {name}"):
        array = np.array(value)
        if array.dtype.kind in "iuf":
            array = array.astype(np.float64)
        elif array.dtype.kind == "O":  # integers beyond 64 bits, among others
            array = np.array(value, np.float64)
        else:
            raise ValueError(f"{array.dtype}")
    fits = len(shape) == array.ndim and all(
        isinstance(s, str) or s == n for s, n in zip(shape, array.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join(map(str, shape))
        raise ClimbEdgeError(
            f"{path}: {name} expected of shape ({wanted}), found {array.shape}; export it again"
        )
    return sane(path, name, array)


def sane(path: Path, name: str, array: np.ndarray) -> np.ndarray:
    """Return `array`; raise ClimbEdgeError where a finite number in it is beyond all measure."""
    if (
        largest := np.abs(array, where=np.isfinite(array), out=np.zeros(array.shape)).max(initial=0)
    ) > LARGEST:
        raise ClimbEdgeError(
            f"{path}: {name} holds {largest:.3g}, expected pixels and counts; correct it"
        )
    return array


def inside(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Whether points (..., 2) lie in a frame of `size` (width, height); a missing point
    does not.
    """
    with np.errstate(invalid="ignore"):
        return ((points >= 0) & (points < np.array(size))).all(-1)
