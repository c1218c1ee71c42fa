"""Plot tracks: where chosen joints were over time, raw and refined, with how much they tremble and
how late they are.

Drawn with OpenCV alone. A panel for x and one for y of each joint; the axis of y points down as in
images, so up is up. Lines break where the person was not seen. The colours are Okabe and Ito's,
which the colour-blind tell apart.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.atomic import whole_file
from climb_edge.files.naming import told_apart
from climb_edge.tracking.curves import Curve, curves_of, joint_number
from climb_edge.tracking.track_file import read_results

COLOURS = (
    (0, 114, 178),
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (230, 159, 0),
    (86, 180, 233),
)  # RGB, a track each
# RGB of the shade
STATES = {"warming up": (250, 236, 190), "lost": (216, 216, 216), "re-anchored": (226, 205, 240)}
INK, FAINT, PAPER, RAW = (40, 40, 40), (228, 228, 228), (255, 255, 255), (140, 140, 140)
FINE = 2  # drawn this much larger, then reduced: smooth lines and letters
LEFT, RIGHT, PANEL, BETWEEN, ROW = 72, 24, 170, 30, 24  # pixels of the picture
MOST = 12  # joints


def plot(
    tracks: Sequence[str | Path],
    joints: Sequence[str],
    out: str | Path,
    person: int | None = None,
    width: int = 1400,
    names: Sequence[str] | None = None,
) -> list[Curve]:
    """Write a PNG with x and y of `joints` over time for every track.jsonl, raw and refined; return
    what was drawn.

    joints: 1 to 12 names of skeleton.KEYPOINTS. person: its number in every track; else, in each,
    the one seen in most frames. names: what the legend calls the tracks. width: of the picture in
    pixels, 800 at least. Raises ClimbEdgeError for an unknown joint, a file that is no track, or a
    person nobody saw.
    """
    chosen = [joint_number(name) for name in joints]
    if (
        not tracks
        or not 0 < len(chosen) <= MOST
        or width < 800
        or (names is not None and len(names) != len(tracks))
    ):
        raise ClimbEdgeError(
            f"expected a track or more (and a name for each), 1 to {MOST} joints and a width of 800"
            f" or more, found {len(tracks)} tracks, {len(chosen)} joints, width {width}"
        )
    labels = names or _labels([Path(t) for t in tracks])
    curves: list[Curve] = []
    for path, label in zip(tracks, labels, strict=True):
        curves += curves_of(read_results(path), chosen, person, label, str(path))
    image = cv2.cvtColor(picture(curves, joints, width), cv2.COLOR_RGB2BGR)
    with whole_file(out) as temporary:
        temporary.write_bytes(cv2.imencode(".png", image)[1].tobytes())
    return curves


def picture(curves: Sequence[Curve], joints: Sequence[str], width: int) -> np.ndarray:
    """RGB uint8 (H, width, 3): a legend, then two panels per joint. curves: raw and refined of each
    track in turn.
    """
    tracks = [c for c in curves if c.kind == "refined"]
    lanes = ROW * len(tracks) if len(tracks) > 1 else 0
    top = 16 + ROW * (len(curves) + 1) + BETWEEN
    height = top + 2 * len(joints) * (PANEL + BETWEEN) + lanes + 36
    canvas = np.full((height * FINE, width * FINE, 3), PAPER, np.uint8)
    start, end = min(c.times[0] for c in curves), max(c.times[-1] for c in curves)
    span = (start, end if end > start else start + 1)
    colours = [_colour(i, len(tracks)) for i in range(len(curves))]
    _legend(canvas, curves, colours)
    for row in range(2 * len(joints)):
        joint, axis = divmod(row, 2)
        box = (
            LEFT,
            top + row * (PANEL + BETWEEN),
            width - RIGHT,
            top + row * (PANEL + BETWEEN) + PANEL,
        )
        if not lanes:
            _shade(canvas, box, tracks[0], span)
        values = [c.points[:, joint, axis] for c in curves]
        _panel(
            canvas,
            box,
            span,
            values,
            [c.times for c in curves],
            colours,
            f"{joints[joint]} {'xy'[axis]}, px",
            axis,
        )
    for lane, track in enumerate(tracks if lanes else ()):
        y = height - 50 - lanes + lane * ROW
        _shade(canvas, (LEFT, y, width - RIGHT, y + ROW - 6), track, span)
        _text(canvas, "states", (LEFT - 8, y + 9), 0.42, colours[2 * lane + 1], 1.0)
    for tick in _ticks(*span, 12):
        _text(canvas, f"{tick:g}", (_x(tick, span, width), height - 38), 0.42, INK, 0.5)
    _text(canvas, "seconds", ((LEFT + width - RIGHT) / 2, height - 16), 0.45, INK, 0.5)
    return cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)


def _panel(
    canvas: np.ndarray,
    box: tuple[int, int, int, int],
    span: tuple[float, float],
    values: Sequence[np.ndarray],
    times: Sequence[np.ndarray],
    colours: Sequence[tuple[int, ...]],
    title: str,
    down: int,
) -> None:
    """Axes, grid and one line per curve; `down`: the axis points down."""
    x0, y0, x1, y1 = box
    known = np.concatenate([v[np.isfinite(v)] for v in values])
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    margin = max(0.06 * (high - low), 2.0)
    low, high = low - margin, high + margin

    def y(value):
        share = (np.asarray(value) - low) / (high - low)
        return y0 + (share if down else 1 - share) * (y1 - y0)

    for tick in _ticks(low, high, 5):
        _line(canvas, [(x0, y(tick)), (x1, y(tick))], FAINT, 1)
        _text(canvas, f"{tick:g}", (x0 - 8, float(y(tick))), 0.42, INK, 1.0)
    for tick in _ticks(*span, 12):
        x = _x(tick, span, x1 + RIGHT)
        _line(canvas, [(x, y0), (x, y1)], FAINT, 1)
        _line(canvas, [(x, y1), (x, y1 + 4)], INK, 1)
    for track, (line, at, colour) in enumerate(zip(values, times, colours, strict=True)):
        path = np.stack([_x(at, span, x1 + RIGHT), y(line)], 1)
        seen = np.flatnonzero(np.isfinite(line))
        for part in np.split(seen, np.flatnonzero(np.diff(seen) > 1) + 1):
            if len(part):
                _line(canvas, path[part], colour, 2 if track % 2 else 1)
    _line(canvas, [(x0, y0), (x0, y1), (x1, y1)], INK, 1)
    _text(canvas, title, (x0, y0 - 12), 0.48, INK, 0.0)


def _legend(canvas: np.ndarray, curves: Sequence[Curve], colours) -> None:
    for row, (curve, colour) in enumerate(zip(curves, colours, strict=True)):
        y = 20 + row * ROW
        _line(canvas, [(LEFT, y), (LEFT + 36, y)], colour, 3 if curve.kind == "refined" else 1)
        jitter = "unknown" if math.isnan(curve.jitter) else f"{curve.jitter:.2f} px/frame^2"
        words = f"{curve.track}, {curve.kind}: jitter {jitter}"
        if curve.kind == "refined":
            lag = "unknown" if math.isnan(curve.lag) else f"{round(curve.lag):+d} ms"
            words += f", lag {lag} (positive: later than raw)"
        _text(canvas, words, (LEFT + 46, y), 0.48, INK, 0.0)
    x, y = LEFT, 20 + len(curves) * ROW
    for state, shade in STATES.items():
        _fill(canvas, (x, y - 8, x + 36, y + 8), shade)
        x = _text(canvas, state, (x + 46, y), 0.48, INK, 0.0) + 30


def _shade(canvas: np.ndarray, box, curve: Curve, span: tuple[float, float]) -> None:
    """Colour the times of `box` in which the track is in one of STATES, at least 2 pixels wide."""
    x0, y0, x1, y1 = box
    step = np.median(np.diff(curve.times)) / 2 if len(curve.times) > 1 else 0
    states = np.array(curve.states)
    bounds = [0, *(np.flatnonzero(states[1:] != states[:-1]) + 1), len(states)]
    for first, last in itertools.pairwise(bounds):
        if states[first] in STATES:
            ends = _x(curve.times[[first, last - 1]] + [-step, step], span, x1 + RIGHT)
            left, right = max(ends[0], x0), min(max(ends[1], ends[0] + 2), x1)
            _fill(canvas, (left, y0, right, y1), STATES[states[first]])


def _x(time, span: tuple[float, float], width: int):
    return LEFT + (np.asarray(time) - span[0]) / (span[1] - span[0]) * (width - RIGHT - LEFT)


def _ticks(low: float, high: float, about: int) -> list[float]:
    """Round numbers within low..high: 1, 2 or 5 times a power of ten apart, `about` of them at
    most.
    """
    least = (high - low) / about
    power = 10.0 ** math.floor(math.log10(least))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= least * (1 - 1e-9))
    return [
        round(i * step, 10)
        for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    ]


def _line(canvas: np.ndarray, points, colour, thick: int) -> None:
    path = np.round(np.asarray(points, float) * FINE).astype(np.int32)
    cv2.polylines(
        canvas,
        [path if len(path) > 1 else np.repeat(path, 2, 0)],
        False,
        colour,
        thick * FINE,
        cv2.LINE_AA,
    )


def _fill(canvas: np.ndarray, box, colour) -> None:
    x0, y0, x1, y1 = (round(float(v) * FINE) for v in box)
    canvas[y0:y1, x0 : max(x1, x0 + 1)] = colour


def _text(canvas: np.ndarray, words: str, place, size: float, colour, align: float) -> int:
    """Write `words`, level with place; align 0 begins, 0.5 centres, 1 ends there. Returns where
    they end.
    """
    words = words.encode("ascii", "replace").decode()  # OpenCV 4 has no other letters
    font = (cv2.FONT_HERSHEY_SIMPLEX, size * FINE)
    (wide, high), _ = cv2.getTextSize(words, *font, 1)
    x, y = round(float(place[0]) * FINE - align * wide), round(float(place[1]) * FINE + high / 2)
    cv2.putText(canvas, words, (x, y), *font, colour, 1, cv2.LINE_AA)
    return (x + wide) // FINE


def _colour(curve: int, tracks: int) -> tuple[int, ...]:
    """Of one track the raw line is grey; of several it is a paler shade of the refined one's."""
    strong = COLOURS[curve // 2 % len(COLOURS)]
    if curve % 2:
        return strong
    return RAW if tracks == 1 else tuple(round(0.45 * c + 0.55 * 255) for c in strong)


def _labels(paths: list[Path]) -> list[str]:
    """The folder's name of files called track.jsonl, else the file's; told apart."""
    named = [p.resolve().parent if p.name == "track.jsonl" else p.with_suffix("") for p in paths]
    return told_apart([p.name for p in named], named)
