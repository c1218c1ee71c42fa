"""Arrays for a reader without NumPy: every array as little-endian float32 or bytes in one file, and
an index in JSON.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np


class Vectors:
    """Collects arrays by name; `close` writes OUT/NAME.bin and OUT/NAME.json."""

    def __init__(self, out: Path, name: str):
        self._path, self._index, self._at = out / f"{name}.bin", {}, 0
        self._stream = open(self._path, "wb")  # noqa: SIM115

    def add(self, name: str, array: np.ndarray) -> None:
        """An array of uint8 stays one; everything else becomes float32."""
        array = np.ascontiguousarray(array, None if array.dtype == np.uint8 else "<f4")
        self._index[name] = {
            "at": self._at,
            "shape": list(array.shape),
            "bytes": array.dtype == np.uint8,
        }
        self._at += self._stream.write(array.tobytes())

    def close(self, **also) -> None:
        """`also`: plain data that goes into the index beside the arrays."""
        self._stream.close()
        text = json.dumps({"arrays": self._index, **also}, separators=(",", ":"), allow_nan=False)
        self._path.with_suffix(".json").write_text(text, encoding="utf-8")
