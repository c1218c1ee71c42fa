"""What tests of runtimes share: a step graph's outputs on golden frames, and how far two are apart."""

import numpy as np

from climb_edge.pose.layout import asks_for_peaks, to_inputs
from climb_edge.runtime.golden import golden_frames, golden_peaks
from climb_edge.runtime.session import Session

CPU = "cpu, XNNPACK, 1 thread"


def steps(session: Session, count: int = 20) -> list[list[np.ndarray]]:
    """Outputs of a step graph on golden frames, its state handed on from zeros."""
    peaks = (
        golden_peaks(count)
        if asks_for_peaks([d["shape"].tolist() for d in session.inputs])
        else [None] * count
    )
    state, outputs = None, []
    for frame, heights in zip(golden_frames(count), peaks, strict=True):
        entering = to_inputs(frame, heights)
        state = (
            [np.zeros(d["shape"], np.float32) for d in session.inputs[len(entering) :]]
            if state is None
            else state
        )
        outputs.append(session.run(*entering, *state))
        state = outputs[-1][1:]
    return outputs


def distance(found: list[np.ndarray], expected: list[np.ndarray]) -> float:
    """Largest error, as a part of the largest absolute value of the same expected output."""
    assert [(a.shape, a.dtype) for a in found] == [(a.shape, a.dtype) for a in expected]
    return max(
        float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(found, expected, strict=True)
    )
