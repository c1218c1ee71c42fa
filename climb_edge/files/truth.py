"""What keypoints are worth as truth: one of four values, weakest first, and the words for each."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any

from climb_edge.errors import ClimbEdgeError


class Truth(StrEnum):
    """Where the keypoints of a clip set come from, weakest first."""

    GENERATED = "generated"  # moving bodies, made up or captured, through virtual cameras
    RENDERED = "rendered"  # exact keypoints of pictures that were rendered
    PSEUDO = "pseudo"  # what an estimator said
    HUMAN = "human"  # labelled by people


# as every printed figure names it
WORDS = {
    Truth.GENERATED: "generated truth",
    Truth.RENDERED: "rendered truth",
    Truth.PSEUDO: "pseudo ground truth",
    Truth.HUMAN: "human truth",
}
# in the description of every exported COCO file, so that who reads one back takes it for no label
TRACKED = "keypoints tracked by Climb Edge, not labelled by a human"


def as_truth(value: Any, where: str | Path) -> Truth:
    """The member of this value. Raises ClimbEdgeError naming `where` it stands and the four."""
    try:
        return Truth(value)
    except ValueError as error:
        raise ClimbEdgeError(
            f"{where}: truth expected one of {', '.join(Truth)}, found {value!r:.80}; correct it"
        ) from error


def weakest(truths: Iterable[Truth]) -> Truth:
    """What several sets together are worth: at least one of them."""
    return min(truths, key=list(Truth).index)
