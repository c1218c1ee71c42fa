"""A stream that breaks every rule once: jumps of the box, gaps, lost people, two people, faster
sources, another camera.

Its estimator is made up: what it sees of a frame is written down, so that Kotlin's stream sees the
same.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from climb_edge.estimators.base import Observation
from climb_edge.media.frame import Frame
from climb_edge.refiners.load import load_refiner
from climb_edge.streaming.stream import Stream
from climb_edge.tracking.track_file import as_results, line
from golden.vectors import Vectors

SPECS = (
    "identity",
    "default",
    "one_euro",
    "gaussian:sigma=2.0",
    "median:emits=newest",
    "savitzky_golay",
    "mean:reach=2",
)
GRID = 64


class Told:
    """An estimator that says what it was given."""

    name = "told"

    def __init__(self, told: list[list[Observation]]):
        self._told = told

    def __call__(self, frame: Frame) -> list[Observation]:
        return self._told[frame.index]

    def reset(self) -> None:
        pass


def write(out: Path, models: list[Path]) -> None:
    rng, vectors = np.random.default_rng(11), Vectors(out, "scenario")
    frames, told, rows = [], [], []
    bodies = {person: rng.uniform(-1, 1, (25, 2)) for person in range(3)}
    for index, (time, size, people) in enumerate(_script()):
        frames.append(Frame(index, time, np.zeros((size[1], size[0], 3), np.uint8)))
        seen = [
            _observe(rng, bodies, index, person, place, spread) for person, place, spread in people
        ]
        told.append(seen)
        for o in seen:
            vectors.add(f"native {index} {o.person}", o.native)
        rows.append(
            {
                "t": time,
                "size": size,
                "people": [{"person": o.person, "affine": o.affine.ravel().tolist()} for o in seen],
            }
        )
    expected = {}
    for spec in [*SPECS, *map(str, models)]:
        stream = Stream(Told(told), load_refiner(spec, threads=1))
        given, settled = [], []
        for frame in frames:
            results = stream.push(frame)
            given += [(frame.index, r) for r in results]
            settled.append(stream.settled)
        given += [(len(frames), r) for r in stream.flush()]
        expected[Path(spec).name] = {
            "rows": [line(r) for r in as_results([r for _, r in given])],
            "given": sorted([r.frame, -1 if r.person is None else r.person, at] for at, r in given),
            "settled": settled,
        }
    vectors.close(frames=rows, expected=expected)


def _script():
    """(time, (width, height), [(person, place, spread)]) of every frame."""
    time, wide = 0.0, (640, 480)
    for i in range(20):  # a climb: the box has to follow
        yield time, wide, [(0, (200 + 9 * i, 300 - 6 * i), 60)]
        time += 1 / 30
    time += 0.4  # a gap
    for i in range(8):
        # a second one, who comes nearer
        yield time, wide, [(0, (380, 180), 60), (1, (150, 200), 40 + 6 * i)]
        time += 1 / 30
    for i in range(3):
        yield time, wide, [(1, (150, 200), 82)] if i != 1 else []  # the first one lost, then both
        time += 1 / 30
    for i in range(30):  # 60 frames a second: two phases
        yield time, wide, [(1, (150 + 4 * i, 220), 80)]
        time += 1 / 60
    for i in range(26):  # 120, with a stutter
        yield time, wide, [(1, (270, 220 - 3 * i), 80)]
        time += 1 / 120 + (0.03 if i == 12 else 0)
    for i in range(14):  # another camera, and back to 25
        yield time, (480, 640), [(2, (200, 300 + 8 * i), 50 - 2 * i)]
        time += 1 / 25


def _observe(rng, bodies, index: int, person: int, place, spread: float) -> Observation:
    """Blobs of a body at a place, seen in a crop that is turned a little."""
    points = np.asarray(place) + spread * (bodies[person] + rng.normal(0, 0.03, (25, 2)))
    angle, side = rng.uniform(-0.4, 0.4), 3.2 * spread
    scale = side / GRID
    c, s = np.cos(angle) * scale, np.sin(angle) * scale
    corner = np.asarray(place) - np.array([[c, -s], [s, c]]) @ [GRID / 2, GRID / 2]
    affine = np.array([[c, -s, corner[0]], [s, c, corner[1]]])
    cells = (points - affine[:, 2]) @ np.linalg.inv(affine[:, :2]).T
    grid = np.arange(GRID)
    native = np.exp(
        -0.5
        * (
            ((grid[None, :, None] - cells[:, 0]) / 2.0) ** 2
            + ((grid[:, None, None] - cells[:, 1]) / 1.7) ** 2
        )
    )
    native = (native * rng.uniform(0.3, 1.0, 25)).astype(np.float32)
    native[..., index % 25] *= 0 if index % 7 == 3 else 1  # now and then a map is empty
    return Observation.of(cv2.GaussianBlur(native, (3, 3), 0), affine, person=person)
