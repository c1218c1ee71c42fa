"""Presets and studies that come with the package, a TOML file each, and how one is read."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path

from climb_edge.errors import DAMAGED, ClimbEdgeError, did_you_mean
from climb_edge.files.atomic import existing_file

MAX_BYTES = 1 << 20  # of a config


def load_config(name: str) -> dict:
    """A TOML file, or one of the package's by its name. Raises ClimbEdgeError naming it and the
    built-in ones.
    """
    folder = files("train.configs")
    built_in = sorted(
        p.name.removesuffix(".toml") for p in folder.iterdir() if p.name.endswith(".toml")
    )
    what = f"a config (one of {', '.join(built_in)}, or a .toml)"
    if name in built_in:
        path = folder / f"{name}.toml"
    elif (near := did_you_mean(name, built_in)) and not Path(name).exists():
        raise ClimbEdgeError(f"{name}: expected {what}, found neither{near}")
    else:
        path = existing_file(name, what)
    try:
        with open(str(path), "rb") as stream:
            content = stream.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ValueError(f"a file of more than {MAX_BYTES} bytes")
        return tomllib.loads(content.decode("utf-8"))
    except DAMAGED as error:
        raise ClimbEdgeError(
            f"{path}: expected TOML, found something else ({error}); correct it"
        ) from error
