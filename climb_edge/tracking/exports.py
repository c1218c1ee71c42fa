"""What other tools read of finished results: CSV, COCO keypoints, supervision.

Every export takes results or the rows of `read_lines`, orders them by frame and person, and writes
its file whole or not at all.
"""

from __future__ import annotations

import csv
import inspect
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.atomic import whole_file, write_json, write_text
from climb_edge.files.truth import TRACKED, Truth
from climb_edge.media.picture import write_picture
from climb_edge.pose.boxes import extent
from climb_edge.pose.skeleton import BONES, KEYPOINTS, SHOWN, K
from climb_edge.streaming.result import Result
from climb_edge.tracking import climbing, climbing_picture
from climb_edge.tracking.track import Tracked
from climb_edge.tracking.track_file import as_results

COLUMNS = (
    "frame",
    "t",
    "person",
    "state",
    "keypoint",
    "raw_x",
    "raw_y",
    "raw_score",
    "refined_x",
    "refined_y",
    "refined_score",
)


def as_rows(results: Iterable[Result | dict]) -> list[dict]:
    """A dict of COLUMNS per frame, person and keypoint, as in `pandas.DataFrame(as_rows(results))`.

    t is in seconds, x and y are image pixels; what is NaN or missing is None. A frame in which
    nobody was seen is one row with neither person nor keypoint.
    """
    return [row for result in as_results(results) for row in _rows(result)]


def _rows(result: Result) -> Iterator[dict]:
    if result.person is None:
        yield dict.fromkeys(COLUMNS) | {
            "frame": result.frame,
            "t": round(result.time, 6),
            "state": result.state,
        }
        return
    nothing = np.full((K, 3), np.nan)
    raw, refined = (
        nothing if points is None else points for points in (result.raw, result.refined)
    )
    for name, numbers in zip(KEYPOINTS, np.concatenate([raw, refined], axis=1), strict=True):
        values = [round(float(v), 4) if np.isfinite(v) else None for v in numbers]
        cells = (result.frame, round(result.time, 6), result.person, result.state, name, *values)
        yield dict(zip(COLUMNS, cells, strict=True))


def write_csv(path: str | Path, results: Iterable[Result | dict]) -> None:
    """Write `as_rows` as CSV under a line of COLUMNS; None is an empty cell. Raises ClimbEdgeError
    where it cannot.
    """
    with (
        whole_file(path) as temporary,
        open(temporary, "w", encoding="utf-8", newline="") as stream,
    ):
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(as_rows(results))


def write_coco(
    path: str | Path, results: Iterable[Result | dict], frame_size: tuple[int, int], source: str
) -> None:
    """Write the refined keypoints as COCO keypoints (.json), for annotation tools and `python -m
    train import coco`.

    frame_size: width, height in pixels of frames whose result does not say its own. source: the
    video; frame 12 of folder/climb.mp4 becomes the image climb.mp4/000012.jpg, so that an import
    finds video and frame again. Every frame is an image, whoever is seen in it.
    Visibility: 2 from a score of SHOWN on, 1 below or outside the frame, 0 (with x = y = 0) where
    unknown. `score` is
    the mean score of the known keypoints, `bbox` (x, y, width, height) their extent inside the
    frame, `track_id` the
    person.
    Raises ClimbEdgeError where it cannot be written.
    """
    ordered, name = as_results(results), Path(source).name or "video"
    sizes = {r.frame: r.size or (int(frame_size[0]), int(frame_size[1])) for r in ordered}
    images = [
        {"id": frame + 1, "file_name": f"{name}/{frame:06d}.jpg", "width": width, "height": height}
        for frame, (width, height) in sizes.items()
    ]
    found = [
        _annotation(r, *sizes[r.frame])
        for r in ordered
        if r.person is not None and r.refined is not None
    ]
    annotations = [
        {"id": i, **one} for i, one in enumerate((one for one in found if one["num_keypoints"]), 1)
    ]
    skeleton = [[a + 1, b + 1] for a, b in BONES]  # COCO counts from 1
    category = {
        "id": 1,
        "name": "person",
        "supercategory": "person",
        "keypoints": list(KEYPOINTS),
        "skeleton": skeleton,
    }
    info = {"description": f"{source}: {TRACKED}", "truth": Truth.PSEUDO}
    content = {"info": info, "images": images, "annotations": annotations, "categories": [category]}
    write_text(path, json.dumps(content, separators=(",", ":"), allow_nan=False))


