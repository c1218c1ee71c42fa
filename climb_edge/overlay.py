"""Overlay: raw and refined keypoints side by side on the frame they belong to, with trails."""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np

from climb_edge.skeleton import BONES, INDEX
from climb_edge.stream import Result

PANEL_HEIGHT = 720  # pixels at most; two panels of a portrait or landscape video still play anywhere
PANEL_WIDTH = 960
TRAIL = 15  # frames
TRAILED = tuple(INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("wrist", "ankle"))
LEFT, RIGHT, MIDDLE = (255, 170, 40), (60, 190, 255), (240, 240, 240)  # RGB
SHOWN = 0.2  # keypoints with a lower score are drawn faint


class Overlay:
    """Draws frames in order; keeps what the trails need."""

    def __init__(self, refiner: str):
        self._titles = ("estimator", refiner)
        self._trails: dict[tuple[int, int], deque] = {}

    def draw(self, image: np.ndarray, results: list[Result]) -> np.ndarray:
        """RGB frame (H, W, 3) and its results -> RGB (h, 2 w, 3): raw on the left, refined on the right."""
        scale = min(PANEL_HEIGHT / image.shape[0], PANEL_WIDTH / image.shape[1], 1.0)
        size = (
            max(round(image.shape[1] * scale / 2) * 2, 64),
            max(round(image.shape[0] * scale / 2) * 2, 64),
        )
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        seen = [r for r in results if r.person is not None]
        panels = [self._panel(small.copy(), side, seen, np.array(size) / image.shape[1::-1]) for side in (0, 1)]
        self._forget({r.person for r in seen})
        return np.concatenate(panels, axis=1)

    def _panel(self, canvas: np.ndarray, side: int, results: list[Result], scale: np.ndarray) -> np.ndarray:
        for result in results:
            keypoints = result.refined if side else result.raw
            points = keypoints[:, :2] * scale
            self._trail(canvas, (side, result.person), points)
            for a, b in BONES:
                faint = min(keypoints[a, 2], keypoints[b, 2]) < SHOWN
                cv2.line(
                    canvas,
                    _pixel(points[a]),
                    _pixel(points[b]),
                    _colour(a, b),
                    1 if faint else 2,
                    cv2.LINE_AA,
                )
            for point, score in zip(points, keypoints[:, 2], strict=True):
                cv2.circle(canvas, _pixel(point), 3 if score >= SHOWN else 2, (255, 255, 255), -1, cv2.LINE_AA)
                cv2.circle(canvas, _pixel(point), 3 if score >= SHOWN else 2, (30, 30, 30), 1, cv2.LINE_AA)
        states = ", ".join(f"{r.person}: {r.state}" for r in results) or "lost"
        _text(canvas, self._titles[side], (12, 26), 0.7)
        _text(canvas, states, (12, canvas.shape[0] - 12), 0.5)
        return canvas

    def _trail(self, canvas: np.ndarray, key: tuple[int, int], points: np.ndarray) -> None:
        trail = self._trails.setdefault(key, deque(maxlen=TRAIL))
        trail.append(points[list(TRAILED)])
        path = np.round(np.stack(trail)).astype(np.int32)
        for age in range(1, len(path)):
            strength = age / len(path)
            for joint in range(len(TRAILED)):
                colour = tuple(int(c * strength) for c in _colour(TRAILED[joint], TRAILED[joint]))
                start, end = (np.clip(path[age - i, joint], -9999, 9999).tolist() for i in (1, 0))
                cv2.line(canvas, start, end, colour, 2, cv2.LINE_AA)

    def _forget(self, present: set) -> None:
        self._trails = {key: trail for key, trail in self._trails.items() if key[1] in present}


def _colour(a: int, b: int) -> tuple[int, int, int]:
    if (a != b and a % 2 != b % 2) or 0 in (a, b):  # between left (odd) and right (even), or at the nose
        return MIDDLE
    return LEFT if a % 2 else RIGHT


def _pixel(point: np.ndarray) -> tuple[int, int]:
    x, y = np.clip(np.round(point), -9999, 9999).astype(int).tolist()
    return x, y


def _text(canvas: np.ndarray, text: str, place: tuple[int, int], size: float) -> None:
    cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, (20, 20, 20), 4, cv2.LINE_AA)
    cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, (255, 255, 255), 1, cv2.LINE_AA)
