"""The report's pictures: labels that keep their distance, round sizes, and windows that show what
went astray.
"""

import base64
import copy

import cv2
import numpy as np
import pytest

from climb_edge.pose.skeleton import KEYPOINTS
from convert.reports.drawings import chart, histogram, sizes, spread, windows
from support.reports import example


def picture(address: str) -> np.ndarray:
    """What a data address shows."""
    return cv2.imdecode(
        np.frombuffer(base64.b64decode(address.split(",")[1]), np.uint8), cv2.IMREAD_COLOR
    )


@pytest.mark.parametrize("count", [1, 2, 14, 40])
def test_labels_of_the_chart_keep_their_distance(count):
    wanted = sorted(np.random.default_rng(count).choice([0.1, 0.5, 0.52, 0.9], count).tolist())
    places = spread(wanted)
    gaps = np.diff(places)
    assert min(places) >= -1e-9 and max(places) <= 1 + 1e-9
    assert (gaps >= min(0.085, 1 / max(count - 1, 1)) - 1e-9).all()
    assert spread([0.2, 0.8]) == [0.2, 0.8], "a label stays where nothing is in its way"


def test_the_legend_has_round_sizes():
    assert sizes(190_000) == [20_000, 50_000, 100_000]
    assert sizes(51_168) == [10_000, 20_000, 50_000]


def test_a_worst_window_shows_where_the_file_went_astray():
    file = example()["files"][0]
    window = file["worst_windows"][0]
    whole, k = windows(file), KEYPOINTS.index("left_pinky")
    window["file"][k] = [2.0, 54.0]
    assert windows(file) != whole
    file["worst_windows"] = [copy.deepcopy(window) for _ in range(10)]
    assert picture(windows(file)).shape[0] > 1.7 * picture(whole).shape[0], "two rows of five"


def test_every_picture_shows_something():
    report = example()
    for address in (
        chart(report),
        histogram(report["files"][0], report["histogram_edges"]),
        windows(report["files"][0]),
    ):
        shown = picture(address)
        assert min(shown.shape[:2]) > 200
        assert shown.std() > 5


def test_fourteen_files_make_a_taller_chart():
    recipes = (
        "float32",
        "float16",
        "dynamic_int8",
        "int8",
        "int8_io",
        "int8_mixed",
        "int4_weights",
    )
    report = example(*recipes)
    few = picture(chart(report)).shape[0]
    report["files"] += example(*recipes, form="window", emits="all")["files"]
    assert picture(chart(report)).shape[0] > 1.2 * few
