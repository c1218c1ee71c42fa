"""Put your own pose estimator in front of a refiner: python examples/own_estimator.py

An estimator is a name, a call that turns a frame into observations, and a reset.
"""

import numpy as np

import climb_edge


class Walker:
    """Heatmaps (64, 64, 25) of somebody who walks to the right: in place of a network's output."""

    name = "walker"

    def __call__(self, frame: climb_edge.Frame) -> list[climb_edge.Observation]:
        rng = np.random.default_rng(frame.index)
        places = np.random.default_rng(0).uniform(16, 48, (25, 2)) + rng.normal(0, 0.7, (25, 2))
        grid = np.arange(64)
        rows = np.exp(-0.5 * ((grid[:, None] - places[:, 1]) / 2) ** 2)  # (64, 25)
        columns = np.exp(-0.5 * ((grid[:, None] - places[:, 0]) / 2) ** 2)
        maps = (0.9 * rows[:, None] * columns[None]).astype(np.float32)
        cell_to_pixel = np.array([[4.0, 0, 100 + 3 * frame.index], [0, 4.0, 50]])
        return [climb_edge.Observation.of(maps, cell_to_pixel)]

    def reset(self) -> None:
        """Nothing to forget."""


stream = climb_edge.Stream(Walker(), climb_edge.load_refiner("default"))
picture = np.zeros((400, 600, 3), np.uint8)
for index in range(12):
    for result in stream.push(climb_edge.Frame(index, index / 30, picture)):
        raw, refined = result.raw[0, 0], result.refined[0, 0]
        print(f"frame {result.frame}: nose x raw {raw:.1f}, refined {refined:.1f} ({result.state})")
