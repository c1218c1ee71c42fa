"""The golden test: input that any language can make from integers, and what a graph made of it.

A refiner repeats it when it loads a file: a runtime that computes something else is refused before
it is believed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.pose.layout import WINDOW, asks_for_peaks, to_inputs
from climb_edge.pose.render import MASS, SIZE
from climb_edge.pose.skeleton import K
from climb_edge.runtime.contract import Contract
from climb_edge.runtime.contract_sections import GOLDEN_STEPS, GoldenTest
from climb_edge.runtime.session import Session

GOLDEN_SAMPLES = 64


def hash32(index) -> np.ndarray:
    """A 32-bit mix of integers (Appleby's MurmurHash3 finaliser), so that any language can repeat
    the golden input.
    """
    # NumPy 1 makes floats of an unsigned number and a Python int
    low, half, part = np.uint64(0xFFFFFFFF), np.uint64(16), np.uint64(13)
    h = np.asarray(index, np.uint64) & low
    for shift, factor in ((half, np.uint64(0x85EBCA6B)), (part, np.uint64(0xC2B2AE35))):
        h = ((h ^ (h >> shift)) * factor) & low
    return (h ^ (h >> half)).astype(np.int64)


def golden_frames(count: int = GOLDEN_STEPS + WINDOW - 1) -> np.ndarray:
    """(count, 56, 56, 25) float32 frames of pyramids of mass 255, from integers alone.

    Keypoint k of frame f: n = 25 f + k; the pyramid max(0, 4 - |dx|) max(0, 4 - |dy|) 255 / 256
    around column 4 + hash32(2 n) % 48 and row 4 + hash32(2 n + 1) % 48.
    """
    n = np.arange(count * K).reshape(count, K)
    grid = np.arange(SIZE)[:, None]
    # (count, 56, K)
    columns = np.maximum(4 - np.abs(grid - (4 + hash32(2 * n) % 48)[:, None, :]), 0)
    rows = np.maximum(4 - np.abs(grid - (4 + hash32(2 * n + 1) % 48)[:, None, :]), 0)
    return (rows[:, :, None] * columns[:, None] * (MASS / 256)).astype(np.float32)


def golden_peaks(count: int = GOLDEN_STEPS + WINDOW - 1) -> np.ndarray:
    """(count, 25) float32 heights to the golden frames, for graphs that ask for them: (1 +
    hash32(n) % 255) / 256.
    """
    return ((1 + hash32(np.arange(count * K).reshape(count, K)) % 255) / 256).astype(np.float32)


def golden_runs(session: Session) -> tuple[list[list[np.ndarray]], bool]:
    """`golden_inputs` of a loaded graph."""
    return golden_inputs([d["shape"].tolist() for d in session.inputs])


def golden_inputs(shapes: list[list[int]]) -> tuple[list[list[np.ndarray]], bool]:
    """Inputs of the golden runs of a graph whose inputs have these shapes, and whether each later
    one is handed the state of the one before.

    A window graph sees frames s .. s + 4 at step s; a step graph sees frame s, and its state begins
    with zeros.
    """
    frames, peaks = golden_frames(), golden_peaks() if asks_for_peaks(shapes) else None
    stepping = shapes[0][-1] != WINDOW * K
    seen = [s if stepping else slice(s, s + WINDOW) for s in range(GOLDEN_STEPS)]
    first, *later = [
        to_inputs(frames[part], None if peaks is None else peaks[part]) for part in seen
    ]
    return [
        first + [np.zeros(shape, np.float32) for shape in shapes[len(first) :]],
        *later,
    ], stepping


def golden_outputs(session: Session) -> np.ndarray:
    """(8, output size) of a graph on the golden frames."""
    runs, chained = golden_runs(session)
    state: list[np.ndarray] = []
    outputs = []
    for inputs in runs:
        emitted, *state = session.run(*inputs, *(state if chained else []))
        outputs.append(emitted.ravel())
    return np.stack(outputs)


def golden_test(session: Session, tolerance: float) -> GoldenTest:
    """The golden test of a graph: 64 of its larger outputs by step and index, their values, sum and
    maximum of all.
    """
    outputs = golden_outputs(session)
    if not np.isfinite(outputs).all():
        raise ClimbEdgeError(
            "the graph's outputs are not finite on the golden input; its weights are broken"
        )
    scale = float(np.abs(outputs).max())
    large = np.flatnonzero(np.abs(outputs).ravel() >= 0.1 * scale)
    picked = large[hash32(np.arange(GOLDEN_SAMPLES)) % len(large)]
    steps, indices = np.divmod(picked, outputs.shape[1])
    return GoldenTest(
        tolerance=tolerance,
        scale=scale,
        samples=tuple(
            (int(s), int(i), float(outputs[s, i])) for s, i in zip(steps, indices, strict=True)
        ),
        sum=float(outputs.sum(dtype=np.float64)),
        max=float(outputs.max()),
    )


def golden_error(session: Session, golden: GoldenTest) -> float:
    """Largest difference of this runtime from the golden samples, as a share of their scale."""
    outputs = golden_outputs(session)
    apart = [abs(float(outputs[s, i]) - value) for s, i, value in golden.samples]
    # NaN where one is: Python's max would pass over it
    return float(np.max(apart)) / max(golden.scale, 1e-9)


def check_graph(path: str | Path, session: Session, contract: Contract) -> float:
    """Distance of this runtime from the golden test, as a share of its scale.

    Raises ClimbEdgeError when the graph has not the inputs and outputs that its contract promises.
    """
    for key, promised, details in (
        ("inputs", contract.inputs, session.inputs),
        ("outputs", contract.outputs, session.outputs),
    ):
        found = [d["shape"].tolist() for d in details]
        kinds = {np.dtype(d["dtype"]).name for d in details}
        if found != promised or kinds != {contract.io}:
            raise ClimbEdgeError(
                f"{path}: its contract promises {contract.io} {key} {promised}, its graph"
                f" has {', '.join(sorted(kinds))} {found}; convert the run again"
            )
    return golden_error(session, contract.golden)
