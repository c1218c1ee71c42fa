"""The whole chain on the demo clip: its frames as pixels, and what `climb_edge.tracking.track`, the
command's own code, makes of them.

The estimator is hypersensitive on this clip: a level more or less in a thousandth of the pixels
moves keypoints by up to hundreds of pixels, and what it tracks feeds back. So the region that
Python looks at next is written down for every frame: the Kotlin tests compare theirs with it, and
go on from Python's, so that rounding does not add up.
"""

from __future__ import annotations

import json
from itertools import takewhile
from pathlib import Path

import numpy as np

from climb_edge.estimators.blazepose import BlazePose
from climb_edge.files.assets import locate
from climb_edge.media.frame import Frame
from climb_edge.media.video import read_video
from climb_edge.refiners.load import load_refiner
from climb_edge.tracking.track import track

SECONDS = 1.3
REFINERS = ("default", "one_euro", "gaussian:sigma=1.5")


class Watched(BlazePose):
    """BlazePose that remembers the regions it goes on with."""

    def __call__(self, frame: Frame):
        seen = super().__call__(frame)
        self.regions = [
            *getattr(self, "regions", []),
            [[r.x, r.y, r.side, r.angle] for r in (t.region for t in self._tracks)],
        ]
        return seen


def write(out: Path) -> None:
    """OUT/chain/: frames.rgb, chain.json and NUMBER/track.jsonl for every refiner."""
    folder = out / "chain"
    folder.mkdir(parents=True, exist_ok=True)
    frames = list(takewhile(lambda frame: frame.time < SECONDS, read_video(locate("demo.mp4"))))
    with open(folder / "frames.rgb", "wb") as stream:
        for frame in frames:
            stream.write(np.ascontiguousarray(frame.image).tobytes())
    for number, refiner in enumerate(REFINERS):
        estimator = Watched("lite", threads=1)
        track(
            frames, estimator, [load_refiner(refiner, threads=1)], folder / str(number), "demo.mp4"
        )
    height, width = frames[0].image.shape[:2]
    about = {
        "times": [f.time for f in frames],
        "width": width,
        "height": height,
        "refiners": list(REFINERS),
        "regions": estimator.regions,
    }
    (folder / "chain.json").write_text(json.dumps(about), encoding="utf-8")
