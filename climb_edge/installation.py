"""Where this package came from, and the command that installs more of it."""

from __future__ import annotations

import importlib.util
import json
import shlex
import sys
from importlib import metadata
from pathlib import Path


def install_line(extra: str = "") -> str:
    """The command that installs this package again, with an extra, from where it came: the checkout
    that it runs in, the folder, file or repository it was installed from, or else the registry.
    """
    extras, root = f"[{extra}]" if extra else "", Path(__file__).parents[1]
    if (root / "pyproject.toml").is_file():
        what = f"--editable {shlex.quote(f'{root}{extras}')}"
    else:
        source = _source()
        what = shlex.quote(f"climb-edge{extras} @ {source}" if source else f"climb-edge{extras}")
    pip = f"{shlex.quote(sys.executable)} -m pip"
    if not importlib.util.find_spec("pip"):  # such as an environment that uv made
        return f"uv pip install --python {shlex.quote(sys.executable)} {what}"
    return f"{pip} install {what}"


def _source() -> str | None:
    """Where pip says that it installed this package from (PEP 610); None from a registry."""
    try:
        told = metadata.distribution("climb-edge").read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return None
    if not told:
        return None
    found = json.loads(told)
    version = found.get("vcs_info")
    return f"{version['vcs']}+{found['url']}@{version['commit_id']}" if version else found["url"]
