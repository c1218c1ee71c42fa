"""An Android x86_64 library rewritten so that glibc's loader takes it.

Only entries of the dynamic section and names of imported symbols change; code and data stay byte
for byte what the APK ships. Version tables go (they name Android's libc), so do the needed
libraries that glibc or the stand-in (bionic.c) replaces, and an import whose meaning differs gets
an X as its first letter, under which the stand-in offers it. A search path of $ORIGIN is written
over the name of a dropped library, so that no environment variable is needed.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

REPLACED = (
    "fflush",
    "fwrite",
    "fputs",
    "fputc",
    "fprintf",
    "vfprintf",
    "fileno",
    "getc",
    "putc",
    "ungetc",
    "sysconf",
    "strerror_r",
    "dlsym",
    "dlerror",
    "strstr",
    "eglQueryString",
    "memalign",
    "posix_memalign",
)
DROPPED = ("libc.so", "libm.so", "libdl.so", "libandroid.so")
ORIGIN = b"$ORIGIN"  # as long as "libc.so"

X86_64 = 62
PT_LOAD, PT_DYNAMIC = 1, 2
DT_NEEDED, DT_HASH, DT_STRTAB, DT_SYMTAB, DT_RUNPATH = 1, 4, 5, 6, 29
VERSION_TAGS = (0x6FFFFFF0, 0x6FFFFFFC, 0x6FFFFFFD, 0x6FFFFFFE, 0x6FFFFFFF)
PACKED_TAGS = (0x6000000F, 0x60000011, 0x6FFFE000)  # relocations in a form that glibc cannot apply
IGNORED = 0x6FFFFD00  # a tag that no loader looks at
WEAK = 2


@dataclass
class Rewritten:
    """The new bytes, and what they still ask of their surroundings."""

    content: bytearray
    needed: list[str] = field(default_factory=list)
    strong: list[str] = field(default_factory=list)


def rewrite(content: bytes) -> Rewritten:
    """Raises ValueError for what is no x86_64 library, or one that cannot be rewritten this way."""
    data = bytearray(content)
    if data[:5] != b"\x7fELF\x02" or struct.unpack_from("<H", data, 18)[0] != X86_64:
        raise ValueError("expected an ELF library for x86_64")
    made = Rewritten(data)
    segments = _segments(data)

    def at(address: int) -> int:
        return next(
            address - s[3] + s[2]
            for s in segments
            if s[0] == PT_LOAD and s[3] <= address < s[3] + s[5]
        )

    entries = _dynamic(data, segments)
    tags = {tag: value for _, tag, value in entries}
    if packed := [hex(tag) for tag in PACKED_TAGS if tag in tags]:
        raise ValueError(f"its relocations are packed ({', '.join(packed)})")
    strings = at(tags[DT_STRTAB])
    freed, room = [], None
    for place, tag, value in entries:
        name = _text(data, strings + value) if tag == DT_NEEDED else ""
        if tag in VERSION_TAGS or name in DROPPED:
            struct.pack_into("<QQ", data, place, IGNORED, 0)
            freed.append(place)
            room = value if len(name) == len(ORIGIN) else room
        elif name:
            made.needed.append(name)
    _rename(data, at(tags[DT_SYMTAB]), strings, _symbols(data, tags, at, strings), made)
    if room is not None:
        data[strings + room : strings + room + len(ORIGIN)] = ORIGIN
        struct.pack_into("<QQ", data, freed[0], DT_RUNPATH, room)
    return made


def _segments(data: bytearray) -> list[tuple]:
    start = struct.unpack_from("<Q", data, 32)[0]
    size, count = struct.unpack_from("<HH", data, 54)
    return [struct.unpack_from("<IIQQQQQQ", data, start + i * size) for i in range(count)]


def _dynamic(data: bytearray, segments: list[tuple]) -> list[tuple[int, int, int]]:
    """(place, tag, value) of every entry."""
    segment = next(s for s in segments if s[0] == PT_DYNAMIC)
    places = range(segment[2], segment[2] + segment[5], 16)
    return [(place, *struct.unpack_from("<QQ", data, place)) for place in places]


def _symbols(data: bytearray, tags: dict[int, int], at, strings: int) -> int:
    """How many symbols there are: the hash table says, or else the strings begin where they end."""
    if DT_HASH in tags:
        return struct.unpack_from("<II", data, at(tags[DT_HASH]))[1]
    return (strings - at(tags[DT_SYMTAB])) // 24


def _rename(data: bytearray, table: int, strings: int, count: int, made: Rewritten) -> None:
    for i in range(1, count):
        offset, info, _, section = struct.unpack_from("<IBBH", data, table + 24 * i)
        if section:
            continue  # its own, not an import
        place = strings + offset
        name = _text(data, place)
        if name in REPLACED:
            if data[place - 1]:
                raise ValueError(f"the name {name} is the end of another symbol's name")
            data[place] = ord("X")
            name = "X" + name[1:]
        if info >> 4 != WEAK:
            made.strong.append(name)


def _text(data: bytearray, place: int) -> str:
    return data[place : data.index(0, place)].decode()
