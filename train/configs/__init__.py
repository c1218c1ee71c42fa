"""Presets and studies that come with the package, a TOML file each, and how one is read."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path

from climb_edge.errors import ClimbEdgeError, did_you_mean
from climb_edge.files.atomic import existing_file


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
        return tomllib.loads(Path(str(path)).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ClimbEdgeError(
            f"{path}: expected TOML, found something else ({error}); correct it"
        ) from error
