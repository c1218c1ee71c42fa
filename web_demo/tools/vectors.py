"""Golden vectors: what Python computes, for the JavaScript tests to repeat. `python
web_demo/tools/vectors.py OUT`

OUT/vectors.json names arrays by offset and shape in OUT/vectors.f64, and holds what is small as it
is.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from climb_edge.estimators import detector, landmarks, region
from climb_edge.estimators.base import Observation
from climb_edge.estimators.people import People
from climb_edge.media.frame import Frame
from climb_edge.pose.boxes import STICKY, box_affine
from climb_edge.pose.decode import decode
from climb_edge.pose.render import normalise, warp
from climb_edge.pose.skeleton import BONES, FROM_BLAZEPOSE33, KEYPOINTS, K
from climb_edge.refiners import filters
from climb_edge.refiners.load import load_refiner
from climb_edge.runtime.golden import golden_frames, golden_peaks
from climb_edge.streaming.stream import Stream
from climb_edge.tracking.track_file import line

GRID = 64
WINDOWED = (
    "mean",
    "median",
    "median:reach=3",
    "gaussian:sigma=2",
    "savitzky_golay",
    "savitzky_golay:reach=3,order=3",
)
STREAMED = ("identity", "one_euro", "gaussian", "savitzky_golay:emits=newest", "median")


class Vectors:
    """Arrays on their way into one file of doubles."""

    def __init__(self):
        self.entries, self._parts, self._offset = {}, [], 0

    def add(self, name: str, array) -> None:
        array = np.ascontiguousarray(array, np.float64)
        self.entries[name] = {"offset": self._offset, "shape": list(array.shape)}
        self._parts.append(array.ravel())
        self._offset += array.size

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        np.concatenate(self._parts).tofile(folder / "vectors.f64")
        (folder / "vectors.json").write_text(json.dumps(self.entries))


def pyramids(places: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """(64, 64, 25) native maps: a pyramid four cells wide at each whole place (25, 2)."""
    grid = np.arange(GRID)[:, None]
    rows, columns = (np.maximum(4 - np.abs(grid - places[:, axis]), 0) / 4 for axis in (1, 0))
    return (rows[:, None] * columns[None] * heights).astype(np.float32)


class Scripted:
    """An estimator that says what it was told."""

    name = "scripted"

    def __init__(self, script: list[list[dict]]):
        self._script = script

    def reset(self) -> None:
        pass

    def __call__(self, frame: Frame) -> list[Observation]:
        return [
            replace(
                Observation.of(
                    pyramids(np.array(o["places"]), np.array(o["heights"])),
                    np.reshape(o["affine"], (2, 3)),
                ),
                person=o["person"],
            )
            for o in self._script[frame.index]
        ]


def script(random: np.random.Generator) -> tuple[list[float], list[list[dict]]]:
    """Times and observations of 60 frames: a gap, a lost person, a second one, a camera that turns
    twice as fast.
    """
    walk = random.integers(20, 44, (2, K, 2)).astype(float)
    times, frames, now = [], [], 0.0
    for index in range(60):
        now += 0.4 if index == 14 else 1 / 60 if index >= 38 else 1 / 30
        walk = np.clip(walk + random.normal(0, 0.8, walk.shape), 4, 59)
        here = [] if 20 <= index < 22 else [0, 1] if 26 <= index < 33 else [0]
        heights = np.where(random.random((2, K)) < 0.05, 0, 0.2 + 0.8 * random.random((2, K)))
        frames.append(
            [
                {
                    "person": p,
                    "places": np.rint(walk[p]).astype(int).tolist(),
                    "heights": heights[p].tolist(),
                    "affine": [
                        4,
                        0.3,
                        40 + 60 * p + 2 * index,
                        -0.3,
                        4,
                        30 + (80 if index >= 10 else 0),
                    ],
                }
                for p in here
            ]
        )
        times.append(now)
    return times, frames


def write(folder: Path) -> None:
    random, v = np.random.default_rng(5), Vectors()
    v.entries["skeleton"] = {
        "keypoints": list(KEYPOINTS),
        "bones": [list(b) for b in BONES],
        "blazepose": FROM_BLAZEPOSE33.tolist(),
    }
    v.add("golden frames", golden_frames(3))
    v.add("golden peaks", golden_peaks(3))

    native = cv2.GaussianBlur(random.random((GRID, GRID, K)).astype(np.float32) ** 8, (0, 0), 2)
    affine, box = np.array([[4.1, -1.2, 60], [1.2, 4.1, -40.0]]), np.array([10.5, 20.25, 250, 260])
    maps = normalise(warp(native, affine, box_affine(box)))
    (
        v.add("warp native", native),
        v.add("warp affine", affine),
        v.add("warp box", box),
        v.add("warp maps", maps),
    )
    maps[:, :, 3] = 0
    maps[:, :, 4:6] = 0
    maps[[10, 30], [20, 50], 4] = 1
    maps[0, 7, 5] = 2
    v.add("decode maps", maps)
    v.add("decode found", np.concatenate([(d := decode(maps))[0], d[1][:, None]], 1))

    points, box, boxes = random.random((40, K, 2)) * 20 + 100, None, []
    points = (points + np.cumsum(random.normal(0, 9, (40, 1, 2)), 0)) * np.linspace(1, 0.3, 40)[
        :, None, None
    ]
    for pose in points:
        box = STICKY.update(box, pose)
        boxes.append(box)
    v.add("box points", points), v.add("box boxes", boxes)

    series = np.cumsum(random.normal(0, 1, (12, K, 2)), 0)
    series[random.random((12, K)) < 0.15] = np.nan
    v.add("filter points", series)
    for spec in WINDOWED:
        v.add(f"filter {spec}", filters.get(spec)(series[:5]))
    v.add("filter one_euro", filters.get("one_euro")(series))

    picture = random.integers(0, 256, (90, 160, 3)).astype(np.uint8)
    centre, rim = np.array([70.0, 40]), np.array([88.0, 31])
    area = region.Region.around(centre, rim)
    v.add("region", [area.x, area.y, area.side, area.angle])
    v.add("region picture", picture)
    v.add("region replicated", area.crop(picture, 64, cv2.BORDER_REPLICATE))
    v.add("region black", area.crop(picture, 64, cv2.BORDER_CONSTANT))
    v.add("anchors", detector.anchors())
    bodies, scores = random.random((30, 6, 2)) * 0.6 + 0.1, np.sort(random.random(30))[::-1]
    v.add("bodies", bodies), v.add("body scores", scores)
    v.add("bodies merged", detector._weighted_suppression(bodies, scores))
    seen = cv2.GaussianBlur(
        (random.random((GRID, GRID, 39)) > 0.99).astype(np.float32) * 30, (0, 0), 1.5
    ).clip(0, 1)
    places = random.random((39, 2)) * 280 - 12
    v.add("landmarks", places), v.add("landmark maps", seen)
    v.add("landmarks refined", landmarks.refine_landmarks(places, seen))
    steady, path = (
        region.Steady(),
        np.cumsum(random.normal(0, 3, (20, 2, 2)), 0) + [[100, 100], [140, 100]],
    )
    v.add("steady points", path)
    v.add("steady found", [steady(p, 1 + 0.04 * i) for i, p in enumerate(path)])

    who, said = People(), []
    for frame in range(40):
        poses = [
            (np.array([x, 50.0]) + 12 * random.random((K, 2)))
            for person, x in ((0, 20 + 3 * frame), (1, 140 - 3 * frame))
            if not (person and 18 <= frame < 24)
        ]
        held = [None if random.random() < 0.3 else int(random.integers(0, 2)) for _ in poses]
        held = held if len(set(held)) == len(held) else [None] * len(poses)
        said.append(
            {
                "poses": [p.ravel().tolist() for p in poses],
                "held": held,
                "numbers": who(poses, held),
            }
        )
    v.entries["people"] = said

    times, frames = script(random)
    v.entries["stream"] = {"times": times, "frames": frames, "results": {}}
    for spec in STREAMED:
        stream, results = Stream(Scripted(frames), load_refiner(spec)), []
        for index, time in enumerate(times):
            image = np.zeros((40, 40, 3) if index < 34 else (30, 40, 3), np.uint8)
            results.append([line(r) for r in stream.push(Frame(index, time, image))])
        results.append([line(r) for r in stream.flush()])
        v.entries["stream"]["results"][spec] = results
    v.write(folder)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
