"""BlazePose on the TFLite runtime: detect a person once, then track from frame to frame.

Bazarevsky et al., BlazePose: On-device Real-time Body Pose tracking (2020); constants from MediaPipe 0.10.21's graph
options. Crop convention: crop pixel p of `size` lies at region edge + p * side / size; heatmap cell u at crop pixel 4 u.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from climb_edge.boxes import compose, overlap, transform
from climb_edge.errors import ClimbEdgeError
from climb_edge.estimator import Observation
from climb_edge.people import People
from climb_edge.runtime import Session
from climb_edge.skeleton import FROM_BLAZEPOSE33
from climb_edge.trim import trimmed
from climb_edge.video import Frame
from climb_edge.weights import locate

VARIANTS = ("lite", "full", "heavy")
DETECTOR_SIDE, CROP_SIDE, GRID = 224, 256, 64
GROW_REGION = 1.25
MIN_SCORE = 0.5  # of a detection, and of a tracked person
NMS_OVERLAP = 0.3
MIN_CUTOFF, SPEED_GAIN, SPEED_CUTOFF = 0.01, 10.0, 1.0  # of the filter that steadies a tracked region; Hz, -, Hz
SAME_PERSON = 0.1  # two tracks closer than this share of their region, averaged over keypoints, are one person
OVERLAP = 0.4  # so is a body just detected whose box shares more than this (intersection over union) with one that is followed


@dataclass(frozen=True)
class Region:
    """A rotated square of the image: centre (x, y) and side in pixels, angle in radians (clockwise on the screen)."""

    x: float
    y: float
    side: float
    angle: float = 0.0

    def affine(self, size: int) -> np.ndarray:
        """(2, 3): pixel of a `size` x `size` crop -> image pixel."""
        scale = self.side / size
        c, s = np.cos(self.angle) * scale, np.sin(self.angle) * scale
        half = size / 2
        return np.array([[c, -s, self.x - c * half + s * half], [s, c, self.y - s * half - c * half]])

    def crop(self, image: np.ndarray, size: int, border: int) -> np.ndarray:
        """The region as (size, size, 3) uint8."""
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(image, self.affine(size), (size, size), flags=flags, borderMode=border)

    @classmethod
    def around(cls, centre: np.ndarray, rim: np.ndarray) -> Region | None:
        """The region of a body from its hip centre and a point on the circle around it (each (2,), image pixels)."""
        dx, dy = rim - centre
        radius = float(np.hypot(dx, dy))
        if not np.isfinite(radius) or radius < 1:
            return None
        angle = np.pi / 2 - np.arctan2(-dy, dx)
        return cls(
            float(centre[0]),
            float(centre[1]),
            2 * radius * GROW_REGION,
            float((angle + np.pi) % (2 * np.pi) - np.pi),
        )


def anchors() -> np.ndarray:
    """(2254, 2) centres of the detector's SSD anchors, in 0..1; all anchors have unit size."""
    rows = []
    for stride, per_cell in ((8, 2), (16, 2), (32, 6)):  # the three layers of stride 32 share their cells
        n = DETECTOR_SIDE // stride
        y, x = np.mgrid[:n, :n]
        centres = (np.stack([x, y], axis=-1).reshape(-1, 2) + 0.5) / n
        rows.append(np.repeat(centres, per_cell, axis=0))
    return np.concatenate(rows)


class Detector:
    """Finds bodies in a whole frame."""

    def __init__(self, path: Path, threads: int | None = None):
        self._session = Session(path, threads)
        self._anchors = anchors()
        self._boxes = self._session.output((1, len(self._anchors), 12))
        self._logits = self._session.output((1, len(self._anchors), 1))

    def __call__(self, image: np.ndarray) -> list[Region]:
        """Regions of the bodies in an RGB image (H, W, 3), best first."""
        height, width = image.shape[:2]
        whole = Region(width / 2, height / 2, max(width, height))
        crop = whole.crop(image, DETECTOR_SIDE, cv2.BORDER_CONSTANT)
        outputs = self._session.run((crop[None].astype(np.float32) / 127.5) - 1)
        score = _sigmoid(outputs[self._logits][0, :, 0])
        keep = np.flatnonzero(score >= MIN_SCORE)
        keep = keep[np.argsort(-score[keep], kind="stable")]
        raw = outputs[self._boxes][0, keep].astype(np.float64) / DETECTOR_SIDE
        raw = raw.reshape(-1, 6, 2)  # centre, size, four keypoints
        raw[:, [0, 2, 3, 4, 5]] += self._anchors[keep][:, None]
        merged = _weighted_suppression(raw, score[keep])
        affine = whole.affine(DETECTOR_SIDE)
        regions = (Region.around(*transform(affine, body[2:4] * DETECTOR_SIDE)) for body in merged)
        return [r for r in regions if r is not None]


