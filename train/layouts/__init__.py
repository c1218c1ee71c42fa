"""Readers that bring the layouts of other data sets into the project's clip sets (or motion):
`read(layout, folder)`.

One file per layout; a new one is a module with `read(folder, *, strict=False, ...)` that gives an
`Imported`, and a line in LAYOUTS. Options are the reader's keyword arguments.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Sequence
from pathlib import Path

from climb_edge.errors import ClimbEdgeError, did_you_mean
from train.layouts.imported import Imported, Motion

__all__ = ["Imported", "LAYOUTS", "Motion", "defaults", "parse", "read"]

LAYOUTS = {
    "penn": "Penn Action: labels/NNNN.mat, 13 joints",
    "jhmdb": "J-HMDB: joint_positions/<action>/<clip>/joint_positions.mat, 15 joints, and splits/",
    "brace": (
        "BRACE: interpolated segments (.json), manual frames (.npz) and the official split (.csv),"
        " 17 keypoints"
    ),
    "climbalong": (
        "ClimbAlong: a folder of heatmap files and one of targets, same names (.npz), 25 keypoints"
    ),
    "heatmaps": "your own estimator's heatmaps with keypoints beside them (.npz), 25 keypoints",
    "coco": (
        "COCO keypoints of video frames, as CVAT, Label Studio, Roboflow, COCO Annotator,"
        " DeepLabCut or SLEAP export them (.json)"
    ),
    "yolo": "YOLO pose of video frames: data.yaml with kpt_shape, images/ and labels/*.txt",
    "asfamc": (
        "CMU motion capture: skeletons (.asf) and takes (.amc); gives motion for virtual cameras"
    ),
}


def read(layout: str, folder: str | Path, **options) -> Imported:
    """Read `folder` as `layout` (a name in LAYOUTS) with that reader's options; see `defaults`.

    Raises ClimbEdgeError for an unknown layout or option, and for whatever the reader cannot use.
    """
    if unknown := sorted(set(options) - set(defaults(layout))):
        raise ClimbEdgeError(
            f"{layout}: no option {', '.join(unknown)}; expected {', '.join(defaults(layout))}"
        )
    return _reader(layout)(folder, **options)


def defaults(layout: str) -> dict[str, object]:
    """Name and default of each option of a layout's reader."""
    parameters = inspect.signature(_reader(layout)).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


def parse(layout: str, settings: Sequence[str]) -> dict[str, object]:
    """Options from command line text, as in ["split=2", "strict=yes", "frame_size=1080x1920"].

    Each takes the type of its default. Raises ClimbEdgeError for an unknown name or a value of
    another type.
    """
    known, found = defaults(layout), {}
    for setting in settings:
        name, _, text = setting.partition("=")
        if name not in known:
            raise ClimbEdgeError(
                f"{layout}: no option {name}; expected"
                f" {', '.join(known)}{did_you_mean(name, known)}"
            )
        found[name] = _value(f"{layout}: {setting}", text, known[name])
    return found


def _value(label: str, text: str, default: object) -> object:
    try:
        if isinstance(default, bool):
            return {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}[
                text.lower()
            ]
        if default == ():
            return tuple(text.split(","))
        if isinstance(default, tuple):
            width, height = text.lower().split("x")
            return int(width), int(height)
        return type(default)(text)
    except (KeyError, ValueError) as error:
        form = {bool: "yes or no", tuple: "WIDTHxHEIGHT", int: "a whole number", float: "a number"}[
            type(default)
        ]
        raise ClimbEdgeError(f"{label}: expected {form}") from error


def _reader(layout: str):
    if layout not in LAYOUTS:
        raise ClimbEdgeError(
            f"layout {layout!r}: expected one of"
            f" {', '.join(LAYOUTS)}{did_you_mean(layout, LAYOUTS)}"
        )
    return importlib.import_module(f"train.layouts.{layout}").read
