"""Overlay: raw and refined keypoints side by side on the frame they belong to, with trails, boxes
and figures.
"""

from __future__ import annotations

import math
from collections import deque
from itertools import pairwise

import cv2
import numpy as np

from climb_edge.pose.skeleton import BONES, INDEX, SHOWN
from climb_edge.streaming.result import Result

# pixels at most; two panels of a portrait or landscape video still play anywhere
PANEL_HEIGHT = 720
PANEL_WIDTH = 960
TRAIL = 15  # frames
PACE = 30  # frames over which a rate is taken
TRAILED = tuple(
    INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("wrist", "ankle")
)
LEFT, RIGHT, MIDDLE = (255, 170, 40), (60, 190, 255), (240, 240, 240)  # RGB


def states(results: list[Result]) -> str:
    """Everybody seen in a frame as "PERSON: STATE", or "lost"."""
    return ", ".join(f"{r.person}: {r.state}" for r in results if r.person is not None) or "lost"


class Overlay:
    """Draws frames in order; keeps what the trails and the rate need.

    Under each panel: frames a second by their own time stamps, so that a live source's fall where
    frames are dropped; the delay of refined results in frames; everybody seen with state and mean
    score. The box is the window's.
    """

    def __init__(self, *refiners: str):
        self._titles = ("estimator", *refiners)
        self._trails: dict[tuple[int, int], deque] = {}
        self._size: tuple[int, int] | None = None
        self._times: deque[float] = deque(maxlen=PACE)

    def draw(self, image: np.ndarray, *results: list[Result]) -> np.ndarray:
        """RGB frame (H, W, 3) and its results of each refiner -> RGB panels in rows: raw first,
        then each refined.
        """
        scale = min(PANEL_HEIGHT / image.shape[0], PANEL_WIDTH / image.shape[1], 1.0)
        size = (
            max(round(image.shape[1] * scale / 2) * 2, 64),
            max(round(image.shape[0] * scale / 2) * 2, 64),
        )
        if size != self._size:  # trails are pixels of a panel
            self._trails, self._size = {}, size
        small = _shrunk(image, size)
        seen = [[r for r in own if r.person is not None] for own in (results[0], *results)]
        self._times.extend(r.time for r in results[0][:1])
        scale = np.array(size) / image.shape[1::-1]
        panels = [self._panel(small.copy(), number, own, scale) for number, own in enumerate(seen)]
        self._forget({r.person for own in seen for r in own})
        columns = math.ceil(math.sqrt(len(panels)))
        panels += [np.zeros_like(small)] * (-len(panels) % columns)
        rows = [
            np.concatenate(panels[i : i + columns], axis=1) for i in range(0, len(panels), columns)
        ]
        return np.concatenate(rows, axis=0)

    def _panel(
        self, canvas: np.ndarray, number: int, results: list[Result], scale: np.ndarray
    ) -> np.ndarray:
        for result in results:
            keypoints = result.refined if number else result.raw
            if keypoints is None or result.person is None:
                continue
            if result.bbox is not None:
                corner, opposite = _pixels(result.bbox.reshape(2, 2) * scale)
                cv2.rectangle(canvas, corner, opposite, MIDDLE, 1)
            points, shown = _pixels(keypoints[:, :2] * scale), (keypoints[:, 2] >= SHOWN).tolist()
            self._trail(canvas, (number, result.person), points)
            for a, b in BONES:
                thickness = 2 if shown[a] and shown[b] else 1
                cv2.line(canvas, points[a], points[b], _colour(a, b), thickness, cv2.LINE_AA)
            for point, clear in zip(points, shown, strict=True):
                cv2.circle(canvas, point, 3 if clear else 2, (255, 255, 255), -1, cv2.LINE_AA)
                cv2.circle(canvas, point, 3 if clear else 2, (30, 30, 30), 1, cv2.LINE_AA)
        label(canvas, self._titles[number], (12, 26), 0.7)
        label(canvas, self._figures(number, results), (12, canvas.shape[0] - 12), 0.5)
        return canvas

    def _figures(self, number: int, results: list[Result]) -> str:
        passed = self._times[-1] - self._times[0] if self._times else 0
        figures = [f"{(len(self._times) - 1) / passed:.0f} fps"] if passed > 0 else []
        if number:
            figures.append(f"delay {max((r.delay for r in results), default=0)}")
        shown = [(r, r.refined if number else r.raw) for r in results]
        figures += [
            f"{r.person}: {r.state} {float(keypoints[:, 2].mean()):.2f}"
            for r, keypoints in shown
            if keypoints is not None
        ] or ["lost"]
        return ", ".join(figures)

    def _trail(
        self, canvas: np.ndarray, key: tuple[int, int], points: list[tuple[int, int]]
    ) -> None:
        trail = self._trails.setdefault(key, deque(maxlen=TRAIL))
        trail.append([points[joint] for joint in TRAILED])
        for age, (starts, ends) in enumerate(pairwise(trail), 1):
            strength = age / len(trail)
            for joint, start, end in zip(TRAILED, starts, ends, strict=True):
                colour = tuple(int(c * strength) for c in _colour(joint, joint))
                cv2.line(canvas, start, end, colour, 2, cv2.LINE_AA)

    def _forget(self, present: set) -> None:
        self._trails = {key: trail for key, trail in self._trails.items() if key[1] in present}


def _colour(a: int, b: int) -> tuple[int, int, int]:
    # between left (odd) and right (even), or at the nose
    if (a != b and a % 2 != b % 2) or 0 in (a, b):
        return MIDDLE
    return LEFT if a % 2 else RIGHT


def _pixels(points: np.ndarray) -> list[tuple[int, int]]:
    """Points (N, 2) as OpenCV takes them."""
    return [(x, y) for x, y in np.clip(np.round(points), -9999, 9999).astype(int).tolist()]


def _shrunk(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The picture at `size` (width, height): halved, which OpenCV does fast, while it can be, then
    sampled.

    Averaging over areas that are no whole pixels took half as long as the estimator.
    """
    while image.shape[1] >= 2 * size[0] and image.shape[0] >= 2 * size[1]:
        half = (image.shape[1] // 2, image.shape[0] // 2)
        image = cv2.resize(image, half, interpolation=cv2.INTER_AREA)
    return cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)


def label(
    canvas: np.ndarray,
    text: str,
    place: tuple[int, int],
    size: float,
    colour: tuple[int, int, int] = (255, 255, 255),
    thick: int = 1,
) -> None:
    """Draw text with a dark edge; the edge by shifted copies, for OpenCV 5 sets bold
    letters wider.
    """
    for right, down in (*((i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)), (0, 0)):
        at, shade = (
            (place[0] + right * thick, place[1] + down * thick),
            colour if right == down == 0 else (20, 20, 20),
        )
        cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, shade, thick, cv2.LINE_AA)