def _weighted_suppression(bodies: np.ndarray, scores: np.ndarray) -> list[np.ndarray]:
    """Merge overlapping (n, 6, 2) bodies, best first: each group becomes its score-weighted mean."""
    low, high = bodies[:, 0] - bodies[:, 1] / 2, bodies[:, 0] + bodies[:, 1] / 2
    area = np.prod(np.maximum(high - low, 0), axis=1)
    left, merged = np.arange(len(bodies)), []
    while len(left):
        best = left[0]
        inner = np.prod(np.maximum(np.minimum(high[left], high[best]) - np.maximum(low[left], low[best]), 0), axis=1)
        union = area[left] + area[best] - inner
        same = (inner > NMS_OVERLAP * union) | (left == best)
        merged.append(np.average(bodies[left[same]], axis=0, weights=scores[left[same]]))
        left = left[~same]
    return merged


class LandmarkModel:
    """Landmarks and heatmaps of one region."""

    def __init__(self, path: Path, threads: int | None = None):
        shapes = (1, 195), (1, 1), (1, GRID, GRID, 39)  # not the mask of the body, which takes a third of the time
        self._session = Session(trimmed(path.read_bytes(), shapes), threads, path)
        self._landmarks, self._score, self._maps = map(self._session.output, shapes)

    def __call__(self, image: np.ndarray, region: Region) -> tuple[float, np.ndarray, np.ndarray]:
        """(score, landmarks (39, 2) in crop pixels, heatmaps (64, 64, 39) in 0..1) of an RGB image (H, W, 3)."""
        crop = region.crop(image, CROP_SIDE, cv2.BORDER_REPLICATE)
        outputs = self._session.run(crop[None].astype(np.float32) / 255)
        landmarks = outputs[self._landmarks].reshape(39, 5)[:, :2].astype(np.float64)
        return float(outputs[self._score].item()), landmarks, _sigmoid(outputs[self._maps][0])


def refine_landmarks(landmarks: np.ndarray, heatmaps: np.ndarray) -> np.ndarray:
    """Landmarks (N, 2) in crop pixels moved to the centre of mass of their heatmap (64, 64, N) in 7 x 7 cells around.

    As MediaPipe does before it projects landmarks: only where the neighbourhood reaches 0.5.
    """
    column, row = (landmarks * (GRID / CROP_SIDE)).astype(int).T
    near = np.arange(-3, 4)
    columns, rows = column[:, None] + near, row[:, None] + near
    inside = [(places >= 0) & (places < GRID) for places in (columns, rows)]
    columns, rows = (np.clip(places, 0, GRID - 1) for places in (columns, rows))
    patch = heatmaps[rows[:, :, None], columns[:, None], np.arange(len(landmarks))[:, None, None]]
    patch = np.where(inside[1][:, :, None] & inside[0][:, None], patch, 0)  # (N, 7, 7)
    sure = inside[0][:, 3] & inside[1][:, 3] & (patch.max((1, 2)) >= 0.5)
    total = np.where(sure, patch.sum((1, 2)), 1)
    centre = np.stack([(patch.sum(1) * columns).sum(1), (patch.sum(2) * rows).sum(1)], axis=-1) / total[:, None]
    return np.where(sure[:, None], centre * (CROP_SIDE / GRID), landmarks)


