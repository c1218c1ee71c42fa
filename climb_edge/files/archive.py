"""Members of ZIP files that nobody has to trust: no more is unpacked than a caller allows."""

from __future__ import annotations

import zipfile
from typing import IO

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others may ask for gigabytes to begin with


def open_member(archive: zipfile.ZipFile, member: str | zipfile.ZipInfo, most: int) -> IO[bytes]:
    """A member as a stream that gives at most `most` bytes. Raises KeyError where there is none,
    ValueError where it claims more, or is compressed as no file of ours is.
    """
    info = archive.getinfo(member) if isinstance(member, str) else member
    if info.is_dir():
        raise ValueError(f"{info.filename} is a folder")
    if info.compress_type not in METHODS:
        raise ValueError(f"{info.filename} is compressed by method {info.compress_type}")
    if info.file_size > most:
        raise ValueError(
            f"{info.filename} claims {info.file_size} bytes, at most {most} are unpacked"
        )
    return archive.open(info)  # reads no more than the size that it claims


def read_member(archive: zipfile.ZipFile, member: str | zipfile.ZipInfo, most: int) -> bytes:
    """The bytes of a member. Raises as `open_member`, and where they are damaged."""
    with open_member(archive, member, most) as stream:
        return stream.read()
