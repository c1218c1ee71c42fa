"""A graph that nobody has run here yet is run in a child process first: what kills its process, or
takes all memory, takes nothing down.

What has passed is remembered by its hash, with the runtime that ran it: the child takes half a
second.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.assets import cache_folder
from climb_edge.files.atomic import write_text
from climb_edge.runtime.contract import Contract
from climb_edge.runtime.golden import golden_inputs
from climb_edge.runtime.isolated import run_on_cpu
from climb_edge.runtime.session import Session


def prove(path: str | Path, graph: bytes, contract: Contract) -> None:
    """Run the golden test's inputs through `graph`, of the file `path`, in a child process, unless
    that has been done.

    Raises ClimbEdgeError where the child dies or does not end. What a runtime refuses is left to
    the session that refuses it as well.
    """
    runtime = Session.version().replace(" ", "-")
    proved = cache_folder() / "proved" / f"{hashlib.sha256(graph).hexdigest()}.{runtime}"
    if proved.is_file():
        return
    found = run_on_cpu(graph, *golden_inputs(contract.inputs))
    if found.status in ("crashed", "timed out"):
        raise ClimbEdgeError(
            f"{path}: its graph does not run: in a process of its own the TFLite runtime"
            f" {found.status}: {found.reason}; the file is damaged, or made to do that: convert the"
            " run again, or copy the file again"
        )
    if found.status == "ran":
        try:
            write_text(proved, "")
        except ClimbEdgeError:
            return  # nothing is lost: the next start runs the child again
