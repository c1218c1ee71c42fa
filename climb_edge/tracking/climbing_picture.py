"""A climbing summary drawn on the last frame: the path of the hips and the moves."""

from __future__ import annotations

import math

import cv2
import numpy as np

from climb_edge.tracking.climbing import LIMBS, Summary
from climb_edge.tracking.overlay import label
from climb_edge.tracking.trajectory import GAP

# RGB of LIMBS: Okabe and Ito's
COLOURS = ((230, 159, 0), (86, 180, 233), (213, 94, 0), (0, 158, 115))


def draw(image: np.ndarray, summary: Summary) -> np.ndarray:
    """RGB uint8 (H, W, 3) of any size, best the last frame -> a copy with the climb on it.

    The hips' path goes from violet to yellow as time goes on, and is grey before and after the
    wall; each move is a numbered arrow in its limb's colour (COLOURS); the top left corner tells
    figures and colours.
    """
    canvas = np.ascontiguousarray(image).copy()
    height, width = canvas.shape[:2]
    scale, unit = np.array([width, height]) / summary.frame_size, max(min(width, height) / 720, 0.2)
    thick = max(round(3 * unit), 1)

    def pixel(point) -> tuple[int, int]:
        x, y = np.clip(np.round(np.asarray(point) * scale), -9999, 9999).astype(int).tolist()
        return x, y

    def text(words: str, place: tuple[int, int], colour: tuple[int, int, int]) -> None:
        label(canvas, words, place, 0.7 * unit, colour, max(thick // 2, 1))

    share = np.cumsum(summary.on_wall) / max(summary.on_wall.sum(), 1)
    palette = cv2.applyColorMap(np.arange(256, dtype=np.uint8), cv2.COLORMAP_PLASMA).reshape(-1, 3)[
        :, ::-1
    ]
    for i in np.flatnonzero(np.diff(summary.times) <= GAP):
        if np.isfinite(summary.hips[i : i + 2]).all():
            colour = (
                palette[int(255 * share[i])].tolist()
                if summary.on_wall[i : i + 2].all()
                else (150, 150, 150)
            )
            cv2.line(
                canvas,
                pixel(summary.hips[i]),
                pixel(summary.hips[i + 1]),
                colour,
                thick,
                cv2.LINE_AA,
            )
    colours = dict(zip(LIMBS, COLOURS, strict=True))
    for move in summary.moves:
        ends = pixel(move.origin), pixel(move.target)
        tip = 14 * unit / max(math.dist(*ends), 1)
        for shade, weight in (((20, 20, 20), 2 * thick), (colours[move.limb], thick)):
            cv2.arrowedLine(canvas, *ends, shade, weight, cv2.LINE_AA, tipLength=tip)
    for number, move in enumerate(summary.moves, 1):
        x, y = pixel((np.array(move.origin) + move.target) / 2)
        text(str(number), (x + 2 * thick, y), colours[move.limb])
    figures = (f"{len(summary.moves)} moves in {summary.seconds_on_wall:.1f} s", (255, 255, 255))
    for row, (words, colour) in enumerate((figures, *colours.items()), 1):
        text(words, (round(12 * unit), round(30 * unit * row)), colour)
    return canvas
