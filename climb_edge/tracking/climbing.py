"""What a finished track says of a climb: the moves of hands and feet, the time on the wall, the
path of the hips.

The camera is taken to stand still and upright (above is up in the image). Lengths are in torso
lengths and times in seconds, so neither the frame's size nor its rate matters. `draw` shows it all
on one frame.

A torso length is the median distance, in pixels, from the middle of the shoulders to the middle of
the hips: one number a person. It is too short where the trunk leans far from the image plane, and
all lengths are then too long.

A keypoint is known where its score is at least SHOWN and it lies inside the frame. A hand is the
middle of wrist and index finger, a foot of ankle and foot index; where one of the two is unknown,
the other with the last known offset between them stands in. Gaps up to GAP seconds are bridged by a
straight line; longer ones end what came before.

The speed of a limb is that of a straight line fitted to its points within `trajectory.WINDOW`
seconds on either side. A
move is
1. a stretch of speed of at least SLOW torso lengths a second, FAST somewhere in it; stretches less
than REST seconds
   apart are one, since a hand that hesitates in the air has not settled; it begins and ends where
   its speed first and
   last passes EDGE of the stretch's highest speed (at least SLOW);
2. with REST seconds of the same limb, known and slow, before and after it;
3. from one place to another: the mean points of those rests are at least TRAVEL torso lengths
apart;
4. in which, rests included, one of the hands is above the middle of the trunk at least once: who
walks or stands has
   both below it.
So a jump counts once per limb that flies; what ends within TRAVEL of where it began (a regrip, a
try that falls back)
does not count; feet that cut loose and come back count if they settle elsewhere; who waves from the
ground makes moves;
who mantles with both hands below the chest does not; left and right, once exchanged by the
estimator for good, are a
move each. Under 9 frames a second no rest is seen, hence no move.

On the wall is from the start of the first move to the end of the last: a rest before the first or
after the last is not in it, a fall and a second try in one track are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np

from climb_edge.pose.skeleton import (
    INDEX,
    LEFT_HIP,
    LEFT_SHOULDER,
    RIGHT_HIP,
    RIGHT_SHOULDER,
    SHOWN,
)
from climb_edge.streaming.result import Result
from climb_edge.tracking.track_file import as_results
from climb_edge.tracking.trajectory import GAP, bridge, fit, smoothness, walked_length

SCHEMA = "climb-edge/climbing/1"
LIMBS = {
    f"{side} {name}": (INDEX[f"{side}_{joint}"], INDEX[f"{side}_{end}"])
    for name, joint, end in (("hand", "wrist", "index"), ("foot", "ankle", "foot_index"))
    for side in ("left", "right")
}
SLOW, FAST = 0.3, 0.55  # torso lengths a second
EDGE = 0.15  # of a move's highest speed
REST = 0.12  # seconds
TRAVEL = 0.25  # torso lengths
STRIDE = 0.05  # torso lengths: what the hips must travel before their path grows


@dataclass(frozen=True)
class Move:
    """A limb that left one place and settled on another."""

    limb: str  # a key of LIMBS
    start: float  # seconds, of the video
    end: float
    origin: tuple[float, float]  # x, y in image pixels, mean over the rest before
    target: tuple[float, float]  # and after
    distance: float  # from origin to target, torso lengths


@dataclass(frozen=True)
class Summary:
    """One person's climb. T = frames in which the person was seen; what cannot be told is NaN."""

    person: int | None  # None where nobody was seen
    frame_size: tuple[int, int]  # width, height, pixels
    torso: float  # pixels
    moves: tuple[Move, ...]  # by start
    # over all frames with this person, each lasting until the next, GAP at most
    seconds_seen: float
    # the same from the first move's start to the last move's end: 0 without moves
    seconds_on_wall: float
    times: np.ndarray  # (T,) seconds
    # (T, 2) middle of the hips, pixels, fitted within WINDOW; NaN where a hip is unknown
    hips: np.ndarray
    on_wall: np.ndarray  # (T,) bool: between first and last move
    # pixels that the hips travelled on the wall, in strides of STRIDE; 0 without moves
    hips_length: float
    hips_length_torsos: float  # the same in torso lengths
    gain: float  # torso lengths from the hips' first point on the wall up to their highest
    smoothness: float  # SPARC of the hips on the wall: see `trajectory.sparc`

    def as_dict(self) -> dict:
        """JSON-ready: NaN is None; `hips` is a list of [t, x, y, on the wall], x and y None where
        unknown.
        """
        own = {
            name: getattr(self, name)
            for name in (
                "person",
                "torso",
                "seconds_seen",
                "seconds_on_wall",
                "hips_length",
                "hips_length_torsos",
                "gain",
                "smoothness",
            )
        }
        rows = zip(self.times, self.hips, self.on_wall, strict=True)
        return _plain(
            {
                "schema": SCHEMA,
                **own,
                "frame_size": list(self.frame_size),
                "moves": [asdict(m) for m in self.moves],
                "hips": [[t, *point, bool(wall)] for t, point, wall in rows],
            }
        )


