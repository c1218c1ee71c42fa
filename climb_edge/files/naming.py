"""What files are called: the nearest name to a misspelt one, and names that tell files apart."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from climb_edge.errors import nearest


def nearest_path(path: str | Path) -> str:
    """The end of a message, "; did you mean PATH?", where the folder in which `path` goes wrong
    holds a name like it; else nothing.
    """
    path = missing = Path(path)
    while not os.path.isdir(missing.parent):
        missing = missing.parent
    try:
        near = nearest(missing.name, os.listdir(missing.parent))
    except OSError:  # a folder that may be entered and not listed
        return ""
    if near is None:
        return ""
    whole = missing.parent / near / path.relative_to(missing)
    return f"; did you mean {whole if os.path.exists(whole) else missing.parent / near}?"


def told_apart(names: Sequence[str], paths: Sequence[str | Path]) -> list[str]:
    """Names that all differ, of things that were named by `paths`: those that are the same get the
    nearest folder before them in which their paths differ, or else the path, or a number.
    """
    labels = list(names)
    for name in {n for n in names if names.count(n) > 1}:
        own = [i for i, n in enumerate(names) if n == name]
        folders = [Path(paths[i]).resolve().parts[-2::-1] for i in own]
        differing = (level for level in zip(*folders, strict=False) if len({*level}) == len(own))
        level = next(differing, None)
        for place, i in enumerate(own):
            labels[i] = f"{level[place]}/{name}" if level else str(paths[i])
    return [
        f"{label} ({labels[:i].count(label) + 1})" if label in labels[:i] else label
        for i, label in enumerate(labels)
    ]
