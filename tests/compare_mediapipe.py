"""Our BlazePose against MediaPipe's own pose solution on a video, and its landmarks against its
heatmaps.

PATH: a Python with mediapipe 0.10.21. Both get the same frames and `full` weights, smoothing off.
Not a test.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from climb_edge.estimators.blazepose import BlazePose
from climb_edge.estimators.landmarks import refine_landmarks
from climb_edge.estimators.region import CROP_SIDE, GRID, Region
from climb_edge.evaluation.pck import torso
from climb_edge.media.frame import Frame
from climb_edge.media.video import read_video
from climb_edge.pose.boxes import transform
from climb_edge.pose.decode import decode
from climb_edge.pose.skeleton import FROM_BLAZEPOSE33, KEYPOINTS, K

# RGB frames from stdin -> landmarks (N, 33, 2) in image pixels, and the region (N, 4) each frame
# was cropped with: centre x, y, side in pixels, angle. NaN where nobody is seen.
MEDIAPIPE = """
import sys
import numpy as np
import mediapipe as mp
from mediapipe.calculators.util import refine_landmarks_from_heatmap_calculator_pb2  # else Python loses its 7 x 7
from mediapipe.python.solution_base import SolutionBase
create = SolutionBase.__init__
rects = ["pose_rect_from_detection", "pose_rect_from_landmarks"]
SolutionBase.__init__ = lambda self, outputs, **rest: create(self, outputs=[*outputs, *rects], **rest)
size, landmarks, regions, following = np.array([int(sys.argv[1]), int(sys.argv[2])]), [], [], None
options = dict(static_image_mode=False, model_complexity=1, smooth_landmarks=False, enable_segmentation=False)
with mp.solutions.pose.Pose(**options) as pose:
    while data := sys.stdin.buffer.read(size.prod() * 3):
        result = pose.process(np.frombuffer(data, np.uint8).reshape(size[1], size[0], 3))
        rect, following = result.pose_rect_from_detection or following, result.pose_rect_from_landmarks
        found = result.pose_landmarks
        landmarks.append([(p.x, p.y) for p in found.landmark] * size if found else np.full((33, 2), np.nan))
        regions.append([rect.x_center * size[0], rect.y_center * size[1], rect.width * size[0], rect.rotation]
            if rect else [np.nan] * 4)
np.savez(sys.argv[3], landmarks=landmarks, regions=regions)
"""


def frames(args: argparse.Namespace) -> Iterator[Frame]:
    """The frames at the times MediaPipe's Python gives those of any video."""
    for frame in itertools.islice(read_video(args.video), args.frames):
        yield Frame(frame.index, frame.index * 0.033333, frame.image)


def mediapipe(args: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """(N, 25, 2) landmarks and (N, 4) regions of MediaPipe."""
    height, width = next(read_video(args.video)).image.shape[:2]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mediapipe.npz"
        command = [args.mediapipe_python, "-c", MEDIAPIPE, str(width), str(height), str(path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            for frame in frames(args):
                process.stdin.write(frame.image.tobytes())
        with np.load(path) as arrays:
            return arrays["landmarks"][:, FROM_BLAZEPOSE33], arrays["regions"]


def agreement(name: str, ours: np.ndarray, theirs: np.ndarray) -> None:
    """Print one row: (N, 25, 2) against (N, 25, 2), NaN where nobody was seen."""
    distance = np.linalg.norm(ours - theirs, axis=-1)
    a, b = (np.isfinite(points[:, 0, 0]) for points in (ours, theirs))
    values = [v[a & b] for v in (distance, 100 * distance / torso(theirs)[:, None])]
    figures = [np.percentile(v, p) if v.size else np.nan for v in values for p in (50, 95, 100)]
    print(
        "|",
        name,
        *(f"| {v:.3f}" for v in figures),
        f"| {(a & b).sum()} | {(a & ~b).sum()} | {(b & ~a).sum()} |",
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("video")
    parser.add_argument("--mediapipe-python", required=True, metavar="PATH")
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument(
        "--variants", nargs="*", default=["lite", "full", "heavy"], help="for the second table"
    )
    args = parser.parse_args()

    theirs, regions = mediapipe(args)
    ours, forced = np.full((2, len(theirs), K, 2), np.nan)
    model = BlazePose("full")
    for frame in frames(args):
        for seen in model(frame):
            ours[frame.index] = seen.landmarks
        if np.isfinite(theirs[frame.index]).all():
            region = Region(*regions[frame.index])
            points = refine_landmarks(*model._landmarks(frame.image, region)[1:])
            forced[frame.index] = transform(region.affine(CROP_SIDE), points)[FROM_BLAZEPOSE33]
    print(
        f"{args.video}: distance to MediaPipe's landmarks in pixels and in % of the torso; frames"
    )
    print(
        "| region | median | 95 % | worst | median % | 95 % % | worst % | both see | only ours |"
        " only theirs |"
    )
    agreement("ours, first frame", ours[:1], theirs[:1])
    agreement("ours, tracked", ours, theirs)
    agreement("MediaPipe's", forced, theirs)

    print(
        "raw landmarks - decoded heatmaps in crop pixels (of 256) where a peak exceeds 0.3: medians"
    )
    print("| variant | x | y | abs x | abs y | keypoints | largest of one keypoint (x, y) |")
    for variant in args.variants:
        model, offsets = BlazePose(variant), []
        for frame in frames(args):
            # where the last frame says this one looks
            tracked = [track.region for track in model._tracks]
            if model(frame) and tracked:
                _, landmarks, maps = model._landmarks(frame.image, tracked[0])
                cells, peaks = decode(maps)
                offsets.append(
                    np.where(peaks[:, None] > 0.3, landmarks - cells * CROP_SIDE / GRID, np.nan)
                )
        pool = np.array(offsets)[:, FROM_BLAZEPOSE33]
        each, flat = np.nanmedian(pool, axis=0), pool[np.isfinite(pool).all(-1)]
        k = int(np.nanargmax(np.abs(each).max(-1)))
        figures = "".join(
            f"{v:.3f} | " for v in (*np.median(flat, axis=0), *np.median(np.abs(flat), axis=0))
        )
        print(f"| {variant} | {figures}{len(flat)} | {KEYPOINTS[k]} {each[k].round(2)} |")


if __name__ == "__main__":
    main()
