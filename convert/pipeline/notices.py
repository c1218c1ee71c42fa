"""The licences of what a bundle carries."""

from __future__ import annotations

from importlib.metadata import distribution, distributions
from pathlib import Path

from climb_edge.errors import ClimbEdgeError

NOTICES = ("LICENSE", "THIRD_PARTY_NOTICES.md")


def notices() -> list[Path]:
    """LICENSE and THIRD_PARTY_NOTICES.md of this project: the checkout's, else those that were
    installed with it.

    Raises ClimbEdgeError where neither is there: nobody may pass the bundle on without them.
    """
    checkout = Path(__file__).resolve().parents[2]
    # without it this is site-packages, where a LICENSE may be somebody else's
    project = checkout / "pyproject.toml"
    if project.is_file() and 'name = "climb-edge"' in project.read_text(encoding="utf-8"):
        held = {name: checkout / name for name in NOTICES}
    else:
        # All of them: a build leaves an egg-info without licences in its folder, which hides what
        # is installed.
        installed = [f for found in distributions(name="climb-edge") for f in found.files or []]
        held = {f.name: Path(f.locate()) for f in installed if ".dist-info" in f.parts[0]}
    for name in NOTICES:
        if name not in held or not held[name].is_file():
            raise ClimbEdgeError(
                f"{name}: expected beside the installed climb-edge, found none, and a bundle must"
                " carry it; install the package again with pip, or run from a whole checkout"
            )
    return [held[name] for name in NOTICES]


def apache_licence() -> Path:
    """The text of the Apache License 2.0, as the runtime's own package carries it."""
    for file in distribution("ai-edge-litert").files or []:
        path = Path(file.locate())
        if (
            file.name == "LICENSE"
            and path.is_file()
            and "Apache License" in path.read_text(encoding="utf-8")[:200]
        ):
            return path
    raise ClimbEdgeError(
        "APACHE-2.0.txt: expected in the installed ai-edge-litert, found none, and a bundle must"
        " carry it; install ai-edge-litert again with pip"
    )
