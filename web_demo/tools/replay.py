"""Track again, in Python, the frames that the page took, and tell how far apart both are: JSON on
standard output.

    python web_demo/tools/replay.py TRACK.jsonl --pictures FOLDER [--estimator lite] [--refiner
    PATH]

FOLDER holds 000012.png, one for each frame of the track: the pixels that the browser saw, since two
decoders' colours differ by a level or two; and regions.json: [time, x, y, side, angle] of every
region that its landmark model looked at. Each region is compared with Python's own and then taken
over. Without that, nothing could be compared: following a person is a feedback, and five pixels of
a picture that are one level brighter move the keypoints of later frames by whole pixels in Python
alone (`--nudge` shows it).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from climb_edge.errors import run_command
from climb_edge.estimators.blazepose import BlazePose
from climb_edge.estimators.region import Region
from climb_edge.media.frame import Frame
from climb_edge.refiners.load import load_refiner
from climb_edge.streaming.stream import Stream
from climb_edge.tracking.track_file import as_results, read_lines


class Led(BlazePose):
    """BlazePose that looks where the browser looked; `strayed` says how far off its own regions
    were, in pixels.
    """

    def __init__(self, variant: str, regions: list[list[float]] | None):
        super().__init__(variant)
        self._regions = None if regions is None else deque(regions)
        self.strayed: list[float] = []

    def _observe(self, frame, track, seen) -> None:
        if self._regions is not None:
            _, *found = self._regions.popleft()
            there = Region(*found)
            corners = np.array([[0, 0, 1], [256, 0, 1], [0, 256, 1]]).T
            apart = np.linalg.norm(
                there.affine(256) @ corners - track.region.affine(256) @ corners, axis=0
            )
            self.strayed.append(float(apart.max()))
            track.region = there
        super()._observe(frame, track, seen)


def seen(folder: Path, frames: list[int], nudge: float) -> Iterator[tuple[int, np.ndarray]]:
    """(number, RGB) of each frame as the browser saw it; a share `nudge` of its values is one level
    brighter.
    """
    random = np.random.default_rng(0)
    for frame in frames:
        image = cv2.cvtColor(cv2.imread(str(folder / f"{frame:06d}.png")), cv2.COLOR_BGR2RGB)
        if nudge:
            image = np.where(
                random.random(image.shape) < nudge, np.minimum(image, 254) + 1, image
            ).astype(np.uint8)
        yield frame, image


def compare(found, wanted) -> dict:
    """Distances of two lists of results of the same frames, in pixels, and which differ in anything
    else.
    """
    pairs = list(zip(found, wanted, strict=True))
    other = [
        f"frame {a.frame}: {(a.person, a.state, a.delay)} in the browser,"
        f" {(b.person, b.state, b.delay)} in Python"
        for a, b in pairs
        if (a.frame, a.person, a.state, a.delay) != (b.frame, b.person, b.state, b.delay)
    ]
    told = {
        "results": len(pairs),
        "refined_results": sum(b.state in ("tracking", "re-anchored") for b in wanted),
        "other": other[:20],
    }
    for name in ("raw", "refined"):
        apart = [
            np.linalg.norm(getattr(a, name)[:, :2] - getattr(b, name)[:, :2], axis=1)
            for a, b in pairs
            if a.person is not None and b.person is not None
        ]
        apart = np.concatenate(apart) if apart else np.zeros(0)
        told[name] = {
            "points": len(apart),
            "over_half": int((apart > 0.5).sum()),
            **{
                k: round(float(np.quantile(apart, q)), 4) if len(apart) else None
                for k, q in (("median", 0.5), ("p99", 0.99), ("max", 1))
            },
        }
    return told


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("track", type=Path)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--estimator", default="lite")
    parser.add_argument("--refiner", default="default")
    parser.add_argument(
        "--nudge",
        type=float,
        help="instead: Python beside itself, this share of values a level brighter",
    )
    options = parser.parse_args()
    _, rows = read_lines(options.track)
    found = as_results(rows)
    times = {r.frame: r.time for r in found}

    def track(estimator, nudge: float = 0.0):
        stream, results = Stream(estimator, load_refiner(options.refiner)), []
        for frame, image in seen(options.pictures, list(times), nudge):
            results += stream.push(Frame(frame, times[frame], image))
        return as_results(results + stream.flush())[: len(found)]

    if options.nudge is not None:
        free = track(Led(options.estimator, None))
        print(
            json.dumps(compare(track(Led(options.estimator, None), options.nudge), free), indent=1)
        )
        return
    led = Led(options.estimator, json.loads((options.pictures / "regions.json").read_text()))
    told = compare(found, track(led))
    print(
        json.dumps(
            {**told, "regions": {"seen": len(led.strayed), "max": round(max(led.strayed), 4)}},
            indent=1,
        )
    )


if __name__ == "__main__":
    sys.exit(run_command(main))