class Steady:
    """One euro filter (Casiez et al., CHI 2012) of the points that a region follows; speeds in region sides a second.

    MediaPipe runs it also with `smooth_landmarks` off: only the region moves smoothly, what is seen in it is as it is.
    """

    def __init__(self):
        self._time: float | None = None

    def __call__(self, points: np.ndarray, time: float) -> np.ndarray:
        """Hip centre and rim (2, 2) in image pixels at `time` (seconds, increasing) -> the same, steadied."""
        if self._time is None:
            self._smooth, self._speed = points, np.zeros_like(points)
        else:
            rate = 1 / max(time - self._time, 1e-3)
            side = max(2 * float(np.linalg.norm(points[1] - points[0])), 1.0)
            speed = (points - self._raw) * rate / side
            self._speed = self._speed + (speed - self._speed) * _share(SPEED_CUTOFF, rate)
            cutoff = MIN_CUTOFF + SPEED_GAIN * np.abs(self._speed)
            self._smooth = self._smooth + (points - self._smooth) * _share(cutoff, rate)
        self._time, self._raw = time, points
        return self._smooth


def _share(cutoff, rate: float):
    """Weight of the new value in a low-pass filter of `cutoff` Hz at `rate` values a second."""
    return 1 / (1 + rate / (2 * np.pi * cutoff))


@dataclass
class _Track:
    region: Region
    person: int | None = None  # None when just detected
    steady: Steady = field(default_factory=Steady)


class BlazePose:
    """The default estimator. Follows up to `people` persons; a lost one is searched for by the detector."""

    def __init__(
        self,
        variant: str = "full",
        weights: str | Path | None = None,
        people: int = 1,
        threads: int | None = None,
    ):
        if variant not in VARIANTS:
            raise ClimbEdgeError(f"estimator {variant!r}: expected one of {', '.join(VARIANTS)}")
        self.name, self.people = f"blazepose-{variant}", people
        self._detect = Detector(locate("pose_detection.tflite", weights), threads)
        self._landmarks = LandmarkModel(locate(f"pose_landmark_{variant}.tflite", weights), threads)
        self.reset()

    def reset(self) -> None:
        """Forget everybody: the next frame is of another source."""
        self._tracks: list[_Track] = []
        self._who = People()

    def __call__(self, frame: Frame) -> list[Observation]:
        seen: list[tuple[_Track, Observation]] = []
        for track in self._tracks:
            self._observe(frame, track, seen)
        if len(seen) < self.people:
            for region in self._detect(frame.image):
                if len(seen) < self.people:
                    self._observe(frame, _Track(region), seen)
        self._tracks = [track for track, _ in seen]
        numbers = self._who([o.keypoints[:, :2] for _, o in seen], [track.person for track in self._tracks])
        for track, number in zip(self._tracks, numbers, strict=True):
            track.person = number
        return [replace(o, person=track.person) for track, o in seen]

    def _observe(self, frame: Frame, track: _Track, seen: list[tuple[_Track, Observation]]) -> None:
        """Add what is seen of one track to `seen`, and move its region; nothing when it is lost or seen already."""
        score, landmarks, heatmaps = self._landmarks(frame.image, track.region)
        if not score >= MIN_SCORE:
            return
        affine = track.region.affine(CROP_SIDE)
        points = transform(affine, refine_landmarks(landmarks, heatmaps))
        observation = Observation.of(
            np.take(heatmaps, FROM_BLAZEPOSE33, axis=-1),
            compose(affine, np.diag([CROP_SIDE / GRID] * 2 + [0])[:2]),
            score=score, landmarks=points[FROM_BLAZEPOSE33],
        )  # fmt: skip
        if any(self._same(track, observation, other) for _, other in seen):
            return
        region = Region.around(*track.steady(points[33:35], frame.time))
        if region is not None:
            track.region = region
            seen.append((track, observation))

    @staticmethod
    def _same(track: _Track, a: Observation, b: Observation) -> bool:
        """Whether `a`, seen by `track`, is the person of `b`."""
        if track.person is None and overlap(a.bbox, b.bbox) > OVERLAP:
            return True
        distance = np.linalg.norm(a.keypoints[:, :2] - b.keypoints[:, :2], axis=1)
        return float(distance.mean()) < SAME_PERSON * track.region.side


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(logits, -60, 60)))