def summaries(results: Iterable[Result | dict], frame_size: tuple[int, int]) -> list[Summary]:
    """A Summary for each person of a track (results, or rows of `results.read_lines`), by number;
    [] for nobody.

    A person who leaves and returns under another number is another person. frame_size: width,
    height of the video.
    """
    results = as_results(results)
    people = sorted({r.person for r in results if r.person is not None})
    return [summary(results, frame_size, person) for person in people]


def summary(
    results: Iterable[Result | dict], frame_size: tuple[int, int], person: int | None = None
) -> Summary:
    """The Summary of one person: the one seen in most frames unless named; an empty one where
    nobody was seen.
    """
    seen = [r for r in as_results(results) if r.person is not None and r.refined is not None]
    if person is None and seen:
        numbers, counts = np.unique([r.person for r in seen], return_counts=True)
        person = int(numbers[counts.argmax()])
    seen = sorted((r for r in seen if r.person == person), key=lambda r: r.time)
    times = np.array([r.time for r in seen], float)
    points = _known(
        np.array([r.refined for r in seen], float).reshape(-1, len(INDEX), 3),
        np.array([r.size or frame_size for r in seen]).reshape(-1, 1, 2),
    )
    hips, shoulders = (
        points[:, [LEFT_HIP, RIGHT_HIP]].mean(1),
        points[:, [LEFT_SHOULDER, RIGHT_SHOULDER]].mean(1),
    )
    lengths = np.linalg.norm(shoulders - hips, axis=1)
    torso = float(np.median(lengths[np.isfinite(lengths)])) if np.isfinite(lengths).any() else 0.0
    torso = torso or math.nan
    middle = bridge(times, (shoulders + hips) / 2)[:, 1]
    limbs = {name: bridge(times, _limb(points, *pair)) for name, pair in LIMBS.items()}
    moves = []
    if torso > 0:
        hands = np.stack([limbs["left hand"][:, 1], limbs["right hand"][:, 1]], 1)
        up = np.any(hands < middle[:, None], axis=1)  # a comparison with NaN is False
        moves = sorted(
            (m for name in LIMBS for m in _moves(name, times, limbs[name], torso, up)),
            key=lambda m: m.start,
        )
    on_wall = np.zeros(len(times), bool)
    if moves:
        on_wall = (times >= moves[0].start) & (times <= max(m.end for m in moves))
    lasts = np.minimum(np.diff(times, append=times[-1:]), GAP)
    path = np.where(np.isfinite(hips).all(1, keepdims=True), fit(times, hips)[0], np.nan)
    walking = on_wall & np.isfinite(path).all(1)
    walked = path[walking]
    length = walked_length(times[walking], walked, STRIDE * torso)
    return Summary(
        person=person,
        frame_size=(int(frame_size[0]), int(frame_size[1])),
        torso=torso,
        moves=tuple(moves),
        seconds_seen=float(lasts.sum()),
        seconds_on_wall=float(lasts[on_wall][:-1].sum()),
        times=times,
        hips=path,
        on_wall=on_wall,
        hips_length=length,
        hips_length_torsos=length / torso,
        gain=float(walked[0, 1] - walked[:, 1].min()) / torso if len(walked) else math.nan,
        smoothness=smoothness(times[on_wall], path[on_wall]),
    )