def _annotation(result: Result, width: int, height: int) -> dict:
    points = np.asarray(result.refined, float)
    known = np.isfinite(points[:, :2]).all(1)
    inside = known & (points[:, :2] >= 0).all(1) & (points[:, :2] <= [width - 1, height - 1]).all(1)
    visible = np.where(inside & (points[:, 2] >= SHOWN), 2, known.astype(int))
    x0, y0, x1, y1 = (
        np.clip(extent(points[known, :2]), 0, [width, height] * 2).tolist()
        if known.any()
        else [0.0] * 4
    )
    score = float(np.nan_to_num(points[known, 2]).mean()) if known.any() else 0.0
    shown = np.where(visible[:, None] > 0, points[:, :2], 0).round(3).tolist()
    flat = [n for place, v in zip(shown, visible.tolist(), strict=True) for n in (*place, v)]
    return {
        "image_id": result.frame + 1,
        "category_id": 1,
        "track_id": result.person,
        "iscrowd": 0,
        "keypoints": flat,
        "num_keypoints": int(known.sum()),
        "bbox": [round(n, 3) for n in (x0, y0, x1 - x0, y1 - y0)],
        "area": round((x1 - x0) * (y1 - y0), 3),
        "score": round(score, 4),
    }


def write_exports(done: Tracked, forms: Sequence[str], out: Path, source: str) -> Iterator[Path]:
    """Write a track in the forms "csv", "coco" and "climbing" as far as they are asked for; yields
    their paths. Nothing is written of a source without a frame.
    """
    size, last = done.size, done.last
    if size is None or last is None:
        return
    if "csv" in forms:
        write_csv(out / "track.csv", done.results)
        yield out / "track.csv"
    if "coco" in forms:
        write_coco(out / "track.coco.json", done.results, size, source)
        yield out / "track.coco.json"
    if "climbing" in forms:
        found, image = climbing.summaries(done.results, size), last
        for summary in found:
            image = climbing_picture.draw(image, summary)
        write_json(out / "climbing.json", [summary.as_dict() for summary in found])
        write_picture(out / "climbing.jpg", image)
        yield from (out / "climbing.json", out / "climbing.jpg")


def as_supervision(results: Iterable[Result | dict]) -> Any:
    """The refined keypoints as supervision.KeyPoints: a row per frame and person, n in all.

    xy (n, 25, 2) image pixels, confidence (n, 25) scores, class_id (n,) all 0, data: frame, t and
    person (n,) of each. For its annotators give the results of one frame, or take
    `points[points.data["frame"] == 12]`; the bones to draw are `[(a + 1, b + 1) for a, b in
    skeleton.BONES]`. Raises ClimbEdgeError where supervision is not installed.
    """
    try:
        import supervision
    except ImportError as error:
        raise ClimbEdgeError(
            f"supervision is not installed ({error}); pip install supervision"
        ) from error
    seen = [r for r in as_results(results) if r.person is not None and r.refined is not None]
    points = np.array([r.refined for r in seen], np.float32).reshape(-1, K, 3)
    data = {
        "frame": [r.frame for r in seen],
        "t": [r.time for r in seen],
        "person": [r.person for r in seen],
    }
    fields = inspect.signature(supervision.KeyPoints).parameters
    # its name from 0.29 on
    scores = "keypoint_confidence" if "keypoint_confidence" in fields else "confidence"
    return supervision.KeyPoints(
        xy=points[..., :2],
        class_id=np.zeros(len(seen), int),
        **{scores: points[..., 2]},
        data={name: np.array(values) for name, values in data.items()},
    )
