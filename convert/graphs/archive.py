"""The models in a file: a .tflite is one, a ZIP of several (MediaPipe's .task) holds some."""

from __future__ import annotations

import zipfile
from pathlib import Path

from climb_edge.errors import DAMAGED, ClimbEdgeError
from climb_edge.files.archive import read_member
from climb_edge.files.atomic import existing_file
from convert.graphs.flatbuffer import label

MAX_FILE = 512 << 20  # bytes, of a file and of all in an archive
MAX_MODELS = 16  # of an archive


def read_models(path: str | Path) -> list[tuple[str, bytes]]:
    """(name, content) of the file, or of every .tflite file in it where it is an archive. Raises
    ClimbEdgeError for a file that is neither, and for one that is too large.
    """
    path = existing_file(path, "a .tflite file")
    if path.stat().st_size > MAX_FILE:
        raise ClimbEdgeError(
            f"{path}: {path.stat().st_size} bytes, at most {MAX_FILE} are looked at; pass a refiner"
        )
    content = path.read_bytes()
    if content[4:8] == b"TFL3":
        return [(path.name, content)]
    found = []
    try:
        with zipfile.ZipFile(path) as archive:
            members = [i for i in archive.infolist() if i.filename.endswith(".tflite")]
            left = MAX_FILE
            for member in members[:MAX_MODELS]:
                model = read_member(archive, member, left)
                left -= len(model)
                if model[4:8] == b"TFL3":
                    found.append((f"{path.name}/{label(member.filename)}", model))
    except DAMAGED as error:
        raise ClimbEdgeError(
            f"{path}: expected a TFLite file, or an archive of some, found another kind of file"
            f" ({error}); pass a .tflite"
        ) from error
    if not found or len(members) > MAX_MODELS:
        raise ClimbEdgeError(
            f"{path}: expected an archive of 1 to {MAX_MODELS} .tflite files, found {len(members)};"
            " unpack it and pass one"
        )
    return found
