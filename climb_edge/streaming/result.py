"""What a stream says of one person in one frame."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Result:
    """What is known of one person in one frame. `person` is None (and all else empty) where nobody
    was seen.
    """

    frame: int
    time: float  # seconds, the frame's own
    person: int | None = None
    state: str = "lost"  # warming up, tracking, re-anchored, lost
    delay: int = 0  # frames that had to pass before this result could be given
    bbox: np.ndarray | None = None  # (4,) the box of the window, image pixels
    raw: np.ndarray | None = None  # (25, 3) x, y in image pixels, peak height
    # (25, 3) x, y in image pixels, score; equal to raw while warming up
    refined: np.ndarray | None = None
    size: tuple[int, int] | None = (
        None  # width and height of the frame; None of one without picture
    )


def warming_up(result: Result) -> Result:
    return replace(result, state="warming up")
