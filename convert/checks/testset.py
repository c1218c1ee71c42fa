"""Windows to compare every file on, with the Keras model's own results, computed once."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from climb_edge.evaluation.pck import Score
from climb_edge.files.truth import Truth
from climb_edge.pose.decode import both_decodes
from climb_edge.pose.layout import WINDOW
from train.data.rendered import RenderedWindows
from train.data.sources import Source
from train.data.windows import Frames
from train.fitting.loop import predict

FRAMES = {
    "all": slice(0, WINDOW),
    "newest": slice(WINDOW - 1, WINDOW),
    "centre": slice(WINDOW // 2, WINDOW // 2 + 1),
}
# under this an interval is drawn over stretches of windows that share frames instead
FEW_CLIPS = 10
NUMBERS_ON = 40  # windows on which outputs are compared number by number


@dataclass
class TestSet:
    """Windows and what the Keras model makes of them."""

    __test__ = False  # no test case of pytest's

    name: str  # test or generated
    source: Source
    indices: np.ndarray
    truth: Truth
    # per window (2, 5, 25, 2): DARK and argmax cells
    reference: list[np.ndarray] = field(default_factory=list)
    # the first NUMBERS_ON windows' heatmaps or keypoints
    outputs: list[np.ndarray] = field(default_factory=list)
    # truth per window (5, 25, 2), NaN where weight is 0
    cells: list[np.ndarray] = field(default_factory=list)
    inputs: list[Frames] = field(default_factory=list)  # per window: 1.6 MB each

    def run_reference(self, model) -> None:
        """Run the Keras training form over all windows."""
        for found, outputs in predict(model, self.source, self.indices):
            windows = map(Frames, found.frames.maps, found.frames.peaks)
            for window, output, cells, weight in zip(
                windows, outputs, found.cells, found.weight, strict=True
            ):
                self.reference.append(both_decodes(output))
                self.cells.append(np.where(weight[..., None] > 0, cells, np.nan))
                self.inputs.append(window)
                if len(self.outputs) < NUMBERS_ON:
                    self.outputs.append(output)

    @property
    def clips(self) -> int:
        return len(np.unique(self.source.clip[self.indices]))

    @property
    def unit(self) -> str:
        """Over what intervals are drawn."""
        return "clips" if self.clips >= FEW_CLIPS else "stretches"

    @property
    def groups(self) -> list[list[int]]:
        """Numbers of each clip's windows, or of each stretch of 5 frames where clips are few."""
        stretch = self.source.position[self.indices] // WINDOW * (self.unit == "stretches")
        keys = np.stack([self.source.clip[self.indices], stretch], axis=1)
        found: dict[tuple[int, int], list[int]] = {}
        for number, key in enumerate(map(tuple, keys.tolist())):
            found.setdefault(key, []).append(number)
        return list(found.values())

    def score(self, points: list[np.ndarray], frames: slice) -> Score:
        """Score of each window's (T, 25, 2) points against the truth of `frames`, by group."""
        groups = self.groups
        return Score.of(
            [np.concatenate([points[i] for i in g]) for g in groups],
            [np.concatenate([self.cells[i][frames] for i in g]) for g in groups],
        )


def of_part(source: Source, chosen: np.ndarray, most: int) -> np.ndarray:
    """The windows of a part of a split to compare files on: those `chosen`, thinned to `most`.

    Where they lie in few clips, every window whose frames are all frames of `chosen`: what is
    compared is a file with its model, and windows that share frames do no harm there.
    """
    clips = np.unique(source.clip[chosen])
    if len(clips) < FEW_CLIPS:
        begun = zip(source.clip[chosen].tolist(), source.position[chosen].tolist(), strict=True)
        frames = {(c, p + t) for c, p in begun for t in range(WINDOW)}
        near = np.flatnonzero(np.isin(source.clip, clips))
        first = zip(source.clip[near].tolist(), source.position[near].tolist(), strict=True)
        chosen = near[[all((c, p + t) in frames for t in range(WINDOW)) for c, p in first]]
    return chosen[:: -(-len(chosen) // most)] if len(chosen) else chosen


def clip_to_stream(tests: TestSet, frames: int = 100, most: int = 25) -> tuple[str, list[Frames]]:
    """(name of the clip, stretches of it): consecutive frames of the set's longest clip.

    A new stretch begins where the box moves, where a frame is missing, and after `most` frames. The
    windows of simulated data are drawn each for itself: their first frames make the clip.
    """
    source, clip = tests.source, np.bincount(tests.source.clip[tests.indices]).argmax()
    near = np.flatnonzero(source.clip == clip)[: frames - WINDOW + 1]
    name = str(source.clips.clip[clip])
    if isinstance(source, RenderedWindows):
        drawn = Frames.joined([source.window(int(i)).frames[:1] for i in near])
        return name, [drawn[i : i + most] for i in range(0, len(drawn), most)]
    stretches, last = [], None
    for i in near:
        window = source.window(int(i)).frames
        follows = (
            last is not None
            and source.position[i] == source.position[last] + 1
            and len(stretches[-1]) < most
        )
        if follows and np.array_equal(window.maps[:-1], stretches[-1].maps[-WINDOW + 1 :]):
            stretches[-1] = Frames.joined([stretches[-1], window[-1:]])
        else:
            stretches.append(window)
        last = i
    return name, stretches
