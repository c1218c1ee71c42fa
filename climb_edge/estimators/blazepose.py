"""BlazePose on the TFLite runtime: detect a person once, then track from frame to frame.

Bazarevsky et al., BlazePose: On-device Real-time Body Pose tracking (2020); constants from
MediaPipe 0.10.21's graph options. Crop convention: crop pixel p of `size` lies at region edge + p *
side / size; heatmap cell u at crop pixel 4 u.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from climb_edge.errors import ClimbEdgeError, did_you_mean
from climb_edge.estimators.base import Observation
from climb_edge.estimators.detector import MIN_SCORE, Detector
from climb_edge.estimators.landmarks import LandmarkModel, refine_landmarks
from climb_edge.estimators.people import People
from climb_edge.estimators.region import CROP_SIDE, GRID, Region, Steady
from climb_edge.files.assets import locate
from climb_edge.media.frame import Frame
from climb_edge.pose.boxes import compose, overlap, transform
from climb_edge.pose.skeleton import FROM_BLAZEPOSE33

VARIANTS = ("lite", "full", "heavy")
# two tracks closer than this share of their region, averaged over keypoints, are one person
SAME_PERSON = 0.1
# so is a body just detected whose box shares more than this (intersection over union) with one that
# is followed
OVERLAP = 0.4


@dataclass
class _Followed:
    region: Region
    person: int | None = None  # None when just detected
    steady: Steady = field(default_factory=Steady)


class BlazePose:
    """The default estimator. Follows up to `people` persons; a lost one is searched for by the
    detector.
    """

    def __init__(
        self,
        variant: str = "full",
        weights: str | Path | None = None,
        people: int = 1,
        threads: int | None = None,
    ):
        if variant not in VARIANTS:
            raise ClimbEdgeError(
                f"estimator {variant!r}: expected one of {', '.join(VARIANTS)}, or a file of"
                f" heatmaps (.npz){did_you_mean(variant, VARIANTS)}"
            )
        self.name, self.people = f"blazepose-{variant}", people
        self._detect = Detector(locate("pose_detection.tflite", weights), threads)
        self._landmarks = LandmarkModel(locate(f"pose_landmark_{variant}.tflite", weights), threads)
        self.reset()

    def reset(self) -> None:
        """Forget everybody: the next frame is of another source."""
        self._tracks: list[_Followed] = []
        self._who = People()

    def __call__(self, frame: Frame) -> list[Observation]:
        seen: list[tuple[_Followed, Observation]] = []
        for track in self._tracks:
            self._observe(frame, track, seen)
        if len(seen) < self.people:
            for region in self._detect(frame.image):
                if len(seen) < self.people:
                    self._observe(frame, _Followed(region), seen)
        self._tracks = [track for track, _ in seen]
        numbers = self._who(
            [o.keypoints[:, :2] for _, o in seen], [track.person for track in self._tracks]
        )
        for track, number in zip(self._tracks, numbers, strict=True):
            track.person = number
        return [replace(o, person=number) for (_, o), number in zip(seen, numbers, strict=True)]

    def _observe(
        self, frame: Frame, track: _Followed, seen: list[tuple[_Followed, Observation]]
    ) -> None:
        """Add what is seen of one track to `seen`, and move its region; nothing when it is lost or
        seen already.
        """
        score, landmarks, heatmaps = self._landmarks(frame.image, track.region)
        if not score >= MIN_SCORE:
            return
        affine = track.region.affine(CROP_SIDE)
        points = transform(affine, refine_landmarks(landmarks, heatmaps))
        observation = Observation.of(
            np.take(heatmaps, FROM_BLAZEPOSE33, axis=-1),
            compose(affine, np.diag([CROP_SIDE / GRID] * 2 + [0])[:2]),
            score=score,
            landmarks=points[FROM_BLAZEPOSE33],
        )
        if any(self._same(track, observation, other) for _, other in seen):
            return
        region = Region.around(*track.steady(points[33:35], frame.time))
        if region is not None:
            track.region = region
            seen.append((track, observation))

    @staticmethod
    def _same(track: _Followed, a: Observation, b: Observation) -> bool:
        """Whether `a`, seen by `track`, is the person of `b`."""
        if track.person is None and overlap(a.bbox, b.bbox) > OVERLAP:
            return True
        distance = np.linalg.norm(a.keypoints[:, :2] - b.keypoints[:, :2], axis=1)
        return float(distance.mean()) < SAME_PERSON * track.region.side
