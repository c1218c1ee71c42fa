"""10,000 frames pushed one by one, with drops, gaps, moves of the box and a change of pace: what
whole windows give.
"""

import numpy as np
import pytest

from climb_edge.media.frame import Frame
from climb_edge.pose.boxes import STICKY
from climb_edge.pose.render import to_pixels
from climb_edge.refiners.base import WindowState, to_keypoints
from climb_edge.refiners.load import load_refiner
from climb_edge.streaming.phase import window_of
from climb_edge.streaming.stream import Stream
from support.scene import BLANK, Scripted, observe, standing, through


class Blend:
    """A refiner to which every frame of the window matters, each otherwise."""

    name, delay, rate, contract = "blend", 0, None, None
    runtime, backend, reason = "none", "cpu", "it is a test"

    def start(self) -> WindowState:
        return WindowState(self.refine)

    def refine(self, window: np.ndarray) -> np.ndarray:
        return to_keypoints(
            np.einsum("trck,t->rck", window, np.float32([0.1, 0.15, 0.2, 0.25, 0.3]))[None]
        )


def day(count: int) -> tuple[list[Frame], dict[int, dict]]:
    """Frames and, by number, who is in them: drops, gaps, a source twice as fast for a while,
    persons who leave, boxes that move.
    """
    rng, frames, script, number, time = np.random.default_rng(8), [], {}, -1, 0.0
    for i in range(count):
        dropped = int(rng.random() < 0.03)  # a number and its time that nobody gets
        number += 1 + dropped
        time += (1 / 60 if i % 1000 >= 800 else 1 / 30) * (1 + dropped) + (
            0.4 if i % 457 == 456 else 0
        )
        frames.append(Frame(number, time, BLANK))
        step = i % 400  # the same poses come back: what is seen of them is worked out once
        points = standing(200 + 2 * abs(step - 200), 180, height=160 + 40 * np.sin(step / 30))
        script[number] = {} if i % 300 in (77, 78, 79) else {0: points}
    return frames, script


def offline(frames: list[Frame], script: dict[int, dict], refiner, which: int = 1):
    """(frame, keypoints in cells, box) by whole windows: stretches first, then boxes, then windows
    of every nth frame.
    """
    observed, cut, phases, last, nobody = {}, [], 1, -np.inf, True
    intervals: list[float] = []
    for frame in frames:
        interval, last, held = frame.time - last, frame.time, phases
        if interval <= 0.25:
            intervals = [*intervals[-8:], interval]
            pace = 1 / 30 / np.median(intervals)
            phases = phases if abs(pace - phases) <= 0.6 else max(round(pace), 1)
        if interval > 0.25 or phases != held or nobody:
            cut.append(([], phases))
        nobody = not script[frame.index]
        if not nobody:
            cut[-1][0].append(frame.index)
    for stretch, n in cut:
        boxes, seen, box = [], [], None
        for index in stretch:
            points = script[index][0]
            key = points.tobytes()
            seen.append(observed.get(key) or observed.setdefault(key, observe(points)))
            box = STICKY.update(box, seen[-1].keypoints[:, :2])
            boxes.append(box)
        for i in range(4 * n, len(stretch)):
            if i % which == 0:
                five = seen[i - 4 * n : i + 1 : n]
                refined = through(refiner, window_of(five, boxes[i]), [o.keypoints for o in five])[
                    0
                ]
                yield stretch[i], refined, boxes[i]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("refiner", "count", "which"), [(Blend(), 3_000, 1), ("default", 1_000, 3)]
)
def test_thousands_of_frames_pushed_one_by_one_are_what_whole_windows_give(refiner, count, which):
    refiner = load_refiner(refiner) if isinstance(refiner, str) else refiner
    frames, script = day(count)
    cache: dict[bytes, object] = {}

    class Remembered(Scripted):
        def __call__(self, frame):
            return [
                cache.get(p.tobytes()) or cache.setdefault(p.tobytes(), observe(p))
                for p in script[frame.index].values()
            ]

    stream = Stream(Remembered(None), refiner)
    results = {r.frame: r for r in stream.over(frames)}
    times = {f.index: f.time for f in frames}
    assert sorted(results) == sorted(times) and len(times) == count < frames[-1].index
    assert all(r.time == times[r.frame] for r in results.values())
    compared, states = 0, {r.state for r in results.values()}
    for index, keypoints, box in offline(frames, script, refiner, which):
        found = results[index]
        assert found.state in ("tracking", "re-anchored")
        np.testing.assert_array_equal(found.bbox, box)
        error = np.abs(found.refined[:, :2] - to_pixels(keypoints[:, :2], box)).max()
        assert error <= 1e-5 * (box[2] - box[0]), index
        compared += 1
    assert states == {"warming up", "tracking", "re-anchored", "lost"}
    refined = [r for r in results.values() if r.state in ("tracking", "re-anchored")]
    assert compared > 0.75 * count / which and (which > 1 or compared == len(refined))
