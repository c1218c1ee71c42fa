"""An unsigned APK, aligned as it is written: fixed order and dates, so that equal inputs give equal
bytes.

What aapt2 wrote keeps its compression. Native libraries are stored at 16 KB, other stored entries
at 4 bytes.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

ABIS = ("arm64-v8a", "armeabi-v7a", "x86_64")
PAGE, WORD = 16384, 4
STORED, DEFLATED = 0, 8
DATE = 0x21  # 1 January 1980, in ZIP's own terms
ALIGNMENT = 0xD935  # Android's extra field that pads an entry


def pack(apk: Path, resources: Path, dex: list[Path], jni: Path) -> None:
    directory = []
    with open(apk, "wb") as out:
        for name, data, method in _entries(resources, dex, jni):
            body, encoded, at = data, name.encode(), out.tell()
            if method == DEFLATED:
                packer = zlib.compressobj(9, zlib.DEFLATED, -15)
                body = packer.compress(data) + packer.flush()
            extra = b"" if method else _padding(name, at + 30 + len(encoded))
            about = struct.pack(
                "<HHHHIIIH",
                0,
                method,
                0,
                DATE,
                zlib.crc32(data),
                len(body),
                len(data),
                len(encoded),
            )
            out.write(
                b"PK\3\4"
                + struct.pack("<H", 20)
                + about
                + struct.pack("<H", len(extra))
                + encoded
                + extra
                + body
            )
            directory.append(
                b"PK\1\2"
                + struct.pack("<HH", 20, 20)
                + about
                + struct.pack("<HHHHII", 0, 0, 0, 0, 0, at)
                + encoded
            )
        start, listed = out.tell(), b"".join(directory)
        out.write(
            listed
            + b"PK\5\6"
            + struct.pack("<HHHHIIH", 0, 0, len(directory), len(directory), len(listed), start, 0)
        )


def _entries(resources: Path, dex: list[Path], jni: Path) -> Iterator[tuple[str, bytes, int]]:
    """(name, content, method) of everything, in order."""
    with zipfile.ZipFile(resources) as archive:
        for entry in archive.infolist():
            yield entry.filename, archive.read(entry), entry.compress_type
    for path in dex:
        yield path.name, path.read_bytes(), DEFLATED
    for abi in ABIS:
        for path in sorted((jni / abi).glob("*.so")):
            yield f"lib/{abi}/{path.name}", path.read_bytes(), STORED


def _padding(name: str, data_at: int) -> bytes:
    """An extra field that moves the content behind it to where it must begin."""
    alignment = PAGE if name.endswith(".so") else WORD
    padding = -(data_at + 6) % alignment
    return struct.pack("<HHH", ALIGNMENT, 2 + padding, alignment) + bytes(padding)