def _known(keypoints: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """(T, 25, 3), in frames of `sizes` (T, 1, 2) -> (T, 25, 2), NaN where unknown."""
    points = keypoints[..., :2]
    inside = ((points >= 0) & (points <= sizes - 1)).all(-1) & (keypoints[..., 2] >= SHOWN)
    return np.where(inside[..., None], points, np.nan)


def _limb(points: np.ndarray, joint: int, end: int) -> np.ndarray:
    """(T, 2) middle of two keypoints of (T, 25, 2); where one is unknown, the other plus half the
    last known offset.
    """
    a, b = points[:, joint], points[:, end]
    known = np.isfinite(b - a).all(1)
    if not known.any():
        return a
    before = np.maximum.accumulate(np.where(known, np.arange(len(a)), -1))
    offset = (b - a)[np.where(before < 0, known.argmax(), before)] / 2
    return np.where(np.isfinite(a), a + offset, b - offset)


def _moves(
    limb: str, times: np.ndarray, points: np.ndarray, torso: float, up: np.ndarray
) -> list[Move]:
    """The moves of one limb (T, 2); `up` (T,) says when a hand is above the middle of the trunk."""
    speed = np.linalg.norm(fit(times, points)[1], axis=1) / torso
    speed[~np.isfinite(points).all(1)] = np.nan
    stretches: list[list[int]] = []  # first and last frame
    for frame in np.flatnonzero(speed >= SLOW):
        near = stretches and times[frame] - times[stretches[-1][1]] < REST
        if near or (stretches and frame == stretches[-1][1] + 1):
            stretches[-1][1] = int(frame)
        else:
            stretches.append([int(frame), int(frame)])
    moves = []
    for first, last in stretches:
        top = np.nanmax(speed[first : last + 1])
        fast = first + np.flatnonzero(speed[first : last + 1] >= max(SLOW, EDGE * top))
        origin, before = _rest(times, points, speed, times[first] - REST, times[first])
        target, after = _rest(times, points, speed, times[last], times[last] + REST)
        distance = float(np.linalg.norm(target - origin)) / torso
        frames = slice(before, after + 1)
        # a distance from an unknown rest is NaN
        if top >= FAST and distance >= TRAVEL and up[frames].any():
            start, end = float(times[fast[0]]), float(times[fast[-1]])
            moves.append(
                Move(limb, start, end, tuple(origin.tolist()), tuple(target.tolist()), distance)
            )
    return moves


def _rest(
    times: np.ndarray, points: np.ndarray, speed: np.ndarray, start: float, end: float
) -> tuple[np.ndarray, int]:
    """Mean point (2,) of the slow frames from start to end, and the frame of them that is farthest
    from the move.

    NaN unless the limb is known in all frames of these seconds, which span half of REST or more,
    and slow in one.
    """
    inside = np.flatnonzero((times >= start - 1e-9) & (times <= end + 1e-9))
    slow = inside[speed[inside] < SLOW]
    if (
        not len(slow)
        or not np.isfinite(speed[inside]).all()
        or times[inside[-1]] - times[inside[0]] < REST / 2
    ):
        return np.full(2, np.nan), int(inside[0])
    return points[slow].mean(0), int(slow[0] if speed[inside[-1]] >= SLOW else slow[-1])


def _plain(value):
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return round(float(value), 4) if math.isfinite(value) else None
    return value
